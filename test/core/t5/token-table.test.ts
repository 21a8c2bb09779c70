/** Rows of the embedding that are looked up outside of the graphs. */
import { describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import type { FloatTensor } from "../../../src/core/onnx/weights.ts";
import { TokenTable } from "../../../src/core/t5/token-table.ts";

const [tokens, width] = [3000, 8];

/** Row i holds i, i + 1/8, … */
function table(dtype: "F32" | "BF16"): { readonly tensor: FloatTensor; readonly reads: (readonly [number, number])[] } {
  const values = Float32Array.from({ length: tokens * width }, (_, i) => (dtype === "F32" ? i / width : (i % 7) / 8));
  const bits = new Uint32Array(values.buffer);
  const stored = dtype === "F32" ? values : Uint16Array.from(bits, (value) => value >>> 16);
  const bytes = new Uint8Array(8 + stored.byteLength);
  bytes.set(new Uint8Array(stored.buffer), 8);
  const source = bytesSource("model.safetensors", bytes);
  const reads: (readonly [number, number])[] = [];
  const read: typeof source.read = (offset, length, signal) => {
    reads.push([offset, length]);
    return source.read(offset, length, signal);
  };
  return { tensor: { dtype, shape: [tokens, width], source: { ...source, read }, offset: 8, length: stored.byteLength }, reads };
}

const rowOf = (id: number): readonly number[] => Array.from({ length: width }, (_, i) => id + i / width);

describe("rows of tokens", () => {
  it("that are kept still tell of a local file that was changed, before an answer: safetensors-truncated", async () => {
    const { tensor, reads } = table("F32");
    let isChanged = false;
    const read: typeof tensor.source.read = async (...range) => {
      if (isChanged) throw new SpellError("gguf-truncated", "the file was changed while it was in use");
      return tensor.source.read(...range);
    };
    const local = new TokenTable({ ...tensor, source: { ...tensor.source, path: "/models/t5/model.safetensors", read } });
    await local.rows([1, 2]);
    await local.check();
    isChanged = true;
    await local.rows([2, 1]);
    await expect(local.check()).rejects.toMatchObject({ code: "safetensors-truncated" });
    reads.length = 0;
    await new TokenTable(tensor).check();
    expect(reads).toEqual([]);
  });

  it("are numbers: a row that holds another is run-nan, those beside it are read", async () => {
    const { tensor } = table("F32");
    const bytes = await tensor.source.read(0, tensor.source.size);
    new DataView(bytes.buffer, bytes.byteOffset).setFloat32(8 + 4 * (7 * width + 3), Number.NaN, true);
    const damaged = new TokenTable({ ...tensor, source: bytesSource("model.safetensors", bytes) });
    await damaged.rows([6, 8]);
    await expect(damaged.rows([6, 7])).rejects.toMatchObject({ code: "run-nan", where: "shared.weight" });
  });

  it("come in the order of the ids, the same id twice", async () => {
    const { tensor } = table("F32");
    const rows = await new TokenTable(tensor).rows([2999, 0, 5, 2999]);
    expect([...rows]).toEqual([2999, 0, 5, 2999].flatMap(rowOf));
  });

  it("are read once, near ones together", async () => {
    const { tensor, reads } = table("F32");
    const tokenTable = new TokenTable(tensor);
    await tokenTable.rows([40, 7, 3, 1000]);
    const bytes = 4 * width;
    expect(reads).toEqual([
      [8 + 3 * bytes, 5 * bytes],
      [8 + 40 * bytes, bytes],
      [8 + 1000 * bytes, bytes],
    ]);
    expect([...(await tokenTable.rows([1000, 3]))]).toEqual([1000, 3].flatMap(rowOf));
    expect(reads).toHaveLength(3);
  });

  it("of 16 bits are widened", async () => {
    const { tensor } = table("BF16");
    const expected = Array.from({ length: width }, (_, i) => ((2 * width + i) % 7) / 8);
    expect([...(await new TokenTable(tensor).rows([2]))]).toEqual(expected);
  });

  it("that do not exist are an error, not other bytes of the file", async () => {
    const { tensor } = table("F32");
    await expect(new TokenTable(tensor).rows([tokens])).rejects.toMatchObject({ code: "internal-error" });
    await expect(new TokenTable(tensor).rows([-1])).rejects.toMatchObject({ code: "internal-error" });
  });

  it("pass on what the file says when it is gone", async () => {
    const { tensor } = table("F32");
    const gone = new Error("gone");
    const source = { ...tensor.source, read: () => Promise.reject(gone) };
    await expect(new TokenTable({ ...tensor, source }).rows([1])).rejects.toBe(gone);
  });
});

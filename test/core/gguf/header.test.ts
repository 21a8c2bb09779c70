import { describe, expect, it } from "vitest";
import { type ByteSource, bytesSource } from "../../../src/core/formats/byte-source.ts";
import { readGgufHeader } from "../../../src/core/gguf/header.ts";
import { limits } from "../../../src/core/limits.ts";
import { nanoLlama, tinyLlama } from "../../fixtures/gguf/models.ts";
import { ByteWriter, type Entry, writeGguf, writeHeader } from "../../fixtures/gguf-writer.ts";

const read = (bytes: Uint8Array) => readGgufHeader(bytesSource("model.gguf", bytes));

/** Notes what is asked of a source. */
function watch(source: ByteSource): { readonly source: ByteSource; readonly reads: { offset: number; length: number }[] } {
  const reads: { offset: number; length: number }[] = [];
  return {
    reads,
    source: {
      ...source,
      read(offset, length, signal) {
        reads.push({ offset, length });
        return source.read(offset, length, signal);
      },
    },
  };
}

describe("readGgufHeader", () => {
  it("reads every type of value", async () => {
    const entries: Entry[] = [
      ["u8", "uint8", 255],
      ["i8", "int8", -128],
      ["u16", "uint16", 65_535],
      ["i16", "int16", -32_768],
      ["u32", "uint32", 4_294_967_295],
      ["i32", "int32", -2_147_483_648],
      ["f32", "float32", 0.5],
      ["yes", "bool", true],
      ["no", "bool", false],
      ["text", "string", "\uFEFFé😀"],
      ["u64", "uint64", 2n ** 64n - 1n],
      ["i64", "int64", -(2n ** 63n)],
      ["f64", "float64", Math.PI],
      ["texts", "[string]", ["", "a", "\uFEFFb", "é", "😀", ""]],
      ["bools", "[bool]", [1, 0, 1]],
      ["u64s", "[uint64]", [1n, 2n ** 64n - 1n]],
      ["i16s", "[int16]", [-1, 2, 3]],
      ["nothing", "[float32]", []],
    ];
    const header = await read(writeGguf({ entries, tensors: [] }));
    const plain = Array.from(header.metadata, ([key, value]) => [
      key,
      typeof value === "object" ? Array.from<unknown>(value.values) : value,
    ]);
    expect(plain).toEqual(entries.map((entry) => (entry instanceof Uint8Array ? [] : [entry[0], entry[2]])));
    expect(header.types.get("u16")).toBe("uint16");
    expect(header.metadata.get("i16s")).toMatchObject({ type: "int16", length: 3 });
  });

  it("reads the same from a Buffer of Node, wherever in its pool that lies", async () => {
    const bytes = writeGguf({ entries: [["i16s", "[int16]", [-1, 2, 3]]], tensors: [] });
    const inPool = Buffer.concat([Buffer.from("before"), bytes, Buffer.from("behind")]).subarray(6, 6 + bytes.length);
    for (const source of [
      bytesSource("m.gguf", inPool),
      { ...bytesSource("m.gguf", inPool), read: async (at: number, length: number) => inPool.subarray(at, at + length) },
    ]) {
      const { metadata } = await readGgufHeader(source);
      expect(metadata.get("i16s")).toEqual({ type: "int16", length: 3, values: Int16Array.of(-1, 2, 3) });
    }
  });

  it("measures tensors and where their data lies", async () => {
    const spec = tinyLlama({ weights: "Q4_0" });
    const bytes = writeGguf(spec);
    const header = await read(bytes);
    expect(header).toMatchObject({ version: 3, alignment: 32, dataOffset: writeHeader(spec).length, notes: [] });
    expect(header.tensors.map(({ name, shape, type }) => ({ name, shape, type }))).toEqual(
      spec.tensors.map(({ name, shape, type }) => ({ name, shape, type })),
    );
    for (const [i, tensor] of header.tensors.entries()) {
      const start = header.dataOffset + tensor.offset;
      expect(bytes.subarray(start, start + tensor.bytes)).toEqual(spec.tensors[i]?.data);
    }
  });

  it("takes 0 entries and 0 tensors", async () => {
    expect(await read(writeGguf({ entries: [], tensors: [] }))).toMatchObject({ tensors: [], dataOffset: 32, notes: [] });
  });

  it("reads a small header once, and no tensor data beyond that", async () => {
    const bytes = new Uint8Array(3_000_000);
    const spec = { ...nanoLlama(), tensors: [{ name: "token_embd.weight", shape: [700_000], type: 0, data: new Uint8Array(2_800_000) }] };
    bytes.set(writeGguf(spec));
    const { source, reads } = watch(bytesSource("model.gguf", bytes));
    await readGgufHeader(source);
    expect(reads).toEqual([{ offset: 0, length: limits.ggufFirstReadBytes }]);
  });

  it("reads a header of 32 MiB in few growing reads without gaps or repeats, and keeps its vocabulary", async () => {
    const count = 1024 * 1024;
    const bytes = vocabularyHeader(count, 32);
    const { source, reads } = watch(bytesSource("model.gguf", bytes));
    const header = await readGgufHeader(source);
    expect(bytes.length).toBeGreaterThan(32 * 1024 * 1024);
    expect(reads.length).toBeLessThanOrEqual(6);
    expect(reads.map(({ offset }) => offset)).toEqual(reads.map((_, i) => reads.slice(0, i).reduce((sum, { length }) => sum + length, 0)));
    const tokens = header.metadata.get("tokens");
    expect(tokens).toMatchObject({ type: "string", length: count });
    const values = (tokens as { values: readonly string[] }).values;
    expect([values[0], values[77_777], values[count - 1]]).toEqual(
      ["token 0", "token 77777", `token ${count - 1}`].map((text) => text.padEnd(24)),
    );
  });

  it("finds values that lie across the ends of reads", async () => {
    // Strings of odd lengths around the first read's end, characters of 2 to 4 bytes in them.
    const words = ["é", "漢字", "😀😀", "plain", ""];
    const texts = Array.from({ length: 120_000 }, (_, i) => words[i % words.length]!);
    const header = await read(
      writeGguf({
        entries: [
          ["pad", "string", "x".repeat(1001)],
          ["texts", "[string]", texts],
          ["last", "uint64", 7n],
        ],
        tensors: [],
      }),
    );
    expect((header.metadata.get("texts") as { values: readonly string[] }).values).toEqual(texts);
    expect(header.metadata.get("last")).toBe(7n);
  });

  it("says which element of an array is not UTF-8, also where all together would be", async () => {
    const halves = [Uint8Array.of(0xc3), Uint8Array.of(0xa9)];
    await expect(
      read(writeGguf({ entries: [["tokenizer.texts", "[string]", ["ok", ...halves] as never]], tensors: [] })),
    ).rejects.toMatchObject({
      code: "gguf-string",
      message: expect.stringContaining("element 1 is not UTF-8"),
    });
  });

  it("reads an array of numbers that spans many reads, and refuses one that the file does not hold", async () => {
    const values = Uint32Array.from({ length: 700_000 }, (_, i) => i * 7);
    const head = new ByteWriter().raw(new TextEncoder().encode("GGUF")).uint32(3).uint64(0).uint64(1);
    const file = head.text("numbers").uint32(9).uint32(4).uint64(values.length).raw(new Uint8Array(values.buffer)).bytes();
    const header = await read(file);
    const read32 = (header.metadata.get("numbers") as { values: Uint32Array }).values;
    expect(read32.length === values.length && read32.every((value, i) => value === values[i])).toBe(true);
    await expect(read(file.subarray(0, -1))).rejects.toMatchObject({ code: "gguf-truncated" });
  });

  it.each([
    ["overlong", [0xc0, 0x80]],
    ["a surrogate", [0xed, 0xa0, 0x80]],
    ["beyond U+10FFFF", [0xf5, 0x80, 0x80, 0x80]],
    ["a lone continuation byte", [0x80]],
    ["cut off", [0x61, 0xe2, 0x82]],
  ])("refuses text that is %s, alone and in an array", async (_, bytes) => {
    const text = Uint8Array.from(bytes);
    for (const entry of [
      ["tokenizer.a", "string", text],
      ["tokenizer.a", "[string]", ["ok", text, "ok"]],
    ] as unknown as Entry[]) {
      await expect(read(writeGguf({ entries: [entry], tensors: [] }))).rejects.toMatchObject({ code: "gguf-string" });
    }
  });

  it("refuses a string of more than 16 MiB, in a file that has as much", async () => {
    const writer = new ByteWriter().raw(new TextEncoder().encode("GGUF")).uint32(3).uint64(0).uint64(1).text("a").uint32(8);
    writer.uint64(limits.ggufStringBytes + 1).raw(new Uint8Array(limits.ggufStringBytes + 1));
    await expect(read(writer.bytes())).rejects.toMatchObject({ code: "gguf-string" });
  });

  it("refuses a header that goes on for more than 64 MiB over a network", async () => {
    const size = 300_000_000;
    const start = new ByteWriter()
      .raw(new TextEncoder().encode("GGUF"))
      .uint32(3)
      .uint64(0)
      .uint64(1)
      .text("a")
      .uint32(9)
      .uint32(8)
      .uint64(4_000_000);
    const head = start.bytes();
    let fetched = 0;
    // An endless list of strings of 0xFFF8 bytes, made as it is read; with its length in front each takes 64 KiB.
    const endless: ByteSource = {
      name: "endless.gguf",
      size,
      async read(offset, length) {
        const bytes = new Uint8Array(length);
        const first = (head.length - offset) % 0x10000;
        for (let i = first < 0 ? first + 0x10000 : first; i < length; i += 0x10000) bytes.set([0xf8, 0xff].slice(0, length - i), i);
        if (offset === 0) bytes.set(head);
        fetched += length;
        return bytes;
      },
    };
    await expect(readGgufHeader(endless)).rejects.toMatchObject({ code: "gguf-count" });
    expect(fetched).toBeLessThanOrEqual(limits.ggufHeaderBytes);
  });

  it("does not read on after the signal is aborted", async () => {
    const abort = new AbortController();
    const { source, reads } = watch(bytesSource("model.gguf", vocabularyHeader(100_000, 40)));
    const watched: ByteSource = {
      ...source,
      async read(offset, length, signal) {
        const bytes = await source.read(offset, length, signal);
        abort.abort();
        return bytes;
      },
    };
    await expect(readGgufHeader(watched, { signal: abort.signal })).rejects.toMatchObject({ code: "run-aborted" });
    expect(reads).toHaveLength(1);
  });

  it("reads 71,000 tensors, as the largest known file has", async () => {
    const data = new Uint8Array(0);
    const tensors = Array.from({ length: 71_000 }, (_, i) => ({ name: `blk.${i}.weight`, shape: [0, 4], type: 0, data }));
    const header = await read(writeGguf({ entries: [], tensors }));
    expect(header.tensors).toHaveLength(71_000);
    expect(header.tensors.at(-1)?.name).toBe("blk.70999.weight");
  });
});

/** A header whose one entry is a vocabulary; each token takes `each` bytes with its length. */
function vocabularyHeader(count: number, each: number): Uint8Array {
  const head = new ByteWriter()
    .raw(new TextEncoder().encode("GGUF"))
    .uint32(3)
    .uint64(0)
    .uint64(1)
    .text("tokens")
    .uint32(9)
    .uint32(8)
    .uint64(count)
    .bytes();
  const bytes = new Uint8Array(head.length + count * each).fill(0x20);
  bytes.set(head);
  const view = new DataView(bytes.buffer);
  const encoder = new TextEncoder();
  for (let i = 0; i < count; i++) {
    const at = head.length + i * each;
    view.setBigUint64(at, BigInt(each - 8), true);
    encoder.encodeInto(`token ${i}`, bytes.subarray(at + 8, at + each));
  }
  return bytes;
}

/** Memory that is reckoned instead of tried, and long arrays of a header that are passed over. */
import { describe, expect, it, vi } from "vitest";
import { isLongArray, passArray } from "../../../src/node/engines/llama-arrays.ts";
import { reckonContexts, reckonModels } from "../../../src/node/engines/llama-memory.ts";

const reckoned = { cpuRam: 100, gpuVram: 0 };
const tried = { cpuRam: 120, gpuVram: 0 };
const insights = () => ({
  estimateModelResourceRequirements: vi.fn(() => reckoned),
  estimateModelResourceRequirementsV2: vi.fn(async () => tried),
  estimateContextResourceRequirements: vi.fn(() => reckoned),
  estimateContextResourceRequirementsV2: vi.fn(async () => tried),
});
const context = { contextSize: 512, modelGpuLayers: 0, flashAttention: "auto" } as const;

describe("memory of a model on the processor", () => {
  it("is reckoned while models are loaded, and tried again afterwards", async () => {
    const its = insights();
    const mend = reckonModels(its);
    expect(await its.estimateModelResourceRequirementsV2()).toBe(reckoned);
    mend();
    expect(await its.estimateModelResourceRequirementsV2()).toBe(tried);
  });

  it("of a context is reckoned where twice of it is free, else tried", async () => {
    const [plenty, short] = [insights(), insights()];
    reckonContexts(plenty, () => 200);
    reckonContexts(short, () => 199);
    const ask = (its: object) =>
      (its as { estimateContextResourceRequirementsV2(options: object): Promise<object> }).estimateContextResourceRequirementsV2(context);
    expect(await ask(plenty)).toBe(reckoned);
    expect(plenty.estimateContextResourceRequirements).toHaveBeenCalledWith({ ...context, flashAttention: true });
    expect(await ask(short)).toBe(tried);
  });

  it("of a family that cannot be reckoned is tried", async () => {
    const its = insights();
    its.estimateContextResourceRequirements.mockImplementation(() => {
      throw new TypeError("no such layer");
    });
    reckonContexts(its, () => 1e9);
    expect(await (its.estimateContextResourceRequirementsV2 as (options: object) => Promise<object>)(context)).toBe(tried);
  });
});

describe("a long array of a header", () => {
  const text = (value: string): Buffer => {
    const length = Buffer.alloc(8);
    length.writeBigUInt64LE(BigInt(Buffer.byteLength(value)));
    return Buffer.concat([length, Buffer.from(value)]);
  };
  /** Shows its bytes when they are asked for, as the package's reader does. */
  const reader = (whole: Buffer, shown: number) => ({
    _buffer: whole.subarray(0, shown),
    async ensureHasByteRange(offset: number, length: number) {
      this._buffer = whole.subarray(0, offset + length);
    },
  });

  it("of texts is passed over, as far as it reaches, whatever was read before", async () => {
    const words = ["", "a", "é", "longer than the others"];
    const whole = Buffer.concat([Buffer.from("before"), ...words.map(text), Buffer.from("behind")]);
    for (const shown of [0, 10, whole.length]) {
      const at = { offset: 6 };
      expect((await passArray(reader(whole, shown), at, 8, words.length)).length).toBe(words.length);
      expect(whole.toString("utf8", at.offset)).toBe("behind");
    }
  });

  it("of numbers is passed over by their size; other types are refused", async () => {
    const at = { offset: 6 };
    await passArray(reader(Buffer.alloc(0), 0), at, 5, 10);
    expect(at.offset).toBe(46);
    await expect(passArray(reader(Buffer.alloc(0), 0), at, 9, 1)).rejects.toThrow("type 9");
  });

  it("is longer than one entry for each layer", () => {
    expect([isLongArray(512), isLongArray(49_152n)]).toEqual([false, true]);
  });
});

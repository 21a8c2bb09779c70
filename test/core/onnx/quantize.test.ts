import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { blockSize, dequantizeBlocks, quantizeBlocks, quantizeColumns, toFloat32 } from "../../../src/core/onnx/quantize.ts";
import { seededRandom } from "../../../src/core/sampling.ts";

const blocks = fc
  .array(fc.float({ min: -4, max: 4, noNaN: true }), { minLength: blockSize, maxLength: blockSize })
  .map((values) => Float32Array.from(values));

describe("quantizeBlocks", () => {
  it.each([4, 8] as const)("keeps every %i-bit weight within one step of its block, and the largest nearly exact", (bits) => {
    fc.assert(
      fc.property(blocks, (weights) => {
        const back = dequantizeBlocks(quantizeBlocks(weights, bits), bits);
        const most = Math.max(...weights.map(Math.abs));
        const step = most / 2 ** (bits - 1);
        weights.forEach((weight, i) => {
          expect(Math.abs((back[i] ?? Number.NaN) - weight)).toBeLessThanOrEqual(step * 1.0001 + 1e-30);
        });
        const at = weights.findIndex((weight) => Math.abs(weight) === most);
        expect(Math.abs((back[at] ?? 0) - (weights[at] ?? 0))).toBeLessThanOrEqual(most * 1e-6);
      }),
    );
  });

  it("gives zeros for zeros, and packs the first of two in the low half", () => {
    expect(dequantizeBlocks(quantizeBlocks(new Float32Array(blockSize), 4), 4).every((weight) => weight === 0)).toBe(true);
    const weights = new Float32Array(blockSize);
    weights[0] = -8;
    weights[1] = 7;
    const { values, scales } = quantizeBlocks(weights, 4);
    expect(scales[0]).toBe(1);
    expect(values[0]).toBe(0 | (15 << 4));
  });
});

describe("quantizeColumns", () => {
  it("turns rows into columns, each with its own scale", () => {
    const { values, scales } = quantizeColumns(Float32Array.of(1, -2, 4, 0.5), 2, 2, 127);
    expect([...scales]).toEqual([Math.fround(2 / 127), Math.fround(4 / 127)]);
    expect([...values]).toEqual([64, 127, -127, 16]);
  });

  it("gives what is computed one by one, whatever the shape", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 150 }),
        fc.integer({ min: 1, max: 9 }),
        fc.constantFrom(127, 63),
        fc.integer(),
        (rows, columns, limit, seed) => {
          const random = seededRandom(seed >>> 0);
          const weights = Float32Array.from({ length: rows * columns }, () => random() * 4 - 2).fill(0, 0, columns);
          const { values, scales } = quantizeColumns(weights, rows, columns, limit);
          for (let row = 0; row < rows; row += 1) {
            const own = weights.subarray(row * columns, (row + 1) * columns);
            const most = Math.max(...own.map(Math.abs));
            expect(scales[row]).toBe(Math.fround(most / limit));
            const wanted = Array.from(own, (weight) => (most === 0 ? 0 : Math.round(weight * (limit / most)) + 0));
            expect(wanted).toEqual(Array.from(own, (_, column) => values[column * rows + row]));
          }
        },
      ),
    );
  });

  it("hands on what is no number, for the model to say", () => {
    const { scales } = quantizeColumns(Float32Array.of(1, Number.NaN, 2, 3, -4, 5), 2, 3, 127);
    expect(scales[0]).toBeNaN();
    expect(scales[1]).toBe(Math.fround(5 / 127));
  });
});

describe("toFloat32", () => {
  it("widens F16: zeros, subnormal numbers, the largest, infinities", () => {
    const halves = Uint16Array.of(0x0000, 0x8000, 0x0001, 0x3c00, 0xc000, 0x7bff, 0x7c00, 0xfc00);
    expect([...toFloat32(new Uint8Array(halves.buffer), "F16")]).toEqual([
      0,
      -0,
      2 ** -24,
      1,
      -2,
      65504,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
    expect(toFloat32(Uint8Array.of(1, 0x7e), "F16")[0]).toBeNaN();
  });

  it("widens BF16 by sixteen bits, and takes F32 as it is, aligned or not", () => {
    expect([...toFloat32(Uint8Array.of(0x80, 0x3f, 0x00, 0xc0), "BF16")]).toEqual([1, -2]);
    const bytes = new Uint8Array(9);
    bytes.set(new Uint8Array(Float32Array.of(1.5, -3).buffer), 1);
    expect([...toFloat32(bytes.subarray(1), "F32")]).toEqual([1.5, -3]);
  });
});

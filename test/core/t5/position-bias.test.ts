import { describe, expect, it } from "vitest";
import { bucketTable, relativePositionBucket } from "../../../src/core/t5/position-bias.ts";

describe("relativePositionBucket", () => {
  // python -c "from transformers.models.t5.modeling_t5 import T5Attention as A; import torch;
  //   print(A._relative_position_bucket(torch.tensor([...]), bidirectional, 32, 128).tolist())", transformers 4.57.6
  const distances = [-1000, -128, -127, -100, -64, -32, -17, -16, -15, -8, -7, -1, 0, 1, 7, 8, 9, 15, 16, 32, 64, 91, 128, 1000];

  it("counts both ways in the encoder", () => {
    expect(distances.map((distance) => relativePositionBucket(distance, true, 32, 128))).toEqual([
      15, 15, 15, 15, 14, 12, 10, 10, 9, 8, 7, 1, 0, 17, 23, 24, 24, 25, 26, 28, 30, 31, 31, 31,
    ]);
  });

  it("looks only backwards in the decoder", () => {
    expect(distances.map((distance) => relativePositionBucket(distance, false, 32, 128))).toEqual([
      31, 31, 31, 30, 26, 21, 16, 16, 15, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    ]);
  });

  it("stays within its buckets for other numbers of them", () => {
    for (const buckets of [4, 8, 64]) {
      for (const bidirectional of [true, false]) {
        const table = bucketTable(bidirectional, buckets, 128);
        expect(table).toHaveLength(257);
        expect(Math.max(...table)).toBeLessThan(buckets);
        expect(Math.min(...table)).toBe(0);
      }
    }
  });
});

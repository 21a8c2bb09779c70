/** The kernel against plain JavaScript: equal numbers, whatever the length of rows. */
import { describe, expect, it } from "vitest";
import { plainScan, rowScan } from "../../../src/core/search/row-scan.ts";
import { integerRows } from "../../fixtures/vectors.ts";

describe("products of rows", () => {
  it.each([1, 3, 15, 16, 17, 384, 1000])("are those of plain JavaScript for %i numbers", (dimensions) => {
    const rows = integerRows(50, dimensions, dimensions);
    const query = integerRows(1, dimensions, 7);
    const [fast, slow] = [rowScan(rows, dimensions), plainScan(rows, dimensions)];
    for (const scan of [fast, slow]) {
      scan.ask(query);
      scan.ids.set([49, 0, 7, 7, 20]);
    }
    expect([...fast.all()]).toEqual([...slow.all()]);
    expect([...fast.squares]).toEqual([...slow.squares]);
    expect([...fast.gather(-1, 5).subarray(0, 5)]).toEqual([...slow.gather(-1, 5).subarray(0, 5)]);
    expect([...fast.gather(3, 5).subarray(0, 5)]).toEqual([...slow.gather(3, 5).subarray(0, 5)]);
    const byHand = query.reduce((sum, each, i) => sum + each * (rows[49 * dimensions + i] ?? 0), 0);
    expect(fast.gather(-1, 1)[0]).toBe(byHand);
  });

  it("hold the largest rows without overflow", () => {
    const dimensions = 4096;
    const rows = new Int8Array(2 * dimensions).fill(-127, 0, dimensions).fill(127, dimensions);
    const scan = rowScan(rows, dimensions);
    scan.ask(rows.subarray(0, dimensions));
    expect([...scan.all()]).toEqual([127 * 127 * dimensions, -127 * 127 * dimensions]);
  });

  it("of no rows are none", () => {
    expect(rowScan(new Int8Array(0), 384).all()).toHaveLength(0);
  });

  it("come from the kernel here, which is several times as fast", () => {
    const dimensions = 384;
    const rows = integerRows(1000, dimensions, 1);
    const time = (scan: ReturnType<typeof rowScan>): number => {
      scan.ask(rows.subarray(0, dimensions));
      let least = Number.POSITIVE_INFINITY;
      for (let i = 0; i < 5; i += 1) {
        const start = performance.now();
        scan.all();
        least = Math.min(least, performance.now() - start);
      }
      return least;
    };
    expect(time(rowScan(rows, dimensions))).toBeLessThan(time(plainScan(rows, dimensions)) / 2);
  });
});

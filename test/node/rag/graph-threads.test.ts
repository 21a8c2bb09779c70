/** Threads build the graph that one thread builds. */
import { describe, expect, it } from "vitest";
import { openCollection } from "../../../src/core/search/collection.ts";
import { buildGraph } from "../../../src/core/search/graph.ts";
import { memoryFolder } from "../../../src/core/search/memory-folder.ts";
import { nearness } from "../../../src/core/search/nearness.ts";
import { rowScan } from "../../../src/core/search/row-scan.ts";
import type { GraphSettings, GraphThreads } from "../../../src/core/spec/search-index.ts";
import { buildInThreads } from "../../../src/node/rag/graph-threads.ts";
import { integerRows } from "../../fixtures/vectors.ts";
import { isLong, some } from "../../support.ts";

const settings: GraphSettings = { m: 8, efConstruction: 40, efSearch: 50, seed: 42, layers: 16, batchSize: 64 };

describe("threads that build a graph", () => {
  // 24 numbers: a row is not of whole vectors of 16
  const dimensions = 24;
  const count = isLong ? 5000 : 700;
  const rows = integerRows(count, dimensions, 5);

  it.each(some([2, 1, 3, 5], 3))("%i of them make what one makes", async (threads) => {
    for (const metric of ["cosine", "euclidean"] as const) {
      const near = nearness(metric, rowScan(rows, dimensions), new Float32Array(count).fill(0.5));
      const { factors, biases } = near;
      const told: number[] = [];
      const alone = await buildGraph(
        near,
        settings,
        async () => undefined,
        (done) => told.push(done),
      );
      expect([told.at(-1), told.length > 5, [...told].sort((a, b) => a - b)]).toEqual([count, true, told]);
      const made = await buildInThreads({ rows, dimensions, factors, biases }, settings, threads, (done) =>
        expect(done).toBeLessThanOrEqual(count),
      );
      expect(made.entry).toBe(alone.entry);
      for (const part of ["levels", "bottom", "upper"] as const) expect(Buffer.compare(bytes(made[part]), bytes(alone[part]))).toBe(0);
    }
  });

  it("build it when an index merges, and one thread does where they cannot", async () => {
    const build = (ways: GraphThreads["build"]) => merged({ most: 2, build: ways });
    const [shared, alone, failing] = [
      await build(buildInThreads),
      await merged(undefined),
      await build(() => Promise.reject(new RangeError("no memory"))),
    ];
    expect([shared, alone, failing].map(({ threads }) => threads)).toEqual([2, 1, 1]);
    expect(shared.found).toEqual(alone.found);
    expect(failing.found).toEqual(alone.found);
  });

  /** An index of 200 rows, merged into one segment with a graph. */
  async function merged(graphThreads: GraphThreads | undefined) {
    let threads = 0;
    const collection = await openCollection(
      memoryFolder(),
      { embedder: { id: "rows", dimensions }, metric: "cosine", storeText: false, graph: { ...settings, least: 100, threads: 2 } },
      { graphThreads, onGraph: (built) => (threads = built.threads) },
    );
    const vector = (row: number): Float32Array => Float32Array.from(rows.subarray(row * dimensions, (row + 1) * dimensions));
    const chunk = { text: "", headings: [], start: 0, end: 0 };
    collection.add(
      Array.from({ length: 200 }, (_, i) => ({ id: `d${i}`, metadata: {}, chunks: [{ ...chunk, hash: `${i}`, vector: vector(i) }] })),
    );
    await collection.merge(true);
    expect(collection.stats().segments.map(({ scan }) => scan)).toEqual(["graph"]);
    const found = await Promise.all([0, 50, 199].map((row) => collection.search({ text: "", vector: vector(row), k: 5, hybridWeight: 0 })));
    return { threads, found: found.map((hits) => hits.map(({ document }) => document)) };
  }
});

function bytes(part: Uint8Array | Uint32Array): Uint8Array {
  return new Uint8Array(part.buffer, part.byteOffset, part.byteLength);
}

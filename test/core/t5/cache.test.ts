/** Both ways to keep keys and values against plain lists: one row of numbers for each sequence, head and position. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { OnnxTensor } from "../../../src/core/spec/onnx.ts";
import { createCache } from "../../../src/core/t5/cache.ts";
import type { T5Config } from "../../../src/core/t5/config.ts";
import { plainSession } from "./plain-session.ts";

const numHeads = 2;
const dKv = 3;
const config = { numHeads, dKv, numDecoderLayers: 2 } as T5Config;
const kinds = ["0.key", "0.value", "1.key", "1.value"] as const;

/** What position `at` of a sequence holds; sequences are told apart by what they were given. */
const cell = (kind: number, token: number, head: number): number[] =>
  Array.from({ length: dKv }, (_, i) => kind * 1e6 + token * 100 + head * 10 + i);

type Change = { readonly add: number } | { readonly keep: number } | { readonly order: readonly number[] };
const changes = fc.array(
  fc.oneof(
    fc.record({ add: fc.constantFrom(1, 1, 2, 7, 30) }),
    fc.record({ keep: fc.double({ min: 0, max: 1, noNaN: true }) }),
    fc.record({ order: fc.array(fc.nat(100), { minLength: 1, maxLength: 4 }) }),
  ),
  { maxLength: 24 },
);

describe.each([
  ["joined by us", false],
  ["joined by the graph", true],
])("keys and values %s", (_, keepsOutputs) => {
  it("are those of lists, whatever is added, taken back or put in another order", async () => {
    const { runtime } = plainSession(1, 4, keepsOutputs);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), changes, async (sequences, list: readonly Change[]) => {
        let tokens: number[][] = Array.from({ length: sequences }, () => []);
        let next = 1;
        const cache = createCache(runtime, config, sequences);
        const tensorOf = (kind: number, rows: readonly (readonly number[])[]): OnnxTensor => {
          const values = rows.flatMap((row) =>
            Array.from({ length: numHeads }, (__, head) => row.flatMap((token) => cell(kind, token, head))).flat(),
          );
          return runtime.tensor("float32", Float32Array.from(values), [rows.length, numHeads, rows[0]?.length ?? 0, dKv]);
        };
        for (const change of list) {
          const length = tokens[0]?.length ?? 0;
          if ("add" in change) {
            const fresh = tokens.map(() => Array.from({ length: change.add }, () => next++));
            tokens = tokens.map((row, at) => [...row, ...(fresh[at] ?? [])]);
            const given = keepsOutputs ? tokens : fresh;
            const name = keepsOutputs ? "present" : "fresh";
            cache.add(Object.fromEntries(kinds.map((kind, at) => [`${name}.${kind}`, tensorOf(at, given)])), change.add);
          } else if ("keep" in change) {
            const kept = Math.floor(change.keep * length);
            tokens = tokens.map((row) => row.slice(0, kept));
            await cache.truncate(kept);
          } else {
            const order = change.order.map((row) => row % tokens.length);
            tokens = order.map((row) => [...(tokens[row] ?? [])]);
            await cache.reorder(order);
          }
          const feeds = cache.feeds();
          const known = tokens[0]?.length ?? 0;
          if (!keepsOutputs) expect(Number((await feeds["past_length"]?.read())?.[0])).toBe(known);
          for (const [at, kind] of kinds.entries()) {
            const past = feeds[`past.${kind}`] as OnnxTensor;
            const [batch = 0, heads, room = 0, width] = past.shape;
            expect([batch, heads, width]).toEqual([tokens.length, numHeads, dKv]);
            const values = await past.read();
            const wanted = await tensorOf(at, tokens).read();
            for (let row = 0; row < batch * numHeads; row += 1) {
              const got = values.slice(row * room * dKv, (row * room + known) * dKv);
              expect(got).toEqual(wanted.slice(row * known * dKv, (row + 1) * known * dKv));
            }
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});

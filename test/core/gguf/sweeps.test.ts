/** What nobody listed: every cut, every flipped bit, extreme numbers in every field. Each ends in a typed code or in facts. */
import { afterAll, describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { acceptGguf } from "../../../src/core/gguf/gate.ts";
import { nanoLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf, writeHeader } from "../../fixtures/gguf-writer.ts";
import { soonMs } from "../../support/soon.ts";

const good = writeGguf(nanoLlama());
const header = writeHeader(nanoLlama());

let slowestMs = 0;
let cases = 0;
afterAll(() => console.info(`${cases} damaged headers; slowest ${slowestMs.toFixed(1)} ms`));

/** @returns the code, or "accepted" */
async function judge(bytes: Uint8Array): Promise<string> {
  const started = performance.now();
  const outcome = await acceptGguf([bytesSource("swept.gguf", bytes)]).then(
    () => "accepted",
    (error: unknown) => (error instanceof SpellError ? error.code : `untyped: ${String(error)}`),
  );
  slowestMs = Math.max(slowestMs, performance.now() - started);
  cases += 1;
  return outcome;
}

const typed = /^(accepted|gguf-[a-z]+|model-(empty|architecture|t5-gguf))$/;

describe("sweeps over a header", () => {
  it("cut at every byte: always refused, as incomplete unless nothing is left", async () => {
    expect(header.length).toBeLessThanOrEqual(4096);
    const outcomes = new Set<string>();
    for (let length = 0; length < header.length; length++) outcomes.add(await judge(good.slice(0, length)));
    expect(Array.from(outcomes).sort()).toEqual(["gguf-truncated", "model-empty"]);
    expect(slowestMs).toBeLessThan(soonMs);
  });

  it("each bit of the first 512 bytes flipped: a typed code or facts", async () => {
    const codes = new Set<string>();
    for (let bit = 0; bit < 512 * 8; bit++) {
      const bytes = good.slice();
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      const outcome = await judge(bytes);
      expect(outcome, `bit ${bit}`).toMatch(typed);
      codes.add(outcome);
    }
    expect(codes.size).toBeGreaterThan(5);
    expect(slowestMs).toBeLessThan(soonMs);
  });

  it("extreme numbers in every integer field: a typed code or facts", async () => {
    const extremes = [0n, 1n, 2n ** 31n - 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n - 1n, 2n ** 64n - 1n];
    expect(header.integers.length).toBeGreaterThan(150);
    for (const field of header.integers) {
      for (const value of extremes) {
        if (value >= 2n ** BigInt(field.bytes * 8)) continue;
        const bytes = good.slice();
        const view = new DataView(bytes.buffer);
        if (field.bytes === 4) view.setUint32(field.offset, Number(value), true);
        else view.setBigUint64(field.offset, value, true);
        expect(await judge(bytes), `${value} at ${field.offset}`).toMatch(typed);
      }
    }
    expect(slowestMs).toBeLessThan(soonMs);
  });
});

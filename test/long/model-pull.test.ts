/** 200 kills at random moments, and eight processes at once. Row D21, D23. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startFaultServer } from "../support/fault-server.mjs";
import { killStorm, startPull, wrongBlobs } from "../support/kill-storm.ts";
import { root } from "../support.ts";

const gguf = Buffer.concat([readFileSync(join(root, "builtins/models/tiny-stories/tiny-stories.gguf")), Buffer.alloc(6_000_000, 7)]);
let server: Awaited<ReturnType<typeof startFaultServer>>;
beforeAll(async () => {
  server = await startFaultServer();
  server.addRepo("owner/gguf", { files: { "m.Q8_0.gguf": gguf } });
});
afterAll(() => server.close());

it("D21 200 kills at random moments leave no wrong blob, and the next run finishes", async () => {
  const home = mkdtempSync(join(tmpdir(), "llmspell-storm-"));
  server.plan(
    "/lfs/",
    Array.from({ length: 2000 }, () => ({ pieceMs: 5 })),
    "cdn",
  );
  const { finished, resumed } = await killStorm(200, home, server.url, "hf:owner/gguf", Math.random);
  console.info(`200 pulls were killed, of which ${resumed} left a part; ${finished} more were done before their kill`);
  // Storms that hit nothing prove nothing: some must have left work behind, and some must have come near the end.
  expect(Math.min(resumed, finished)).toBeGreaterThan(5);
  server.reset();
  expect((await startPull(home, server.url, "hf:owner/gguf").ended).status).toBe(0);
  expect([readdirSync(join(home, "models/blobs")).length, wrongBlobs(home)]).toEqual([1, []]);
  rmSync(home, { recursive: true, force: true });
}, 600_000);

it("D23 eight processes at once all succeed, with one blob and no part left", async () => {
  for (let round = 0; round < 5; round += 1) {
    const home = mkdtempSync(join(tmpdir(), "llmspell-eight-"));
    const ends = await Promise.all(Array.from({ length: 8 }, () => startPull(home, server.url, "hf:owner/gguf").ended));
    expect(ends.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 0));
    expect([readdirSync(join(home, "models/blobs")).length, wrongBlobs(home)]).toEqual([1, []]);
    expect(readdirSync(join(home, "models/parts")).filter((name) => /\.(part|lock)$/.test(name))).toEqual([]);
    rmSync(home, { recursive: true, force: true });
  }
}, 300_000);

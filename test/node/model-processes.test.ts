/** Pulls in real processes: kills, two and more at once, a lock holder that dies, Ctrl-C. Rows D21, D23, D24, D26. */
import { createHash } from "node:crypto";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { startFaultServer } from "../support/fault-server.mjs";
import { killStorm, startPull, wrongBlobs } from "../support/kill-storm.ts";
import { soonMs } from "../support/soon.ts";
import { root } from "../support.ts";

const gguf = Buffer.concat([readFileSync(join(root, "builtins/models/tiny-stories/tiny-stories.gguf")), Buffer.alloc(6_000_000, 7)]);
const spec = "hf:owner/gguf";
const name = `sha256-${createHash("sha256").update(gguf).digest("hex")}`;

let server: Awaited<ReturnType<typeof startFaultServer>>;
let home: string;
beforeAll(async () => {
  server = await startFaultServer();
  server.addRepo("owner/gguf", { files: { "m.Q8_0.gguf": gguf } });
});
afterAll(() => server.close());
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "llmspell-pull-"));
  server.reset();
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const slowly = (count = 40, pieceMs = 5): void =>
  server.plan(
    "/lfs/",
    Array.from({ length: count }, () => ({ pieceMs })),
    "cdn",
  );
const left = (folder: string): readonly string[] => readdirSync(join(home, "models", folder));

describe("processes that pull", () => {
  it("D21 killed at random moments leave no wrong blob, and the next run finishes", async () => {
    slowly();
    let state = 7;
    await killStorm(5, home, server.url, spec, () => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    });
    server.reset();
    const last = await startPull(home, server.url, spec).ended;
    expect(last).toMatchObject({ status: 0, stdout: "hf:owner/gguf:Q8_0\n" });
    expect([left("blobs"), wrongBlobs(home)]).toEqual([[name], []]);
    // A kill while a part is taken over, renamed and without its new record, leaves one that nobody may claim for a minute. None that has a record is left.
    const all = left("parts");
    expect(all.filter((file) => file.endsWith(".part") && all.includes(file.replace(/\.part$/, ".json")))).toEqual([]);
  });

  it("D23 two at once: both succeed, one transfer, one blob, no part left", async () => {
    slowly(2);
    const pulls = [startPull(home, server.url, spec), startPull(home, server.url, spec)];
    const ends = await Promise.all(pulls.map(({ ended }) => ended));
    expect(ends.map(({ status }) => status)).toEqual([0, 0]);
    expect(ends.map(({ stderr }) => stderr).join("")).toContain("another process downloads it; waiting");
    expect([left("blobs"), left("parts").filter((file) => /\.(part|lock)$/.test(file))]).toEqual([[name], []]);
    expect(server.seen.filter(({ host }) => host === "cdn")).toHaveLength(1);
  });

  it("D24 the holder of the lock is killed: the waiter goes on within 15 s, with what was kept", async () => {
    slowly(1, 80);
    const holder = startPull(home, server.url, spec);
    await holder.begins();
    const waiter = startPull(home, server.url, spec);
    await waiter.says("waiting");
    // written every 2 s
    const records = left("parts").filter((file) => file.endsWith(".json"));
    const recorded = () => records.map((file) => JSON.parse(readFileSync(join(home, "models/parts", file), "utf8")) as { done: unknown[] });
    await vi.waitFor(() => expect(recorded().some(({ done }) => done.length > 0)).toBe(true), { timeout: 6_000, interval: 50 });
    holder.child.kill("SIGKILL");
    const started = Date.now();
    expect((await waiter.ended).status).toBe(0);
    expect(Date.now() - started).toBeLessThan(15_000);
    expect([left("blobs"), wrongBlobs(home)]).toEqual([[name], []]);
    expect(server.seen.filter(({ host, headers }) => host === "cdn" && headers.range !== undefined)).toHaveLength(1);
  });

  it("D26 Ctrl-C keeps the part and says so, status 130; the same command goes on", async () => {
    slowly(1, 20);
    const pull = startPull(home, server.url, spec);
    await pull.begins();
    await new Promise((resolve) => setTimeout(resolve, 300)); // bytes come
    pull.child.kill("SIGINT");
    const { status, stderr } = await pull.ended;
    expect(status).toBe(130);
    expect(stderr).toMatch(/^kept [\d.]+ [kM]B; run the same command to continue\n$/);
    server.reset();
    const again = await startPull(home, server.url, spec).ended;
    expect(again.status).toBe(0);
    const fetched = server.seen.reduce((sum, { sent }) => sum + sent, 0);
    expect(fetched).toBeLessThan(gguf.length);
  });

  it("D26 Ctrl-C twice ends at once", async () => {
    server.plan("/lfs/", [{ hang: true }], "cdn");
    const pull = startPull(home, server.url, spec);
    await pull.begins();
    await new Promise((resolve) => setTimeout(resolve, 200));
    pull.child.kill("SIGINT");
    pull.child.kill("SIGINT");
    const started = Date.now();
    expect((await pull.ended).status).toBe(130);
    expect(Date.now() - started).toBeLessThan(soonMs);
  });
});

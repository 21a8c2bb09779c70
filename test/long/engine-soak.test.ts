/** R23 in full: many calls on one model, many loads; neither memory nor processes pile up. */
import { readFileSync, statSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ask, gone, nativeRuntime, openFile, tinyStories } from "../node/support/engine.ts";

const limitBytes = 50 * 2 ** 20 + 0.05 * statSync(tinyStories).size;

/** Resident memory; 0 where the system does not tell. */
function residentBytes(pid: number): number {
  if (process.platform !== "linux") return 0;
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

describe("soak", () => {
  it("R23: 1,000 generate calls", async () => {
    const runtime = nativeRuntime();
    const handle = await openFile(runtime, tinyStories);
    const pid = runtime.pids[0] ?? 0;
    for (let i = 0; i < 100; i++) await ask(handle, `Once upon a time ${i}`, { maxTokens: 8 });
    const before = { parent: process.memoryUsage().rss, child: residentBytes(pid) };
    for (let i = 0; i < 1000; i++) await ask(handle, `One day, number ${i} went out`, { maxTokens: 8, sampling: { repeatPenalty: 1.1 } });
    expect(residentBytes(pid) - before.child).toBeLessThan(limitBytes);
    expect(process.memoryUsage().rss - before.parent).toBeLessThan(limitBytes);
    await handle.dispose();
  }, 300_000);

  it("R23: 50 loads", async () => {
    const runtime = nativeRuntime();
    let before = 0;
    for (let i = 0; i < 50; i++) {
      const handle = await openFile(runtime, tinyStories);
      await ask(handle, "Once upon a time", { maxTokens: 4 });
      await handle.dispose();
      if (i === 5) before = process.memoryUsage().rss;
    }
    expect(process.memoryUsage().rss - before).toBeLessThan(limitBytes);
    expect(runtime.pids.length).toBe(50);
    await gone(runtime.pids);
    expect(process.listenerCount("exit")).toBeLessThan(12);
  }, 300_000);
});

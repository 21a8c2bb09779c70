/** Scripts, again and again: nothing is left of them, and every row of escapes with twenty seeds. `npm run test:long -- scripts` */
import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createSpell } from "../../src/node/main.ts";
import { childScripts } from "../../src/node/scripts/host.ts";
import { opener } from "../contract/script-host.ts";
import { scriptRows } from "../contract/script-rows.ts";

const runs = 200;
const seeds = 20;
/** MiB that this process may have gained after all runs; one run holds some hundred KiB until it is collected. */
const mostGainMiB = 24;

const descriptors = (): number => readdirSync("/proc/self/fd").length;
const children = (): number =>
  readdirSync("/proc/self/task").reduce((sum, task) => {
    const ids = readFileSync(`/proc/self/task/${task}/children`, "utf8");
    return sum + ids.split(" ").filter((id) => id !== "").length;
  }, 0);
const residentMiB = (): number => {
  globalThis.gc?.();
  return process.memoryUsage().rss / 1024 / 1024;
};

describe.skipIf(process.platform !== "linux")(`after ${runs} runs`, () => {
  it.each(["lua", "javascript"] as const)("of %s no descriptor, process or memory is left", async (engine) => {
    const spell = createSpell({ config: { engines: { lua: { timeout_ms: 500 }, javascript: { timeout_ms: 500 } } }, env: {} });
    const sources =
      engine === "lua"
        ? ["print(1) return 2", "error('x')", "while true do end", "os.exit(1)", "State.save('a', 'b', ('x'):rep(1e5))"]
        : [
            "print(1); export default 2",
            "throw 1",
            "for (;;);",
            "exit(1)",
            "setTimeout(() => {}, 10); State.save('a', 'b', 'x'.repeat(1e5))",
          ];
    const some = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) await spell.scripts.run(sources[i % sources.length] ?? "", { engine }).catch(() => undefined);
    };
    // the collector lets memory grow for some hundred runs, then it stays
    await some(runs);
    const before = { descriptors: descriptors(), children: children(), mib: residentMiB() };
    await some(runs);
    const after = { descriptors: descriptors(), children: children(), mib: residentMiB() };
    console.log(engine, before, after);
    expect(after.descriptors).toBeLessThanOrEqual(before.descriptors);
    expect(after.children).toBe(before.children);
    expect(after.mib - before.mib).toBeLessThan(mostGainMiB);
    await spell.dispose();
  });
});

const open = opener(childScripts);
/** Those that end by another limit: of the whole run, or of calls. */
const otherLimits = /never answers|million (host )?calls/;
const overtimeMs: number[] = [];
for (let seed = 1; seed <= seeds; seed++) {
  const onEnd = (row: string, tookMs: number, code: string): void => {
    if (code === "script-time" && !otherLimits.test(row)) overtimeMs.push(tookMs - 500);
  };
  scriptRows(open, { seed, onEnd });
}

it("what ended by its time was gone within 250 ms of it", () => {
  overtimeMs.sort((a, b) => a - b);
  const at = (share: number): number => Math.round(overtimeMs[Math.floor(share * (overtimeMs.length - 1))] ?? 0);
  console.log(`${overtimeMs.length} ends by time: median ${at(0.5)} ms after it, 95 % ${at(0.95)} ms, last ${at(1)} ms`);
  // the rest is what a busy machine takes
  expect(at(0.95)).toBeLessThan(250);
});

/** What scripts may try, against child processes of this Node; and that the probes themselves would escape where there is no wall. */
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { childScripts } from "../../../src/node/scripts/host.ts";
import { opener } from "../../contract/script-host.ts";
import { canary, scriptRows } from "../../contract/script-rows.ts";
import { isLong } from "../../support.ts";

const isLinux = process.platform === "linux";
/** MiB: what Node itself takes, the engine's first 16, the limit of 64, and texts on their way. */
const mostMiB = 260;

let connections = 0;
let peakMiB = 0;
const server = createServer((socket) => {
  connections += 1;
  socket.destroy();
});
let watch: NodeJS.Timeout | undefined;
beforeAll(async () => {
  process.env["LLMSPELL_CANARY"] = canary;
  Object.defineProperty(globalThis, "__CANARY", { value: canary, configurable: true });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  if (isLinux) watch = setInterval(() => (peakMiB = Math.max(peakMiB, ...children().map(peakOf))), 50);
});
afterAll(() => {
  clearInterval(watch);
  Reflect.deleteProperty(globalThis, "__CANARY");
  delete process.env["LLMSPELL_CANARY"];
  server.close();
});

function children(): readonly string[] {
  try {
    return readdirSync("/proc/self/task").flatMap((task) =>
      readFileSync(`/proc/self/task/${task}/children`, "utf8")
        .split(" ")
        .filter((pid) => pid !== ""),
    );
  } catch {
    return [];
  }
}
function peakOf(pid: string): number {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return /(lua|javascript)-child/.test(readFileSync(`/proc/${pid}/cmdline`, "utf8"))
      ? Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024
      : 0;
  } catch {
    return 0;
  }
}

const took: [row: string, ms: number, code: string][] = [];
scriptRows(opener(childScripts), {
  seed: Number(process.env["ROWS_SEED"] ?? 20),
  every: isLong ? 1 : 2,
  onEnd: (...row) => took.push(row),
});

describe("after all rows", () => {
  it("no process is left, none took more memory than it may, and nothing was reached", () => {
    if (process.env["ROWS_TIMES"] !== undefined)
      console.log(
        took
          .filter(([, , code]) => code === "script-time")
          .map(([row, ms]) => `${row}: ${Math.round(ms)}`)
          .join("\n"),
        `\npeak ${Math.round(peakMiB)} MiB`,
      );
    expect(children().filter((pid) => peakOf(pid) > 0)).toEqual([]);
    if (isLinux) expect(peakMiB).toBeGreaterThan(20);
    expect(peakMiB).toBeLessThan(mostMiB);
    expect(connections).toBe(0);
  });

  it("J: 26 the probes do escape where there is no wall", () => {
    const probe = 'this.constructor.constructor("return typeof process")()';
    expect(runInNewContext(probe)).toBe("object");
    const reach = [].constructor.constructor as (text: string) => () => unknown;
    expect(reach("return __CANARY")()).toBe(canary);
  });
});

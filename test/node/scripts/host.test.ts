/** The processes of scripts: when they start, and that none outlives its parent. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { childScripts } from "../../../src/node/scripts/host.ts";
import { prepareScript } from "../../../src/node/scripts/spawn.ts";
import { root } from "../../support.ts";

/** A program of ours that runs a script and tells the ids of its children. */
const program = `
import { readdirSync, readFileSync } from "node:fs";
import { createSpell } from ${JSON.stringify(new URL("dist/node/main.js", `file://${root}/`).href)};
const spell = createSpell({ env: {} });
const [engine, source] = process.argv.slice(1);
spell.scripts.run(source, { engine }).catch(() => {});
setTimeout(() => {
  const ids = readdirSync("/proc/self/task").flatMap((task) => readFileSync("/proc/self/task/" + task + "/children", "utf8").split(" "));
  console.log(ids.filter((id) => id !== "").join(" "));
}, 2500);
`;
const lives = (pid: number): boolean => {
  try {
    // a process that ended and was not waited for is none
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
};

describe.skipIf(process.platform !== "linux")("a script's process", () => {
  it.each([
    ["lua", "while true do end"],
    ["lua", 'string.find(("a"):rep(300000), ".-.-.-.-b")'],
    ["lua", "Utils.sleep(1000)"],
    ["javascript", "for (;;);"],
    ["javascript", 'const s = "a".repeat(8e6); s.indexOf("a".repeat(4e6) + "b")'],
    ["javascript", "await Utils.sleep(1000)"],
  ])("in %s does not outlive a parent that was killed: %s", async (engine, source) => {
    const parent = spawn(process.execPath, ["--input-type=module", "-e", program, engine, source], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let told = "";
    parent.stdout.on("data", (piece: Buffer) => {
      told += piece.toString();
    });
    await expect.poll(() => told).toMatch(/^\d+/);
    const ids = told.trim().split(" ").map(Number);
    expect(ids.map(lives)).toEqual([true]);
    const exit = once(parent, "exit");
    parent.kill("SIGKILL");
    await exit;
    await expect.poll(() => ids.some(lives)).toBe(false);
  });

  it("that was prepared is taken if it fits, and ended if it does not", async () => {
    const usual = 67_108_864;
    prepareScript("lua");
    prepareScript("lua");
    const [lua, other] = [await childScripts.start("lua", 2 * usual), await childScripts.start("lua", usual)];
    expect(other).not.toBe(lua);
    prepareScript("javascript");
    const wires = [lua, other, await childScripts.start("javascript", usual / 2), await childScripts.start("javascript", usual)];
    for (const wire of wires) {
      const first = new Promise<string>((resolve, reject) => wire.listen(resolve, reject));
      expect(await first).toMatch(/^idle 0 /);
      await wire.kill();
    }
  });
});

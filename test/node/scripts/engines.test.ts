/** The engines of scripts in child processes. */
import { describe, expect, it } from "vitest";
import { childScripts } from "../../../src/node/scripts/host.ts";
import { scriptEngines } from "../../contract/script-engines.ts";
import { opener } from "../../contract/script-host.ts";

const open = opener(childScripts);
scriptEngines(open);

describe.each(["lua", "javascript"] as const)("an input of %s that is stopped", (engine) => {
  const isLua = engine === "lua";
  const set = isLua ? "x = 41" : "let x = 41";

  it.each([
    ["computes for ever", isLua ? "while true do end" : "for (;;);"],
    ["computes beside open calls", isLua ? "while true do T.nop() end" : "T.slow(150); for (;;) T.nop();"],
    ["waits for what never comes", isLua ? "T.never()" : "await T.never()"],
    ["waits in a callback", isLua ? "T.each(1, function() T.never() end)" : "await T.each(1, () => T.never())"],
    ["works through promises without end", isLua ? "repeat T.slow(1) until false" : "for (;;) await 1;"],
  ])("ends and keeps the state: it %s", async (_what, source) => {
    const script = await open(engine);
    await script.run(set, { isShell: true });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 150);
    const begun = performance.now();
    const end = script.session.run({ source, name: "repl", isShell: true }, undefined, stop.signal);
    await expect(end).rejects.toMatchObject({ code: "run-aborted" });
    expect(performance.now() - begun).toBeLessThan(3000);
    expect(script.session.isOver).toBe(false);
    await script.run(isLua ? "x + T.add_one(0)" : "x + T.addOne(0)", { isShell: true });
    expect(script.output()).toBe("42\n");
  });

  it("asks its host in between, and loses nothing of what came meanwhile", async () => {
    const script = await open(engine, { timeoutMs: 700 });
    const never = new AbortController().signal;
    const source = isLua
      ? "local stop = os.clock() + 0.3 while os.clock() < stop do end return T.each(3, function(i) return i < 2 end)"
      : "const slow = [T.slow(20), T.slow(40)]; const end = Date.now() + 300; while (Date.now() < end); export default (await Promise.all(slow)).length";
    expect(await script.session.run({ source, name: "main" }, undefined, never)).toMatchObject({ value: 2 });
    // its time is still limited
    const endless = script.session.run({ source: isLua ? "while true do end" : "for (;;);", name: "main" }, undefined, never);
    await expect(endless).rejects.toMatchObject({ code: "script-time" });
  });

  it("cannot say so itself", async () => {
    const script = await open(engine);
    const error = await script.fails(isLua ? "error('!stop: x')" : "throw Object.assign(new Error('x'), { code: 'run-aborted' })");
    expect(error.code).toBe("script-error");
  });
});

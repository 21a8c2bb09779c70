/** Hooks, and what they do to calls. */
import { describe, expect, it } from "vitest";
import { createHooks, type HookData, hookPoints } from "../../../src/core/events/hooks.ts";
import { createWatcher, type Recorder } from "../../../src/core/events/watch.ts";
import { failure } from "../../support/failure.ts";

const settings = { enabled: true, rate_limit_per_minute: 100, timeout_ms: 5000 };

function watched(changed: Partial<typeof settings> = {}) {
  let time = 0;
  const log: string[] = [];
  const timings: unknown[] = [];
  const records: unknown[] = [];
  const now = (): number => time;
  const hooks = createHooks({ ...settings, ...changed }, { now, log: ({ message }) => log.push(message) });
  let calls = 0;
  const record = async (kind: string, name: string): Promise<Recorder> => {
    const call = ++calls;
    return { call, sessionId: "s", end: async (entry) => void records.push({ call, kind, name, ...entry }) };
  };
  const watcher = createWatcher({
    hooks,
    now,
    log: ({ message }) => log.push(message),
    onTiming: (type, data) => timings.push([type, data]),
    record,
  });
  const add = async (input: { a: number; b: number }) => input.a + input.b;
  const call = (name = "add", context?: object) => watcher.watch({ kind: "tool", name, input: { a: 1, b: 2 }, context }, add);
  return { hooks, watcher, log, timings, records, call, pass: (ms: number) => (time += ms) };
}

describe("Hook", () => {
  it("sees calls before and behind them, in order of priority, then of registration", async () => {
    const { hooks, call } = watched();
    const seen: unknown[] = [];
    hooks.register("BeforeToolExecution", () => void seen.push("third"));
    hooks.register("BeforeToolExecution", () => void seen.push("fourth"), "lowest");
    hooks.register("BeforeToolExecution", (data) => void seen.push(data), "highest");
    hooks.register("BeforeToolExecution", () => "continue", "high");
    hooks.register("AfterToolExecution", (data) => void seen.push(data));
    expect(await call()).toBe(3);
    const component = { type: "tool", name: "add" };
    expect(seen).toEqual([
      { point: "BeforeToolExecution", component, input: { a: 1, b: 2 }, attempt: 1, sessionId: "s" },
      "third",
      "fourth",
      { point: "AfterToolExecution", component, input: { a: 1, b: 2 }, output: 3, attempt: 1, sessionId: "s" },
    ]);
    expect(hooks.list({ point: "BeforeToolExecution" }).map(({ priority }) => priority)).toEqual(["highest", "high", "normal", "lowest"]);
    expect(hooks.list({ priority: "high" })).toHaveLength(1);
  });

  it.each<[result: unknown, output: unknown]>([
    [{ type: "modified", data: { input: { a: 10, b: 2 } } }, 12],
    [{ type: "replace", data: "mine" }, "mine"],
    ["skip", undefined],
    [{ type: "skipped" }, undefined],
    [null, 3],
    [{ type: "continue" }, 3],
  ])("before a call: %j", async (result, output) => {
    const { hooks, call } = watched();
    hooks.register("BeforeToolExecution", () => result);
    expect(await call()).toEqual(output);
  });

  it.each<[result: unknown, output: unknown]>([
    [{ type: "modified", data: { output: 30 } }, 30],
    [{ type: "replace", data: "mine" }, "mine"],
  ])("behind a call: %j", async (result, output) => {
    const { hooks, call } = watched();
    hooks.register("AfterToolExecution", () => result);
    expect(await call()).toEqual(output);
  });

  it.each(["not today", { type: "cancel", reason: "not today" }])("cancels: %j", async (result) => {
    for (const point of ["BeforeToolExecution", "AfterToolExecution"]) {
      const { hooks, call } = watched();
      hooks.register(point, () => result);
      const error = await failure(call());
      expect(error).toMatchObject({ code: "hook-cancelled", details: { reason: "not today" } });
      expect(error.message).toBe("tool add was cancelled by a hook: not today");
    }
  });

  it("makes a failed call again, up to its count, or puts something in its place", async () => {
    const { hooks, watcher } = watched();
    let tries = 0;
    const flaky = async () => {
      tries += 1;
      if (tries < 3) throw new Error("busy");
      return tries;
    };
    const run = () => watcher.watch({ kind: "tool", name: "flaky", input: 1 }, flaky);
    const hook = hooks.register("ToolError", (data) => (data.error?.message === "busy" ? { type: "retry", max_attempts: 5 } : undefined));
    expect(await run()).toBe(3);
    hooks.unregister(hook.id);
    tries = 0;
    hooks.register("ToolError", () => ({ type: "retry", max_attempts: 2 }));
    await expect(run()).rejects.toThrow("busy");
    expect(tries).toBe(2);
    tries = 0;
    hooks.register("ToolError", () => ({ type: "replace", data: "none" }), "highest");
    expect(await run()).toBe("none");
  });

  it("leads to another component where that can be", async () => {
    const { hooks, watcher } = watched();
    hooks.register("BeforeAgentExecution", () => ({ type: "redirect", target: "other" }));
    const redirect = async (target: string, input: string) => `${target}: ${input}`;
    expect(await watcher.watch({ kind: "agent", name: "a", input: "x", redirect }, async () => "own")).toBe("other: x");
    expect((await failure(watcher.watch({ kind: "agent", name: "a", input: "x" }, async () => "own"))).code).toBe("hook-cancelled");
  });

  it.each([10, 60])("that is late or fails is passed over, which is logged: timeout_ms %i", async (timeout) => {
    const { hooks, call, log } = watched({ timeout_ms: timeout });
    hooks.register("BeforeToolExecution", () => new Promise(() => undefined));
    hooks.register("BeforeToolExecution", () => {
      throw new Error("mine");
    });
    hooks.register("BeforeToolExecution", () => ({ type: "nothing" }));
    hooks.register("BeforeToolExecution", () => ({ type: "modified", data: { output: 1 } }));
    expect(await call()).toBe(3);
    expect(log[0]).toContain(`no result within ${timeout} ms (hooks.timeout_ms)`);
    expect(log[1]).toContain("mine");
    expect(log[2]).toContain('expected type modified, cancel, redirect, replace, retry or skipped, got "nothing"');
    expect(log[3]).toContain("expected data with input, got none");
    expect(log).toHaveLength(4);
  });

  it.each([1, 4])("is left out above rate_limit_per_minute, with one warning a minute: %i", async (most) => {
    const { hooks, call, log, pass } = watched({ rate_limit_per_minute: most });
    let seen = 0;
    hooks.register("BeforeToolExecution", () => {
      seen += 1;
    });
    for (let i = 0; i < most + 3; i++) await call();
    expect(seen).toBe(most);
    expect(log).toHaveLength(1);
    pass(60_000);
    await call();
    expect(seen).toBe(most + 1);
  });

  it("does not fire for what happens within a hook, and what that calls", async () => {
    const { hooks, watcher, call } = watched();
    const seen: string[] = [];
    const inner = {};
    hooks.register("BeforeToolExecution", async (data) => {
      seen.push(data.component.name);
      await watcher.watch({ kind: "agent", name: "helper", input: 1, context: inner }, () => call("deeper", inner));
    });
    hooks.register("BeforeAgentExecution", () => void seen.push("agent"));
    await call("outer", {});
    expect(seen).toEqual(["outer"]);
    await call("next", {});
    expect(seen).toEqual(["outer", "next"]);
  });

  it("sees calls of two at once each by itself", async () => {
    const { hooks, call } = watched();
    const seen: string[] = [];
    hooks.register("AfterToolExecution", async ({ component }: HookData) => {
      seen.push(`${component.name} in`);
      await new Promise((resolve) => setTimeout(resolve, 3));
      seen.push(`${component.name} out`);
    });
    await Promise.all([call("a", {}), call("b", {})]);
    expect(seen).toEqual(["a in", "a out", "b in", "b out"]);
  });

  it("takes the documented points alone, and nothing where it is switched off", async () => {
    const { hooks } = watched();
    for (const point of hookPoints) hooks.register(point, () => undefined);
    expect(() => hooks.register("BeforeToolExecutoin", () => undefined)).toThrow("did you mean BeforeToolExecution?");
    const off = watched({ enabled: false }).hooks;
    for (const use of [() => off.register("ToolError", () => undefined), () => off.list(), () => off.unregister(1)])
      expect(use).toThrow(expect.objectContaining({ code: "hook-disabled", where: "hooks.enabled" }));
    expect(off.has("ToolError")).toBe(false);
  });

  it("at a point without a call may refuse what would come", async () => {
    const { hooks, watcher } = watched();
    hooks.register("BeforeAgentInit", () => "no agents");
    hooks.register("AfterAgentInit", () => "too late");
    expect((await failure(watcher.tell("BeforeAgentInit", { type: "agent", name: "a" }, {}))).code).toBe("hook-cancelled");
    await watcher.tell("AfterAgentInit", { type: "agent", name: "a" }, {});
  });
});

describe("what is watched", () => {
  it("is recorded with what it was within, and its time is told", async () => {
    const { watcher, call, records, timings } = watched();
    const context = {};
    await watcher.watch({ kind: "agent", name: "clerk", input: "x", context, about: () => ({ seed: 7 }) }, async () => {
      await call("add", context);
      return { text: "y" };
    });
    await call("add", context);
    expect(records).toMatchObject([
      { call: 2, kind: "tool", name: "add", input: { a: 1, b: 2 }, output: 3, within: 1 },
      { call: 1, kind: "agent", name: "clerk", input: "x", output: { text: "y" }, within: undefined, about: { seed: 7 } },
      { call: 3, within: undefined },
    ]);
    expect(timings[1]).toEqual(["agent.completed", { name: "clerk", ms: 0 }]);
    await expect(
      watcher.watch({ kind: "tool", name: "bad", input: 1 }, async () => {
        throw new Error("mine");
      }),
    ).rejects.toThrow("mine");
    expect(records.at(-1)).toMatchObject({ error: { code: "internal-error", message: "mine" }, output: undefined });
    expect(timings.at(-1)).toEqual(["tool.failed", { name: "bad", ms: 0, code: "internal-error" }]);
  });

  it("does not fail because it cannot be recorded", async () => {
    const log: string[] = [];
    const hooks = createHooks(settings, { now: () => 0, log: () => undefined });
    const watcher = createWatcher({
      hooks,
      now: () => 0,
      log: ({ message }) => log.push(message),
      record: async () => {
        throw new Error("disk full");
      },
    });
    expect(await watcher.watch({ kind: "tool", name: "t", input: 1 }, async (n) => n + 1)).toBe(2);
    expect(log).toEqual(["a call is not recorded: disk full"]);
  });
});

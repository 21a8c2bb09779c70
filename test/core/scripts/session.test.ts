/** The host's side alone, against a guest that says what the test has it say. */
import { afterEach, describe, expect, it, vi } from "vitest";
import { limits } from "../../../src/core/limits.ts";
import { callback, text } from "../../../src/core/scripts/arguments.ts";
import { bind, now, waits } from "../../../src/core/scripts/bind.ts";
import type { ScriptLimits } from "../../../src/core/scripts/outcome.ts";
import { openSession, type ScriptSession } from "../../../src/core/scripts/session.ts";
import { withoutPaths } from "../../../src/core/scripts/values.ts";

const engine = "lua";
const input = { source: "x", name: "main.lua" };

function scripted(given: Partial<ScriptLimits> = {}) {
  const heard: { t: string; [key: string]: unknown }[] = [];
  const printed: string[] = [];
  const logged: string[] = [];
  let say: (message: string) => void = () => undefined;
  let die: (reason: string) => void = () => undefined;
  let kills = 0;
  let signal: AbortSignal | undefined;
  const session: ScriptSession = openSession(
    {
      engine,
      wire: {
        post: (message) => void heard.push(JSON.parse(message) as (typeof heard)[0]),
        listen(onMessage, onDeath) {
          say = onMessage;
          die = onDeath;
        },
        kill: async () => void kills++,
      },
      settings: { stdlib: "Standard", isDebug: false, hasConsole: true, hasFiles: false },
      limits: { memoryBytes: 1, timeoutMs: 1000, outputBytes: 100, runMs: 5000, ...given },
      now: () => performance.now(),
      onOutput: (piece) => void printed.push(piece),
      onLog: (level, message) => void logged.push(`${level}: ${message}`),
    },
    (own) => {
      signal = own;
      return bind({
        globals: {
          T: {
            name: now([text("name")], (name) => `<${name}>`),
            never: waits([], () => new Promise(() => undefined)),
            pull: waits([], () => new Promise((resolve) => setTimeout(resolve, 60_000)), { isUntimed: true }),
            each: waits([callback("f")], async (f) => [await f(1), await f(2)]),
          },
        },
        classes: {},
      });
    },
  );
  const tell = (message: object | string): void => say(typeof message === "string" ? message : JSON.stringify(message));
  return { session, heard, printed, logged, tell, die: (reason: string) => die(reason), kills: () => kills, signal: () => signal };
}
const outcome = (run: Promise<unknown>): Promise<unknown> => run.catch((error: unknown) => error);

afterEach(() => void vi.useRealTimers());

describe("a session", () => {
  it("answers calls, and hands results and errors through", async () => {
    const { session, heard, tell, printed } = scripted();
    const run = session.run(input);
    tell("idle 0 0");
    tell({ t: "call", id: 1, f: "T.name", a: ["x"] });
    tell({ t: "call", id: 2, f: "T.name", a: [3] });
    tell({ t: "call", id: 3, f: "constructor", a: [] });
    await vi.waitFor(() => expect(heard).toHaveLength(5));
    expect(heard.slice(0, 2).map(({ t }) => t)).toEqual(["init", "run"]);
    expect(heard.slice(2).sort((a, b) => Number(a["id"]) - Number(b["id"]))).toMatchObject([
      { t: "ret", id: 1, v: "<x>" },
      { t: "err", id: 2, e: { code: "script-argument", message: "T.name: name: expected text, got 3" } },
      { t: "err", id: 3, e: { code: "script-denied" } },
    ]);
    tell({ t: "out", s: "hi\n", c: 0 });
    tell({ t: "end", v: { a: 1 } });
    expect(await run).toEqual({ value: { a: 1 }, exitCode: undefined });
    expect(printed).toEqual(["hi\n"]);
    expect(session.isOver).toBe(false);
  });

  it("waits for callbacks, one after the other", async () => {
    const { session, heard, tell } = scripted();
    const run = session.run(input);
    tell("idle 0 0");
    tell({ t: "call", id: 1, f: "T.each", a: [{ $fn: 4 }] });
    await vi.waitFor(() => expect(heard.at(-1)).toEqual({ t: "cb", id: 1, n: 1, fn: 4, a: [1] }));
    tell({ t: "back", id: 1, n: 1, ok: true, v: "one" });
    await vi.waitFor(() => expect(heard.at(-1)).toMatchObject({ t: "cb", n: 2 }));
    tell({ t: "back", id: 1, n: 2, ok: false, v: null });
    await vi.waitFor(() => expect(heard.at(-1)).toMatchObject({ t: "err", id: 1, e: { code: "callback" } }));
    tell({ t: "end" });
    await run;
  });

  it("ends a guest that computes beyond its limit, and not one that waits", async () => {
    vi.useFakeTimers();
    const { session, tell, kills, signal } = scripted();
    const run = outcome(session.run(input));
    tell("idle 0 0");
    tell({ t: "call", id: 1, f: "T.never", a: [] });
    tell("idle 2 300");
    await vi.advanceTimersByTimeAsync(3000);
    expect(kills()).toBe(0);
    tell({ t: "call", id: 2, f: "T.name", a: ["x"] }); // its answer makes the guest busy again, with 700 ms left
    await vi.advanceTimersByTimeAsync(700 + limits.scriptGraceMs - 10);
    expect(kills()).toBe(0);
    await vi.advanceTimersByTimeAsync(20);
    expect(await run).toMatchObject({ code: "script-time", hint: expect.stringContaining("engines.lua.timeout_ms") });
    expect(kills()).toBe(1);
    expect(signal()?.aborted).toBe(true);
    await expect(session.run(input)).rejects.toMatchObject({ code: "script-error" });
  });

  it("ends a run that lasts too long, pulls left out", async () => {
    vi.useFakeTimers();
    const { session, tell } = scripted();
    const run = outcome(session.run(input));
    tell("idle 0 0");
    tell({ t: "call", id: 1, f: "T.pull", a: [] });
    tell("idle 2 0");
    await vi.advanceTimersByTimeAsync(59_000);
    expect(session.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1000); // the pull is done
    tell({ t: "call", id: 2, f: "T.never", a: [] });
    tell("idle 3 0");
    await vi.advanceTimersByTimeAsync(4990);
    expect(session.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(20);
    expect(await run).toMatchObject({ code: "script-time", hint: expect.stringContaining("runtime.script_timeout_seconds") });
  });

  it("ends an engine that never answers, and says why one died", async () => {
    vi.useFakeTimers();
    const silent = scripted({ runMs: 0 });
    const run = outcome(silent.session.run(input));
    await vi.advanceTimersByTimeAsync(limits.scriptStartMs + 1);
    expect(await run).toMatchObject({ code: "script-error", message: expect.stringContaining("expected an engine") });
    for (const [reason, code] of [
      ["SIGABRT", "script-memory"],
      ["exit code 134", "script-memory"],
      ["SIGSEGV", "script-error"],
    ] as const) {
      const dying = scripted();
      const end = outcome(dying.session.run(input));
      dying.die(reason);
      expect(await end).toMatchObject({ code });
    }
  });

  it("ends a guest that prints too much, calls too often, or speaks another language", async () => {
    const much = scripted();
    const printing = outcome(much.session.run(input));
    much.tell({ t: "out", s: "x".repeat(101), c: 0 });
    expect(await printing).toMatchObject({ code: "script-output", hint: expect.stringContaining("max_output_bytes") });
    const often = scripted();
    const calling = outcome(often.session.run(input));
    for (let i = 1; i <= limits.scriptCallBurst * 1.5; i++) often.tell({ t: "call", id: i, f: "T.never", a: [] });
    expect(await calling).toMatchObject({ code: "script-time", message: expect.stringContaining("calls a second") });
    const odd = scripted();
    const speaking = outcome(odd.session.run(input));
    odd.tell('{"t":"eval"}');
    expect(await speaking).toMatchObject({ code: "script-error" });
    expect(odd.kills()).toBe(1);
  });

  it("ends with its caller's signal, or when it is closed", async () => {
    const { session, tell, kills } = scripted();
    const stop = new AbortController();
    const run = outcome(session.run(input, stop.signal));
    tell("idle 0 0");
    stop.abort();
    expect(await run).toMatchObject({ code: "run-aborted" });
    expect(kills()).toBe(1);
    const closed = scripted();
    const end = outcome(closed.session.run(input));
    await closed.session.close();
    await closed.session.close();
    expect(await end).toMatchObject({ code: "run-aborted" });
    expect(closed.kills()).toBe(1);
    await expect(scripted().session.run(input, stop.signal)).rejects.toMatchObject({ code: "run-aborted" });
  });

  it("believes of an error what it may: the host's own by number and code, else a code of the list and a short text", async () => {
    const { session, tell, heard } = scripted();
    const fail = async (e: object): Promise<unknown> => {
      const run = outcome(session.run(input));
      tell({ t: "fail", e: { message: "m", code: "script-error", ...e } });
      return run;
    };
    const first = session.run(input);
    tell("idle 0 0");
    tell({ t: "call", id: 1, f: "T.name", a: [] });
    await vi.waitFor(() => expect(heard.at(-1)).toMatchObject({ t: "err", e: { ref: 1 } }));
    tell({ t: "end" });
    await first;
    expect(await fail({ code: "script-argument", message: "forged", ref: 1, where: "main.lua:1" })).toMatchObject({
      message: "T.name: name: expected text, got nothing",
      where: "main.lua:1",
      details: { function: "T.name", script: "main.lua:1", frame: expect.stringContaining("1 | x") },
    });
    expect(await fail({ code: "script-denied", message: "forged", ref: 1 })).toMatchObject({ message: "forged" });
    expect(await fail({ code: "no-such-code" })).toMatchObject({ code: "script-error", message: "m" });
    expect(((await fail({ message: "x".repeat(1e5), hint: "h".repeat(1e5) })) as Error).message).toHaveLength(limits.scriptErrorText);
    expect(await fail({ where: "/etc/passwd", details: "text" })).toMatchObject({ where: undefined });
    expect(await fail({ where: "main.lua:99" })).toMatchObject({ where: "main.lua:99" });
  });

  it("runs one input at a time, of a size that is a script's", async () => {
    const { session } = scripted();
    const first = outcome(session.run(input));
    await expect(session.run(input)).rejects.toMatchObject({ code: "run-busy" });
    await session.close();
    await first;
    await expect(scripted().session.run({ ...input, source: "é".repeat(limits.scriptBytes / 2 + 1) })).rejects.toMatchObject({
      code: "script-syntax",
    });
  });
});

it("paths of this machine are cut to their last part, addresses are not", () => {
  expect(withoutPaths("cannot read /home/me/.ssh/key: denied; see https://example.com/a/b and (/tmp/x/y) or 'C:\\Users\\me\\f.txt'")).toBe(
    "cannot read …/key: denied; see https://example.com/a/b and (…/y) or '…/f.txt'",
  );
  expect(withoutPaths("expected 1/2 or a/b, got /x")).toBe("expected 1/2 or a/b, got /x");
});

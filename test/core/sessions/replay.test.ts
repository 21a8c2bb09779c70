import { describe, expect, it } from "vitest";
import { abortedError, SpellError } from "../../../src/core/errors.ts";
import type { NumberedCall } from "../../../src/core/sessions/calls.ts";
import { compare } from "../../../src/core/sessions/compare.ts";
import { type ReplayHost, replay } from "../../../src/core/sessions/replay.ts";
import { failure } from "../../support/failure.ts";

const base = { ms: 1, startedAt: "2026-01-31T12:00:00Z" };
const about = { model: "m", provider: "candle", device: "cpu", seed: 7 };
const calls: readonly NumberedCall[] = [
  { ...base, call: 1, kind: "agent", name: "clerk", input: "one", output: { text: "ONE", metadata: { ms: 4 } }, about },
  { ...base, call: 2, kind: "tool", name: "add", input: { a: 1 }, output: 2, within: 1 },
  { ...base, call: 3, kind: "tool", name: "add", input: { a: 2 }, output: 3 },
  { ...base, call: 4, kind: "agent", name: "clerk", input: "bad", error: { code: "run-context", message: "too long" }, about },
];

function host(changed: Partial<ReplayHost> = {}): ReplayHost & { readonly asked: unknown[] } {
  const asked: unknown[] = [];
  return {
    asked,
    now: () => 0,
    async agent(call, input, tool) {
      asked.push([call.name, input]);
      if (input === "bad") throw Object.assign(new Error("too long"), {});
      return {
        output: { text: String(input).toUpperCase(), metadata: { ms: 9 }, tool: call.call === 1 ? tool("add", { a: 1 }) : undefined },
        about,
      };
    },
    tool: (name) => async (input) => {
      asked.push([name, input]);
      return (input as { a: number }).a + 1;
    },
    ...changed,
  };
}

describe("a replay", () => {
  it("exact: makes outer calls again and compares texts of agents and outputs of tools", async () => {
    const own = host();
    const result = await replay(calls, own);
    expect(own.asked).toEqual([
      ["clerk", "one"],
      ["add", { a: 2 }],
      ["clerk", "bad"],
    ]);
    expect(result).toMatchObject({ mode: "exact", calls: 3, same: 2, different: 0, failed: 1, isStopped: false });
    expect(result.steps[0]).toMatchObject({ call: 1, isSame: true, output: { tool: 2 }, conditions: [], isStored: false });
    expect(result.steps[2]).toMatchObject({ error: { code: "internal-error" }, isSame: false });
  });

  it("says where outputs differ, and whether model, device or seed do", async () => {
    const other = host({
      agent: async () => ({ output: { text: "else" }, about: { ...about, device: "webgpu" } }),
      tool: () => async () => 4,
    });
    const { steps, different } = await replay(calls.slice(0, 3), other);
    expect(different).toBe(2);
    expect(steps[0]).toMatchObject({
      isSame: false,
      differences: [{ path: "", expected: "ONE", got: "else" }],
      conditions: [{ path: "device", expected: "cpu", got: "webgpu" }],
    });
    expect((await replay(calls.slice(0, 3), other, { compareResults: false })).steps[0]).not.toHaveProperty("isSame");
  });

  it("simulate: gives the stored outputs and calls nothing", async () => {
    const own = host();
    const { steps, failed, isStopped } = await replay(calls, own, { mode: "simulate", stopOnError: true });
    expect([own.asked, failed, isStopped]).toEqual([[], 0, false]);
    expect(steps.map(({ output, error, isStored }) => [output ?? error?.code, isStored])).toEqual([
      [calls[0]?.output, true],
      [3, true],
      ["run-context", true],
    ]);
  });

  it("counts as failed what fails where it did not, compared or not", async () => {
    const broken = host({ agent: () => Promise.reject(new Error("gone")) });
    // the third is a tool's; the last failed otherwise
    expect(await replay(calls, broken, { compareResults: false })).toMatchObject({ failed: 1, different: 0 });
    expect(await replay(calls, broken)).toMatchObject({ failed: 2, same: 1 });
    const again = host({ agent: () => Promise.reject(new SpellError("run-context", "too long")) });
    expect(await replay(calls.slice(3), again)).toMatchObject({ failed: 0, same: 1 });
  });

  it("modified: takes other inputs, compares the others", async () => {
    const own = host();
    const { steps } = await replay(calls.slice(0, 3), own, { mode: "modified", modifications: [{ call: 3, input: { a: 40 } }] });
    expect(steps.map(({ output, isSame }) => [isSame, output])).toMatchObject([
      [true, { text: "ONE" }],
      [undefined, 41],
    ]);
    expect(await failure(replay(calls, own, { mode: "modified", modifications: [{ call: 9, input: 1 }] }))).toMatchObject({
      code: "run-option",
    });
    const twice = [...calls, ...calls.filter(({ call }) => call === 3)];
    expect((await failure(replay(twice, own, { mode: "modified", modifications: [{ call: 3, input: 1 }] }))).message).toContain(
      "expected numbers of one call, and 2 have this one, got 3",
    );
    expect(await failure(replay(calls, own, { modifications: [{ call: 3, input: 1 }] }))).toMatchObject({ code: "run-option" });
  });

  it("debug: tells each step, and ends where it is told to", async () => {
    const own = host();
    const told: number[] = [];
    const onStep = ({ call }: { readonly call: number }) => {
      told.push(call);
      return told.length < 2;
    };
    expect(await replay(calls, own, { mode: "debug", onStep })).toMatchObject({ isStopped: true, steps: [{ call: 1 }, { call: 3 }] });
    expect(told).toEqual([1, 3]);
  });

  it("ends with the first difference, with its time, and with its signal", async () => {
    const wrong = host({ tool: () => async () => 0 });
    expect(await replay(calls, wrong, { stopOnError: true })).toMatchObject({ isStopped: true, steps: { length: 2 } });
    const slow = host({ agent: () => new Promise((resolve) => setTimeout(() => resolve({ output: { text: "ONE" }, about }), 30)) });
    expect(await replay(calls, slow, { timeoutSeconds: 0.01 })).toMatchObject({ isStopped: true, steps: { length: 1 } });
    expect(await failure(replay(calls, host(), { signal: AbortSignal.abort() }))).toMatchObject({ code: "run-aborted" });
    const ended = host({
      agent: (...[, , , signal]) =>
        new Promise((_, reject) => signal.addEventListener("abort", () => reject(abortedError()), { once: true })),
    });
    expect(await replay(calls, ended, { timeoutSeconds: 0.01 })).toMatchObject({
      isStopped: true,
      steps: [{ error: { code: "run-aborted", message: "expected a replay of at most 0.01 s, got a longer one" } }],
    });
  });

  it("lets tools answer as they did where it has none", async () => {
    const none = host({ tool: () => undefined });
    expect((await replay(calls.slice(0, 3), none)).steps[1]).toMatchObject({ output: 3, isStored: true });
  });
});

describe("compare", () => {
  it.each([
    [1, 1, []],
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }, ["a[1].b"]],
    [[1], [1, 2], ["[1]"]],
    [{ a: 1 }, { b: 1 }, ["a", "b"]],
    [null, {}, [""]],
    [Number.NaN, Number.NaN, []],
  ])("%j, %j", (a, b, paths) => expect(compare(a, b).map(({ path }) => path)).toEqual(paths));

  it("leaves out fields, and small differences of numbers", () => {
    expect(compare({ x: 1, at: { ms: 5 } }, { x: 1.01, at: { ms: 6 } }, { ignore: ["ms"], tolerance: 0.1 })).toEqual([]);
  });
});

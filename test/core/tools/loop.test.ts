/** A model and its tools by turns, with tools that do what they should not. */
import { describe, expect, it } from "vitest";
import { abortedError, contextError } from "../../../src/core/errors.ts";
import type { ChatMessage, GenerateResult, RunnableTool, ToolCall } from "../../../src/core/spec/generate.ts";
import { runWithTools, type ToolLimits, toolLimits } from "../../../src/core/tools/loop.ts";

const usage = { promptTokens: 10, completionTokens: 2, totalTokens: 12, cachedTokens: 8 };
const timing = { loadMs: 5, firstTokenMs: 1, prefillMs: 1, decodeMs: 1, prefillRate: 1, decodeRate: 1 };
const answer = (text: string, toolCalls: readonly ToolCall[] = []): GenerateResult => ({
  text,
  toolCalls,
  finishReason: toolCalls.length > 0 ? "tool-calls" : "stop",
  usage,
  timing,
  seed: 1,
  warnings: [],
  model: "m",
});
let serial = 0;
const call = (name: string, input: unknown = {}): ToolCall => ({ type: "tool-call", id: `id${++serial}`, name, input });
const tool = (execute: RunnableTool["execute"], more: Partial<RunnableTool> = {}): RunnableTool => ({ name: "t", execute, ...more });

/** Answers in order, the last one again and again. */
async function run(
  answers: readonly GenerateResult[],
  tools: readonly RunnableTool[],
  limits: Partial<ToolLimits> = {},
  signal?: AbortSignal,
) {
  const asked: (readonly ChatMessage[])[] = [];
  const choices: unknown[] = [];
  const loop = await runWithTools([{ role: "user", content: "Hi" }], {
    tools,
    limits: { ...toolLimits, ...limits },
    signal,
    toolChoice: "required",
    now: () => 0,
    async ask(messages, { toolChoice }) {
      const next = answers[Math.min(asked.length, answers.length - 1)];
      asked.push(messages);
      choices.push(toolChoice);
      if (next === undefined) throw new Error("no answer");
      // as models do that may not call
      return toolChoice === "none" ? answer("I stop.") : next;
    },
  });
  return { ...loop, asked, choices };
}
const results = (steps: readonly { readonly result: string }[]): readonly string[] => steps.map(({ result }) => result);

it("a call, its result, and an answer; counts are those of both turns", async () => {
  const first = call("t", { a: 1 });
  const { result, said, steps, turns, asked, choices } = await run(
    [answer("Let me see.", [first]), answer("Two.")],
    [tool(({ a }) => ({ b: a + 1 }))],
  );
  expect(result).toMatchObject({
    text: "Two.",
    usage: { promptTokens: 20, completionTokens: 4, totalTokens: 24, cachedTokens: 16 },
    timing: { loadMs: 5, decodeMs: 2 },
  });
  expect(said).toEqual([
    { role: "assistant", content: "Let me see.", toolCalls: [first] },
    { role: "tool", content: '{"b":2}', toolCallId: first.id, toolName: "t" },
    { role: "assistant", content: "Two." },
  ]);
  expect(steps).toEqual([{ id: first.id, name: "t", input: { a: 1 }, result: '{"b":2}', isError: false, durationMs: 0 }]);
  expect([turns, asked[1]?.length]).toEqual([2, 3]);
  // only the first turn has to call
  expect(choices).toEqual(["required", undefined]);
});

describe("what a tool does wrong is told to the model:", () => {
  it.each<[string, RunnableTool, ToolCall, string | RegExp]>([
    [
      "it throws",
      tool(() => {
        throw new Error("no network");
      }),
      call("t"),
      "error: no network",
    ],
    [
      "it throws what is no error",
      tool(() => {
        throw null;
      }),
      call("t"),
      /^error: /,
    ],
    ["it rejects", tool(() => Promise.reject(new Error("later"))), call("t"), "error: later"],
    ["it never ends", tool(() => new Promise(() => undefined)), call("t"), "error: expected a result within 0.02 s, got none"],
    ["it gives a huge text", tool(() => "x".repeat(1_000_000)), call("t"), `${"x".repeat(100)}\n… cut here, 999900 characters more`],
    ["it gives half a character at the cut", tool(() => `${"x".repeat(99)}😀x`), call("t"), /^x{99}\n/],
    ["it gives a function", tool(() => () => 1), call("t"), "error: expected text or JSON as the result, got a function"],
    [
      "it gives what holds itself",
      tool(() => {
        const a: unknown[] = [];
        a.push(a);
        return a;
      }),
      call("t"),
      /^error: .*circular/,
    ],
    ["it gives no number", tool(() => Number.NaN), call("t"), "error: expected text or JSON as the result, got NaN"],
    ["it gives none within", tool(() => ({ a: [-Infinity] })), call("t"), "error: expected text or JSON as the result, got -Infinity in 0"],
    ["it gives a BigInt", tool(() => 1n), call("t"), /^error: .*BigInt/],
    ["it gives nothing", tool(() => undefined), call("t"), "done"],
    ["it is not there", tool(() => 1), call("tt"), "error: there is no tool tt; did you mean t?; tools: t"],
    ["its input is no object", tool(() => 1), call("t", [1]), "error: input: expected an object, got [1]"],
    [
      "its input lacks a member",
      tool(() => 1, { inputSchema: { type: "object", required: ["a"] } }),
      call("t"),
      "error: input.a: expected a value, got none",
    ],
    [
      "its input has a wrong member",
      tool(() => 1, { inputSchema: { type: "object", properties: { a: { type: "array", items: { enum: ["x"] } } } } }),
      call("t", { a: ["x", 2] }),
      'error: input.a[1]: expected "x", got 2',
    ],
    [
      "its input has one too many",
      tool(() => 1, { inputSchema: { properties: { a: {} }, additionalProperties: false } }),
      call("t", { b: 1 }),
      "error: input: expected no members but a, got b",
    ],
    [
      "its input is out of bounds",
      tool(() => 1, { inputSchema: { properties: { a: { type: "integer", maximum: 3 } } } }),
      call("t", { a: 4 }),
      "error: input.a: expected at most 3, got 4",
    ],
  ])("%s", async (_, given, asked, expected) => {
    const { steps, result } = await run([answer("", [asked]), answer("Well.")], [given], { toolMs: 20, resultCharacters: 100 });
    const [seen = ""] = results(steps);
    if (typeof expected === "string") expect(seen.replace(/ [–—] /, "; ")).toBe(expected);
    else expect(seen).toMatch(expected);
    expect(result.text).toBe("Well.");
  });

  it("a schema with a check of its own is asked", async () => {
    const inputSchema = {
      "~standard": {
        jsonSchema: { output: () => ({}) },
        validate: (value: unknown) =>
          Object.hasOwn(value as object, "a") ? { value } : { issues: [{ message: "required", path: ["a", { key: 0 }] }] },
      },
    };
    const { steps } = await run([answer("", [call("t"), call("t", { a: 1 })]), answer("")], [tool(() => "fine", { inputSchema })]);
    expect(results(steps)).toEqual(["error: input.a.0: required", "fine"]);
  });
});

it("calls without end are refused after some, and the model has to answer", async () => {
  const endless = (): GenerateResult => answer("", [call("t"), call("t")]);
  const { steps, result, turns, choices } = await run([endless()], [tool(() => "x")], { maxToolCalls: 3 });
  expect(results(steps)).toEqual(["x", "x", "x", "error: refused: at most 3 calls are run in one answer"]);
  expect([result.text, turns, choices.at(-1)]).toEqual(["I stop.", 3, "none"]);
});

it("turns have an end of their own", async () => {
  const { steps, result, turns } = await run([answer("", [call("t")])], [tool(() => "x")], { maxTurns: 2 });
  expect([steps.length, turns, result.text]).toEqual([2, 3, "I stop."]);
  expect((await run([answer("", [call("t")])], [tool(() => "x")], { maxToolCalls: 0 })).turns).toBe(1);
});

it("a signal ends a tool and the loop, and the tool hears of it", async () => {
  const stop = new AbortController();
  let heard: AbortSignal | undefined;
  const waits = tool((_, { signal }) => {
    heard = signal;
    setTimeout(() => stop.abort(), 5);
    return new Promise(() => undefined);
  });
  await expect(run([answer("", [call("t")])], [waits], {}, stop.signal)).rejects.toMatchObject({ code: "run-aborted" });
  expect(heard?.aborted).toBe(true);
});

it("a tool whose time is over hears of it; one that itself says aborted is an answer like others", async () => {
  let heard: AbortSignal | undefined;
  const late = tool((_, { signal }) => {
    heard = signal;
    return new Promise(() => undefined);
  });
  await run([answer("", [call("t")]), answer("")], [late], { toolMs: 5 });
  expect(heard?.aborted).toBe(true);
  const { steps } = await run([answer("", [call("t")]), answer("")], [tool(() => Promise.reject(abortedError()))]);
  expect(steps[0]).toMatchObject({ isError: true });
});

describe("a context that has no room for what tools said", () => {
  /** Refuses what has more characters. */
  const within = (most: number, answers: readonly GenerateResult[]) => {
    let turn = 0;
    return runWithTools([{ role: "user", content: "Hi" }], {
      tools: [tool(() => "x".repeat(20_000)), tool(() => "y".repeat(900), { name: "short" })],
      limits: toolLimits,
      now: () => 0,
      async ask(messages) {
        const length = messages.reduce((sum, { content }) => sum + content.length, 0);
        if (length > most) throw contextError(length, most);
        const next = answers[turn++];
        if (next === undefined) throw new Error("no answer");
        return next;
      },
    });
  };
  const calls = [answer("", [call("short"), call("t")]), answer("Done.")];

  it("has the longest cut until there is", async () => {
    const { result, steps, said } = await within(4000, calls);
    expect(result.text).toBe("Done.");
    const [short = "", long = ""] = results(steps);
    expect(short).toBe("y".repeat(900));
    expect(long).toMatch(/^x+\n… cut here, \d+ characters more$/);
    const kept = long.indexOf("\n");
    expect(long).toContain(`cut here, ${20_000 - kept} characters more`);
    expect(kept).toBeGreaterThan(1500);
    expect(said.filter(({ role }) => role === "tool").map(({ content }) => content)).toEqual([short, long]);
  });

  it("is told where short ones have none either", async () => {
    await expect(within(300, calls)).rejects.toMatchObject({ code: "run-context" });
    await expect(within(1, calls)).rejects.toMatchObject({ code: "run-context", details: { promptTokens: 2 } });
  });
});

/** Agents that run tools, and generate() of a spell that does; on a scripted model that calls one of them and then says what it read. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../../src/core/agents/agent.ts";
import { createAgents } from "../../../src/core/agents/agents.ts";
import { aboutAgent, replayAgents } from "../../../src/core/agents/replay-agents.ts";
import { createSpell } from "../../../src/core/api/spell.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { continuing } from "../../support/continuing.ts";

const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";
const toCall = (name: string, input: unknown = { a: 1 }): readonly string[] => [
  "I look. ",
  "<tool_call>\n",
  JSON.stringify({ name, arguments: input }),
  "\n</tool_call>",
];
/** Calls `add` once, then says its result. */
function callsOnce(prompt: string): Iterable<string> {
  const [, result] = [...prompt.matchAll(/<tool_response>\n(.*?)\n<\/tool_response>/gs)].at(-1) ?? [];
  return result === undefined ? toCall("add") : ["It is ", result];
}

/** The same with the built-in calculator. */
const calculates = (prompt: string): Iterable<string> =>
  prompt.includes("<tool_response>") ? callsOnce(prompt) : toCall("calculator", { expression: "6*7" });

async function host(answer: (prompt: string) => Iterable<string> = callsOnce) {
  const prompts: string[] = [];
  const gguf = scriptedRuntime({
    answer(prompt) {
      prompts.push(prompt);
      return continuing([...answer(prompt)].join(""))(prompt);
    },
  });
  const bytes = writeGguf(tinyLlama({ chatTemplate: template }));
  const log: string[] = [];
  const platform = memoryPlatform({ files: { "./own.gguf": bytes }, gguf, log: ({ message }) => log.push(message) });
  const spell = createSpell({ platform, config: {}, env: {} });
  const agents = createAgents({ spell, config: await spell.config() });
  const build = (options: Readonly<Record<string, unknown>>): Agent =>
    Object.entries({ model: "./own.gguf", ...options })
      .reduce((builder, [name, value]) => builder.set(name, value), agents.builder())
      .build();
  return { spell, prompts, build, log, config: await spell.config() };
}
const add = {
  name: "add",
  description: "Adds one",
  schema: { type: "object", properties: { a: { type: "number" } } },
  run: ({ a }: { readonly a: number }) => a + 1,
};

describe("an agent in a replay", () => {
  it.each([
    ["of its own", add, callsOnce, "add", { a: 1 }],
    ["by name", "calculator", calculates, "calculator", { expression: "6*7" }],
  ] as const)("is built again from what was kept as JSON, and its tool %s answers as it did", async (_what, tool, answer, name, input) => {
    const { build, spell, config } = await host(answer);
    const agent = build({ tool, system_prompt: "Be brief.", seed: 7, max_tool_calls: 3 });
    const first = await agent.execute("?");
    const about = JSON.parse(JSON.stringify(aboutAgent(agent, first))) as Readonly<Record<string, unknown>>;
    expect(about).toMatchObject({ seed: 7, agent: { model: "./own.gguf", system_prompt: "Be brief.", max_tool_calls: 3 } });
    const asked: unknown[] = [];
    const again = replayAgents({ spell, config }, ({ text }) => ({ text }));
    const stored = (...call: readonly unknown[]): string => {
      asked.push(call);
      return "stored";
    };
    const call = { call: 1, kind: "agent", name: "a", input: "?", ms: 1, startedAt: "", about } as const;
    const { output, about: now } = await again.agent(call, "?", stored, new AbortController().signal);
    expect(asked).toEqual([[name, input]]);
    expect(output).toEqual({ text: "It is stored" });
    expect(now).toMatchObject({ model: about["model"], seed: 7 });
    await again.dispose();
  });
});

describe("an agent with a tool", () => {
  it("runs it, answers with its result, and keeps all of it in its history", async () => {
    const { build, prompts } = await host();
    const agent = build({ tool: add, system_prompt: "Be brief." });
    const chunks: string[] = [];
    const answer = await agent.execute("1 + 1?", ({ text }) => chunks.push(text));
    expect(answer).toMatchObject({
      text: "It is 2",
      metadata: { turns: 2, toolCalls: [{ name: "add", input: { a: 1 }, result: "2", isError: false }], finishReason: "stop" },
    });
    expect(chunks.join("")).toBe("I look. It is 2");
    expect(agent.history.map(({ role, content, toolCalls }) => [role, content, toolCalls?.[0]?.name])).toEqual([
      ["system", "Be brief.", undefined],
      ["user", "1 + 1?", undefined],
      ["assistant", "I look. ", "add"],
      ["tool", "2", undefined],
      ["assistant", "It is 2", undefined],
    ]);
    await agent.execute("Again?");
    // the conversation has the result: it is not asked for again
    expect(prompts.filter((prompt) => prompt.endsWith("<assistant>"))).toHaveLength(3);
    expect(agent.metrics).toMatchObject({ calls: 2, failures: 0 });
  });

  it("that fails is told so, and answers", async () => {
    const { build } = await host();
    const agent = build({ tool: { ...add, run: () => Promise.reject(new Error("broken")) } });
    expect(await agent.execute("x")).toMatchObject({ text: "It is error: broken", metadata: { toolCalls: [{ isError: true }] } });
  });

  it("that asks the agent itself is told that it cannot", async () => {
    const { build } = await host();
    const agent: Agent = build({ tool: { ...add, run: () => agent.execute("you?") } });
    expect((await agent.execute("x")).text).toContain("it cannot be asked meanwhile");
    expect(agent.state).toBe("ready");
  });

  it("that never ends is cut by the agent's own time", async () => {
    const { build } = await host();
    const agent = build({ tool: { ...add, run: () => new Promise(() => undefined) }, max_execution_time: 0.05 });
    await expect(agent.execute("x")).rejects.toMatchObject({ code: "agent-timeout" });
    expect(agent.history).toEqual([]);
  });

  it("calls no more than it may", async () => {
    const { build } = await host(() => toCall("add"));
    const answer = await build({ tool: add, max_tool_calls: 2 }).execute("x");
    expect(answer.metadata).toMatchObject({ turns: 3, toolCalls: [{ result: "2" }, { result: "2" }] });
    expect((await build({ tool: add, max_recursion_depth: 1 }).execute("x")).metadata.turns).toBe(2);
  });

  it("sees those that are allowed, and no others", async () => {
    const { build, prompts } = await host(() => toCall("secret"));
    const secret = { name: "secret", run: () => "gold" };
    const agent = build({ tools: [add, secret], allowed_tools: ["add"], max_recursion_depth: 1 });
    expect((await agent.tools()).map(({ name }) => name)).toEqual(["add"]);
    expect((await agent.execute("x")).metadata.toolCalls[0]?.result).toMatch(/^error: there is no tool secret; tools: add$/);
    expect(prompts[0]).not.toContain('"secret"');
    expect((await build({ tools: [add, secret], allow_tool: "secret" }).tools()).map(({ name }) => name)).toEqual(["secret"]);
  });

  it("has built-in tools where it names them, and its own before them", async () => {
    const calls = (prompt: string) => (prompt.includes("tool_response") ? ["Done"] : toCall("calculator", { expression: "6*7" }));
    const { build, prompts } = await host(calls);
    const answer = await build({ allowed_tools: ["calculator"] }).execute("6 * 7?");
    expect(answer.metadata.toolCalls).toMatchObject([{ name: "calculator", result: '{"result":42}', isError: false }]);
    expect(prompts[0]).toContain("Computes an arithmetic expression");
    const names = async (options: Readonly<Record<string, unknown>>) => (await build(options).tools()).map(({ name }) => name);
    expect(await names({ tools: [add, "regex"], tool: "calculator" })).toEqual(["add", "regex", "calculator"]);
    expect(await names({ tools: [add, "regex"], allow_tool: "add" })).toEqual(["add"]);
    const own = { ...add, name: "calculator", run: () => "my own" };
    expect((await build({ tool: own, allow_tool: "calculator" }).execute("x")).metadata.toolCalls[0]).toMatchObject({ result: "my own" });
    expect(() => build({ tool: "nobody" })).toThrow("expected the name of a tool that is there");
    expect(() => build({ allow_tool: "calculater" })).toThrow("did you mean calculator?");
  });

  it("stops where its listener says so, before any call", async () => {
    const { build } = await host();
    const answer = await build({ tool: add }).execute("x", () => false);
    expect(answer).toMatchObject({ text: "I", metadata: { finishReason: "aborted", toolCalls: [] } });
  });
});

it.each<[string, unknown, string]>([
  ["tool", 5, "tool: expected the name of a tool, or a table with name, description, schema and run, got 5"],
  ["tool", { name: "a b", run() {} }, 'tool.name: expected 1–64 letters, digits, _ and -, got "a b"'],
  ["tool", { name: "a" }, "tool.run: expected a function, got"],
  ["tool", { name: "a", run() {}, desc: "x" }, "tool has no desc"],
  ["tools", {}, "tools: expected a list of tools, got {}"],
  ["allowed_tools", "add", 'allowed_tools: expected a list of names of tools, got "add"'],
  ["max_tool_calls", -1, "max_tool_calls: expected an integer from 0 to 1000, got -1"],
  ["max_recursion_depth", 1.5, "max_recursion_depth: expected an integer from 0 to 100, got 1.5"],
  ["tool_choice", "some", 'tool_choice: expected auto, none, required, or a table with name, got "some"'],
  ["reasoning", "on", 'reasoning: expected auto, off, got "on"'],
])("a builder refuses %s %j", async (name, value, message) => {
  const { build } = await host();
  expect(() => build({ [name]: value })).toThrow(message);
});

it("a builder refuses two tools of one name, and names that are not there", async () => {
  const { build } = await host();
  expect(() => build({ tools: [add, add] })).toThrow('tool.name: expected a name that no other tool of the agent has, got "add"');
  expect(() => build({ tool: add, allow_tool: "ad" })).toThrow("allowed_tools has no ad");
});

describe("generate() of a spell", () => {
  const runnable = { name: "add", inputSchema: add.schema, execute: add.run };
  it("runs tools that have an execute", async () => {
    const { spell } = await host();
    const texts: string[] = [];
    const result = await spell.generate("./own.gguf", "1 + 1?", { tools: [runnable], onText: (text) => texts.push(text) });
    expect(result).toMatchObject({
      text: "It is 2",
      finishReason: "stop",
      toolCalls: [],
      steps: [{ name: "add", input: { a: 1 }, result: "2" }],
    });
    expect(texts.join("")).toBe("I look. It is 2");
  });

  it("leaves others to the program", async () => {
    const { spell } = await host();
    const { execute: _, ...plain } = runnable;
    const result = await spell.generate("./own.gguf", "1 + 1?", { tools: [plain] });
    expect(result).toMatchObject({ text: "I look. ", finishReason: "tool-calls", toolCalls: [{ name: "add", input: { a: 1 } }] });
    await expect(spell.generate("./own.gguf", "x", { tools: [runnable, { ...plain, name: "b" }] })).rejects.toMatchObject({
      code: "run-option",
      message: "tools[1].execute: expected a function, as other tools of this call have, got nothing",
    });
    await expect(spell.generate("./own.gguf", "x", { tools: [runnable], maxToolCalls: -1 })).rejects.toMatchObject({
      code: "run-option",
      where: "maxToolCalls",
    });
  });
});

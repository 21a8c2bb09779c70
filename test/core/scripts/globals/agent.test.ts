/** Streams of agents with hooks around them: the pieces together are what the call gives, and the last one is `done`. */
import { expect, it } from "vitest";
import type { Agent, AgentAnswer, AgentChunk } from "../../../../src/core/agents/agent.ts";
import type { Agents } from "../../../../src/core/agents/agents.ts";
import { createHooks, type HookData, type HookPoint } from "../../../../src/core/events/hooks.ts";
import { createWatcher } from "../../../../src/core/events/watch.ts";
import type { CallKept } from "../../../../src/core/scripts/arguments.ts";
import { askAgents } from "../../../../src/core/scripts/globals/agent.ts";
import { failure } from "../../../support/failure.ts";

/** Answers "one two", or fails in the middle as often as it is told. */
function program(failures = 0) {
  const host = { now: () => 0, log: () => undefined };
  const hooks = createHooks({ enabled: true, timeout_ms: 1000, rate_limit_per_minute: 1000 }, host);
  let asked = 0;
  const takenBack: unknown[] = [];
  const replaced: string[] = [];
  const agent = {
    name: "tom",
    takeBack: (answer: AgentAnswer) => takenBack.push(answer),
    replaceText: (_answer: AgentAnswer, text: string) => replaced.push(text),
    async execute(_input: unknown, onChunk?: (chunk: AgentChunk) => unknown): Promise<AgentAnswer> {
      asked += 1;
      for (const [index, text] of ["one", " two"].entries()) {
        if (index === 1 && asked <= failures) throw new Error("it broke");
        if ((await onChunk?.({ text, index, done: false })) === false) break;
      }
      await onChunk?.({ text: "", index: 2, done: true });
      return { text: "one two", metadata: { model: "m", toolCalls: [] } as unknown as AgentAnswer["metadata"], chunksReceived: 3 };
    },
  } as unknown as Agent;
  const ask = askAgents(createWatcher({ hooks, ...host }), { get: () => undefined } as unknown as Agents);
  const context = {} as CallKept;
  const stream = (onChunk: (chunk: AgentChunk) => unknown) => ask(agent, "x", context, onChunk);
  return { hooks, stream, execute: () => ask(agent, "x", context), takenBack, replaced };
}

it.each<[string, HookPoint, (call: HookData) => unknown, string, readonly string[], number]>([
  ["replace before", "BeforeAgentExecution", () => ({ type: "replace", data: "new" }), "new", ["new"], 0],
  ["skip before", "BeforeAgentExecution", () => "skip", "", [], 0],
  ["continue before", "BeforeAgentExecution", () => undefined, "one two", ["one", " two"], 0],
  ["replace behind", "AfterAgentExecution", () => ({ type: "replace", data: { text: "new" } }), "new", ["new"], 0],
  ["modified behind", "AfterAgentExecution", () => ({ type: "modified", data: { output: "new" } }), "new", ["new"], 0],
  ["continue behind", "AfterAgentExecution", () => undefined, "one two", ["one two"], 0],
  ["retry behind", "AfterAgentExecution", ({ attempt }) => (attempt < 3 ? { type: "retry" } : undefined), "one two", ["one two"], 0],
  ["retry at an error", "AgentError", () => ({ type: "retry" }), "one two", ["one two"], 2],
  ["replace at an error", "AgentError", () => ({ type: "replace", data: "new" }), "new", ["new"], 1],
])("%s: streamed and not streamed agree", async (_name, point, decide, text, pieces, failures) => {
  const { hooks, execute } = program(failures);
  hooks.register(point, decide);
  const plain = await execute();
  expect(plain).toMatchObject({ text, metadata: expect.any(Object) as object });
  const other = program(failures);
  other.hooks.register(point, decide);
  const chunks: AgentChunk[] = [];
  expect(await other.stream((chunk) => void chunks.push(chunk))).toEqual(plain);
  expect(chunks).toEqual([
    ...pieces.map((piece, index) => ({ text: piece, index, done: false })),
    { text: "", index: pieces.length, done: true },
  ]);
});

it("what a hook refuses is not handed out", async () => {
  const { hooks, stream, takenBack } = program();
  hooks.register("AfterAgentExecution", () => ({ type: "cancel", reason: "a secret" }));
  const chunks: AgentChunk[] = [];
  expect((await failure(stream((chunk) => void chunks.push(chunk)))).code).toBe("hook-cancelled");
  expect(chunks).toEqual([]);
  expect(takenBack).toHaveLength(1);
});

it("what is asked again is asked without the answer before", async () => {
  const { hooks, execute, takenBack } = program();
  hooks.register("AfterAgentExecution", ({ attempt }) => (attempt < 3 ? { type: "retry" } : undefined));
  await execute();
  expect(takenBack).toHaveLength(2);
});

it("a text in place of an answer keeps what is known of the answer, and stands in the conversation", async () => {
  const { hooks, execute, replaced } = program();
  hooks.register("AfterAgentExecution", () => ({ type: "replace", data: "new" }));
  expect((await execute()).metadata).toMatchObject({ model: "m" });
  expect(replaced).toEqual(["new"]);
});

it("false ends it, and no piece comes after", async () => {
  const texts: string[] = [];
  await program().stream(({ text }) => texts.push(text) > 1);
  expect(texts).toEqual(["one"]);
});

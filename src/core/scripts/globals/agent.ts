/** `Agent`, its builder and its objects. */
import { Agent, type AgentAnswer, type AgentChunk } from "../../agents/agent.ts";
import { AgentBuilder, type Agents, createRemoved } from "../../agents/agents.ts";
import { type AgentTool, agentOptionNames } from "../../agents/options.ts";
import { aboutAgent } from "../../agents/replay-agents.ts";
import { SpellError } from "../../errors.ts";
import type { Watcher } from "../../events/watch.ts";
import { isObject } from "../../json.ts";
import { printModelSpec } from "../../spec/model-spec.ts";
import { asMessages } from "../../text/check-call.ts";
import { definedOnly, toSnake } from "../../values.ts";
import { any, type CallKept, callback, instance, KeptFunction, optional, text } from "../arguments.ts";
import { now, type ScriptClass, type ScriptFunctions, waits } from "../bind.ts";
import { type ScriptRun, shownToScripts } from "./host.ts";

const builder = instance("builder", AgentBuilder, "AgentBuilder");
const agent = instance("agent", Agent, "Agent");

export function agentGlobal(run: ScriptRun, agents: Agents): ScriptFunctions {
  return {
    builder: now([], () => agents.builder()),
    create: now([optional(any("config"))], () => {
      throw createRemoved(run.language);
    }),
    list: now([], () => agents.list().map((each) => ({ name: each.name, model: modelOf(each), provider: each.provider }))),
    list_instances: now([], () => agents.list().map(({ name }) => name)),
    get: now([text("name")], (name) => agents.get(name)),
    get_info: now([text("name")], (name) => {
      const found = agents.get(name);
      return found === undefined ? undefined : infoOf(found);
    }),
  };
}

export function agentBuilderClass({ tell }: Pick<Watcher, "tell">): ScriptClass {
  return {
    kind: AgentBuilder,
    methods: {
      ...Object.fromEntries(
        agentOptionNames.map((name) => [
          name,
          now([builder, any("value")], (self, value) => self.set(name, withFunctions(value)), { keeps: true }),
        ]),
      ),
      build: now([builder], async (self, callKept) => {
        const { name = "", model = "", provider = "" } = self.settings;
        const component = { type: "agent", name } as const;
        await tell("BeforeAgentInit", component, { model, provider }, callKept);
        const built = self.build();
        await tell("AfterAgentInit", { ...component, name: built.name }, infoOf(built), callKept);
        return built;
      }),
    },
  };
}

/** Functions of a script as those of a tool: each is called within the call of execute() that runs it. */
function withFunctions(value: unknown): unknown {
  if (value instanceof KeptFunction) {
    return async (input: unknown, { context }: { readonly context: CallKept }) => (await context(value, input)) ?? undefined;
  }
  if (Array.isArray(value)) return value.map(withFunctions);
  if (!isObject(value) || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, withFunctions(inner)]));
}

/** Asks an agent, with hooks and records around it. */
export type AskAgent = (self: Agent, given: unknown, context: CallKept, onChunk?: (chunk: AgentChunk) => unknown) => Promise<ShownAnswer>;

export function askAgents({ watch, mayChange }: Pick<Watcher, "watch" | "mayChange">, agents: Agents): AskAgent {
  return async (self, given, context, onChunk) => {
    let answer: AgentAnswer | undefined;
    let answered: Agent | undefined;
    const chunks = onChunk === undefined ? undefined : handOut(onChunk, mayChange("agent", context));
    /** What hooks refused is no part of the conversation, and what they put in its place is. */
    const takeBack = (): void => {
      if (answer !== undefined) answered?.takeBack(answer);
    };
    const execute = async (asked: Agent, input: unknown): Promise<ShownAnswer> => {
      takeBack();
      answer = await asked.execute(input, chunks?.take, context);
      answered = asked;
      return shownAnswer(answer);
    };
    const watched = watch(
      {
        kind: "agent",
        name: self.name,
        input: given,
        context,
        asOutput: asAnswer,
        about: () => aboutAgent(self, answer),
        redirect(target, input) {
          const other = agents.get(target);
          if (other === undefined)
            throw new SpellError("agent-option", `a hook redirects to agent ${target.slice(0, 60)}, which is not there`);
          return execute(other, input);
        },
      },
      (input) => execute(self, input),
    );
    try {
      const shown = await watched;
      // what a hook took away is not said on
      if (answer !== undefined && answer.text !== shown.text) answered?.replaceText(answer, shown.text);
      await chunks?.end(shown.text);
      return shown;
    } catch (error) {
      takeBack();
      throw error;
    }
  };
}

/**
 * Chunks of a call with hooks around it. Together they are the text that it gives, and the last is `done`.
 * @param isHeld text is handed out at the end: hooks may refuse it, or put another in its place
 */
function handOut(onChunk: (chunk: AgentChunk) => unknown, isHeld: boolean) {
  let index = 0;
  let isStopped = false;
  const give = async (text: string): Promise<boolean> => {
    isStopped = (await onChunk({ text, index: index++, done: false })) === false;
    return !isStopped;
  };
  return {
    take: ({ text, done }: AgentChunk): unknown => done || isHeld || give(text),
    async end(text: string): Promise<void> {
      if (index === 0 && text !== "") await give(text);
      if (!isStopped) await onChunk({ text: "", index, done: true });
    },
  };
}

export function agentClass({ tell }: Pick<Watcher, "tell">, ask: AskAgent): ScriptClass {
  const stream = waits([agent, any("input"), callback("on_chunk")], async (self, input, onChunk, callKept) => {
    let chunks = 0;
    const answer = await ask(self, input, callKept, (chunk) => {
      chunks += 1;
      return onChunk({ ...chunk });
    });
    return { ...answer, chunks_received: chunks };
  });
  return {
    kind: Agent,
    methods: {
      execute: waits([agent, any("input")], (self, input, callKept) => ask(self, input, callKept)),
      stream,
      invoke_stream: stream,
      complete: waits([agent, text("text")], async (self, said, callKept) => (await ask(self, { text: said }, callKept)).text),
      history: now([agent], (self) => asMessages(self.history)),
      discover_tools: now([agent], async (self) => (await self.tools()).map(shownTool)),
      has_tool: now([agent, text("name")], async (self, name) => (await self.tools()).some((tool) => tool.name === name)),
      get_tool_metadata: now([agent, text("name")], async (self, name) => {
        const found = (await self.tools()).find((tool) => tool.name === name);
        return found === undefined ? undefined : shownTool(found);
      }),
      invoke_tool: waits([agent, text("name"), optional(any("input"))], (self, name, input = {}, callKept) =>
        self.invokeTool(name, input, callKept),
      ),
      reset: now([agent], (self) => self.reset()),
      get_config: now([agent], (self) => {
        const { systemPrompt, baseUrl, maxConversationLength = 100, maxExecutionTime = 300, contextSize } = self.settings;
        const own = shownToScripts({ systemPrompt, baseUrl, contextSize, maxConversationLength, maxExecutionTime });
        return { ...infoOf(self), ...(own as object) };
      }),
      get_state: now([agent], (self) => self.state),
      get_metrics: now([agent], (self) => toSnake(self.metrics)),
      destroy: now([agent], async (self, callKept) => {
        if (self.state === "destroyed") return;
        const component = { type: "agent", name: self.name } as const;
        await tell("BeforeAgentShutdown", component, undefined, callKept);
        self.destroy();
        await tell("AfterAgentShutdown", component, undefined, callKept);
      }),
    },
  };
}

/** As scripts see an AgentAnswer. */
interface ShownAnswer {
  readonly text: string;
  readonly reasoning?: string;
  readonly data?: unknown;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What a hook puts in place of an answer: its text, or a table that has one. Without metadata of its own it has those of the answer, where there was one. */
function asAnswer(output: unknown, own: ShownAnswer | undefined): ShownAnswer {
  const metadata = own?.metadata ?? {};
  if (typeof output === "string" || output === undefined || output === null) return { text: output ?? "", metadata };
  if (isObject(output) && typeof output["text"] === "string") return { metadata, ...output } as unknown as ShownAnswer;
  throw new SpellError("agent-option", "a hook gives an answer: expected text, or a table with text, got something else");
}
/** `data` and the input of a call are the model's own, and keep their names. */
export function shownAnswer({ text: said, reasoning, data, metadata: { toolCalls, ...metadata } }: AgentAnswer): ShownAnswer {
  const tool_calls = toolCalls.map(({ isError, durationMs, ...call }) => ({ ...call, is_error: isError, duration_ms: durationMs }));
  return definedOnly({ text: said, reasoning, data, metadata: { ...(shownToScripts(metadata) as object), tool_calls } });
}

function shownTool({ name, description, inputSchema: schema }: AgentTool) {
  return definedOnly({ name, description, schema });
}

function modelOf({ source }: Agent): string {
  return printModelSpec({ ...source, backend: undefined });
}

function infoOf(self: Agent) {
  const { name, description, provider, settings } = self;
  // names in a schema are the caller's own
  const { jsonSchema, ...parameters } = settings.parameters;
  return definedOnly({
    name,
    description,
    provider,
    model: modelOf(self),
    device: settings.device,
    parameters: definedOnly({ ...toSnake(definedOnly(parameters)), json_schema: jsonSchema }),
  });
}

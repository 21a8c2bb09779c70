/** `Agent`, its builder and its objects. */
import { Agent, type AgentAnswer, type AgentChunk } from "../../agents/agent.ts";
import { AgentBuilder, type Agents, createRemoved } from "../../agents/agents.ts";
import { agentOptionNames } from "../../agents/options.ts";
import { printModelSpec } from "../../spec/model-spec.ts";
import { definedOnly, toSnake } from "../../values.ts";
import { any, callback, instance, optional, text } from "../arguments.ts";
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

export const agentBuilderClass: ScriptClass = {
  kind: AgentBuilder,
  methods: {
    ...Object.fromEntries(agentOptionNames.map((name) => [name, now([builder, any("value")], (self, value) => self.set(name, value))])),
    build: now([builder], (self) => self.build()),
  },
};

const stream = waits([agent, any("input"), callback("on_chunk")], async (self, input, onChunk) => {
  const answer = await self.execute(input, (chunk: AgentChunk) => onChunk({ ...chunk }));
  return { ...shownAnswer(answer), chunks_received: answer.chunksReceived };
});

export const agentClass: ScriptClass = {
  kind: Agent,
  methods: {
    execute: waits([agent, any("input")], async (self, input) => shownAnswer(await self.execute(input))),
    stream,
    invoke_stream: stream,
    complete: waits([agent, text("text")], async (self, said) => (await self.execute({ text: said })).text),
    history: now([agent], (self) => self.history),
    reset: now([agent], (self) => self.reset()),
    get_config: now([agent], (self) => {
      const { systemPrompt, baseUrl, maxConversationLength = 100, maxExecutionTime = 300, contextSize } = self.settings;
      return shownToScripts({ ...infoOf(self), systemPrompt, baseUrl, contextSize, maxConversationLength, maxExecutionTime });
    }),
    get_state: now([agent], (self) => self.state),
    get_metrics: now([agent], (self) => toSnake(self.metrics)),
    destroy: now([agent], (self) => self.destroy()),
  },
};

/** `data` is the model's own, and keeps its names. */
function shownAnswer({ text: said, data, metadata }: AgentAnswer) {
  return definedOnly({ text: said, data, metadata: shownToScripts(metadata) });
}

function modelOf({ source }: Agent): string {
  return printModelSpec({ ...source, backend: undefined });
}

function infoOf(self: Agent) {
  const { name, description, provider, settings } = self;
  return definedOnly({
    name,
    description,
    provider,
    model: modelOf(self),
    device: settings.device,
    parameters: toSnake(definedOnly(settings.parameters)),
  });
}

/** Agents in records of sessions: what they are built of again, and how they are asked again. */
import { isObject } from "../json.ts";
import type { ReplayHost } from "../sessions/replay.ts";
import { printModelSpec } from "../spec/model-spec.ts";
import { mayBeTool } from "../toolbox/mcp/lines.ts";
import { definedOnly, toSnake } from "../values.ts";
import type { Agent, AgentAnswer } from "./agent.ts";
import { type AgentHost, type Agents, createAgents } from "./agents.ts";

/** What a session keeps of an agent and its answer: the options of its builder, without key and functions. */
export function aboutAgent(agent: Agent, answer: Pick<AgentAnswer, "metadata"> | undefined): Readonly<Record<string, unknown>> {
  const { apiKey: _, name: __, tools = [], namedTools = [], parameters, provider, model, allowedTools, ...settings } = agent.settings;
  const own = tools.map(({ name, description, inputSchema: schema }) => definedOnly({ name, description, schema }));
  const built = {
    ...shallow(definedOnly(settings)),
    model: model ?? printModelSpec({ ...agent.source, backend: undefined }),
    provider: provider ?? agent.provider,
    parameters: shallow(definedOnly(parameters)),
    allowed_tools: allowedTools,
    tools: own.length + namedTools.length > 0 ? [...own, ...namedTools] : undefined,
  };
  const { metadata } = answer ?? {};
  return definedOnly({
    agent: definedOnly(built),
    model: metadata?.model,
    provider: metadata?.provider,
    device: metadata?.device?.chosen,
    seed: metadata?.seed,
  });
}

/**
 * Agents of a replay: conversations of their own, nothing watched or recorded, and tools that answer as they did.
 * @param host of the agents that were recorded @param shown an answer as scripts see it
 */
export function replayAgents(
  host: AgentHost,
  shown: (answer: AgentAnswer) => unknown,
): Pick<ReplayHost, "agent"> & { dispose(): Promise<void> } {
  interface Built {
    readonly agents: Agents;
    readonly agent: Agent;
    /** of the call that is made at the moment */
    tool: (name: string, input: unknown) => unknown;
  }
  const built = new Map<string, Built>();
  const build = (about: Readonly<Record<string, unknown>>, tool: Built["tool"], signal: AbortSignal): Built => {
    const answers = { tool };
    const { toolbox = { has: (name: string) => mayBeTool(name, host.config), get: host.spell.tools.get } } = host;
    const agents = createAgents({
      spell: host.spell,
      config: host.config,
      wrap: host.wrap,
      // of the whole replay
      signal: AbortSignal.any([signal, host.signal].filter((each) => each !== undefined)),
      permit: host.permit,
      permitProvider: host.permitProvider,
      toolbox: {
        has: (name) => toolbox.has(name),
        async get(name) {
          const found = await toolbox.get(name);
          return found === undefined ? undefined : { ...found, execute: (input: unknown) => answers.tool(name, input) };
        },
      },
    });
    const { tools, parameters = {}, ...options } = isObject(about["agent"]) ? about["agent"] : {};
    const builder = agents.builder();
    for (const [option, value] of Object.entries(options)) builder.set(option, value);
    builder.set("parameters", parameters);
    for (const given of Array.isArray(tools) ? (tools as readonly unknown[]) : [])
      builder.set("tool", isObject(given) ? { ...given, run: (input: unknown) => answers.tool(String(given["name"]), input) } : given);
    return Object.assign(answers, { agents, agent: builder.build() });
  };
  return {
    async agent({ name, about = {} }, input, tool, signal) {
      const entry = built.get(name) ?? build(about, tool, signal);
      built.set(name, entry);
      entry.tool = tool;
      const seed = about["seed"];
      const asked = typeof input === "string" ? { text: input } : (input as Readonly<Record<string, unknown>>);
      const own = isObject(asked["parameters"]) ? asked["parameters"] : {};
      const answer = await entry.agent.execute({ ...asked, parameters: { ...(seed !== undefined && { seed }), ...own } });
      return { output: shown(answer), about: aboutAgent(entry.agent, answer) };
    },
    async dispose() {
      await Promise.all([...built.values()].map(({ agents }) => agents.dispose()));
    },
  };
}

/** Names of the first level alone: a schema keeps its own. */
function shallow(record: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [Object.keys(toSnake({ [name]: 0 }))[0] ?? name, value as unknown]),
  );
}

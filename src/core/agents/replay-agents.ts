/** Agents in records of sessions: what they are built of again, and how they are asked again. */

import { isObject } from "../json.ts";
import type { ReplayHost } from "../sessions/replay.ts";
import { printModelSpec } from "../spec/model-spec.ts";
import { definedOnly, toSnake } from "../values.ts";
import type { Agent, AgentAnswer } from "./agent.ts";
import type { Agents } from "./agents.ts";

/** What a session keeps of an agent and its answer: the options of its builder, without key and functions. */
export function aboutAgent(agent: Agent, answer: Pick<AgentAnswer, "metadata"> | undefined): Readonly<Record<string, unknown>> {
  const { apiKey: _, name: __, tools = [], namedTools = [], parameters, provider, model, allowedTools, ...settings } = agent.settings;
  const built = {
    ...shallow(definedOnly(settings)),
    model: model ?? printModelSpec({ ...agent.source, backend: undefined }),
    provider: provider ?? agent.provider,
    parameters: shallow(definedOnly(parameters)),
    allowed_tools: allowedTools,
    ...(tools.length + namedTools.length > 0 && {
      tools: [...namedTools, ...tools.map(({ name, description, inputSchema: schema }) => definedOnly({ name, description, schema }))],
    }),
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

/** Over agents of their own, so that the conversations of the others go on. @param shown an answer as scripts see it */
export function replayAgents(agents: Agents, shown: (answer: AgentAnswer) => unknown): ReplayHost["agent"] {
  const built = new Map<string, { readonly agent: Agent; tool: (name: string, input: unknown) => unknown }>();
  return async ({ name, about = {} }, input, tool) => {
    const { tools, parameters, ...options } = isObject(about["agent"]) ? about["agent"] : {};
    const entry = built.get(name) ?? make();
    entry.tool = tool;
    const seed = about["seed"];
    const asked = typeof input === "string" ? { text: input } : (input as Readonly<Record<string, unknown>>);
    const own = isObject(asked["parameters"]) ? asked["parameters"] : {};
    const answer = await entry.agent.execute({ ...asked, parameters: { ...(seed !== undefined && { seed }), ...own } });
    return { output: shown(answer), about: aboutAgent(entry.agent, answer) };

    function make() {
      const builder = agents.builder();
      for (const [option, value] of Object.entries(options)) builder.set(option, value);
      if (parameters !== undefined) builder.set("parameters", parameters);
      const made: { agent?: Agent; tool: (name: string, input: unknown) => unknown } = { tool };
      if (Array.isArray(tools))
        builder.set(
          "tools",
          tools.map((each: string | { readonly name: string }) =>
            typeof each === "string" ? each : { ...each, run: (given: unknown) => made.tool(each.name, given) },
          ),
        );
      const whole = Object.assign(made, { agent: builder.build() });
      built.set(name, whole);
      return whole;
    }
  };
}

/** Names of the first level alone: a schema keeps its own. */
function shallow(record: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [Object.keys(toSnake({ [name]: 0 }))[0] ?? name, value as unknown]),
  );
}

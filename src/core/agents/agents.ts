/** Agents by their names: the builder, and what a name stands for in a configuration. */
import { createNames, type Names } from "../api/names.ts";
import { createSpell, type Spell, type SpellResult } from "../api/spell.ts";
import type { ProviderConfig } from "../config/config.generated.ts";
import { providerOf } from "../config/providers.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { SpellError } from "../errors.ts";
import type { ModelSpec } from "../spec/model-spec.ts";
import { mayBeTool } from "../toolbox/mcp/lines.ts";
import { toolNames } from "../toolbox/names.ts";
import { Agent, type AgentToolbox, type WatchTool } from "./agent.ts";
import { type AgentSettings, mergeSettings, readAgentOption, unknownAgentOption, wrongAgentOption } from "./options.ts";

/** Collects settings; each call gives the builder again. */
export class AgentBuilder {
  #settings: AgentSettings = { parameters: {} };
  readonly #make: (settings: AgentSettings) => Agent;

  constructor(make: (settings: AgentSettings) => Agent) {
    this.#make = make;
  }

  /** so far */
  get settings(): AgentSettings {
    return this.#settings;
  }

  /** @param name one of agentOptionNames. @throws SpellError agent-option */
  set(name: string, value: unknown): this {
    this.#settings = mergeSettings(this.#settings, readAgentOption(name, value));
    return this;
  }

  /**
   * Checks names, types, model and provider; loads and contacts nothing.
   * @throws SpellError agent-model-required, agent-option, agent-duplicate, backend-*, spec-*, usage-no-model
   */
  build(): Agent {
    return this.#make(this.#settings);
  }
}

/** `spell` and `config` are read with each build(). */
export interface AgentHost {
  readonly spell: Spell;
  /** what spell.config() gave */
  readonly config: ResolvedConfig;
  /** What spells pass that agents with an address of their own need. */
  readonly wrap?: ((spell: Spell) => Spell) | undefined;
  /** Tools that agents have by name; default: those of the spell. */
  readonly toolbox?: AgentToolbox | undefined;
  /** ends every answer that is under way */
  readonly signal?: AbortSignal | undefined;
  /** every piece of text of every agent, as it comes */
  readonly onText?: ((text: string) => unknown) | undefined;
  /** every answer */
  readonly onAnswer?: ((result: SpellResult) => void) | undefined;
  /** Around each call of a tool of an agent. */
  readonly watchTool?: WatchTool | undefined;
  /** Refuses a model that the builder was given, by throwing. */
  readonly permit?: ((model: ModelSpec) => unknown) | undefined;
  /** Refuses a provider that is named, or that has the default model. */
  readonly permitProvider?: ((provider: string) => unknown) | undefined;
}

export interface Agents {
  builder(): AgentBuilder;
  get(name: string): Agent | undefined;
  /** in the order they were built */
  list(): readonly Agent[];
  /** Destroys every agent, and frees what they alone used. */
  dispose(): Promise<void>;
}

/** A provider that is asked at an address; only services have keys. */
type Addressed = ProviderConfig & Readonly<Partial<Record<"base_url" | "api_key" | "api_key_env", string>>>;

export function createAgents(host: AgentHost): Agents {
  const agents = new Map<string, Agent>();
  /** Of agents with an address of their own. */
  const spells: Spell[] = [];

  const make = (settings: AgentSettings): Agent => {
    const name = settings.name ?? `agent_${crypto.randomUUID().slice(0, 8)}`;
    if (agents.has(name)) {
      throw new SpellError("agent-duplicate", `expected a name that no agent has, got ${name}`, { where: name });
    }
    const { spell, config: resolved, onText, onAnswer, signal } = host;
    const { toolbox = { has: (tool: string) => mayBeTool(tool, resolved), get: spell.tools.get } } = host;
    checkNames(settings, toolbox);
    const names = createNames(resolved);
    const { source, provider } = sourceOf(settings, names, resolved);
    if (settings.model !== undefined) host.permit?.(source);
    if (provider !== undefined) host.permitProvider?.(provider);
    const configured = provider === undefined ? undefined : providerOf(resolved.config, provider);
    if (settings.device !== undefined && provider !== undefined && names.isServer(provider))
      throw wrongAgentOption("device", `none for ${provider}: its server chooses`, settings.device);
    const agent = new Agent({
      name,
      settings,
      source,
      provider,
      seed: configured?.seed,
      drawsSeed: !names.isRemote(provider ?? resolved.config.providers.default_provider ?? ""),
      spell: isOwn(settings) ? ownSpell(settings, provider, names, spell, resolved) : spell,
      toolbox,
      onText,
      onAnswer,
      watchTool: host.watchTool,
      signal,
      onDestroy: () => agents.delete(name),
    });
    agents.set(name, agent);
    return agent;
  };

  /** An address or key of its own makes a provider of its own; a configured key goes to the configured address alone. */
  const ownSpell = (settings: AgentSettings, name: string | undefined, names: Names, spell: Spell, resolved: ResolvedConfig): Spell => {
    const { baseUrl, apiKey } = settings;
    const option = baseUrl === undefined ? "api_key" : "base_url";
    const configured = name === undefined ? undefined : providerOf(resolved.config, name);
    if (name === undefined || configured === undefined) throw wrongAgentOption(option, "provider() to say whose it is", undefined);
    if (!names.isServer(name)) throw wrongAgentOption(option, `none for ${name}: it runs in this process`, baseUrl ?? "a key");
    const { api_key: ownKey, api_key_env: ownVariable, base_url: address, ...rest } = configured as Addressed;
    const isSame = baseUrl === undefined || originOf(baseUrl) === originOf(address);
    const keys = apiKey !== undefined ? { api_key: apiKey } : isSame ? { api_key: ownKey, api_key_env: ownVariable } : { api_key: "" };
    const provider = { ...rest, ...keys, base_url: baseUrl ?? address } as ProviderConfig;
    const own = createSpell({ platform: spell.platform, config: withProvider(resolved, name, provider) });
    spells.push(own);
    return host.wrap?.(own) ?? own;
  };

  return {
    builder: () => new AgentBuilder(make),
    get: (name) => agents.get(name),
    list: () => [...agents.values()],
    async dispose() {
      for (const agent of agents.values()) agent.destroy();
      await Promise.all(spells.map((own) => own.dispose()));
    },
  };
}

/** Tools by their names. */
function checkNames({ tools = [], namedTools = [], allowedTools = [] }: AgentSettings, toolbox: AgentToolbox): void {
  const names = tools.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw wrongAgentOption("tool.name", "a name that no other tool of the agent has", twice);
  const known = (name: string): boolean => toolbox.has(name);
  const unknown = namedTools.find((name) => !known(name));
  if (unknown !== undefined) throw wrongAgentOption("tool", "the name of a tool that is there", unknown);
  const missing = allowedTools.find((name) => !names.includes(name) && !known(name));
  if (missing !== undefined) throw unknownAgentOption("allowed_tools", missing, [...names, ...toolNames]);
}

/** The model and who runs it; an `@` in the model's name wins over provider(). */
function sourceOf(
  { model, provider: word }: AgentSettings,
  names: Names,
  { config }: ResolvedConfig,
): { readonly source: ModelSpec; readonly provider: string | undefined } {
  const given = word === undefined ? undefined : names.provider(word.toLowerCase());
  const named = model ?? (given === undefined ? undefined : providerOf(config, given)?.default_model);
  if (named === undefined) {
    if (given === undefined) {
      const source = names.defaultSpec();
      return { source, provider: names.provider(source.backend ?? "") };
    }
    throw new SpellError("agent-model-required", `the agent has no model, and provider ${given} has no default_model`, {
      where: given,
      actions: [{ kind: "show-config", section: "providers" }],
    });
  }
  const spec = given === undefined ? names.parse(named, "any") : names.parseFor(given, named);
  const backend = spec.backend ?? given;
  if (backend === undefined) return { source: spec, provider: undefined };
  const provider = names.provider(backend);
  return { source: { ...spec, backend: provider }, provider };
}

function isOwn({ baseUrl, apiKey }: AgentSettings): boolean {
  return baseUrl !== undefined || apiKey !== undefined;
}

const builderExample = {
  lua: `Agent.builder():provider("candle"):model("tiny-stories"):build()`,
  javascript: `Agent.builder().provider("candle").model("tiny-stories").build()`,
} as const;

/** The error of the call that made agents in earlier versions. */
export function createRemoved(language: keyof typeof builderExample): SpellError {
  const example = builderExample[language];
  return new SpellError("agent-create-removed", `Agent.create is no longer there; expected ${example}`, {
    where: "Agent.create",
    details: { example },
  });
}

/** The configuration with one provider in place of its own. */
export function withProvider(resolved: ResolvedConfig, name: string, provider: ProviderConfig): ResolvedConfig {
  const { config, ...rest } = resolved;
  const origins = new Map([...resolved.origins, [`providers.${name}.provider_type`, "object"]]);
  return { ...rest, origins, config: { ...config, providers: { ...config.providers, [name]: provider } } };
}

function originOf(address: string | undefined): string | undefined {
  return address !== undefined && URL.canParse(address) ? new URL(address).origin : undefined;
}

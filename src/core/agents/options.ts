/** What a builder of agents takes: names, forms and ranges in one table. */
import { maskSecrets } from "../config/mask.ts";
import { SpellError } from "../errors.ts";
import { isObject, shown } from "../json.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { deviceChoices } from "../spec/devices.ts";
import type { GenerateOptions, Tool, ToolChoice } from "../spec/generate.ts";
import type { DeviceChoice } from "../spec/runtime.ts";
import { isToolName } from "../text/check-tools.ts";
import { findParameterProblem, findStopProblem, parameterRules, presets } from "../text/parameters.ts";

/** A tool of an agent. Its `context` is that of the call of execute(). */
export interface AgentTool extends Tool {
  // biome-ignore lint/suspicious/noExplicitAny: its own schema says what the input is
  execute(input: any, options: { readonly signal: AbortSignal; readonly context: unknown }): unknown;
}

/** What one agent was told. */
export interface AgentSettings {
  readonly name?: string | undefined;
  readonly description?: string | undefined;
  readonly provider?: string | undefined;
  readonly model?: string | undefined;
  readonly device?: DeviceChoice | undefined;
  readonly systemPrompt?: string | undefined;
  readonly baseUrl?: string | undefined;
  readonly apiKey?: string | undefined;
  /** messages that are kept */
  readonly maxConversationLength?: number | undefined;
  /** seconds of one answer */
  readonly maxExecutionTime?: number | undefined;
  /** tokens the model keeps */
  readonly contextSize?: number | undefined;
  /** in the order they were given */
  readonly tools?: readonly AgentTool[] | undefined;
  /** names of tools of the toolbox */
  readonly namedTools?: readonly string[] | undefined;
  /** names of those that the model may call, of the toolbox too; default: all that were given */
  readonly allowedTools?: readonly string[] | undefined;
  /** calls that are run in one answer */
  readonly maxToolCalls?: number | undefined;
  /** times that the model is asked again with results, in one answer */
  readonly maxRecursionDepth?: number | undefined;
  /** of every answer */
  readonly parameters: GenerateOptions;
}

/** What a parameter of an answer becomes: how it is generated, and the context its model is loaded with. */
export type CallSettings = Pick<AgentSettings, "parameters" | "contextSize">;

type Read = (value: unknown, name: string) => Partial<AgentSettings>;

const settle =
  (key: keyof AgentSettings, expected: string, fits: (value: unknown) => boolean): Read =>
  (value, name) => {
    if (!fits(value)) throw wrongAgentOption(name, expected, value);
    return { [key]: value };
  };
const text = (key: keyof AgentSettings, most: number): Read =>
  settle(key, `text of 1–${most} characters`, (value) => typeof value === "string" && value.length > 0 && value.length <= most);
const within = (least: number, most: number, value: unknown): boolean => typeof value === "number" && value >= least && value <= most;

const readDevice: Read = settle("device", deviceChoices.join(", "), (value) => deviceChoices.includes(value as DeviceChoice));
const readTime: Read = settle("maxExecutionTime", "seconds from 0.001 to 86400", (value) => within(0.001, 86_400, value));

/** Parameters of an answer, by the names that scripts and files use. */
const parameterReaders: Readonly<Record<string, Read>> = {
  ...Object.fromEntries(
    parameterRules.map((rule): [string, Read] => [
      rule.snakeName,
      (value) => {
        const problem = findParameterProblem(rule, value);
        if (problem !== undefined) throw refused(rule.snakeName, problem);
        return { parameters: { [rule.name]: value } };
      },
    ]),
  ),
  stop(value, name) {
    // an empty table of Lua
    const stop = isObject(value) && Object.keys(value).length === 0 ? [] : value;
    const problem = findStopProblem(stop);
    if (problem !== undefined) throw refused(name, problem);
    return { parameters: { stop: stop as string | readonly string[] } };
  },
  preset(value, name) {
    if (typeof value !== "string" || !Object.hasOwn(presets, value)) throw wrongAgentOption(name, Object.keys(presets).join(", "), value);
    return { parameters: { preset: value as keyof typeof presets } };
  },
  json_schema(value, name) {
    if (!isObject(value) && typeof value !== "boolean") throw wrongAgentOption(name, "a JSON Schema", value);
    return { parameters: { jsonSchema: value } };
  },
  choices(value, name) {
    if (!Array.isArray(value) || !value.every((choice) => typeof choice === "string"))
      throw wrongAgentOption(name, "a list of texts", value);
    return { parameters: { choices: value as readonly string[] } };
  },
  regex(value, name) {
    if (typeof value !== "string") throw wrongAgentOption(name, "a regular expression as text", value);
    return { parameters: { regex: value } };
  },
  grammar(value, name) {
    if (typeof value !== "string") throw wrongAgentOption(name, "GBNF", value);
    return { parameters: { grammar: value } };
  },
  reasoning(value, name) {
    if (value !== "auto" && value !== "off") throw wrongAgentOption(name, "auto, off", value);
    return { parameters: { reasoning: value } };
  },
  tool_choice(value, name) {
    const isNamed = isObject(value) && typeof value["name"] === "string";
    if (!isNamed && !["auto", "none", "required"].includes(String(value)))
      throw wrongAgentOption(name, "auto, none, required, or a table with name", value);
    return { parameters: { toolChoice: value as ToolChoice } };
  },
  parallel_tool_calls(value, name) {
    if (typeof value !== "boolean") throw wrongAgentOption(name, "true or false", value);
    return { parameters: { parallelToolCalls: value } };
  },
  context_size: settle("contextSize", "an integer from 128 on", (value) => Number.isSafeInteger(value) && within(128, 2 ** 31 - 1, value)),
};

const toolNames = ["name", "description", "schema", "run"];

/** As scripts write a tool, and as programs do: `inputSchema` and `execute` are `schema` and `run`. */
function readTool(value: unknown, where: string): Partial<AgentSettings> {
  if (isToolName(value)) return { namedTools: [value] };
  if (!isObject(value)) throw wrongAgentOption(where, "the name of a tool, or a table with name, description, schema and run", value);
  const { inputSchema, execute, ...rest } = value;
  const { name, description, schema = inputSchema, run = execute } = rest;
  const unknown = Object.keys(rest).find((key) => !toolNames.includes(key));
  if (unknown !== undefined) throw unknownAgentOption(where, unknown, toolNames);
  if (!isToolName(name)) throw wrongAgentOption(`${where}.name`, "1–64 letters, digits, _ and -", name);
  if (description !== undefined && typeof description !== "string") throw wrongAgentOption(`${where}.description`, "text", description);
  if (schema !== undefined && !isObject(schema)) throw wrongAgentOption(`${where}.schema`, "a table", schema);
  if (typeof run !== "function") throw wrongAgentOption(`${where}.run`, "a function", run);
  return { tools: [{ name, description, inputSchema: schema, execute: (input, options) => run(input, options) }] };
}

const readers: Readonly<Record<string, Read>> = {
  name: text("name", 100),
  description: text("description", 10_000),
  provider: text("provider", 100),
  model: text("model", 512),
  device: readDevice,
  system_prompt: text("systemPrompt", 1_000_000),
  base_url(value, name) {
    if (!isAddress(value))
      throw wrongAgentOption(
        name,
        "an address that begins with http:// or https://, without user and password, ? and #",
        // what is asked for there may be a secret
        maskSecrets(typeof value === "string" ? value.replace(/[?#].*$/s, (rest) => `${rest[0]}********`) : value),
      );
    return { baseUrl: value };
  },
  api_key(value, name) {
    if (typeof value === "string" && value.length > 0 && value.length <= 1000) return { apiKey: value };
    throw refused(
      name,
      `expected a key of 1–1000 characters, got ${typeof value === "string" ? "a longer or empty one" : shown(typeof value)}`,
    );
  },
  max_conversation_length: settle(
    "maxConversationLength",
    "an integer from 0 to 100000",
    (value) => Number.isInteger(value) && within(0, 100_000, value),
  ),
  tool: readTool,
  tools(value, name) {
    if (!Array.isArray(value)) throw wrongAgentOption(name, "a list of tools", value);
    const read = value.map((tool) => readTool(tool, "tool"));
    return { tools: read.flatMap(({ tools = [] }) => tools), namedTools: read.flatMap(({ namedTools = [] }) => namedTools) };
  },
  allow_tool(value, name) {
    if (!isToolName(value)) throw wrongAgentOption(name, "the name of a tool", value);
    return { allowedTools: [value] };
  },
  allowed_tools(value, name) {
    const names = isObject(value) && Object.keys(value).length === 0 ? [] : value;
    if (!Array.isArray(names) || !names.every(isToolName)) throw wrongAgentOption(name, "a list of names of tools", value);
    return { allowedTools: names };
  },
  max_tool_calls: settle("maxToolCalls", "an integer from 0 to 1000", (value) => Number.isInteger(value) && within(0, 1000, value)),
  max_recursion_depth: settle("maxRecursionDepth", "an integer from 0 to 100", (value) => Number.isInteger(value) && within(0, 100, value)),
  max_execution_time: readTime,
  resource_limits: (value, name) => readTable(value, name, { max_execution_time_secs: readTime }),
  parameters: (value, name) => readTable(value, name, parameterReaders),
  custom_config: (value, name) => readTable(value, name, readers),
  ...parameterReaders,
};

/** Every option of a builder, as scripts write it. */
export const agentOptionNames: readonly string[] = Object.keys(readers);

/** @throws SpellError agent-option */
export function readAgentOption(name: string, value: unknown): Partial<AgentSettings> {
  return readTable({ [name]: value }, "the builder", readers);
}

/** Parameters of one answer. @throws SpellError agent-option */
export function readParameters(value: unknown): CallSettings {
  return mergeSettings({ parameters: {} }, readTable(value, "parameters", parameterReaders));
}

/** @throws SpellError agent-option */
export function readCallDevice(value: unknown): DeviceChoice | undefined {
  return value === undefined ? undefined : readDevice(value, "device").device;
}

/** What is set later wins; parameters one by one, and tools and what is allowed come together. */
export function mergeSettings<T extends AgentSettings>(first: T, later: Partial<AgentSettings>): T {
  const joined = <K extends "tools" | "namedTools" | "allowedTools">(key: K) =>
    first[key] === undefined && later[key] === undefined ? {} : { [key]: [...(first[key] ?? []), ...(later[key] ?? [])] };
  return {
    ...first,
    ...later,
    ...joined("tools"),
    ...joined("namedTools"),
    ...joined("allowedTools"),
    parameters: { ...first.parameters, ...later.parameters },
  };
}

function readTable(value: unknown, where: string, known: Readonly<Record<string, Read>>): Partial<AgentSettings> {
  if (!isObject(value)) throw wrongAgentOption(where, "a table", value);
  let read: AgentSettings = { parameters: {} };
  for (const [name, inner] of Object.entries(value)) {
    const reader = Object.hasOwn(known, name) ? known[name] : undefined;
    if (reader === undefined) throw unknownAgentOption(where, name, Object.keys(known));
    read = mergeSettings(read, reader(inner, name));
  }
  return read;
}

export function wrongAgentOption(name: string, expected: string, got: unknown): SpellError {
  return refused(name, `expected ${expected}, got ${shown(got)}`);
}

/** @param where that has no such name: "parameters" */
export function unknownAgentOption(where: string, name: string, known: readonly string[]): SpellError {
  const word = name.slice(0, 60);
  return new SpellError("agent-option", `${where} has no ${word}${didYouMean(nearest(word, known))}`, {
    where: word,
    hint: `Names: ${known.join(", ")}.`,
  });
}

function refused(name: string, problem: string): SpellError {
  return new SpellError("agent-option", `${name}: ${problem}`, { where: name });
}

function isAddress(value: unknown): value is string {
  if (typeof value !== "string" || value.length > 2048 || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return /^https?:$/.test(protocol) && username === "" && password === "" && !/[?#]/.test(value);
}

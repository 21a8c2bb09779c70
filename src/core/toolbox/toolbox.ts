/**
 * Tools by their names, run by the rules of one configuration: input and output by their schemas, a time for each call, a number of calls a minute. Nobody is
 * told of a call twice; what fails fails with a typed error.
 */
import { originOf } from "../config/origin.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { messageOf, SpellError, throwIfAborted } from "../errors.ts";
import { limits } from "../limits.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { Platform } from "../platform.ts";
import type { RunnableTool } from "../spec/generate.ts";
import { once } from "../values.ts";
import { judgeOf, sizeProblem } from "./judge.ts";
import { isServerTool, mayBeTool } from "./mcp/lines.ts";
import type { ConnectedServer, Servers, ServerTarget } from "./mcp/servers.ts";
import { toolNames } from "./names.ts";
import type { ToolDefinition, ToolFacts } from "./types.ts";

export interface ToolboxHost {
  readonly platform: Platform;
  /** read with each call */
  config(): ResolvedConfig | Promise<ResolvedConfig>;
  /** where relative paths of files begin; default: the working directory */
  readonly folder?: string | undefined;
  /** ends every call */
  readonly signal?: AbortSignal | undefined;
}

export interface ToolCallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** What every tool gives; the rest is in its output schema. */
export type ToolOutput = Readonly<Record<string, unknown>> & { readonly result: unknown };

export interface Toolbox {
  /** Whether there is a tool of this name, or a listed server that may have it: switched off ones count. */
  has(name: string): boolean;
  /**
   * Takes the tools of a server of the Model Context Protocol: they are called `NAME_tool` then, and found by all other calls. Servers that the configuration
   * lists need no call: they are opened with the first use of their tools.
   * @param target its name in `tools.mcp.servers`, or a command or address that stands there
   * @throws SpellError tool-denied, tool-package, tool-failed, tool-limit, net-*, script-denied, run-aborted
   */
  connect(target: ServerTarget): Promise<ConnectedServer>;
  /** in the order of their names, without those that are switched off; then those of listed servers */
  list(): Promise<readonly ToolFacts[]>;
  /** @returns undefined for an unknown name */
  info(name: string): Promise<ToolFacts | undefined>;
  /** A tool as calls of models take it: `generate(…, { tools: [await spell.tools.get("calculator")] })`. @throws SpellError tool-unknown */
  get(name: string): Promise<RunnableTool>;
  /**
   * @param input by the schema of the tool
   * @returns by its output schema; `result` is what was asked for
   * @throws SpellError tool-unknown, tool-disabled, tool-input, tool-failed, tool-limit, tool-rate, tool-denied, script-denied, net-*, run-aborted
   */
  execute(name: string, input: unknown, options?: ToolCallOptions): Promise<ToolOutput>;
  /** with the number of tools of each */
  categories(): Promise<readonly { readonly name: string; readonly tools: number }[]>;
  discover(filter: { readonly category?: string | undefined; readonly tag?: string | undefined }): Promise<readonly ToolFacts[]>;
  /** Ends the servers that were opened. */
  close(): Promise<void>;
}

/** Starts nothing; a tool is imported with its first use. */
export function createToolbox(host: ToolboxHost): Toolbox {
  const { platform } = host;
  const builtin = once(async () => new Map((await import("./table.ts")).builtinTools.map((tool) => [tool.name, tool])));
  const over = new AbortController();
  let opened: Promise<Servers> | undefined;
  const servers = (): Promise<Servers> => {
    opened ??= import("./mcp/servers.ts").then(({ createServers }) => createServers(platform, over.signal));
    return opened;
  };
  const judges = new WeakMap<ToolDefinition, { readonly input: ReturnType<typeof judgeOf>; readonly output: ReturnType<typeof judgeOf> }>();
  /** when the calls of the last minute began */
  let calls: number[] = [];

  const judgesOf = (tool: ToolDefinition) => {
    const known = judges.get(tool) ?? {
      input: judgeOf(tool.parameters, "input", tool.isForeign),
      output: judgeOf(tool.output, "output", tool.isForeign),
    };
    judges.set(tool, known);
    return known;
  };
  const lookUp = async (name: string): Promise<ToolDefinition | undefined> => {
    const tool = (await builtin()).get(name);
    if (tool !== undefined) return tool;
    const resolved = await host.config();
    return isServerTool(name, resolved.config.tools.mcp.servers) ? (await servers()).find(name, resolved) : undefined;
  };
  const find = async (name: string): Promise<ToolDefinition> => {
    const tool = await lookUp(name);
    if (tool !== undefined) return tool;
    const names = [...toolNames];
    throw new SpellError("tool-unknown", `expected the name of a tool, got ${name.slice(0, 100)}${didYouMean(nearest(name, names))}`, {
      where: name.slice(0, 100),
      hint: `Tools: ${names.join(", ")}.`,
    });
  };
  /** @throws SpellError tool-rate */
  const count = (most: number): void => {
    const now = platform.now();
    calls = calls.filter((at) => now - at < 60_000);
    if (calls.length >= most) {
      const seconds = Math.ceil((60_000 - (now - (calls[0] ?? now))) / 1000);
      const message = `expected at most ${most} calls of tools a minute (tools.rate_limit_per_minute), got more; the next one runs in ${seconds} s`;
      throw new SpellError("tool-rate", message, { where: "tools.rate_limit_per_minute", details: { seconds } });
    }
    calls.push(now);
  };
  const listed = async (category?: string): Promise<readonly ToolDefinition[]> => {
    const resolved = await host.config();
    const own = [...(await builtin()).values()].filter(({ name }) => disabledBy(name, resolved) === undefined);
    const { servers: lines } = resolved.config.tools.mcp;
    return lines.length === 0 || (category ?? "mcp") !== "mcp" ? own : [...own, ...(await (await servers()).all(resolved))];
  };

  const execute: Toolbox["execute"] = async (name, given, options = {}) => {
    const resolved = await host.config();
    const signal = AbortSignal.any([options.signal, host.signal].filter((each) => each !== undefined));
    const most = resolved.config.tools.mcp.timeout_seconds * 1000;
    // a server is opened for it
    const tool = await within(name, most + limits.toolMs, signal, () => find(name));
    const key = disabledBy(name, resolved);
    if (key !== undefined) throw disabled(name, key);
    // an empty table of Lua
    const input = Array.isArray(given) && given.length === 0 ? {} : (given ?? {});
    const judge = judgesOf(tool);
    const problem = sizeProblem(input) ?? judge.input(input);
    if (problem !== undefined)
      throw new SpellError("tool-input", `${name}: ${problem}`, {
        where: name,
        details: { tool: name },
        actions: [{ kind: "tool-info", tool: name }],
      });
    count(resolved.config.tools.rate_limit_per_minute);
    const result = await within(name, tool.isForeign === true ? 2 * most : limits.toolMs, signal, (own) =>
      tool.run(input, contextOf(name, resolved, host, own)),
    );
    const wrong = judge.output(result);
    if (wrong !== undefined) throw brokenWord(tool, (tool.hide && judge.output(tool.hide(result))) ?? tool.hide?.(wrong) ?? wrong);
    return result as ToolOutput; // by its schema
  };

  return {
    has(name) {
      const resolved = host.config();
      return resolved instanceof Promise ? (toolNames as readonly string[]).includes(name) : mayBeTool(name, resolved as ResolvedConfig);
    },
    connect: async (target) => (await servers()).connect(target, await host.config()),
    list: async () => (await listed()).map(factsOf),
    async info(name) {
      const tool = await lookUp(name).catch((error: unknown) => {
        if (error instanceof SpellError && error.code === "tool-unknown") return undefined;
        throw error;
      });
      return tool === undefined ? undefined : factsOf(tool);
    },
    async get(name) {
      const { description, parameters: inputSchema } = await find(name);
      return { name, description, inputSchema, execute: (input, { signal }) => execute(name, input, { signal }) };
    },
    execute,
    async categories() {
      const counts = new Map<string, number>();
      for (const { category } of await listed()) counts.set(category, (counts.get(category) ?? 0) + 1);
      return [...counts].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, tools]) => ({ name, tools }));
    },
    async discover({ category, tag }) {
      const all = (await listed(category)).filter((tool) => category === undefined || tool.category === category);
      return all.filter((tool) => tag === undefined || tool.tags.includes(tag)).map(factsOf);
    },
    async close() {
      over.abort(new SpellError("run-closed", "the tools are closed", { hint: "Make another spell with createSpell()." }));
      await (await opened)?.close();
    },
  };
}

function factsOf({ name, description, category, version, tags, parameters, output }: ToolDefinition): ToolFacts {
  return { name, description, category, version, tags, parameters, output };
}

/** @returns the key that switches a tool off, or undefined */
function disabledBy(name: string, { config: { tools } }: ResolvedConfig): string | undefined {
  if (name === "file-operations" && !tools.file_operations.enabled) return "tools.file_operations.enabled";
  if (name === "http-request" && !tools.http_request.enabled) return "tools.http_request.enabled";
  return undefined;
}

/** A result that is not as the tool says itself. */
function brokenWord({ name, isForeign }: ToolDefinition, problem: string): SpellError {
  return new SpellError("tool-failed", `${name}: ${problem}`, {
    where: name,
    details: { tool: name },
    ...(isForeign === true && {
      hint: "Its server breaks the schema that it gives for its results; its author can mend that.",
      actions: [{ kind: "tool-info", tool: name }],
    }),
  });
}

function disabled(name: string, key: string): SpellError {
  return new SpellError("tool-disabled", `${name} is switched off: ${key} is false`, {
    where: key,
    actions: [{ kind: "show-config", section: "tools" }],
  });
}

function contextOf(name: string, resolved: ResolvedConfig, { platform, folder }: ToolboxHost, signal: AbortSignal) {
  const { config } = resolved;
  const { security } = config.runtime;
  const denied = (what: string, key: string): SpellError =>
    new SpellError("script-denied", `${name} may not ${what}: ${key} does not allow it (configuration: ${originOf(resolved, key)})`, {
      where: key,
      hint: "Tools may do this only where the configuration allows it.",
      actions: [{ kind: "show-config", section: "runtime" }],
    });
  return {
    signal,
    isolate: platform.isolate,
    settings: config.tools,
    async files() {
      if (platform.toolFiles === undefined) throw new SpellError("script-denied", `${name}: ${platform.name} has no files for it`);
      if (!security.allow_file_access) throw denied("use files", "runtime.security.allow_file_access");
      return platform.toolFiles(folder, security.allowed_paths);
    },
    async request(question: Parameters<Awaited<typeof import("./ask-server.ts")>["askServer"]>[0]) {
      if (!security.allow_network_access) throw denied("reach the network", "runtime.security.allow_network_access");
      const { askServer } = await import("./ask-server.ts");
      return askServer(question, config.tools.http_request, platform, signal);
    },
  };
}

/** @throws whatever `work` throws, as a SpellError; tool-limit where it takes too long, while its signal is aborted; run-aborted */
async function within<T>(name: string, ms: number, outer: AbortSignal, work: (signal: AbortSignal) => T): Promise<Awaited<T>> {
  throwIfAborted(outer);
  const late = new AbortController();
  const signal = AbortSignal.any([outer, late.signal]);
  const timer = setTimeout(() => late.abort(), ms);
  let stop: (() => void) | undefined;
  const over = new Promise<never>((_, reject) => {
    stop = () => reject(new Error("over"));
    signal.addEventListener("abort", stop, { once: true });
  });
  try {
    return await Promise.race([Promise.resolve().then(() => work(signal)), over]);
  } catch (error) {
    throwIfAborted(outer);
    if (late.signal.aborted)
      throw new SpellError("tool-limit", `${name}: expected a result within ${ms / 1000} s, got none`, { where: name });
    // what ends a task does not know whose it is
    if (error instanceof SpellError && error.details?.["task"] !== undefined)
      throw error.with({ message: `${name}: ${error.message}`, where: name });
    if (error instanceof SpellError) throw error;
    throw new SpellError("tool-failed", `${name}: ${messageOf(error).slice(0, 500)}`, { where: name, cause: error });
  } finally {
    clearTimeout(timer);
    if (stop !== undefined) signal.removeEventListener("abort", stop);
  }
}

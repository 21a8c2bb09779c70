/** The servers of one toolbox: opened with the first use of theirs, again after they ended, and closed with it. */
import { originOf } from "../../config/origin.ts";
import type { ResolvedConfig } from "../../config/resolve.ts";
import { messageOf, SpellError, throwIfAborted } from "../../errors.ts";
import { didYouMean, nearest } from "../../nearest.ts";
import type { Platform } from "../../platform.ts";
import { joinWords, type ServerLine, splitWords } from "../../spec/server-line.ts";
import type { ToolDefinition } from "../types.ts";
import { type Connection, openConnection } from "./connection.ts";
import { readServers } from "./lines.ts";
import { plain } from "./plain.ts";

/** A server, as its caller names it: by its name in the configuration, or by what stands there. */
export type ServerTarget =
  | string
  | { readonly command: string; readonly args?: readonly string[] | undefined; readonly url?: undefined }
  | { readonly url: string; readonly command?: undefined; readonly args?: undefined };

export interface ConnectedServer {
  readonly name: string;
  /** as they are called here: `NAME_tool` */
  readonly tools: readonly string[];
}

export interface Servers {
  /** @throws SpellError tool-denied where the configuration does not list it; of openConnection() */
  connect(target: ServerTarget, resolved: ResolvedConfig): Promise<ConnectedServer>;
  /** @returns undefined where the name begins with no listed server @throws SpellError tool-unknown where that server has no such tool; of openConnection() */
  find(tool: string, resolved: ResolvedConfig): Promise<ToolDefinition | undefined>;
  /** Tools of all listed servers; one that does not answer is left out, with a warning. */
  all(resolved: ResolvedConfig): Promise<readonly ToolDefinition[]>;
  close(): Promise<void>;
}

/** Starts nothing. @param over ends opening */
export function createServers(platform: Platform, over: AbortSignal): Servers {
  const open = new Map<string, Promise<Connection>>();
  let isClosed = false;

  const connectionOf = async (line: ServerLine, resolved: ResolvedConfig): Promise<Connection> => {
    throwIfAborted(over);
    const known = open.get(line.name);
    const living = await known?.catch(() => undefined);
    if (living?.isOver === false) return living;
    // who comes second waits for the first
    const other = open.get(line.name);
    if (other !== undefined && other !== known) return other;
    const opening = openConnection(line, resolved, platform, over);
    open.set(line.name, opening);
    const connection = await opening;
    if (isClosed) await connection.close();
    return connection;
  };
  const toolsOf = async (line: ServerLine, resolved: ResolvedConfig): Promise<readonly ToolDefinition[]> => {
    const { tools, hide } = await connectionOf(line, resolved);
    return tools.map((tool) => ({
      ...tool,
      category: "mcp",
      isForeign: true,
      hide,
      run: async (input: unknown, { signal: own }) => (await connectionOf(line, resolved)).call(tool, input, own),
    }));
  };

  return {
    async connect(target, resolved) {
      const line = lineOf(target, resolved);
      return { name: line.name, tools: (await toolsOf(line, resolved)).map(({ name }) => name) };
    },
    async find(tool, resolved) {
      const line = readServers(resolved.config.tools.mcp.servers).find(({ name }) => tool.startsWith(`${name}_`));
      if (line === undefined) return undefined;
      const tools = await toolsOf(line, resolved);
      const found = tools.find(({ name }) => name === tool);
      if (found !== undefined) return found;
      const names = tools.map(({ name }) => name);
      throw new SpellError(
        "tool-unknown",
        `expected a tool of ${line.name}, got ${tool.slice(0, 100)}${didYouMean(nearest(tool, names))}`,
        {
          where: tool.slice(0, 100),
          hint: `Its tools: ${names.slice(0, 20).join(", ")}${names.length > 20 ? " …" : ""}.`,
        },
      );
    },
    async all(resolved) {
      const lines = readServers(resolved.config.tools.mcp.servers);
      const found = lines.map(async (line) => {
        try {
          return await toolsOf(line, resolved);
        } catch (error) {
          throwIfAborted(over);
          platform.log({ level: "warn", message: `tools of ${line.name} are left out: ${plain(messageOf(error), 500)}` });
          return [];
        }
      });
      return (await Promise.all(found)).flat();
    },
    async close() {
      isClosed = true;
      await Promise.all([...open.values()].map(async (opening) => (await opening.catch(() => undefined))?.close()));
    },
  };
}

/** @throws SpellError tool-input, tool-denied */
function lineOf(target: ServerTarget, resolved: ResolvedConfig): ServerLine {
  const { config } = resolved;
  const origin = originOf(resolved, "tools.mcp.servers");
  const lines = readServers(config.tools.mcp.servers);
  if (typeof target === "string") {
    const found = lines.find(({ name }) => name === target);
    if (found !== undefined) return found;
    const names = lines.map(({ name }) => name).join(", ") || "none";
    throw notListed(
      `${target.slice(0, 100)} is no server of tools.mcp.servers, which has ${names}`,
      `${target.slice(0, 32)} = COMMAND or ADDRESS`,
    );
  }
  const { command, args = [], url } = target;
  if ((command === undefined) === (url === undefined))
    throw new SpellError("tool-input", "Tool.connect: expected command or url, got both or none", { where: "server" });
  if (command !== undefined) {
    const words = args.length > 0 ? [command, ...args] : splitWords(command);
    const found = lines.find((line) => line.command !== undefined && JSON.stringify(line.command) === JSON.stringify(words));
    if (found !== undefined) return found;
    throw notListed(
      `${joinWords(words).slice(0, 200)} is not started: tools.mcp.servers does not list it (configuration: ${origin})`,
      `NAME = ${joinWords(words)}`,
    );
  }
  const href = URL.canParse(url ?? "") ? new URL(url ?? "").href : undefined;
  const found = lines.find((line) => line.url !== undefined && line.url.href === href);
  if (found !== undefined) return found;
  throw notListed(
    `${String(url).slice(0, 200)} is not asked: tools.mcp.servers does not list it (configuration: ${origin})`,
    `NAME = ${url}`,
  );
}

function notListed(message: string, line: string): SpellError {
  return new SpellError("tool-denied", message, {
    where: "tools.mcp.servers",
    hint: `Where you trust it, write into your configuration, below [tools.mcp]: servers = [${JSON.stringify(line.slice(0, 300))}]`,
    actions: [{ kind: "show-config", section: "tools" }],
  });
}

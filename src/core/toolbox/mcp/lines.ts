/** Servers of tools as `tools.mcp.servers` lists them: a line for each, `NAME = command line` or `NAME = address`. What is not listed is neither started nor asked. */
import type { ResolvedConfig } from "../../config/resolve.ts";
import { SpellError } from "../../errors.ts";
import { toolNames } from "../names.ts";

/** A server of the Model Context Protocol that the configuration allows. */
export interface ServerLine {
  /** its tools are `NAME_tool` */
  readonly name: string;
  /** a program and its arguments; undefined for an address */
  readonly command?: readonly string[] | undefined;
  readonly url?: URL | undefined;
  /** Names of variables: a program is given them, an address gets the value of its only one as a bearer token. */
  readonly variables: readonly string[];
}

const key = "tools.mcp.servers";

/** @throws SpellError config-value */
export function readServers(lines: readonly string[]): readonly ServerLine[] {
  const servers = lines.map(readLine);
  const twice = servers.find(({ name }, i) => servers.findIndex((other) => other.name === name) < i);
  if (twice !== undefined) throw wrong(`expected a name of its own for each server, got ${twice.name} twice`);
  return servers;
}

function readLine(line: string): ServerLine {
  const [, name, rest = ""] = /^\s*([a-z][a-z0-9-]{0,31})\s*=\s*(.*?)\s*$/s.exec(line) ?? [];
  const got = JSON.stringify(line.slice(0, 80));
  if (name === undefined)
    throw wrong(`expected NAME = command or address, with a name of at most 32 small letters, digits and -; got ${got}`);
  const words = splitWords(rest);
  const variables = words.filter(isVariable).map((word) => word.slice(1));
  const [first, ...others] = words.filter((word) => !isVariable(word));
  if (first === undefined) throw wrong(`expected a command or an address after ${name} =, got none`);
  if (!/^https?:\/\//i.test(first)) return { name, command: [first, ...others], variables };
  if (!URL.canParse(first) || others.length > 0 || variables.length > 1)
    throw wrong(`expected one address after ${name} =, and at most one $VARIABLE with its token; got ${got}`);
  const url = new URL(first);
  if (url.username !== "" || url.password !== "") throw wrong(`expected an address without user and password after ${name} =`);
  return { name, url, variables };
}

const isVariable = (word: string): boolean => /^\$[A-Za-z_][A-Za-z0-9_]*$/.test(word);

/** Words of a command line: at spaces, without a shell. What stands in "" or '' is one word, as it is written. */
export function splitWords(line: string): readonly string[] {
  const words = line.match(/(?:"[^"]*"|'[^']*'|[^\s"'])+/g) ?? [];
  return words.map((word) => word.replace(/"([^"]*)"|'([^']*)'/g, (_, double?: string, single?: string) => double ?? single ?? ""));
}

/** A command line that splitWords() reads again. */
export function joinWords(words: readonly string[]): string {
  return words.map((word) => (/^[^\s"']+$/.test(word) ? word : word.includes('"') ? `'${word}'` : `"${word}"`)).join(" ");
}

/** Whether a tool of this name would be one of a listed server. Starts nothing. */
export function isServerTool(name: string, lines: readonly string[]): boolean {
  const [, server] = /^([a-z][a-z0-9-]*)_./.exec(name) ?? [];
  return server !== undefined && lines.some((line) => /^\s*([a-z][a-z0-9-]*)\s*=/.exec(line)?.[1] === server);
}

/** Whether a name is that of a built-in tool, or may be that of a listed server's. Starts nothing. */
export function mayBeTool(name: string, { config }: Pick<ResolvedConfig, "config">): boolean {
  return (toolNames as readonly string[]).includes(name) || isServerTool(name, config.tools.mcp.servers);
}

function wrong(message: string): SpellError {
  return new SpellError("config-value", `${key}: ${message}`, { where: key, actions: [{ kind: "show-config", section: "tools" }] });
}

/** Servers of tools as `tools.mcp.servers` lists them. What is not listed is neither started nor asked. */
import type { ResolvedConfig } from "../../config/resolve.ts";
import { SpellError } from "../../errors.ts";
import { parseServerLines, type ServerLine } from "../../spec/server-line.ts";
import { toolNames } from "../names.ts";

const key = "tools.mcp.servers";

/** @throws SpellError config-value: a file is checked when it is read, a variable here */
export function readServers(lines: readonly string[]): readonly ServerLine[] {
  const read = parseServerLines(lines);
  if (typeof read !== "string") return read;
  throw new SpellError("config-value", `${key}: ${read}`, { where: key, actions: [{ kind: "show-config", section: "tools" }] });
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

/** What a server says of its tools and gives as results, as tools and results of ours. All of it is text of a stranger. */
import { SpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { isToolName } from "../../text/check-tools.ts";
import { toolFailed, toolLimit } from "../failure.ts";
import { sizeProblem } from "../judge.ts";
import type { ObjectSchema, ToolFacts } from "../types.ts";

/** A tool of a server. */
export interface ServerTool extends ToolFacts {
  /** as the server calls it */
  readonly ownName: string;
}

/** @param listed `tools` of all pages @throws SpellError tool-failed for names that cannot be told apart or called */
export function serverTools(server: string, version: string, listed: readonly unknown[]): readonly ServerTool[] {
  const tools = listed.map((tool) => serverTool(server, version, tool));
  const names = tools.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice !== undefined) throw toolFailed(server, `expected tools with names of their own, got ${twice} twice`);
  return tools;
}

function serverTool(server: string, version: string, given: unknown): ServerTool {
  const { name: ownName, description, title, inputSchema, outputSchema } = isObject(given) ? given : {};
  // names may have dots and slashes, which models and scripts cannot write
  const name = `${server}_${String(ownName).replace(/[./]/g, "_")}`;
  if (typeof ownName !== "string" || !isToolName(name))
    throw toolFailed(
      server,
      `expected tools named by letters, digits, _ - . and /, of 64 with ${server}_; got ${JSON.stringify(ownName)?.slice(0, 80)}`,
    );
  const problem = sizeProblem(inputSchema) ?? sizeProblem(outputSchema ?? null);
  if (problem !== undefined) throw toolFailed(server, `the schema of ${name}: ${problem}`);
  return {
    ownName,
    name,
    description: plain(typeof description === "string" ? description : typeof title === "string" ? title : "", mostDescription),
    category: "mcp",
    version,
    tags: [server],
    parameters: objectSchema(inputSchema),
    output: { type: "object", properties: { result: isObject(outputSchema) ? outputSchema : {} }, required: ["result"] },
  };
}

const mostDescription = 4000;

function objectSchema(given: unknown): ObjectSchema {
  return { ...(isObject(given) ? given : {}), type: "object" };
}

/** One line a person may be shown: without control characters and without what turns the direction of writing. */
export function plain(text: string, most: number): string {
  return text
    .slice(0, most)
    .replace(/\s+/g, " ")
    .replace(/[\p{Cc}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, "")
    .trim();
}

/**
 * @param answer of `tools/call`
 * @returns structured content where there is some, else the text, else the list of its parts
 * @throws SpellError tool-failed where the server says so, tool-limit
 */
export function resultOf(name: string, answer: unknown): { readonly result: unknown } {
  const { content, structuredContent, isError } = isObject(answer) ? answer : {};
  const parts = Array.isArray(content) ? content.filter(isObject) : [];
  const texts = parts.map(({ type, text }) => (type === "text" && typeof text === "string" ? text : undefined));
  const isText = texts.every((text) => text !== undefined);
  if (isError === true)
    throw toolFailed(name, plain(texts.filter((text) => text !== undefined).join(" "), 1000) || "the server says that it failed");
  const result = isObject(structuredContent) ? structuredContent : isText ? texts.join("\n") : parts.map(shownPart);
  const problem = sizeProblem(result);
  if (problem !== undefined) throw toolLimit(name, problem.replace(/^input/, "output"));
  return { result };
}

/** Names of members as everywhere here. */
function shownPart({ type, text, data, mimeType, uri, resource }: Readonly<Record<string, unknown>>) {
  const inner = isObject(resource) ? resource : {};
  return {
    type,
    text: text ?? inner["text"],
    data: data ?? inner["blob"],
    mime_type: mimeType ?? inner["mimeType"],
    uri: uri ?? inner["uri"],
  };
}

/** What the SDK, the transport or the network threw, in our words. @param said last words of a program on standard error */
export function serverError(server: string, error: unknown, seconds: number, said: string): SpellError {
  const inner = innermost(error);
  if (inner instanceof SpellError) return inner;
  const { code, message, name } =
    isObject(inner) || inner instanceof Error ? (inner as { code?: unknown; message?: unknown; name?: unknown }) : {};
  const text = plain(String(message ?? inner), 500);
  if (code === -32001 || name === "TimeoutError")
    return toolLimit(server, `expected an answer within ${seconds} s (tools.mcp.timeout_seconds), got none${lastWords(said)}`);
  if (code === -32000) return toolFailed(server, `the server ended${lastWords(said)}`, error);
  if (code === "ENOENT") return toolFailed(server, "expected a program that is there, got none of this name", error);
  if (code === 401 || code === 403)
    return new SpellError("tool-denied", `${server}: the server refuses with status ${code}`, {
      where: server,
      hint: "Write $NAME behind its address in tools.mcp.servers: the variable NAME holds its token.",
      cause: error,
    });
  if (error instanceof TypeError)
    return new SpellError("net-offline", `${server}: the server does not answer: ${text}`, { where: server, cause: error });
  return toolFailed(server, text, error);
}

function lastWords(said: string): string {
  const words = plain(said.trim().slice(-300), 300);
  return words === "" ? "" : `; its last words: ${words}`;
}

function innermost(error: unknown): unknown {
  let at = error;
  for (let depth = 0; depth < 8; depth += 1) {
    if (at instanceof SpellError || !(at instanceof Error) || at.cause === undefined) break;
    at = at.cause;
  }
  return at;
}

/** What a server says of its tools and gives as results, as tools and results of ours. All of it is text of a stranger. */
import { messageOf, SpellError } from "../../errors.ts";
import { isObject, shown } from "../../json.ts";
import { isToolName } from "../../text/check-tools.ts";
import { toolFailed, toolLimit } from "../failure.ts";
import { sizeProblem } from "../judge.ts";
import type { ObjectSchema, ToolFacts } from "../types.ts";
import type { Keeper } from "./keep.ts";
import { plain } from "./plain.ts";

/** A tool of a server. */
export interface ServerTool extends ToolFacts {
  /** as the server calls it */
  readonly ownName: string;
}

/**
 * The tools that can be told apart, called and judged; the others are left out: one of them takes no other away.
 * @param listed `tools` of all pages
 * @param leaveOut told why, for each that is left out
 * @throws SpellError tool-failed where all of them are
 */
export function serverTools(
  server: string,
  version: string,
  listed: readonly unknown[],
  leaveOut: (problem: SpellError) => void,
): readonly ServerTool[] {
  const tools = new Map<string, ServerTool>();
  const problems: SpellError[] = [];
  for (const given of listed) {
    try {
      const tool = serverTool(server, version, given);
      if (tools.has(tool.name)) throw listFailed(server, `expected tools with names of their own, got ${tool.name} twice`);
      tools.set(tool.name, tool);
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      problems.push(error);
    }
  }
  const [first] = problems;
  if (tools.size === 0 && first !== undefined) throw first;
  problems.forEach(leaveOut);
  return [...tools.values()];
}

function serverTool(server: string, version: string, given: unknown): ServerTool {
  const { name: ownName, description, title, inputSchema, outputSchema } = isObject(given) ? given : {};
  // names may have dots and slashes, which models and scripts cannot write
  const name = `${server}_${typeof ownName === "string" ? ownName.replace(/[./]/g, "_") : ""}`;
  if (typeof ownName !== "string" || !isToolName(name))
    throw listFailed(server, `expected tools named by letters, digits, _ - . and /, of 64 with ${server}_; got ${shown(ownName)}`);
  const problem =
    schemaProblem(inputSchema, "inputSchema") ?? (outputSchema == null ? undefined : schemaProblem(outputSchema, "outputSchema"));
  if (problem !== undefined) throw listFailed(server, `${name}: ${problem}`);
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

/** A list that is not as the protocol has it: nothing that a caller could say otherwise. */
export function listFailed(server: string, message: string): SpellError {
  return toolFailed(server, message).with({
    hint: "Its list of tools is wrong: take a version of the server that keeps to the protocol, or its line out of tools.mcp.servers.",
    actions: showServers,
  });
}

/** The same of an answer to a call. */
function answerFailed(tool: string, message: string): SpellError {
  return toolFailed(tool, message).with({
    hint: "Its answer is no result of the protocol: take a version of the server that keeps to it, or its line out of tools.mcp.servers.",
    actions: showServers,
  });
}

const showServers = [{ kind: "show-config", section: "tools" }] as const;

/** @returns what is wrong with the schema of an object, with its place; what lies deeper, and cannot be judged, is left to the server */
function schemaProblem(schema: unknown, where: "inputSchema" | "outputSchema"): string | undefined {
  if (!isObject(schema) || Array.isArray(schema)) return `${where}: expected an object, got ${shown(schema)}`;
  const { type, properties, required } = schema;
  if (type !== "object") return `${where}.type: expected "object", got ${shown(type)}`;
  if (properties !== undefined && !isObject(properties)) return `${where}.properties: expected an object, got ${shown(properties)}`;
  const [name, wrong] = Object.entries(properties ?? {}).find(([, each]) => !isObject(each) && typeof each !== "boolean") ?? [];
  if (name !== undefined) return `${where}.properties.${plain(name, 80)}: expected a schema, got ${shown(wrong)}`;
  if (required !== undefined && !(Array.isArray(required) && required.every((each) => typeof each === "string")))
    return `${where}.required: expected a list of names, got ${shown(required)}`;
  return sizeProblem(schema)?.replace(/^input/, where);
}

function objectSchema(given: unknown): ObjectSchema {
  return { ...(isObject(given) ? given : {}), type: "object" };
}

/**
 * @param answer of `tools/call`
 * @param hide what errors may not show
 * @returns structured content where there is some, else the text, else the list of its parts
 * @throws SpellError tool-failed where the server says so, tool-limit
 */
export function resultOf(name: string, answer: unknown, hide: Keeper["hide"] = (value) => value): { readonly result: unknown } {
  if (!isObject(answer)) throw answerFailed(name, `expected an object as the result, got ${shown(hide(answer))}`);
  const { content = [], structuredContent, isError } = answer;
  if (!Array.isArray(content)) throw answerFailed(name, `content: expected a list of parts, got ${shown(hide(content))}`);
  const parts = content.filter(isObject);
  const stray: unknown = content.find((part) => !isObject(part));
  if (stray !== undefined) throw answerFailed(name, `content: expected parts that are objects, got ${shown(hide(stray))}`);
  const texts = parts.map(({ type, text }) => (type === "text" && typeof text === "string" ? text : undefined));
  const isText = texts.every((text) => text !== undefined);
  if (isError === true)
    throw toolFailed(
      name,
      plain(hide(texts.filter((text) => text !== undefined).join(" ")), 1000) || "the server says that it failed",
    ).with({ hint: "Correct the input; the tool says what it takes.", actions: [{ kind: "tool-info", tool: name }] });
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

/** What the SDK, the transport or the network threw, in our words. @param said last words of a program on standard error @param hide what errors may not show */
export function serverError(
  server: string,
  error: unknown,
  seconds: number,
  said: string,
  hide: Keeper["hide"] = (value) => value,
): SpellError {
  const inner = innermost(error);
  if (inner instanceof SpellError) return inner;
  const { code, message, name } =
    isObject(inner) || inner instanceof Error ? (inner as { code?: unknown; message?: unknown; name?: unknown }) : {};
  const { issues } = isObject(inner) || inner instanceof Error ? (inner as { issues?: unknown }) : {};
  // the SDK's schemas: their message is JSON
  if (Array.isArray(issues)) return messagesFailed(server, issues[0], error, hide);
  const text = plain(hide(typeof message === "string" ? message : messageOf(inner)), 500);
  if (name === "TimeoutError")
    return toolLimit(server, `expected an answer within ${seconds} s (tools.mcp.timeout_seconds), got none${lastWords(said)}`).with({
      hint: "See whether the server works, or raise tools.mcp.timeout_seconds.",
    });
  if (name === endedName)
    return toolFailed(server, `the server ended${text === "" ? "" : ` ${text}`}${lastWords(said)}`, error).with({ hint: seeServer });
  if (code === "ENOENT")
    return toolFailed(server, "expected a program that is there, got none of this name", error).with({ hint: seeServer });
  if (code === 401 || code === 403)
    return new SpellError("tool-denied", `${server}: the server refuses with status ${code}`, {
      where: server,
      hint: "Write $NAME behind its address in tools.mcp.servers: the variable NAME holds its token.",
      cause: error,
    });
  if (error instanceof TypeError && text === "bad port")
    return new SpellError("net-offline", `${server}: fetch asks no server at this port`, {
      where: server,
      hint: "Let the server listen at another port: some are kept from the web's requests.",
      cause: error,
    });
  if (error instanceof TypeError)
    return new SpellError("net-offline", `${server}: the server does not answer: ${text}`, { where: server, cause: error });
  if (typeof code === "number" && code >= 400 && code < 600)
    return toolFailed(server, `expected an answer of the protocol, got status ${code}`, error).with({ hint: seeServer });
  const failed = toolFailed(server, text, error);
  return code === wrongParameters ? failed : failed.with({ hint: seeServer });
}

/** Name of the error for a connection that ended; its message says how, where that is known. */
export const endedName = "EndedError";

/**
 * What the SDK's schemas say of a message that was an answer, but for its result or error: whoever waits for it waits for nothing.
 * @returns undefined for any other message
 */
export function brokenAnswer(server: string, error: unknown, hide: Keeper["hide"]): SpellError | undefined {
  const { issues } = error instanceof Error ? (error as { issues?: unknown }) : {};
  const [union]: readonly unknown[] = Array.isArray(issues) ? issues : [];
  const forms: readonly unknown[] = isObject(union) && Array.isArray(union["errors"]) ? union["errors"] : [];
  const isOfAnswer = (issue: unknown): boolean =>
    isObject(issue) && Array.isArray(issue["path"]) && (issue["path"][0] === "result" || issue["path"][0] === "error");
  const form = forms.find((each): each is readonly unknown[] => Array.isArray(each) && each.length > 0 && each.every(isOfAnswer));
  return form && messagesFailed(server, form[0], error, hide);
}

function messagesFailed(server: string, issue: unknown, cause: unknown, hide: Keeper["hide"]): SpellError {
  return toolFailed(server, `expected messages of the protocol, got others: ${issueOf(hide(issue))}`, cause).with({ hint: seeServer });
}

/** Of JSON-RPC: the caller can say them otherwise. */
const wrongParameters = -32602;
export const seeServer = "See the program or address in tools.mcp.servers, and whether it works by itself.";

function issueOf(issue: unknown): string {
  const { path, message } = isObject(issue) ? issue : {};
  const place = (Array.isArray(path) ? path : []).filter((each) => typeof each === "string" || typeof each === "number").join(".");
  return plain(`${place}: ${typeof message === "string" ? message : "not as it should be"}`, 300);
}

const mostWords = 300;

/** From the beginning of a word. */
function lastWords(said: string): string {
  const whole = plain(said, said.length);
  const words = whole.length <= mostWords ? whole : `… ${whole.slice(-mostWords - 1).replace(/^\S*\s+/, "")}`;
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

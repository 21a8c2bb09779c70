/** What programs hand to a call, before anything is done with it. A compiler has seen most of it; scripts have none. */
import { SpellError } from "../errors.ts";
import { isObject, shown } from "../json.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { ChatMessage, ChatPrompt, GenerateOptions, Message, MessagePart, Prompt, ToolCall } from "../spec/generate.ts";

/** @throws SpellError run-option for anything but an object */
export function asOptions<T extends object>(options: T): T {
  if (isObject(options)) return options;
  throw wrongOption("options", "an object", options);
}

export function wrongOption(name: string, expected: string, got: unknown): SpellError {
  return new SpellError("run-option", `${name}: expected ${expected}, got ${shown(got)}`, { where: name });
}

/**
 * An unknown option is a typing error or the word of another library: it is reported, never ignored.
 * @param call for the message, such as "load"
 * @throws SpellError run-option, with the name that may have been meant
 */
export function checkOptionNames(options: object, known: readonly string[], call: string): void {
  const { signal } = asOptions(options) as { readonly signal?: unknown };
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrongOption("signal", "an AbortSignal", signal);
  checkNames(options, known, (name) => [`${call} has no option ${name}`, name, "Options"]);
}

/** @param say what is said of an unknown name: the message, its place, and what the known names are */
function checkNames(
  record: object,
  known: readonly string[],
  say: (name: string) => readonly [message: string, where: string, kind: string],
): void {
  const unknown = Object.keys(record).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const camel = unknown.replace(/[_-]([a-z])/g, (_, letter: string) => letter.toUpperCase());
  const [message, where, kind] = say(unknown.slice(0, 60));
  throw new SpellError("run-option", `${message}${didYouMean(known.includes(camel) ? camel : nearest(camel, known))}`, {
    where,
    hint: `${kind}: ${known.join(", ")}.`,
  });
}

/** Of a message or a part of one. */
function checkKeys(record: object, known: readonly string[], where: string): void {
  checkNames(record, known, (name) => [`${where} has no key ${name}`, `${where}.${name}`, "Keys"]);
}

const roles: ReadonlySet<string> = new Set(["system", "user", "assistant", "tool"]);
const messageForm = '{ role: "system" | "user" | "assistant" | "tool", content: text or parts }';

/** Several, as checkPrompt() takes each. @throws SpellError run-option */
export function checkPrompts(prompts: readonly Prompt[]): readonly ChatPrompt[] {
  if (!Array.isArray(prompts)) throw wrongOption("prompts", "a list", prompts);
  return prompts.map(checkPrompt);
}

/**
 * @returns the prompt as backends get it: the text of each message joined, a message for each result of a tool
 * @throws SpellError run-option for anything but text and conversations
 */
export function checkPrompt(prompt: Prompt): ChatPrompt {
  if (typeof prompt === "string") return prompt;
  if (!Array.isArray(prompt)) throw wrongOption("prompt", "text, or messages { role, content }", prompt);
  const messages = prompt as readonly Message[];
  if (messages.length === 0) throw wrongOption("messages", "at least one", messages);
  const called = new Map<string, string>();
  return messages.flatMap((message, i): readonly ChatMessage[] => {
    const where = `messages[${i}]`;
    if (!roles.has(message?.role)) throw wrongOption(where, messageForm, message);
    checkKeys(message, ["role", "content"], where);
    const parts = partsOf(message, where);
    if (message.role === "tool") return parts.map((part, at) => toolResult(part, `${where}.content[${at}]`, called));
    const read = readParts(parts, message.role, where);
    for (const { id, name } of read.toolCalls ?? []) called.set(id, name);
    return [read];
  });
}

function partsOf({ role, content }: Message, where: string): readonly MessagePart[] {
  if (typeof content === "string") return [{ type: "text", text: content }];
  if (Array.isArray(content)) return content as readonly MessagePart[];
  throw wrongOption(where, messageForm, { role, content });
}

function readParts(parts: readonly MessagePart[], role: ChatMessage["role"], where: string): ChatMessage {
  let [content, reasoning] = ["", ""];
  const toolCalls: ToolCall[] = [];
  for (const [i, part] of parts.entries()) {
    const place = `${where}.content[${i}]`;
    const isOwn = role === "assistant";
    if (part?.type === "text") content += textOf(part, place);
    else if (part?.type === "reasoning" && isOwn) reasoning += textOf(part, place);
    else if (part?.type === "tool-call" && isOwn) toolCalls.push(toolCall(part, place));
    else throw wrongOption(place, isOwn ? "a part text, reasoning or tool-call" : '{ type: "text", text }', part?.type ?? null);
  }
  return { role, content, ...(reasoning !== "" && { reasoning }), ...(toolCalls.length > 0 && { toolCalls }) };
}

function textOf(part: { readonly type: string; readonly text: unknown }, where: string): string {
  if (typeof part.text !== "string") throw wrongOption(where, `{ type: "${part.type}", text }`, part);
  checkKeys(part, ["type", "text"], where);
  return part.text;
}

function toolCall(part: ToolCall, where: string): ToolCall {
  checkKeys(part, ["type", "id", "name", "input"], where);
  const { id, name, input } = part;
  if (!isName(id) || !isName(name) || !isJson(input)) throw wrongOption(where, '{ type: "tool-call", id, name, input: JSON }', part);
  return { type: "tool-call", id, name, input };
}

function toolResult(part: MessagePart, where: string, called: ReadonlyMap<string, string>): ChatMessage {
  if (part?.type !== "tool-result") throw wrongOption(where, '{ type: "tool-result", id, result }', part?.type ?? null);
  checkKeys(part, ["type", "id", "result"], where);
  const { id, result } = part;
  if (!isName(id) || !isJson(result)) throw wrongOption(where, '{ type: "tool-result", id, result: text or JSON }', part);
  const content = typeof result === "string" ? result : JSON.stringify(result);
  return { role: "tool", content, toolCallId: id, toolName: called.get(id) };
}

function isName(value: unknown): boolean {
  return typeof value === "string" && value !== "" && value.length <= 1000;
}

/** Whether JSON can say it. */
function isJson(value: unknown): boolean {
  try {
    let isSound = true;
    const text = JSON.stringify(value, (_, each: unknown) => {
      if (typeof each === "number" && !Number.isFinite(each)) isSound = false;
      return each;
    });
    return isSound && text !== undefined;
  } catch {
    return false;
  }
}

/**
 * The answer that a conversation has begun, for `continueLast`.
 * @returns what stands before it, and its beginning @throws SpellError run-option
 */
export function splitLast(prompt: ChatPrompt): { readonly before: readonly ChatMessage[]; readonly begun: ChatMessage } {
  const last = typeof prompt === "string" ? undefined : prompt.at(-1);
  if (typeof prompt === "string" || last?.role !== "assistant" || last.content === "" || last.toolCalls !== undefined)
    throw new SpellError("run-option", "continueLast: expected a last message of the assistant that is text, got another one", {
      where: "continueLast",
    });
  return { before: prompt.slice(0, -1), begun: last };
}

/** For what begins an answer of its own. @throws SpellError run-option */
export function refuseContinue({ continueLast }: Pick<GenerateOptions, "continueLast">, who: string): void {
  if (continueLast !== true) return;
  throw new SpellError("run-option", `continueLast: ${who} cannot go on with a last message of the assistant; expected one of the user`, {
    where: "continueLast",
    hint: "Leave the last message out, or ask a GGUF model in this process.",
  });
}

/** Messages as callers write them, of those that backends get. */
export function asMessages(messages: readonly ChatMessage[]): readonly Message[] {
  return messages.map(({ role, content, reasoning, toolCalls = [], toolCallId }): Message => {
    if (role === "tool") return { role, content: [{ type: "tool-result", id: toolCallId ?? "", result: content }] };
    if (reasoning === undefined && toolCalls.length === 0) return { role, content };
    return {
      role,
      content: [
        ...(reasoning === undefined ? [] : [{ type: "reasoning" as const, text: reasoning }]),
        { type: "text", text: content },
        ...toolCalls,
      ],
    };
  });
}

/** For what takes no calls of tools. @throws SpellError run-option */
export function refuseToolMessages(prompt: ChatPrompt, what: string): void {
  if (typeof prompt === "string") return;
  const found = prompt.findIndex(({ role, toolCalls }) => role === "tool" || toolCalls !== undefined);
  if (found < 0) return;
  const where = `messages[${found}]`;
  throw new SpellError("run-option", `${where}: expected text alone, got a call or result of a tool; ${what} take none`, { where });
}

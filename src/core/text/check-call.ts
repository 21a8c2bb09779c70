/** What programs hand to a call, before anything is done with it. A compiler has seen most of it; scripts have none. */
import { SpellError } from "../errors.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { Message, Prompt, TextMessage, TextPrompt } from "../spec/generate.ts";

/** @throws SpellError run-option for anything but an object */
export function asOptions<T extends object>(options: T): T {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return options;
  throw wrongOption("options", "an object", options);
}

export function wrongOption(name: string, expected: string, got: unknown): SpellError {
  return new SpellError("run-option", `${name}: expected ${expected}, got ${shown(got)}`, { where: name });
}

/** A value that was given, in a message: text in quotes, data as JSON, cut short. */
export function shown(value: unknown): string {
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (typeof value === "function" || typeof value === "symbol") return `a ${typeof value}`;
  try {
    return String(JSON.stringify(value)).slice(0, 80);
  } catch {
    return "another object";
  }
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

const roles: ReadonlySet<string> = new Set(["system", "user", "assistant"]);

/** @returns the prompt with the parts of each message joined. @throws SpellError run-option for anything but text and conversations of text */
export function checkPrompt(prompt: Prompt): TextPrompt {
  if (typeof prompt === "string") return prompt;
  if (!Array.isArray(prompt)) throw wrongOption("prompt", "text, or messages { role, content }", prompt);
  const messages = prompt as readonly Message[];
  if (messages.length === 0) throw wrongOption("messages", "at least one", messages);
  return messages.map((message, i): TextMessage => {
    const where = `messages[${i}]`;
    if (message?.role === "tool") throw new SpellError("run-option", `${where}: tool results are not supported yet`, { where });
    const content = typeof message?.content === "object" ? joinParts(message.content, `${where}.content`) : message?.content;
    if (typeof content !== "string" || !roles.has(message.role))
      throw wrongOption(where, '{ role: "system" | "user" | "assistant", content: text or parts }', message);
    checkKeys(message, ["role", "content"], where);
    return { role: message.role, content };
  });
}

function joinParts(parts: Message["content"], where: string): string | undefined {
  if (!Array.isArray(parts)) return undefined;
  return parts
    .map((part, i) => {
      if (part?.type !== "text" || typeof part.text !== "string")
        throw wrongOption(`${where}[${i}]`, '{ type: "text", text }', part?.type ?? null);
      checkKeys(part, ["type", "text"], `${where}[${i}]`);
      return part.text;
    })
    .join("");
}

/** What programs hand to a call, before anything is done with it. A compiler has seen most of it; scripts have none. */
import { SpellError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Message, Prompt, TextMessage, TextPrompt } from "../spec/generate.ts";

/** @throws SpellError run-option for anything but an object */
export function asOptions<T extends object>(options: T): T {
  if (typeof options === "object" && options !== null && !Array.isArray(options)) return options;
  throw wrongOption("options", "an object", options);
}

export function wrongOption(name: string, expected: string, got: unknown): SpellError {
  const what = got === null ? "null" : Array.isArray(got) ? "a list" : typeof got === "object" ? "another object" : `a ${typeof got}`;
  return new SpellError("run-option", `${name}: expected ${expected}, got ${what}`, { where: name });
}

/**
 * An unknown option is a typing error or the word of another library: it is reported, never ignored.
 * @param call for the message, such as "load"
 * @throws SpellError run-option, with the name that may have been meant
 */
export function checkOptionNames(options: object, known: readonly string[], call: string): void {
  const { signal } = asOptions(options) as { readonly signal?: unknown };
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrongOption("signal", "an AbortSignal", signal);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const camel = name.replace(/[_-]([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const meant = known.includes(camel) ? camel : nearest(camel, known);
    throw new SpellError(
      "run-option",
      `${call} has no option ${name.slice(0, 60)}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
      {
        where: name.slice(0, 60),
        hint: `Options: ${known.join(", ")}.`,
      },
    );
  }
}

const roles: ReadonlySet<string> = new Set(["system", "user", "assistant"]);

/** @returns the prompt with the parts of each message joined. @throws SpellError run-option for anything but text and conversations of text */
export function checkPrompt(prompt: Prompt): TextPrompt {
  if (typeof prompt === "string") return prompt;
  if (!Array.isArray(prompt)) {
    const got = prompt === null ? "null" : typeof prompt;
    throw new SpellError("run-option", `prompt: expected text, or messages { role, content }; got ${got}`, { where: "prompt" });
  }
  const messages = prompt as readonly Message[];
  if (messages.length === 0) throw new SpellError("run-option", "messages: expected at least one, got none", { where: "messages" });
  return messages.map((message, i): TextMessage => {
    const where = `messages[${i}]`;
    if (message?.role === "tool") throw new SpellError("run-option", `${where}: tool results are not supported yet`, { where });
    const content = typeof message?.content === "object" ? joinParts(message.content, `${where}.content`) : message?.content;
    if (typeof content === "string" && roles.has(message.role)) return { role: message.role, content };
    throw new SpellError(
      "run-option",
      `${where}: expected { role: "system" | "user" | "assistant", content: text or parts }, got ${shown(message)}`,
      {
        where,
      },
    );
  });
}

function shown(value: unknown): string {
  return String(JSON.stringify(value)).slice(0, 80);
}

function joinParts(parts: Message["content"], where: string): string | undefined {
  if (!Array.isArray(parts)) return undefined;
  return parts
    .map((part, i) => {
      if (part?.type === "text" && typeof part.text === "string") return part.text;
      throw new SpellError("run-option", `${where}[${i}]: expected { type: "text", text }, got ${JSON.stringify(part?.type ?? null)}`, {
        where: `${where}[${i}]`,
      });
    })
    .join("");
}

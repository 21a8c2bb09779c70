/** What programs hand to a call, before anything is done with it. A compiler has seen most of it; scripts have none. */
import { SpellError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import type { Message, Prompt } from "../spec/generate.ts";

/**
 * An option nobody reads is a slip of the finger, or the word of another library: it is told, never ignored.
 * @param call for the message, such as "load"
 * @throws SpellError run-option, with the name that may have been meant
 */
export function checkOptionNames(options: object, known: readonly string[], call: string): void {
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

/** @throws SpellError run-option for what is no text and no conversation */
export function checkPrompt(prompt: Prompt): void {
  if (typeof prompt === "string") return;
  if (!Array.isArray(prompt)) {
    throw new SpellError(
      "run-option",
      `prompt: wanted text, or messages { role, content }; got ${prompt === null ? "null" : typeof prompt}`,
      {
        where: "prompt",
      },
    );
  }
  const messages = prompt as readonly Message[];
  if (messages.length === 0) throw new SpellError("run-option", "messages: wanted at least one; got none", { where: "messages" });
  messages.forEach((message, i) => {
    if (typeof message?.content === "string" && roles.has(message.role)) return;
    throw new SpellError("run-option", `messages[${i}]: wanted { role: "system" | "user" | "assistant", content: string }`, {
      where: `messages[${i}]`,
    });
  });
}

/** What pages hand to a session of the Prompt API, as messages. */
import type { Message } from "../spec/generate.ts";

export interface Turn {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly { readonly type: string; readonly value: unknown }[];
  /** Of a last turn of the assistant: the answer goes on with this text. Not beside a constraint. */
  readonly prefix?: boolean | undefined;
}

/** Text alone is one turn of the user. */
export type TurnInput = string | readonly Turn[];

/** Where turns stand: a system turn is the first of `initial` ones, a prefix is the last of those that are to be answered. */
export type TurnPlace = "initial" | "asked" | "said";

/** @throws DOMException NotSupportedError for images and sound, SyntaxError for a prefix elsewhere @throws TypeError for anything else */
export function readTurns(input: TurnInput, place: TurnPlace): readonly Message[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  if (!Array.isArray(input)) throw new TypeError(`expected text, or a list of { role, content }; got ${typeof input}`);
  return (input as readonly Turn[]).map(({ role, content, prefix }, at) => {
    if (role !== "system" && role !== "user" && role !== "assistant")
      throw new TypeError(`expected the role system, user or assistant; got ${String(role).slice(0, 40)}`);
    if (role === "system" && (place !== "initial" || at > 0))
      throw new TypeError("expected a system turn as the first of initialPrompts alone; got one in another place");
    if (prefix === true && (place !== "asked" || role !== "assistant" || at < input.length - 1))
      throw new DOMException("expected a prefix as the last turn of a prompt, of the assistant; got one in another place", "SyntaxError");
    return { role, content: typeof content === "string" ? content : content.map(textOf).join("") };
  });
}

/** Whether the last turn is the beginning of the answer. */
export function hasPrefix(input: TurnInput): boolean {
  return typeof input !== "string" && input.at(-1)?.prefix === true;
}

function textOf({ type, value }: { readonly type: string; readonly value: unknown }): string {
  if (type === "text" && typeof value === "string") return value;
  throw new DOMException(`expected text; got a part of the kind ${String(type).slice(0, 40)}`, "NotSupportedError");
}

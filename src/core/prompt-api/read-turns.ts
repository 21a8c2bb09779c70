/** What pages hand to a session of the Prompt API, as messages. */
import type { Message } from "../spec/generate.ts";

export interface Turn {
  readonly role: "system" | "user" | "assistant";
  readonly content: string | readonly { readonly type: string; readonly value: unknown }[];
  /** the answer would go on with this text; not taken */
  readonly prefix?: boolean | undefined;
}

/** Text alone is one turn of the user. */
export type TurnInput = string | readonly Turn[];

/** @throws DOMException NotSupportedError for images, sound and prefixes @throws TypeError for anything else */
export function readTurns(input: TurnInput): readonly Message[] {
  if (typeof input === "string") return [{ role: "user", content: input }];
  if (!Array.isArray(input)) throw new TypeError(`expected text, or a list of { role, content }; got ${typeof input}`);
  return (input as readonly Turn[]).map(({ role, content, prefix }) => {
    if (role !== "system" && role !== "user" && role !== "assistant")
      throw new TypeError(`expected the role system, user or assistant; got ${String(role).slice(0, 40)}`);
    if (prefix === true) throw new DOMException("expected whole turns; an answer cannot be begun for the model", "NotSupportedError");
    return { role, content: typeof content === "string" ? content : content.map(textOf).join("") };
  });
}

function textOf({ type, value }: { readonly type: string; readonly value: unknown }): string {
  if (type === "text" && typeof value === "string") return value;
  throw new DOMException(`expected text; got a part of the kind ${String(type).slice(0, 40)}`, "NotSupportedError");
}

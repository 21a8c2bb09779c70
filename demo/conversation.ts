/** The conversation: what was asked and answered, kept for a reload of this tab and forgotten when the tab closes. */
import { type GenerateOptions, type Message, toSnake } from "../src/browser/index.ts";
import type { Layout } from "./answer.ts";
import { give } from "./elements.ts";

export interface Turn {
  readonly layout: Layout;
  /** id of the model that answered */
  readonly model: string;
  readonly asked: string;
  said: string;
  /** shown below the answer */
  readonly notes: string[];
}

const place = "llmspell-conversation";
/** Characters kept at most, far below what browsers allow a page; the oldest turns go first. */
const maxLength = 1_000_000;

/** key of the choice that it belongs to */
let owner = "";
let turns: Turn[] = [];

/** The conversation of this choice of a model; a new one if the last was with another. @returns true if it is a new one */
export function conversationWith(key: string): boolean {
  if (owner === key) return false;
  owner = key;
  turns = [];
  return true;
}

export function addTurn(turn: Turn): void {
  turns.push(turn);
}

/** Takes the last turn back, to ask it again. */
export function takeBack(): Turn | undefined {
  return turns.pop();
}

export function forget(): void {
  turns = [];
  try {
    sessionStorage.removeItem(place);
  } catch {
    // no storage: nothing is kept
  }
}

/** What a chat model is sent: questions with an answer, also a partial one. */
export function messagesSoFar(): readonly Message[] {
  return turns
    .filter(({ layout, said }) => layout === "chat" && said !== "")
    .flatMap(({ asked, said }) => [
      { role: "user", content: asked },
      { role: "assistant", content: said },
    ]);
}

/** Gives it as a file of `llmspell chat`, which goes on with it: `llmspell chat --load conversation.json`. @param options of the next answer */
export function download({ system = "", ...parameters }: GenerateOptions): void {
  const messages = turns.flatMap(({ asked, said }) => [
    { role: "user", content: asked },
    { role: "assistant", content: said },
  ]);
  const model = turns.at(-1)?.model ?? "";
  const content = { format: "llmspell-chat-1", model, system: system === "" ? null : system, parameters: toSnake(parameters), messages };
  give("conversation.json", new Blob([`${JSON.stringify(content, undefined, 2)}\n`], { type: "application/json" }));
}

/** @param why the last answer is not whole; undefined if it is */
export function save(why?: string): void {
  const last = turns.at(-1);
  if (last === undefined) return;
  try {
    let kept = why === undefined ? turns : [...turns.slice(0, -1), { ...last, notes: [...last.notes, why] }];
    while (kept.length > 1 && JSON.stringify(kept).length > maxLength) kept = kept.slice(1);
    sessionStorage.setItem(place, JSON.stringify({ owner, turns: kept }));
  } catch {
    // no storage, or full: the conversation lasts as long as the page
  }
}

/** @returns the kept conversation, if there is one that this page wrote */
export function restore(): { readonly key: string; readonly turns: readonly Turn[] } | undefined {
  try {
    const kept: unknown = JSON.parse(sessionStorage.getItem(place) ?? "null");
    if (!isRecord(kept) || typeof kept["owner"] !== "string" || !Array.isArray(kept["turns"])) return undefined;
    owner = kept["owner"];
    turns = kept["turns"].filter(isTurn);
    return turns.length === 0 ? undefined : { key: owner, turns };
  } catch {
    return undefined;
  }
}

function isTurn(value: unknown): value is Turn {
  if (!isRecord(value)) return false;
  const { layout, model, asked, said, notes } = value;
  return (
    ["continue", "chat", "transform"].includes(String(layout)) &&
    [model, asked, said].every((text) => typeof text === "string") &&
    Array.isArray(notes) &&
    notes.every((note) => typeof note === "string")
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

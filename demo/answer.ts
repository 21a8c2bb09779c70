/** The log: prompts and answers. Nothing in it is ever markup: an answer of a conversation becomes elements with text in them. */
import type { StreamPart } from "../src/browser/index.ts";
import type { Turn } from "./conversation.ts";
import { copyButton } from "./copy.ts";
import { button, find, make, named } from "./elements.ts";
import { formatMs, formatRate } from "./format.ts";
import { markdownInto } from "./markdown.ts";

const log = find("log", HTMLDivElement);
const figures = find("figures", HTMLDListElement);

/** How an answer is laid out: a continued text, a turn of a conversation, an input with its output. */
export type Layout = "continue" | "chat" | "transform";

export interface AnswerView {
  push(part: StreamPart): void;
  /** @param note why it ended, if the model did not end it */
  end(note?: string): void;
}

type EndPart = Extract<StreamPart, { type: "stream-end" }>;

export function clearLog(...children: readonly Node[]): void {
  log.replaceChildren(...children);
  showFigures({});
}

/** A remark that stays until the next answer. */
export function addToLog(text: string): void {
  log.append(make("p", { class: "note remark", text }));
}

/** Removes the last answer, with its question. @returns whether others are left */
export function removeLast(): boolean {
  log.lastElementChild?.remove();
  return log.childElementCount > 0;
}

export const isInLog = (element: Element | null): boolean => log.contains(element);

/** Keeps the keyboard here while the button that it was on is gone. */
export function focusLog(): void {
  log.focus({ preventScroll: true });
}

/** Gives the keyboard back to Regenerate, unless it went elsewhere. */
export function focusAgain(): void {
  if (document.activeElement === log) log.querySelector<HTMLButtonElement>(".turn:last-child .tools button:last-child")?.focus();
}

/** What is offered below the last answer. */
export interface LastTurn {
  readonly edit: () => void;
  readonly again: () => void;
}

/** A turn from before a reload. */
export function showTurn(turn: Turn, last: LastTurn): void {
  const { entry, show } = layOut(turn);
  show();
  entry.append(...turn.notes.map(noteOf), tools(turn, last));
  log.scrollTop = log.scrollHeight;
}

/** @param turn gets the text and the notes while they come */
export function startAnswer(turn: Turn, last: LastTurn): AnswerView {
  const { entry, said, show } = layOut(turn);
  said.classList.add("writing");
  const note = (text: string): void => {
    turn.notes.push(text);
    entry.append(noteOf(text));
  };
  // A screen reader reads the complete answer, not every token.
  log.setAttribute("aria-busy", "true");
  log.scrollTop = log.scrollHeight;

  const started = performance.now();
  let first = 0;
  let pieces = 0;
  let frame = 0;
  const showNow = (): void => {
    frame = 0;
    const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    show();
    if (follows) log.scrollTop = log.scrollHeight;
  };
  return {
    push(part) {
      switch (part.type) {
        case "text-delta": {
          turn.said += turn.layout === "transform" && pieces === 0 ? part.text.trimStart() : part.text;
          if (frame === 0) frame = requestAnimationFrame(showNow);
          pieces += 1;
          if (first === 0) first = performance.now();
          else
            showFigures({
              "First token": formatMs(first - started),
              Speed: formatRate(((pieces - 1) * 1000) / (performance.now() - first)),
            });
          return;
        }
        case "warning":
          note(part.message);
          return;
        case "stream-end":
          showEnd(part);
          if (part.candidates !== undefined && part.candidates.length > 1) entry.append(candidates(part.candidates));
          if (part.finishReason === "length")
            note(`Cut off after ${part.usage.completionTokens} tokens: the most that Max tokens, or the model's memory, allows.`);
          return;
        default:
          part satisfies Extract<StreamPart, { type: "stream-start" | "reasoning-delta" | "tool-call" }>;
      }
    },
    end(why) {
      // no frame comes in a tab that is not seen
      cancelAnimationFrame(frame);
      showNow();
      said.classList.remove("writing");
      if (why !== undefined) note(why);
      entry.append(tools(turn, last));
      log.setAttribute("aria-busy", "false");
      log.scrollTop = log.scrollHeight;
    },
  };
}

interface Entry {
  readonly entry: HTMLElement;
  readonly said: HTMLElement;
  /** Shows the text that the turn has by now. */
  readonly show: () => void;
}

function layOut(turn: Turn): Entry {
  const { layout, model, asked } = turn;
  log.querySelector(".welcome, .remark")?.remove();
  const entry = make("article", { class: `turn ${layout}` });
  const who = make("p", { class: "who", text: model });
  const question = make("p", { class: "asked" }, make("span", { class: "who", text: "You" }), make("span", { text: asked }));
  const said = make("div", { class: "said" });
  entry.append(...(layout === "continue" ? [] : [question]), who, said);
  log.append(entry);
  if (layout === "chat") {
    const show = markdownInto(said);
    return { entry, said, show: () => show(turn.said) };
  }
  const text = document.createTextNode("");
  said.append(...(layout === "continue" ? [make("span", { class: "given", text: asked })] : []), make("span", {}, text));
  said.classList.add("plain");
  return { entry, said, show: () => text.appendData(turn.said.slice(text.length)) };
}

const noteOf = (text: string): HTMLElement => make("p", { class: "note", text });

function tools(turn: Turn, { edit, again }: LastTurn): HTMLElement {
  const copy = copyButton("answer", () => (turn.layout === "continue" ? turn.asked + turn.said : turn.said));
  return make(
    "div",
    { class: "tools" },
    copy,
    named(button("Edit", edit, "quiet small again"), "Edit the question"),
    button("Regenerate", again, "quiet small again"),
  );
}

function candidates(all: readonly string[]): HTMLElement {
  return make(
    "ol",
    { class: "candidates", attributes: { "aria-label": "All answers, best first" } },
    ...all.map((text) => make("li", { text })),
  );
}

function showEnd({ usage, timing, seed }: EndPart): void {
  showFigures({
    "First token": formatMs(timing.firstTokenMs),
    Speed: timing.decodeRate > 0 ? formatRate(timing.decodeRate) : "–",
    Tokens: `${usage.promptTokens} + ${usage.completionTokens}`,
    ...(timing.loadMs > 0 ? { Loaded: formatMs(timing.loadMs) } : {}),
    Seed: String(seed),
  });
}

let memory = "";

/** Shows it beside the figures of the newest answer, and of later ones. */
export function showMemory(text: string): void {
  memory = text;
  const value = figures.querySelector("[data-figure=Memory]");
  if (value === null && text !== "") figures.append(figure("Memory", text));
  else if (value !== null) value.textContent = text;
}

function showFigures(values: Readonly<Record<string, string>>): void {
  const all = { ...values, ...(memory === "" ? {} : { Memory: memory }) };
  figures.replaceChildren(...Object.entries(all).map(([name, value]) => figure(name, value)));
}

export function figure(name: string, value: string): HTMLElement {
  return make("div", {}, make("dt", { text: name }), make("dd", { text: value, attributes: { "data-figure": name } }));
}

/** The log: prompts and answers, always as text, never as markup. */
import type { StreamPart } from "../src/browser/index.ts";
import { find, make } from "./elements.ts";
import { formatMs, formatRate } from "./format.ts";

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

export function startAnswer(layout: Layout, model: string, asked: string): AnswerView {
  log.querySelector(".welcome")?.remove();
  const text = document.createTextNode("");
  const caret = make("span", { class: "caret", attributes: { "aria-hidden": "true" } });
  const said = make("p", { class: "said" }, text, caret);
  const entry = make("article", { class: `turn ${layout}` });
  if (layout === "continue") said.prepend(make("span", { class: "given", text: asked }));
  else entry.append(make("p", { class: "asked" }, make("span", { class: "who", text: "You" }), make("span", { text: asked })));
  entry.append(make("p", { class: "who", text: model }), said);
  log.append(entry);
  // A screen reader reads the complete answer, not every token.
  log.setAttribute("aria-busy", "true");
  log.scrollTop = log.scrollHeight;

  const started = performance.now();
  let first = 0;
  let pieces = 0;
  return {
    push(part) {
      switch (part.type) {
        case "text-delta": {
          const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
          text.appendData(layout === "transform" && pieces === 0 ? part.text.trimStart() : part.text);
          if (follows) log.scrollTop = log.scrollHeight;
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
          entry.append(make("p", { class: "note", text: part.message }));
          return;
        case "stream-end":
          showEnd(part);
          if (part.candidates !== undefined && part.candidates.length > 1) entry.append(candidates(part.candidates));
          if (part.finishReason === "length")
            entry.append(make("p", { class: "note", text: "The answer reached the maximum number of tokens." }));
          return;
        default:
          part satisfies Extract<StreamPart, { type: "stream-start" | "reasoning-delta" | "tool-call" }>;
      }
    },
    end(note) {
      caret.remove();
      if (note !== undefined) entry.append(make("p", { class: "note", text: note }));
      log.setAttribute("aria-busy", "false");
      log.scrollTop = log.scrollHeight;
    },
  };
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

function figure(name: string, value: string): HTMLElement {
  return make("div", {}, make("dt", { text: name }), make("dd", { text: value, attributes: { "data-figure": name } }));
}

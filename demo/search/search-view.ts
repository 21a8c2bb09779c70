/** The Search view: pasted lines, the most like a question first. Imported when it is first shown. */

import "./search.css";
import type { Spell } from "../../src/browser/index.ts";
import { rank, similarity } from "../../src/core/embed/collect.ts";
import { button, find, make } from "../elements.ts";
import { formatMs, plural } from "../format.ts";
import { isAbort, wordsOfProblem } from "../problem.ts";
import { choicesOfFiles, filesOfModel, type GivenFiles, type ModelChoice } from "../sources.ts";
import { openReader, type Reader, words } from "./readers.ts";

export interface SearchPage {
  readonly spell: Spell;
  /** Shows where models are looked up and pulled. */
  getModels(): void;
}

export interface SearchView {
  /** Dropped files: a text becomes the lines, all others are a model. */
  take(given: GivenFiles): Promise<void>;
  /** Models may have come or gone. */
  refresh(): Promise<void>;
}

const picker = find("reader", HTMLSelectElement);
const lines = find("lines", HTMLTextAreaElement);
const question = find("question", HTMLInputElement);
const status = find("search-status", HTMLParagraphElement);
const ranking = find("ranking", HTMLOListElement);
const card = find("search-problem", HTMLDivElement);

const mostShown = 20;
/** Lines read together: between two such batches the page says how far it is, and a new question is heard. */
const batch = 32;
/** After the last key. */
const pauseMs = 250;

const sample = `The invoice is due within thirty days.
Our office is closed on public holidays.
Reset your password from the sign-in page.
Refunds take five working days.
The train to Lyon leaves at half past nine.
Water the tomatoes every evening in summer.
A cat slept on the warm roof all afternoon.
You can pay by card, transfer or direct debit.`;

export function openSearchView({ spell, getModels }: SearchPage): SearchView {
  const choices = new Map<string, ModelChoice>();
  /** Of the chosen model, opened at the first question. Another question does not begin its load anew. */
  let opened: Promise<Reader> | undefined;
  let loading = new AbortController();
  /** Of lines read by it. */
  let known = new Map<string, Float32Array>();
  let underWay: AbortController | undefined;
  let waiting: ReturnType<typeof setTimeout> | undefined;

  function addChoice(choice: ModelChoice, group: string): void {
    choices.set(choice.key, choice);
    if (picker.querySelector(`option[value="${CSS.escape(choice.key)}"]`) !== null) return;
    const list = picker.querySelector(`optgroup[label="${group}"]`) ?? make("optgroup", { attributes: { label: group } });
    picker.append(list);
    list.append(make("option", { text: choice.label, attributes: { value: choice.key } }));
  }

  function choose(): void {
    void drop();
    void search();
  }

  async function drop(): Promise<void> {
    underWay?.abort();
    loading.abort();
    loading = new AbortController();
    known = new Map();
    const old = opened;
    opened = undefined;
    await (await old?.catch(() => undefined))?.dispose();
  }

  function open(): Promise<Reader> {
    const choice = choices.get(picker.value);
    if (choice === undefined) return Promise.resolve(words);
    if (opened !== undefined) return opened;
    const opening = openReader(spell, choice, loading.signal, (share) => tell(`Loading ${choice.label} · ${Math.round(share * 100)} %`));
    opened = opening;
    opening.catch(() => {
      if (opened === opening) opened = undefined;
    });
    return opening;
  }

  const tell = (text: string): void => {
    status.textContent = text;
  };

  async function search(): Promise<void> {
    clearTimeout(waiting);
    underWay?.abort();
    const asked = question.value.trim();
    const texts = [...new Set(lines.value.split("\n").map((line) => line.trim()))].filter((line) => line !== "");
    card.hidden = true;
    if (asked === "" || texts.length === 0) {
      ranking.hidden = true;
      tell(texts.length === 0 ? "Paste some lines first." : `${plural(texts.length, "line")}. Nothing you paste leaves this tab.`);
      return;
    }
    const controller = new AbortController();
    const { signal } = controller;
    underWay = controller;
    const started = performance.now();
    try {
      const reader = await open();
      signal.throwIfAborted();
      const notes = new Set<string>();
      const read = async (part: readonly string[], isQuery: boolean): Promise<readonly Float32Array[]> => {
        const { vectors, note } = await reader.read(part, isQuery, signal);
        signal.throwIfAborted();
        if (note !== undefined) notes.add(note);
        return vectors;
      };
      const missing = texts.filter((text) => !known.has(text));
      for (let at = 0; at < missing.length; at += batch) {
        if (missing.length > batch) tell(`Reading line ${at + 1} of ${missing.length}`);
        const part = missing.slice(at, at + batch);
        for (const [i, vector] of (await read(part, false)).entries()) known.set(part[i] ?? "", vector);
      }
      const [wanted = new Float32Array()] = await read([asked], true);
      const scores = texts.map((text) => similarity(wanted, known.get(text) ?? new Float32Array()));
      const found = rank(scores).filter(({ score }) => score >= reader.least);
      show(found.slice(0, mostShown).map(({ index, score }) => ({ text: texts[index] ?? "", score })));
      const count = found.length === 0 ? "No line has a word in common with it" : `${plural(texts.length, "line")} ranked`;
      tell([`${count} in ${formatMs(performance.now() - started)}`, ...notes].join(" · "));
    } catch (error) {
      if (signal.aborted || isAbort(error)) return;
      ranking.hidden = true;
      tell("");
      showProblem(error);
    } finally {
      if (underWay === controller) underWay = undefined;
    }
  }

  function show(found: readonly { readonly text: string; readonly score: number }[]): void {
    ranking.hidden = found.length === 0;
    ranking.replaceChildren(
      ...found.map(({ text, score }) =>
        make(
          "li",
          {},
          make("span", { class: "line", text }),
          make("span", { class: "score", text: score.toFixed(2) }),
          make("meter", { attributes: { min: "0", max: "1", value: String(Math.max(0, score)), "aria-hidden": "true" } }),
        ),
      ),
    );
    ranking.scrollTop = 0;
  }

  function showProblem(error: unknown): void {
    const byWords = button("Match words", () => {
      picker.value = "";
      choose();
      picker.focus();
    });
    const dismiss = button("Dismiss", () => {
      card.hidden = true;
    });
    card.replaceChildren(...wordsOfProblem(error), make("div", { class: "buttons" }, byWords, dismiss));
    card.hidden = false;
    card.scrollIntoView({ block: "nearest" });
  }

  async function take(given: GivenFiles): Promise<void> {
    const { files } = given;
    const [file] = files;
    if (file === undefined) return;
    if (files.length === 1 && /\.(txt|md|csv|tsv|log)$/i.test(file.name)) {
      lines.value = await file.text();
    } else {
      const added = choicesOfFiles(given);
      for (const choice of added) addChoice(choice, "Your files");
      picker.value = added[0]?.key ?? "";
      await drop();
    }
    await search();
  }

  async function refresh(): Promise<void> {
    const listed = await spell.models.list("candle");
    for (const { id } of listed) {
      if (choices.has(id)) continue;
      const info = await spell.models.info(id).catch(() => undefined);
      if (info?.capabilities.includes("embedding")) addChoice({ key: id, label: id, source: id }, "Stored models");
    }
    for (const [key, { source }] of choices) {
      if (typeof source !== "string" || listed.some(({ id }) => id === key)) continue;
      choices.delete(key);
      const isChosen = picker.value === key;
      picker.querySelector(`option[value="${CSS.escape(key)}"]`)?.remove();
      if (isChosen) choose();
    }
    for (const group of picker.querySelectorAll("optgroup:empty")) group.remove();
  }

  /** A hidden chooser of files behind a button. */
  function chooser(text: string, attributes: Readonly<Record<string, string>>): readonly HTMLElement[] {
    const input = make("input", {
      class: "visually-hidden",
      attributes: { type: "file", multiple: "", tabindex: "-1", "aria-hidden": "true", ...attributes },
    });
    input.addEventListener("change", () => {
      const files = [...(input.files ?? [])];
      input.value = ""; // so that the same file can be chosen again
      void take(filesOfModel(files));
    });
    return [button(text, () => input.click()), input];
  }

  picker.append(make("option", { text: "words, without a model", attributes: { value: "" } }));
  find("readers", HTMLDivElement).append(
    button("Get a model", getModels),
    ...chooser("Load file", {}),
    ...chooser("Load folder", { webkitdirectory: "" }),
  );
  if (lines.value === "") lines.value = sample;
  picker.addEventListener("change", choose);
  for (const field of [lines, question]) {
    field.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => void search(), pauseMs);
    });
  }
  find("search-form", HTMLFormElement).addEventListener("submit", (event) => {
    event.preventDefault();
    void search();
  });
  void refresh().catch(() => undefined);
  void search();
  return { take, refresh };
}

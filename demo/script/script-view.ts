/** The Script view: a text in Lua or JavaScript, run over the models of this page. Imported when it is first shown. */

import "./script.css";
import { scriptEngines } from "../../src/browser/addresses.ts";
import { type LogEntry, type ScriptEngine, type Spell, SpellError } from "../../src/browser/index.ts";
import { scriptArguments } from "../../src/core/scripts/script-args.ts";
import { figure } from "../answer.ts";
import { nameOfDevice } from "../devices.ts";
import { button, find, give, make } from "../elements.ts";
import { formatMs } from "../format.ts";
import { type NextStep, wordsOfProblem } from "../problem.ts";
import { openEditor } from "./editor.ts";
import { type Example, exampleOf, examples } from "./examples.ts";
import { keepScript, restoreScript } from "./kept.ts";
import { startOutput, welcome } from "./output.ts";
import { wordsOf } from "./words.ts";

export interface ScriptPage {
  readonly spell: Spell;
  /** Lines of the log go here; undefined: to no one. */
  hear(listener: ((entry: LogEntry) => void) | undefined): void;
  /** What this page can do about an error, beside the script itself. */
  stepsFor(error: unknown): readonly NextStep[];
  /** A script may have pulled or removed models. */
  onEnd(): void;
  /** Shows where models are looked up and pulled. */
  getModels(): void;
  /** Resolves when files fetched from now on are kept for offline use. */
  readonly offline: Promise<void>;
}

export interface ScriptView {
  /** Puts a file's text into the editor. */
  open(file: File): Promise<void>;
  /** Models may have come or gone. */
  refresh(): Promise<void>;
}

const form = find("script-form", HTMLFormElement);
const languagePicker = find("language", HTMLSelectElement);
const examplePicker = find("example", HTMLSelectElement);
const args = find("arguments", HTMLInputElement);
const start = find("run", HTMLButtonElement);
const stop = find("stop-script", HTMLButtonElement);
const save = find("save-script", HTMLButtonElement);
const card = find("script-problem", HTMLDivElement);
const resultBox = find("result", HTMLDivElement);
const figures = find("script-figures", HTMLDListElement);
const status = find("script-status", HTMLParagraphElement);
/** All that came of a run. */
const outcome = find("outcome", HTMLElement);
const modelLine = find("script-models", HTMLDivElement);

const fileNames: Readonly<Record<ScriptEngine, string>> = { lua: "script.lua", javascript: "script.js" };
const firstExample = "getting-started/03-stream";
/** Characters of a result that are shown. */
const maxResult = 100_000;
const clockMs = 100;
const keepMs = 500;

export function openScriptView(page: ScriptPage): ScriptView {
  const { spell } = page;
  const first = examples.find(({ name }) => name === firstExample);
  const kept = restoreScript() ?? { language: "lua", texts: first?.texts ?? { lua: "", javascript: "" }, args: "" };
  const texts = { ...kept.texts };
  let underWay: AbortController | undefined;
  let keeping: ReturnType<typeof setTimeout> | undefined;
  const editor = openEditor(find("editor", HTMLDivElement), {
    language: kept.language,
    texts,
    onChange() {
      showExample();
      keeping ??= setTimeout(keep, keepMs);
    },
    onRun: () => void run(),
  });

  function keep(): void {
    clearTimeout(keeping);
    keeping = undefined;
    texts[editor.language] = editor.text();
    keepScript({ language: editor.language, texts, args: args.value });
  }

  /** The list names the example that stands in the editor unchanged. */
  function showExample(): void {
    examplePicker.value = exampleOf(editor.text())?.name ?? "";
  }

  function takeExample(example: Example): void {
    editor.replace(example.texts[editor.language]);
    args.value = example.args;
    keep();
  }

  /** An example that nobody changed is shown in the other language; a text of one's own stays where it is. */
  function takeLanguage(language: ScriptEngine): void {
    if (language === editor.language) return;
    keep();
    const example = exampleOf(texts[editor.language]);
    const isFree = texts[language].trim() === "" || exampleOf(texts[language]) !== undefined;
    editor.show(language);
    languagePicker.value = language;
    if (example !== undefined && isFree && example.texts[language] !== texts[language]) editor.replace(example.texts[language]);
    showExample();
    keep();
  }

  function showBusy(): void {
    const busy = underWay !== undefined;
    const active = document.activeElement;
    start.disabled = busy;
    stop.disabled = !busy;
    // A disabled button loses the focus: the enabled one gets it.
    if (busy && active === start) stop.focus();
    if (!busy && active === stop) start.focus();
  }

  function showFigures(values: Readonly<Record<string, string>>): void {
    figures.replaceChildren(...Object.entries(values).map(([name, value]) => figure(name, value)));
  }

  async function run(): Promise<void> {
    if (underWay !== undefined) return;
    const controller = new AbortController();
    underWay = controller;
    const { language } = editor;
    const name = fileNames[language];
    keep();
    editor.mark();
    card.hidden = true;
    resultBox.hidden = true;
    showBusy();
    status.textContent = "Running";
    const output = startOutput();
    page.hear(output.tell);
    const started = performance.now();
    const time = (): string => formatMs(performance.now() - started);
    showFigures({ Time: time() });
    const clock = setInterval(() => showFigures({ Time: time() }), clockMs);
    outcome.scrollIntoView({ block: "nearest" });
    let why: string | undefined;
    let more: Readonly<Record<string, string>> = {};
    try {
      const { positional, named } = scriptArguments(name, [], wordsOf(args.value));
      const { result, exitCode, devices } = await spell.scripts.run(editor.text(), {
        engine: language,
        name,
        args: { positional, named },
        onOutput: output.print,
        signal: controller.signal,
      });
      showResult(result);
      const chosen = [...new Set(devices.map((device) => nameOfDevice(device.chosen)))];
      more = {
        ...(exitCode === undefined ? {} : { "Exit status": String(exitCode) }),
        ...(chosen.length === 0 ? {} : { Device: chosen.join(", ") }),
      };
      status.textContent = `Done after ${time()}`;
    } catch (error) {
      why = controller.signal.aborted ? "Stopped." : "The script ended with an error.";
      status.textContent = controller.signal.aborted ? `Stopped after ${time()}` : "";
      if (!controller.signal.aborted) showProblem(error, language);
    } finally {
      clearInterval(clock);
      output.end(why);
      if (card.hidden) outcome.scrollIntoView({ block: "nearest" });
      showFigures({ Time: time(), ...more });
      page.hear(undefined);
      underWay = undefined;
      showBusy();
      page.onEnd();
    }
  }

  function showResult(result: unknown): void {
    resultBox.hidden = result === null;
    const text = JSON.stringify(result, undefined, 2);
    const shown = text.length > maxResult ? `${text.slice(0, maxResult)} …` : text;
    resultBox.replaceChildren(make("p", { class: "who", text: "Result" }), make("pre", { text: shown }));
  }

  function showProblem(error: unknown, language: ScriptEngine): void {
    const place = placeOf(error, fileNames[language]);
    const goTo = (): void => {
      takeLanguage(language);
      editor.goTo(place?.line ?? 1, place?.column);
    };
    const hide = (): void => {
      card.hidden = true;
      editor.mark();
    };
    const steps = page.stepsFor(error).map(({ label, run: act }) => button(label, act));
    editor.mark(place?.line);
    card.replaceChildren(
      ...wordsOfProblem(error),
      make(
        "div",
        { class: "buttons" },
        ...(place === undefined ? [] : [button(`Go to line ${place.line}`, goTo)]),
        ...steps,
        button("Dismiss", hide),
      ),
    );
    card.hidden = false;
    card.scrollIntoView({ block: "nearest" });
  }

  async function open(file: File): Promise<void> {
    const text = await file.text();
    takeLanguage(/\.lua$/i.test(file.name) ? "lua" : "javascript");
    editor.replace(text);
    keep();
  }

  async function refresh(): Promise<void> {
    const models = await spell.models.list("candle");
    modelLine.replaceChildren(
      make(
        "p",
        { class: "note", text: "Models here: " },
        ...models.flatMap(({ id }, at) => [...(at === 0 ? [] : [document.createTextNode(", ")]), make("code", { text: id })]),
      ),
      button("Get a model", page.getModels, "quiet small"),
    );
  }

  for (const group of new Set(examples.map((example) => example.group))) {
    const members = examples.filter((example) => example.group === group);
    const label = group.replaceAll("-", " ");
    examplePicker.append(
      make(
        "optgroup",
        { attributes: { label } },
        ...members.map(({ name, title }) => make("option", { text: title, attributes: { value: name } })),
      ),
    );
  }
  examplePicker.prepend(make("option", { text: "your own text", attributes: { value: "", hidden: "" } }));
  if (/^(Mac|iP)/.test(navigator.platform)) find("run-key", HTMLElement).textContent = "⌘";
  languagePicker.value = kept.language;
  args.value = kept.args;
  showExample();
  welcome();

  languagePicker.addEventListener("change", () => takeLanguage(languagePicker.value === "javascript" ? "javascript" : "lua"));
  examplePicker.addEventListener("change", () => {
    const example = examples.find(({ name }) => name === examplePicker.value);
    if (example !== undefined) takeExample(example);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void run();
  });
  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !event.defaultPrevented) void run();
  });
  stop.addEventListener("click", () => underWay?.abort());
  save.addEventListener("click", () => give(fileNames[editor.language], new Blob([editor.text()], { type: "text/plain" })));
  addEventListener("pagehide", keep);
  start.disabled = false;
  save.disabled = false;
  void refresh().catch(() => undefined);
  void page.offline.then(keepForOffline);
  return { open, refresh };
}

/** Once this view was shown it works offline: the service worker keeps what is fetched. */
async function keepForOffline(): Promise<void> {
  for (const address of [import.meta.url, ...Object.values(scriptEngines).map(({ file }) => file())]) {
    await fetch(address).catch(() => undefined);
  }
}

/** @returns line and column of the script, counted from 1 */
function placeOf(error: unknown, name: string): { readonly line: number; readonly column: number | undefined } | undefined {
  if (!(error instanceof SpellError)) return undefined;
  for (const said of [error.details?.["script"], error.where]) {
    const [, file, line, column] = /^(.*?):(\d+)(?::(\d+))?$/.exec(String(said)) ?? [];
    if (file === name) return { line: Number(line), column: column === undefined ? undefined : Number(column) };
  }
  return undefined;
}

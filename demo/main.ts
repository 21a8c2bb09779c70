/** The page: one model at a time, loaded on demand; its answers are shown as text. */
import { browserPlatform, createSpell, type LanguageModel, type LogEntry, listStored, SpellError } from "../src/browser/index.ts";
import { type PageActions, stepsOfActions, uniqueSteps } from "./actions.ts";
import { addToLog, clearLog, focusAgain, focusLog, isInLog, type Layout, removeLast, showTurn, startAnswer } from "./answer.ts";
import { showCatalogue } from "./catalogue.ts";
import { buildChoices } from "./choices.ts";
import { addTurn, conversationWith, download, forget, messagesSoFar, restore, save, type Turn, takeBack } from "./conversation.ts";
import { nameOfDevice, showBrowser, showReport } from "./devices.ts";
import { onDrop } from "./drops.ts";
import { button, complain, disclosure, find, make } from "./elements.ts";
import { buildExamples } from "./examples.ts";
import { buildHubSearch } from "./hub-search.ts";
import { buildLookUp } from "./look-up.ts";
import { measureMemory } from "./memory.ts";
import { startOffline } from "./offline.ts";
import {
  buildParameters,
  chooseDevice,
  chosenDevice,
  chosenOptions,
  fieldOfError,
  fitParameters,
  withPrefix,
  wrongField,
} from "./parameters.ts";
import { hideProblem, isAbort, type NextStep, type ProblemOptions, showProblem } from "./problem.ts";
import { startProgress } from "./progress.ts";
import { showPullProblem } from "./pull-problem.ts";
import { createPulls } from "./pulls.ts";
import { bundledChoices, choicesOfFiles, fetchFile, filesOfModel, type GivenFiles, type ModelChoice, parseAddress } from "./sources.ts";
import { keepFiles, type StoredModel, showStored } from "./stored.ts";
import { buildTabs, shownView } from "./tabs.ts";
import { askForToken, buildToken, hubToken } from "./token.ts";
import { trustOwnWorkers } from "./trusted.ts";
import { whenLooked } from "./when-looked.ts";

trustOwnWorkers();

/** A hub other than huggingface.co, such as a mirror on this page's own host; the page's policy decides whether requests to it are allowed. */
const endpoint = new URLSearchParams(location.search).get("hf_endpoint");
const hub = endpoint !== null && URL.canParse(endpoint, document.baseURI) ? new URL(endpoint, document.baseURI) : undefined;
buildToken(hub?.host ?? "huggingface.co");
/** Of the script that runs. */
let hearLog: ((entry: LogEntry) => void) | undefined;
const spell = createSpell({
  platform: browserPlatform({ hubToken, log: (entry) => hearLog?.(entry) }),
  config: { providers: { candle: {} }, ...(hub === undefined ? {} : { models: { hf_endpoint: hub.href } }) },
});
const { models: library } = spell;
const { store } = spell.platform;

const facts = find("facts", HTMLParagraphElement);
const prompt = find("prompt", HTMLTextAreaElement);
const generate = find("generate", HTMLButtonElement);
const stop = find("stop", HTMLButtonElement);
const clear = find("clear", HTMLButtonElement);
const side = find("side", HTMLElement);
const fileInput = find("file-input", HTMLInputElement);
const folderInput = find("folder-input", HTMLInputElement);
const addressForm = find("address-form", HTMLFormElement);
const address = find("address", HTMLInputElement);
const repository = find("repository", HTMLInputElement);

const choices = buildChoices((next) => void choose(next));
let choice: ModelChoice;
let model: LanguageModel | undefined;
/** Aborts the current load or answer. */
let underWay: AbortController | undefined;
const offline = startOffline();

// --- The current load or answer ---

function begin(): AbortSignal {
  underWay?.abort();
  const controller = new AbortController();
  underWay = controller;
  showBusy();
  return controller.signal;
}

function end(signal: AbortSignal): void {
  if (underWay?.signal !== signal) return;
  underWay = undefined;
  showBusy();
}

function showBusy(): void {
  const busy = underWay !== undefined;
  const active = document.activeElement;
  generate.disabled = busy;
  stop.disabled = !busy;
  // A disabled button loses the focus: the enabled one gets it.
  if (busy && active === generate) stop.focus();
  if (!busy && active === stop) generate.focus();
}

/** On a narrow page the settings are a sheet over it; on a wide one they stand beside it. */
function showSettings(shown: boolean): void {
  if (find("settings", HTMLButtonElement).checkVisibility()) side.togglePopover(shown);
}

// --- Models ---

async function choose(next: ModelChoice): Promise<void> {
  showSettings(false);
  const left = choice;
  choice = next;
  if (left.key !== next.key) choices.leave(left.key);
  choices.show(next.key);
  await unload();
  if (conversationWith(next.key)) clearConversation();
  showExamples(choice.key);
  await load();
}

async function unload(): Promise<void> {
  underWay?.abort();
  const old = model;
  model = undefined;
  facts.textContent = "";
  await old?.dispose();
}

/**
 * @param place where the card stands that says why it failed
 * @returns the model, loaded before or now; undefined if that failed
 */
async function load(place?: ProblemOptions): Promise<LanguageModel | undefined> {
  if (model !== undefined) return model;
  hideProblem();
  const wanted = choice;
  const signal = begin();
  const progress = startProgress(`Loading ${wanted.label.split(":")[0]}`);
  try {
    await offline; // from here on fetched files are kept for offline use
    const loaded = await spell.load(wanted.source, {
      device: chosenDevice(),
      signal,
      onProgress: (share) => progress.bytes(share * (wanted.bytes ?? 0), wanted.bytes),
    });
    if (signal.aborted) {
      await loaded.dispose();
      return undefined;
    }
    model = loaded;
    showModel(loaded);
    return loaded;
  } catch (error) {
    if (wanted.key.startsWith("files:") && isOfFiles(error)) choices.leaveLater(wanted.key);
    if (!isAbort(error) && !signal.aborted) showProblem(error, stepsFor(error), place);
    void showBrowser(() => model === undefined);
    return undefined;
  } finally {
    progress.end();
    end(signal);
  }
}

/** A model of files has the name of its folder, where the browser tells it. */
function nameOf({ id }: LanguageModel): string {
  return choice.key.startsWith("files:") ? choice.label : id;
}

function showModel(loaded: LanguageModel): void {
  const { architecture, contextLength, device, hasChatTemplate, isSeq2Seq } = loaded;
  const id = nameOf(loaded);
  const does = isSeq2Seq ? "rewrites a text" : hasChatTemplate ? "answers in a conversation" : "continues a text";
  facts.replaceChildren(
    ...[id, architecture, does, `${contextLength?.toLocaleString("en-US")} tokens`, nameOfDevice(device?.chosen ?? "server")].map((text) =>
      make("span", { text }),
    ),
  );
  if (choice.key.startsWith("files:")) facts.append(button("Keep in this browser", () => void keep()));
  showReport(device, []);
  fitParameters({ id, hasChatTemplate, isSeq2Seq });
  showExamples(choice.key, layoutOf(loaded));
  void measureMemory();
}

/** The page's own steps first, then those the library suggests. */
function stepsFor(error: unknown): readonly NextStep[] {
  const own = ownSteps(error);
  const suggested = stepsOfActions(error, page);
  const again: NextStep = { label: "Try again", run: () => void choose(choice) };
  return uniqueSteps([...own, ...suggested, ...(own.length === 0 ? [again] : [])]);
}

/** Whether what failed is the fault of a model's files. */
function isOfFiles(error: unknown): boolean {
  return error instanceof SpellError && /^(gguf|model|safetensors|tokenizer|onnx|template|store)-/.test(error.code);
}

function ownSteps(error: unknown): readonly NextStep[] {
  const code = error instanceof SpellError ? error.code : "internal-error";
  if (code.startsWith("device-")) return [{ label: "Use WebAssembly", run: () => page.takeDevice("wasm") }];
  const stored = models.find(({ id }) => choice.key === keyOf(id));
  if (stored !== undefined && code.startsWith("store-")) {
    return [{ label: `Delete ${stored.id}`, run: () => void remove(stored) }];
  }
  if (!choice.key.startsWith("bundled:") && isOfFiles(error)) {
    return [
      { label: "Choose another file", run: () => fileInput.click() },
      { label: "Back to tiny-stories", run: backToBundled },
    ];
  }
  return code === "run-context" ? [{ label: "Start over", run: clearConversation }] : [];
}

function backToBundled(): void {
  void choose(choices.first());
}

function take(given: GivenFiles): void {
  if (given.files.length === 0) return;
  const added = choicesOfFiles(given);
  const [first] = added;
  if (first === undefined) return;
  showGetModels(false);
  for (const one of added) choices.add(one, "Your files");
  void choose(first).then(() => {
    if (added.length > 1 && choice === first) addToLog(`${added.length} models were given. The others are in the list of models.`);
  });
}

async function fetchModel(url: URL): Promise<void> {
  const signal = begin();
  const progress = startProgress("Fetching");
  try {
    const file = await fetchFile(url, progress.bytes, signal);
    end(signal);
    take({ files: [file] });
  } catch (error) {
    if (!isAbort(error)) showProblem(error, [{ label: "Change the address", run: changeAddress }]);
  } finally {
    progress.end();
    end(signal);
  }
}

function changeAddress(): void {
  showGetModels(true);
  address.focus();
}

// --- Stored models, and pulls ---

/** The page in other tabs. */
const tabs = new BroadcastChannel("llmspell");
/** Models of the store, as of the last look. */
let models: readonly StoredModel[] = [];
const storedGroup = "Stored models";
const keyOf = (id: string): string => `stored:${id}`;

const showGetModels = disclosure(find("get-models", HTMLButtonElement), find("get", HTMLElement), repository);
const pulls = createPulls({
  store,
  models: library,
  onStart: hideProblem,
  onChange: storeChanged,
  open: openByName,
  onProblem: (error, id) => showPullProblem(error, id, { ...pullActions, place: find("pulls", HTMLElement), again: () => pulls.start(id) }),
});
const lookUp = buildLookUp({
  models: library,
  space: () => store.space(),
  pull: (id) => pulls.start(id),
  onStart: hideProblem,
  onProblem: (error, spec) =>
    showPullProblem(error, spec, { ...pullActions, place: find("found", HTMLDivElement), again: () => lookUp(spec) }),
});
buildHubSearch(spell.platform, hub?.href ?? "https://huggingface.co", (id) => lookUp(`hf:${id}`));
const showExamples = buildExamples(library, prompt, (text) => void answer(text));
const page: PageActions = {
  opener: (name) => {
    const bundled = choices.get(`bundled:${name}`);
    if (bundled !== undefined) return () => void choose(bundled);
    return storedChoice(name) && (() => openByName(name));
  },
  pull: (name) => pulls.start(name),
  lookUp: (name) => {
    showGetModels(true);
    lookUp(name);
  },
  changeName: () => {
    showGetModels(true);
    repository.select();
  },
  showStored: () => {
    showSettings(true);
    find("stored-heading", HTMLHeadingElement).scrollIntoView();
    find("stored", HTMLDivElement).querySelector("button")?.focus();
  },
  showCatalogue: () => {
    showGetModels(true);
    find("catalogue-heading", HTMLHeadingElement).scrollIntoView();
  },
  showDevices: () => {
    showSettings(true);
    find("devices-heading", HTMLHeadingElement).scrollIntoView({ block: "nearest" });
    find("device", HTMLSelectElement).focus();
  },
  takeDevice: (device) => {
    chooseDevice(device);
    void choose(choice);
  },
};
const pullActions = {
  page,
  askForToken: () => {
    showGetModels(true);
    askForToken();
  },
};

async function keep(): Promise<void> {
  const { source, label, bytes } = choice;
  if (typeof source === "string") return;
  hideProblem();
  const signal = begin();
  const progress = startProgress(`Keeping ${label}`);
  try {
    await keepFiles(spell, label, source, (done) => progress.bytes(done, bytes), signal);
    facts.querySelector("button")?.remove();
    await storeChanged();
  } catch (error) {
    if (!isAbort(error)) showProblem(error);
  } finally {
    progress.end();
    end(signal);
  }
}

/** Tells other tabs too that the store is another. */
async function storeChanged(): Promise<void> {
  tabs.postMessage("store");
  await refreshModels();
}

/** Updates the panel, the list of models and the catalogue from the store, damaged models included. */
async function refreshModels(): Promise<void> {
  try {
    const listed = await listStored(store);
    models = listed.models.map(({ manifest: { id, files } }) => ({ id, bytes: files.reduce((sum, { size }) => sum + size, 0) }));
    const keys = new Set(models.map(({ id }) => keyOf(id)));
    for (const key of choices.keys()) {
      if (!key.startsWith(keyOf(""))) continue;
      if (keys.has(key)) choices.stay(key);
      // a loaded model still answers
      else if (key === choice.key) choices.leaveLater(key);
      else choices.remove(key);
    }
    for (const { id, bytes } of models) choices.add({ key: keyOf(id), label: id, source: id, bytes }, storedGroup);
    await showStored(store, models, listed.damaged, { open: ({ id }) => openByName(id), remove: (model) => void remove(model) });
    void scripts.opened()?.then((view) => view.refresh());
    void searches.opened()?.then((view) => view.refresh());
    await showCatalogue(library, await store.space(), { pull: (name) => pulls.start(name), open: openByName });
  } catch (error) {
    showProblem(error);
  }
}

/** @param name of a stored model; the catalogue's names leave the variant out */
function storedChoice(name: string): ModelChoice | undefined {
  const stored = models.find(({ id }) => id === name) ?? models.find(({ id }) => id.startsWith(`${name}:`));
  return stored && choices.get(keyOf(stored.id));
}

function openByName(name: string): void {
  const known = storedChoice(name);
  if (known === undefined) return;
  showGetModels(false);
  void choose(known);
}

async function remove({ id }: StoredModel): Promise<void> {
  try {
    await library.remove(id);
    pulls.drop(id);
    if (choice.key === keyOf(id)) backToBundled();
  } catch (error) {
    showProblem(error);
  }
  await storeChanged();
}

// --- Answers ---

function layoutOf({ isSeq2Seq, hasChatTemplate }: LanguageModel): Layout {
  return isSeq2Seq ? "transform" : hasChatTemplate ? "chat" : "continue";
}

const lastTurn = { edit: editLast, again: () => void answerAgain() };

/** Where the eye is while an answer is awaited. */
const atAnswer: ProblemOptions = { after: find("talk", HTMLElement) };

const endedEarly = "The answer ended early.";
/** Whether an answer is being written. */
let isWriting = false;

function showParameter(field: HTMLInputElement): void {
  showSettings(true);
  find("parameters-part", HTMLDetailsElement).open = true;
  field.focus();
}

/** Shows the first parameter with a wrong value, if there is one. */
function parametersFit(): boolean {
  const wrong = wrongField();
  if (wrong !== undefined) showParameter(wrong);
  return wrong === undefined;
}

/** @returns whether an answer began */
async function answer(asked: string): Promise<boolean> {
  if (asked.trim() === "" || underWay !== undefined) return false;
  hideProblem();
  if (!parametersFit()) return false;
  const ready = await load(atAnswer);
  // the model brings parameters of its own
  if (ready === undefined || !parametersFit()) return false;
  if (conversationWith(choice.key)) clearConversation();
  const turn: Turn = { layout: layoutOf(ready), model: nameOf(ready), asked, said: "", notes: [] };
  const input =
    turn.layout === "chat"
      ? [...messagesSoFar(), { role: "user" as const, content: asked }]
      : turn.layout === "transform"
        ? withPrefix(asked)
        : asked;
  addTurn(turn);
  const view = startAnswer(turn, lastTurn);
  if (turn.layout === "chat" && prompt.value === asked) prompt.value = "";
  const signal = begin();
  const notes: string[] = [];
  let why: string | undefined;
  let failure: unknown;
  let began = true;
  isWriting = true;
  try {
    for await (const part of ready.stream(input, { ...chosenOptions(ready), signal })) {
      if (part.type === "stream-start") showReport(part.device, notes);
      if (part.type === "warning" && (part.code === "file-note" || part.code.startsWith("device-"))) {
        notes.push(part.message);
        showReport(ready.device, notes);
      } else view.push(part);
    }
  } catch (error) {
    const isStopped = isAbort(error) || signal.aborted; // another model or device was chosen
    why = isStopped ? "Stopped." : endedEarly;
    if (!isStopped) failure = error;
  } finally {
    isWriting = false;
    view.end(why);
    began = failure === undefined || turn.said !== "";
    if (!began) withdraw(asked);
    save(); // a partial answer too, also after a stop
    end(signal);
  }
  const field = fieldOfError(failure);
  if (field !== undefined) showParameter(field);
  else if (failure !== undefined) showProblem(failure, stepsFor(failure), atAnswer);
  void measureMemory();
  return began;
}

/** Takes the last turn back, to which no answer began. */
function withdraw(asked: string): void {
  takeBack();
  if (!removeLast()) clearConversation();
  if (prompt.value === "") prompt.value = asked;
}

/** Puts the last question back into the prompt, in place of its answer. */
function editLast(): void {
  underWay?.abort();
  const last = takeBack();
  if (last === undefined) return;
  if (removeLast()) save();
  else clearConversation();
  prompt.value = last.asked;
  prompt.focus();
}

/** The last question once more, in place of its answer. */
async function answerAgain(): Promise<void> {
  if (underWay !== undefined || !parametersFit() || (await load(atAnswer)) === undefined || !parametersFit()) return;
  const last = takeBack();
  if (last === undefined) return;
  const hadFocus = isInLog(document.activeElement);
  removeLast();
  if (hadFocus) focusLog();
  if (!(await answer(last.asked))) {
    addTurn(last);
    showTurn(last, lastTurn);
    save();
  }
  focusAgain();
}

function clearConversation(): void {
  forget();
  clearLog(
    make(
      "div",
      { class: "welcome" },
      make("p", { text: "The answer appears here while it is written." }),
      make("p", { text: "The model runs in this tab: no server sees your text, and once loaded it works offline." }),
    ),
  );
}

// --- Events ---

find("composer", HTMLFormElement).addEventListener("submit", (event) => {
  event.preventDefault();
  void answer(prompt.value);
});
prompt.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  void answer(prompt.value);
});
addEventListener("pagehide", () => save(isWriting ? endedEarly : undefined));
addEventListener("keydown", (event) => {
  // in the editor of scripts it lets the next Tab leave
  if (event.key === "Escape" && shownView() === "prompt") underWay?.abort();
});
stop.addEventListener("click", () => underWay?.abort());
clear.addEventListener("click", () => {
  underWay?.abort();
  hideProblem();
  clearConversation();
  prompt.focus();
});

find("save", HTMLButtonElement).addEventListener("click", () => download(model === undefined ? {} : chosenOptions(model)));

find("load-file", HTMLButtonElement).addEventListener("click", () => fileInput.click());
find("load-folder", HTMLButtonElement).addEventListener("click", () => folderInput.click());
for (const input of [fileInput, folderInput]) {
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    input.value = ""; // so that the same file can be chosen again
    take(filesOfModel(files));
  });
}
addressForm.addEventListener("submit", (event) => {
  event.preventDefault();
  hideProblem();
  const url = parseAddress(address.value.trim());
  if (url === undefined) complain(address, "Expected an address that begins with https://");
  else void fetchModel(url);
});

onDrop(takeDropped);

// --- Scripts and search ---

const getModels = (): void => {
  showView("prompt");
  showGetModels(true);
};

const scripts = whenLooked(
  async () =>
    (await import("./script/script-view.ts")).openScriptView({
      spell,
      hear: (listener) => {
        hearLog = listener;
      },
      stepsFor: stepsForScript,
      onEnd: () => void storeChanged(),
      getModels,
      offline,
    }),
  (text) => {
    find("editor", HTMLDivElement).textContent = `The editor ${text}`;
  },
);
const searches = whenLooked(
  async () => (await import("./search/search-view.ts")).openSearchView({ spell, getModels }),
  (text) => {
    find("search-status", HTMLParagraphElement).textContent = `The search ${text}`;
  },
);

/** The page's own models, and their devices, are not the script's. */
function stepsForScript(error: unknown): readonly NextStep[] {
  const own = error instanceof SpellError ? error.with({ actions: error.actions.filter(({ kind }) => kind !== "run") }) : error;
  return stepsOfActions(own, page).map(({ label, run }) => ({
    label,
    run: () => {
      showView("prompt");
      run();
    },
  }));
}

function takeDropped(given: GivenFiles): void {
  const { files } = given;
  const [file] = files;
  if (shownView() === "search") {
    void searches.open().then((view) => view.take(given));
    return;
  }
  if (file !== undefined && files.length === 1 && /\.(lua|m?js)$/i.test(file.name)) {
    showView("script");
    void scripts.open().then((view) => view.open(file));
    return;
  }
  showView("prompt");
  take(given);
}

const showView = buildTabs((view) => {
  if (view === "script") scripts.open().catch(() => undefined);
  if (view === "search") searches.open().catch(() => undefined);
});

side.addEventListener("beforetoggle", ({ newState }) => {
  if (newState === "open") find("parameters-part", HTMLDetailsElement).open = true;
});
matchMedia("(min-width: 561px)").addEventListener("change", () => side.hidePopover());

// Another tab started, ended or paused a pull, or the models of the store changed there.
for (const [from, event] of [
  [globalThis, "storage"],
  [tabs, "message"],
] as const) {
  from.addEventListener(event, () => {
    void pulls.refresh();
    void refreshModels();
  });
}

for (const bundled of bundledChoices()) choices.add(bundled, "Bundled");
choice = choices.first();
buildParameters(() => void choose(choice));
fitParameters(undefined);
showExamples(choice.key);
void showBrowser(() => model === undefined);
void goOn(refreshModels());
// After a reload the browser restores the scroll position; pulls to resume must still be visible.
void pulls.refresh().then(() => find("pulls", HTMLElement).scrollIntoView({ block: "nearest" }));

/** Shows the conversation from before a reload, and chooses its model once the stored ones are known. */
async function goOn(listed: Promise<void>): Promise<void> {
  const kept = restore();
  if (kept === undefined) return clearConversation();
  for (const turn of kept.turns) showTurn(turn, lastTurn);
  await listed;
  const known = choices.get(kept.key);
  if (known === undefined) return addToLog("The model of this conversation is not kept in this browser. Load it again to go on.");
  if (model !== undefined || underWay !== undefined) return;
  choice = known;
  choices.show(known.key);
  showExamples(known.key, kept.turns.at(-1)?.layout);
}

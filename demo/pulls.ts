/**
 * Pulls: running ones, and those that this visit or an earlier one left unfinished. The store knows how much of each is stored; their names
 * are kept in localStorage, so that a reloaded page offers to resume them before it sends a request.
 */
import { type ArtifactStore, listStored, type Models, type PullEvent, type PullPlan } from "../src/browser/index.ts";
import { button, find, make, named } from "./elements.ts";
import { formatBytes, formatDuration } from "./format.ts";
import { isAbort } from "./problem.ts";
import { createMeter, setBar } from "./progress.ts";

/** A pull that was started and is not known to have ended. */
interface BegunPull {
  /** a model spec with the chosen variant */
  readonly id: string;
  readonly totalBytes: number;
  /** SHA-256 of its large files, the store's keys of parts and blobs: 64 hex digits each */
  readonly files: readonly string[];
}

interface Row {
  id: string;
  /** set while it runs in this tab */
  running?: AbortController;
  isDone: boolean;
  readonly item: HTMLLIElement;
  readonly name: HTMLSpanElement;
  readonly bar: HTMLProgressElement;
  readonly text: HTMLParagraphElement;
  readonly buttons: HTMLDivElement;
}

export interface PullsOptions {
  readonly store: ArtifactStore;
  readonly models: Models;
  /** A pull starts; clears an older problem. */
  onStart(): void;
  /** The contents of the store changed. */
  onChange(): Promise<void>;
  open(id: string): void;
  onProblem(error: unknown, id: string): void;
}

export interface Pulls {
  /** Starts or resumes a pull. @param spec of a model */
  start(spec: string): void;
  /** Shows the pulls of earlier visits and other tabs. */
  refresh(): Promise<void>;
  /** Removes the row of a model that was deleted. */
  drop(id: string): void;
}

const storageKey = "llmspell-pulls";
/** Interval of looks at a pull of another tab. */
const lookAgainMs = 2000;

const panel = find("pulls", HTMLElement);
const list = find("pull-list", HTMLUListElement);
const status = find("pull-status", HTMLParagraphElement);

export function createPulls({ store, models, onStart, onChange, open, onProblem }: PullsOptions): Pulls {
  const rows = new Set<Row>();

  function addRow(id: string): Row {
    const row: Row = {
      id,
      isDone: false,
      item: make("li"),
      name: make("span", { class: "name", text: id }),
      bar: make("progress", { attributes: { "aria-label": `Pulled of ${id}` } }),
      text: make("p"),
      buttons: make("div", { class: "buttons" }),
    };
    row.item.append(row.name, row.buttons, row.bar, row.text);
    rows.add(row);
    list.append(row.item);
    panel.hidden = false;
    return row;
  }

  function removeRow(row: Row): void {
    rows.delete(row);
    row.item.remove();
    panel.hidden = rows.size === 0;
  }

  /** A pull starts with any name of a model; the plan, or the result, gives its id. */
  function rename(row: Row, id: string): void {
    for (const other of rows) if (other !== row && other.id === id && other.running === undefined) removeRow(other);
    row.id = id;
    row.name.textContent = id;
    row.bar.setAttribute("aria-label", `Pulled of ${id}`);
  }

  /** The focus stays in the row when its buttons change. */
  function setButtons(row: Row, ...buttons: readonly HTMLButtonElement[]): void {
    const hadFocus = row.buttons.contains(document.activeElement);
    row.buttons.replaceChildren(...buttons);
    if (hadFocus) buttons[0]?.focus();
  }

  async function run(row: Row): Promise<void> {
    const controller = new AbortController();
    row.running = controller;
    row.isDone = false;
    onStart();
    row.text.textContent = "Listing the files …";
    row.bar.removeAttribute("value");
    setButtons(
      row,
      named(
        button("Pause", () => controller.abort()),
        `Pause ${row.id}`,
      ),
    );
    try {
      const meter = createMeter();
      const { modelId, bytesTotal } = await models.pull(row.id, {
        signal: controller.signal,
        onEvent: (event) => event.type !== "server-progress" && tell(row, event, meter),
      });
      forget(modelId);
      await onChange();
      delete row.running;
      showDone(row, modelId, bytesTotal ?? 0);
    } catch (error) {
      delete row.running;
      await showRest(row);
      if (isAbort(error)) status.textContent = `${row.id} is paused.`;
      else onProblem(error, row.id);
    }
  }

  function tell(row: Row, event: PullEvent, meter: ReturnType<typeof createMeter>): void {
    switch (event.type) {
      case "download-start": {
        const { id } = event.plan;
        rename(row, id);
        row.buttons.firstElementChild?.setAttribute("aria-label", `Pause ${id}`);
        status.textContent = `Pulling ${id}.`;
        remember(event.plan, event.totalBytes);
        return;
      }
      case "download-progress":
        setBar(row.bar, event.bytes, event.totalBytes);
        row.text.textContent = meter(event.bytes, event.totalBytes);
        return;
      case "download-wait":
        row.text.textContent = "Another tab is fetching it; waiting …";
        return;
      case "download-retry":
        row.text.textContent = `${event.error.message}; trying again in ${formatDuration(event.waitMs)}`;
        return;
      case "download-verify":
        row.text.textContent = `Checking the hash of ${event.file} …`;
        return;
      default:
        event satisfies Extract<PullEvent, { type: "download-end" }>;
    }
  }

  function showDone(row: Row, id: string, bytes: number): void {
    rename(row, id);
    row.isDone = true;
    row.bar.value = 1;
    row.text.textContent = `Stored, ${formatBytes(bytes)}. It now works offline.`;
    status.textContent = `${id} is stored.`;
    const openIt = button(
      "Open",
      () => {
        removeRow(row);
        open(id);
      },
      "primary",
    );
    setButtons(row, named(openIt, `Open ${id}`));
  }

  /** Shows the rest of a pull that does not run in this tab; removes its row if nothing of it is stored. */
  async function showRest(row: Row): Promise<void> {
    const begun = readBegun().find(({ id }) => id === row.id);
    const here = begun === undefined ? undefined : await lookHere(store, begun).catch(() => undefined);
    if (row.running !== undefined) return; // started again meanwhile
    if (begun === undefined || (here?.bytes === 0 && !here.inUse)) {
      forget(row.id);
      removeRow(row);
      return;
    }
    if (here !== undefined) setBar(row.bar, here.bytes, begun.totalBytes);
    // a store that cannot be read now may hold it all
    const stored = here === undefined ? "An unknown part" : formatBytes(here.bytes);
    const amount = `${stored} of ${formatBytes(begun.totalBytes)} stored`;
    if (here?.inUse === true) {
      row.text.textContent = `Another tab is fetching it: ${amount}`;
      setButtons(row);
      setTimeout(() => rows.has(row) && void showRest(row), lookAgainMs);
      return;
    }
    row.text.textContent = `${amount}.`;
    setButtons(
      row,
      named(
        button("Resume", () => void run(row), "primary"),
        `Resume ${row.id}`,
      ),
      named(
        button("Discard", () => void discardPull(row), "quiet danger"),
        `Discard ${row.id}`,
      ),
    );
  }

  async function discardPull(row: Row): Promise<void> {
    try {
      const begun = readBegun().find(({ id }) => id === row.id);
      if (begun !== undefined) await removeParts(store, begun);
      forget(row.id);
      removeRow(row);
      status.textContent = `${row.id} is discarded.`;
      await onChange();
    } catch (error) {
      onProblem(error, row.id);
    }
  }

  return {
    start(spec) {
      const row = [...rows].find(({ id }) => id === spec) ?? addRow(spec);
      if (row.running === undefined) void run(row);
      row.item.scrollIntoView({ block: "nearest" });
    },
    async refresh() {
      const begun = readBegun();
      for (const { id } of begun) if (![...rows].some((row) => row.id === id)) addRow(id);
      const atRest = [...rows].filter((row) => row.running === undefined && !row.isDone);
      await Promise.all(atRest.map(showRest));
    },
    drop(id) {
      for (const row of rows) if (row.isDone && row.id === id) removeRow(row);
    },
  };
}

/** Bytes in the store, complete files included. */
async function lookHere(store: ArtifactStore, { files }: BegunPull): Promise<{ readonly bytes: number; readonly inUse: boolean }> {
  const parts = await store.listParts();
  let bytes = 0;
  let inUse = false;
  for (const sha256 of files) {
    const blob = await store.lookBlob(`sha256-${sha256}`);
    const ours = parts.filter(({ key }) => key === sha256);
    bytes += blob?.size ?? Math.max(0, ...ours.map(({ kept }) => kept));
    inUse ||= blob === undefined && ours.some((part) => part.inUse);
  }
  return { bytes, inUse };
}

/** Keeps blobs that a model uses, and parts that another tab is writing. */
async function removeParts(store: ArtifactStore, { files }: BegunPull): Promise<void> {
  const parts = await store.listParts();
  const { models } = await listStored(store);
  const used = new Set(models.flatMap(({ manifest }) => manifest.files.map(({ blob }) => blob)));
  for (const { id, key } of parts) if (files.includes(key)) await store.removePart(id);
  for (const sha256 of files) if (!used.has(`sha256-${sha256}`)) await store.removeBlob(`sha256-${sha256}`);
}

function remember({ id, files }: PullPlan, totalBytes: number | undefined): void {
  const hashes = files.flatMap((file) => (file.kind === "remote" ? (file.remote.sha256 ?? []) : []));
  writeBegun([...readBegun().filter((begun) => begun.id !== id), { id, totalBytes: totalBytes ?? 0, files: hashes }]);
}

function forget(id: string): void {
  const all = readBegun();
  const others = all.filter((begun) => begun.id !== id);
  if (others.length < all.length) writeBegun(others);
}

/** A browser without storage for this page has no parts either. */
function writeBegun(all: readonly BegunPull[]): void {
  try {
    localStorage.setItem(storageKey, JSON.stringify(all));
  } catch {}
}

/** The stored text may be from another version of this page. */
function readBegun(): readonly BegunPull[] {
  try {
    const all: unknown = JSON.parse(localStorage.getItem(storageKey) ?? "[]");
    return Array.isArray(all) ? all.filter(isBegun) : [];
  } catch {
    return [];
  }
}

function isBegun(value: unknown): value is BegunPull {
  const { id, totalBytes, files } = (value ?? {}) as Partial<Record<keyof BegunPull, unknown>>;
  const isHash = (text: unknown): boolean => typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
  return typeof id === "string" && typeof totalBytes === "number" && Array.isArray(files) && files.every(isHash);
}

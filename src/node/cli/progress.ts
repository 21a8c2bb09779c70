/** Work that takes a while: one redrawn line on a terminal, at most one line in all elsewhere. No escape sequence is needed: carriage returns and spaces do. */
import { formatBytes, formatCount, formatEta } from "./format.ts";
import { cellsOf, cellsOfText, columnsOf, type OutputStream, visibleText } from "./terminal.ts";

export interface Progress {
  /** @param share 0 … 1 */
  share(share: number): void;
  /** Bytes of a transfer, shown with the rate and the time that is left. @param more stands behind, where there is room */
  bytes(done: number, total: number | undefined, more?: string): void;
  /** Things that are done, shown with their number each second and the time that is left. @param unit in plural */
  count(done: number, total: number, unit: string): void;
  /** Replaces the label; for work whose end is not known. */
  say(label: string): void;
  end(): void;
}

/** May have to give its line to other text. */
export type DrawnProgress = Progress & { clear(): void };

/** Work shorter than this shows no progress: a line that flashes by cannot be read. */
const calmMs = 300;
/** Elsewhere than on a terminal, lines are kept for ever; only a long wait is worth one. */
export const calmLineMs = 5000;
const redrawMs = 100;
/** The rate is that of this time. */
const rateMs = 5000;
const sampleMs = 50;
const barCells = 20;
/** A label is cut down to this before anything else is left out. */
const leastLabel = 16;
/** What the terminal itself writes behind the line where Ctrl-C is pressed. */
const caret = "^C".length;

type Parts = Readonly<Record<"bar" | "state" | "size" | "rate" | "eta" | "more", string>>;

/** What a line holds behind its label, from the widest terminal to the narrowest. */
const layouts: readonly (readonly (keyof Parts)[])[] = [
  ["bar", "size", "rate", "eta", "more"],
  ["bar", "size", "rate", "eta"],
  ["bar", "rate", "eta"],
  ["bar", "eta"],
  ["state", "eta"],
  ["state"],
];

interface Signs {
  readonly full: string;
  readonly empty: string;
  readonly cut: string;
}

/** Follows what is reported. */
function createFacts(firstLabel: string, signs?: Signs) {
  const started = Date.now();
  let label = firstLabel;
  let share: number | undefined;
  let shown: () => Partial<Parts> = () => ({});
  let samples: readonly { readonly at: number; readonly done: number }[] = [];
  /** @param shownAs asked when a line is drawn: reports come often */
  const moved = (done: number, total: number | undefined, shownAs: (amount: number) => string, unit: string, more: string): void => {
    const at = Date.now();
    // other work begins anew
    const isOn = done >= (samples.at(-1)?.done ?? 0);
    if (!isOn || at - (samples.at(-1)?.at ?? 0) >= sampleMs)
      samples = [...(isOn ? samples.filter((sample) => at - sample.at < rateMs) : []), { at, done }];
    const [first = { at, done }] = samples;
    const rate = at - first.at < 200 ? 0 : ((done - first.done) * 1000) / (at - first.at);
    share = total === undefined || total === 0 ? undefined : Math.min(1, done / total);
    shown = () => ({
      size: `${total === undefined ? shownAs(done) : `${shownAs(done)} / ${shownAs(total)}`}${unit}`,
      rate: rate > 0 ? `${shownAs(rate)}/s` : "",
      eta: rate > 0 && total !== undefined && done < total ? `eta ${formatEta((total - done) / rate)}` : "",
      more,
    });
  };
  return {
    progress: {
      share(value: number): void {
        share = Math.min(1, Math.max(0, value));
      },
      bytes(done: number, total: number | undefined, more = ""): void {
        moved(done, total, formatBytes, "", more);
      },
      count(done: number, total: number, unit: string): void {
        moved(done, total, countOf, ` ${unit}`, "");
      },
      say(text: string): void {
        label = text;
        share = undefined;
        shown = () => ({});
      },
    },
    label: () => visibleText(label).replaceAll("\n", " "),
    parts(): Parts {
      const state = share === undefined ? `${((Date.now() - started) / 1000).toFixed(1)} s` : `${Math.floor(share * 100 + 1e-9)} %`;
      const done = Math.round((share ?? 0) * barCells);
      const isBar = share !== undefined && signs !== undefined;
      const bar = isBar ? `${signs.full.repeat(done)}${signs.empty.repeat(barCells - done)} ${state}` : state;
      return { bar, state, size: "", rate: "", eta: "", more: "", ...shown() };
    },
  };
}

function countOf(amount: number): string {
  return formatCount(amount < 10 ? Number(amount.toFixed(1)) : Math.round(amount));
}

function joined(parts: Parts, layout: readonly (keyof Parts)[]): string {
  return layout
    .map((name) => parts[name])
    .filter((text) => text !== "")
    .join("  ");
}

/** A line of at most `room` cells. */
function fitted(label: string, parts: Parts, room: number, cut: string): string {
  const rests = layouts.map((layout) => joined(parts, layout));
  const least = Math.min(cellsOfText(label), leastLabel);
  const rest = rests.find((text) => least + 1 + cellsOfText(text) <= room) ?? parts.state;
  const line = `${shorten(label, Math.max(1, room - 1 - cellsOfText(rest)), cut)} ${rest}`;
  return shorten(line, room, cut);
}

/** The middle goes: names differ at their ends. */
function shorten(text: string, room: number, cut: string): string {
  if (cellsOfText(text) <= room) return text;
  const signs = [...text];
  const take = (from: readonly string[], cells: number): readonly string[] => {
    let left = cells;
    const end = from.findIndex((sign) => {
      left -= cellsOf(sign);
      return left < 0;
    });
    return from.slice(0, end < 0 ? undefined : end);
  };
  const half = Math.floor((room - 1) / 2);
  const tail = take(signs.toReversed(), half).toReversed();
  return room < 1 ? "" : [...take(signs, room - 1 - half), cut, ...tail].join("");
}

/** @param isBlocked true while the line belongs to a result */
export function drawProgress(label: string, stream: OutputStream, unicode: boolean, isBlocked: () => boolean): DrawnProgress {
  const signs = unicode ? { full: "━", empty: "─", cut: "…" } : { full: "#", empty: "-", cut: "~" };
  const facts = createFacts(label, signs);
  /** cells that were written since the row was clear */
  let reach = 0;
  const clear = (): void => {
    if (reach > 0) stream.write(`\r${" ".repeat(reach + caret)}\r`);
    reach = 0;
  };
  const draw = (): void => {
    if (isBlocked()) return;
    const line = fitted(facts.label(), facts.parts(), Math.max(0, columnsOf(stream) - 1 - caret), signs.cut);
    const cells = cellsOfText(line);
    stream.write(`\r${line}${" ".repeat(Math.max(0, reach - cells))}`);
    reach = Math.max(reach, cells);
  };
  // The first drawing waits for calmMs; later ones keep the time running.
  let timer = setTimeout(function tick() {
    draw();
    timer = setTimeout(tick, redrawMs).unref();
  }, calmMs).unref();
  return {
    ...facts.progress,
    clear,
    end() {
      clearTimeout(timer);
      clear();
    },
  };
}

export function printProgress(label: string, stream: OutputStream, afterMs: number = calmLineMs): DrawnProgress {
  const facts = createFacts(label);
  const timer = setTimeout(() => stream.write(`${facts.label()}: ${joined(facts.parts(), layouts[0] ?? [])}\n`), afterMs).unref();
  return { ...facts.progress, clear: () => undefined, end: () => clearTimeout(timer) };
}

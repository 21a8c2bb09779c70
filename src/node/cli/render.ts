/**
 * The only file that prints. Results go to standard output, everything else to standard error; what a model, a file or a server said
 * loses its control characters before it reaches a terminal. It redraws with carriage returns and spaces, so that no escape sequence
 * is needed but for colours.
 */
import { mask } from "../../core/config/keys.ts";
import { maskAddress, maskSecrets } from "../../core/config/mask.ts";
import type { SpellError } from "../../core/errors.ts";
import type { LogEntry } from "../../core/platform.ts";
import type { Action } from "../../core/spec/action.ts";
import { toSnake } from "../../core/values.ts";
import { commandsOf, wordActions } from "./advice.ts";
import { type OutputFormat, type TraceLevel, traceLevels } from "./commands.ts";

export interface ScreenSettings {
  readonly format: OutputFormat;
  readonly trace: TraceLevel;
  readonly quiet: boolean;
  /** false: no escape sequences, even on a terminal */
  readonly color: boolean;
  /** false: bars of plain ASCII */
  readonly unicode: boolean;
}

/** What this file needs of process.stdout and process.stderr. */
export interface OutputStream {
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  write(text: string, done?: (error?: Error | null) => void): boolean;
  on(event: "error", listener: (error: Error) => void): unknown;
}

export interface ScreenOptions {
  readonly settings: ScreenSettings;
  /** the command line of this run: what to do next is a change of it */
  readonly argv: readonly string[];
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Standard output cannot be written any more: closed by its reader (EPIPE), disk full … */
  readonly onOutputLost: (error: Error) => void;
  /** in milliseconds; default Date.now */
  readonly now?: (() => number) | undefined;
}

/** Marks for one stream; the identity where there are no colours. */
export interface Style {
  readonly heading: (text: string) => string;
  readonly word: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly bad: (text: string) => string;
}

/** One redrawn line on a terminal; elsewhere plain lines, and those only when the work takes long. */
export interface Progress {
  /** @param share 0 … 1 */
  share(share: number): void;
  /** Replaces the label; for work whose end is not known. */
  say(label: string): void;
  /** Replaces the whole line, on a terminal only. */
  line(text: string): void;
  end(): void;
}

export interface Screen {
  readonly settings: ScreenSettings;
  readonly json: boolean;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  readonly out: Style;
  readonly err: Style;
  /** Text of a result as it comes; nothing in the JSON formats. */
  write(text: string): void;
  /** Our own text with marks in it: help, tables. Parts that others wrote pass `clean` first. */
  writeOwn(text: string): void;
  /** Text of others, made harmless for standard output. */
  clean(text: string): string;
  /** Ends the line of standard output, where one is open. */
  endLine(): void;
  /** The one document of a run; nothing in the text format. */
  document(value: unknown): void;
  /** One `note:` line, with commands to paste below; silent with --quiet and below --trace warn. */
  note(message: string, actions?: readonly Action[]): void;
  log(entry: LogEntry): void;
  /** Something that was asked for and is no result: statistics, answers to commands inside a conversation. Quiet does not hide it. */
  aside(text: string): void;
  /** One line about work that takes long, on standard error; nothing with --quiet and in the JSON formats. */
  tell(text: string): void;
  /** What a line editor draws on standard error, as it is. */
  echo(text: string): void;
  /** Log level from here on. */
  trace(level: TraceLevel): void;
  /** More texts that are never shown from here on: on standard error and in documents stars stand in their place. */
  hide(secrets: readonly string[]): void;
  /** Columns of the terminal on standard error; 80 where it does not say. */
  readonly columns: number;
  /** Tells an error on standard error; the run may go on. */
  complain(error: SpellError): void;
  /** The fields of an error that programs read; always all of them. */
  errorFields(error: SpellError): Record<string, unknown>;
  /** Ends the run with an error: as complain(), and in the JSON formats as the one document. @returns the exit status */
  fail(error: SpellError): number;
  progress(label: string): Progress;
  /** Resolves when everything has been handed to the system. */
  flush(): Promise<void>;
}

/**
 * Text without what would act on a terminal: C0 but newline and tab, DEL, C1, direction controls, zero-width space.
 * Characters go, never whole sequences: an unfinished one would take the rest of the answer with it. So chunks need no memory.
 */
export function visibleText(text: string): string {
  return text.replace(/(?![\n\t])[\p{Cc}\p{Bidi_Control}\u200b]/gu, "");
}

const shortestSecret = 6;

/** A secret as messages and documents may show it: whole, cleaned, by its lines, up to its first sign, escaped in JSON and in an address. */
function formsOf(secret: string): readonly string[] {
  const stem = /^[\w-]{12,}/.exec(secret.trim())?.[0] ?? "";
  const texts = [secret, visibleText(secret), ...secret.split(/[\r\n]+/), stem].map((text) => text.trim());
  return texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text.replace(/\p{Cs}/gu, ""))]);
}

/** Work shorter than this shows no progress: a line that flashes by cannot be read. */
const calmMs = 300;
/** Elsewhere than on a terminal, lines are kept for ever; only a long wait is worth them. */
const calmLinesMs = 2000;
const redrawMs = 100;

export function createScreen({ settings, argv, stdout, stderr, onOutputLost, now = Date.now }: ScreenOptions): Screen {
  const json = settings.format !== "text";
  const outIsTerminal = stdout.isTTY === true;
  const errIsTerminal = stderr.isTTY === true;
  const out = createStyle(outIsTerminal && settings.color && !json);
  const err = createStyle(errIsTerminal && settings.color);
  let level = traceLevels.indexOf(settings.trace);
  let secrets: readonly string[] = [];
  const cleanErr = (text: string): string => (errIsTerminal ? visibleText(text) : text);
  let lineOpen = false;
  let documentDone = false;
  let drawn: { clear(): void } | undefined;
  stdout.on("error", onOutputLost);
  stderr.on("error", () => undefined); // there is no other place to tell it

  const toOut = (text: string): void => {
    if (text === "") return;
    drawn?.clear();
    stdout.write(text);
    lineOpen = !text.endsWith("\n");
  };
  const masked = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, mask), maskAddress(text));
  const toErr = (text: string): void => {
    drawn?.clear();
    // On a terminal both streams share one line; the newline is no part of the result.
    if (lineOpen && outIsTerminal && errIsTerminal) {
      stderr.write("\n");
      lineOpen = false;
    }
    stderr.write(masked(text));
  };
  const commandLines = (commands: readonly string[]): string => commands.map((command) => `  ${err.word(cleanErr(command))}\n`).join("");
  const shows = (wanted: TraceLevel): boolean => level >= traceLevels.indexOf(wanted);

  const document = (value: unknown): void => {
    if (!json || documentDone) return;
    documentDone = true;
    const text = masked(JSON.stringify(maskSecrets(value), undefined, settings.format === "pretty" ? 2 : undefined));
    toOut(`${outIsTerminal ? escapeInJson(text) : text}\n`);
  };

  const screen: Screen = {
    settings,
    json,
    outIsTerminal,
    errIsTerminal,
    out,
    err,
    write(text) {
      if (!json) toOut(screen.clean(text));
    },
    writeOwn(text) {
      if (!json) toOut(masked(text));
    },
    clean: (text) => (outIsTerminal ? visibleText(text) : text),
    endLine() {
      if (lineOpen) toOut("\n");
    },
    document,
    note(message, actions = []) {
      if (settings.quiet || !shows("warn")) return;
      toErr(`${err.dim("note:")} ${cleanErr(message)}\n${commandLines(wordActions(actions, argv))}`);
    },
    log(entry) {
      const hidden = settings.quiet && entry.level !== "error";
      if (!hidden && shows(entry.level)) toErr(`${err.dim(`[${entry.level}] ${cleanErr(entry.message)}`)}\n`);
    },
    aside: (text) => toErr(cleanErr(text).replace(/[^\n]+/g, (line) => err.dim(line))),
    tell(text) {
      if (!settings.quiet && !json) toErr(`${cleanErr(text)}\n`);
    },
    echo: (text) => toErr(text),
    trace(wanted) {
      level = traceLevels.indexOf(wanted);
    },
    hide(more) {
      // a key of a few characters would make holes in every text
      const forms = [...secrets, ...more.flatMap(formsOf)].filter((form) => form.length >= shortestSecret);
      // a whole before its parts
      secrets = [...new Set(forms)].sort((a, b) => b.length - a.length);
    },
    get columns() {
      return columnsOf(stderr);
    },
    complain(error) {
      const { message, hint, code } = error;
      if (!json) screen.endLine();
      if (shows("debug")) toErr(`${err.dim(cleanErr(stackOf(error)))}\n`);
      if (json) {
        toErr(`Error: ${cleanErr(message.split("\n", 1)[0] ?? "")} [${code}]\n`);
        return;
      }
      // Stopping was asked for: it is an answer, not a failure.
      const lines =
        code === "run-aborted"
          ? [cleanErr(message)]
          : [`${err.bad("Error:")} ${cleanErr(message)}`, ...(hint === "" ? [] : [cleanErr(hint)])];
      toErr(`${lines.join("\n")}\n${commandLines(commandsOf(error, argv))}${err.dim(`[${code}]`)}\n`);
    },
    errorFields(error) {
      const { code, message, hint, where = null, retryable, exitCode: exit_code } = error;
      const details = error.details === undefined ? null : toSnake(error.details);
      return { code, message, hint, commands: commandsOf(error, argv), where, retryable, exit_code, details };
    },
    fail(error) {
      document({ status: "error", error: screen.errorFields(error) });
      screen.complain(error);
      return error.exitCode;
    },
    progress(label) {
      drawn?.clear();
      if (settings.quiet || json) return { share() {}, say() {}, line() {}, end() {} };
      const progress = errIsTerminal
        ? drawProgress(label, stderr, settings, () => lineOpen && outIsTerminal)
        : printProgress(label, stderr, now);
      drawn = progress;
      const end = (): void => {
        progress.end();
        if (drawn === progress) drawn = undefined;
      };
      return { ...progress, end };
    },
    flush: async () => {
      await Promise.all([stdout, stderr].map((stream) => new Promise<void>((resolve) => stream.write("", () => resolve()))));
    },
  };
  return screen;
}

type DrawnProgress = Progress & { clear(): void };

/** @param isBlocked true while the line belongs to a result */
function drawProgress(firstLabel: string, stream: OutputStream, settings: ScreenSettings, isBlocked: () => boolean): DrawnProgress {
  const started = Date.now();
  const [full, empty] = settings.unicode ? ["━", "─"] : ["#", "-"];
  let label = firstLabel;
  let share: number | undefined;
  let whole: string | undefined;
  let width = 0;
  const clear = (): void => {
    if (width > 0) stream.write(`\r${" ".repeat(width)}\r`);
    width = 0;
  };
  const draw = (): void => {
    if (isBlocked()) return;
    const columns = columnsOf(stream);
    const elapsed = `${((Date.now() - started) / 1000).toFixed(1)} s`;
    const bar =
      share === undefined || columns < 50 ? "" : ` ${full.repeat(Math.round(share * 20))}${empty.repeat(20 - Math.round(share * 20))}`;
    const text = whole ?? `${visibleText(label)}${bar} ${share === undefined ? elapsed : `${Math.round(share * 100)} %`}`;
    const line = text.length < columns ? text : text.slice(0, Math.max(0, columns - 1));
    stream.write(`\r${line}${" ".repeat(Math.max(0, width - line.length))}`);
    width = line.length;
  };
  // The first drawing waits for calmMs; later ones keep the time running.
  let timer = setTimeout(function tick() {
    draw();
    timer = setTimeout(tick, redrawMs).unref();
  }, calmMs).unref();
  return {
    share: (value) => {
      share = Math.min(1, Math.max(0, value));
    },
    say: (text) => {
      label = text;
      share = undefined;
    },
    line: (text) => {
      whole = visibleText(text);
    },
    clear,
    end() {
      clearTimeout(timer);
      clear();
    },
  };
}

/** Some terminals, and pseudo ones above all, say 0. */
function columnsOf(stream: OutputStream): number {
  return stream.columns === undefined || stream.columns <= 0 ? 80 : stream.columns;
}

function printProgress(firstLabel: string, stream: OutputStream, now: () => number): DrawnProgress {
  const started = now();
  let label = firstLabel;
  let lastTenth = -1;
  return {
    share(value) {
      const tenth = Math.floor(Math.min(1, Math.max(0, value)) * 10);
      if (tenth <= lastTenth || now() - started < calmLinesMs) return;
      lastTenth = tenth;
      stream.write(`${label}: ${tenth * 10} %\n`);
    },
    say: (text) => {
      label = text;
    },
    line() {},
    clear() {},
    end() {
      if (lastTenth >= 0 && lastTenth < 10) stream.write(`${label}: done\n`);
    },
  };
}

function createStyle(enabled: boolean): Style {
  const mark = (code: string) => (text: string) => (enabled && text !== "" ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { heading: mark("1"), word: mark("36"), dim: mark("2"), good: mark("32"), warn: mark("33"), bad: mark("1;31") };
}

/** JSON.stringify escapes C0 alone; on a terminal the others become escapes too, and the document stays the same document. */
function escapeInJson(text: string): string {
  return text.replace(
    /(?!\n)[\p{Cc}\p{Bidi_Control}\u200b]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function stackOf(error: SpellError): string {
  const stacks: string[] = [];
  for (let inner: unknown = error; inner instanceof Error && stacks.length < 5; inner = inner.cause)
    stacks.push(inner.stack ?? inner.message);
  return stacks.join("\ncaused by ");
}

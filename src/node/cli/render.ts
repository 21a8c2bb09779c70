/**
 * The only file that prints. Results go to standard output, everything else to standard error. What a model answered and a user's own data
 * lose their control characters before they reach a terminal, and stay as they are elsewhere. All else that others wrote (names, errors of servers,
 * metadata) loses them everywhere: a log is read on a terminal later. It redraws with carriage returns and spaces, so that no escape sequence is needed
 * but for colours.
 */
import { fstatSync } from "node:fs";
import { mask } from "../../core/config/keys.ts";
import { maskAddress, maskSecrets } from "../../core/config/mask.ts";
import type { SpellError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import type { LogEntry } from "../../core/platform.ts";
import type { Action } from "../../core/spec/action.ts";
import { toSnake } from "../../core/values.ts";
import { commandsOf, wordActions } from "./advice.ts";
import { type OutputFormat, type TraceLevel, traceLevels } from "./flags.ts";
import { drawProgress, type Progress, printProgress } from "./progress.ts";
import { columnsOf, type OutputStream, visibleText } from "./terminal.ts";
import { createWrap } from "./wrap.ts";

export interface ScreenSettings {
  readonly format: OutputFormat;
  readonly trace: TraceLevel;
  readonly quiet: boolean;
  /** false: no colours, even on a terminal */
  readonly color: boolean;
  /** false: no escape sequences at all; then there are no colours either */
  readonly escapes: boolean;
  /** false: bars of plain ASCII */
  readonly unicode: boolean;
}

export interface ScreenOptions {
  readonly settings: ScreenSettings;
  /** the command line of this run: what to do next is a change of it */
  readonly argv: readonly string[];
  readonly stdout: OutputStream;
  readonly stderr: OutputStream;
  /** Standard output cannot be written any more: closed by its reader (EPIPE), disk full … */
  readonly onOutputLost: (error: Error) => void;
  /** when work says something where standard error is no terminal; default calmLineMs */
  readonly lineAfterMs?: number | undefined;
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

export interface Screen {
  readonly settings: ScreenSettings;
  readonly json: boolean;
  readonly outIsTerminal: boolean;
  readonly errIsTerminal: boolean;
  /** Whether both streams are seen in one place: a terminal, or a file or a pipe that both go to. */
  readonly isOnePlace: boolean;
  readonly out: Style;
  readonly err: Style;
  /** Text of a result as it comes; nothing in the JSON formats. */
  write(text: string): void;
  /** Our own text with marks in it: help, tables. Parts that others wrote pass `clean` first. */
  writeOwn(text: string): void;
  /** Names and words of others without control characters, wherever they go. */
  clean(text: string): string;
  /** A user's own data, whole: harmless on a terminal, as it is elsewhere. */
  whole(text: string): string;
  /** Ends the line of standard output, where one is open. */
  endLine(): void;
  /**
   * The one document of a run; nothing in the text format.
   * @param data members with what a model answered or a user's own files hold: shown as they are, all else masked
   */
  document(value: unknown, data?: readonly string[]): void;
  /** One `note:` line, with commands to paste below; silent with --quiet and below --trace warn. */
  note(message: string, actions?: readonly Action[]): void;
  log(entry: LogEntry): void;
  /** Something that was asked for and is no result: statistics, answers to commands inside a conversation. Quiet does not hide it. */
  aside(text: string): void;
  /** What a model thinks, piece by piece, on standard error; nothing with --quiet and in the JSON formats. */
  think(text: string): void;
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

const shortestSecret = 6;

/** A secret as messages and documents may show it: whole, cleaned, by its lines, up to its first sign, escaped in JSON and in an address. */
function formsOf(secret: string): readonly string[] {
  const stem = /^[\w-]{12,}/.exec(secret.trim())?.[0] ?? "";
  const texts = [secret, visibleText(secret), ...secret.split(/[\r\n]+/), stem].map((text) => text.trim());
  return texts.flatMap((text) => [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text.replace(/\p{Cs}/gu, ""))]);
}

export function createScreen({ settings, argv, stdout, stderr, onOutputLost, lineAfterMs }: ScreenOptions): Screen {
  const json = settings.format !== "text";
  const outIsTerminal = stdout.isTTY === true;
  const errIsTerminal = stderr.isTTY === true;
  const isOnePlace = outIsTerminal ? errIsTerminal : goToOneFile(stdout, stderr);
  const out = createStyle(outIsTerminal && settings.color && !json);
  const err = createStyle(errIsTerminal && settings.color);
  let level = traceLevels.indexOf(settings.trace);
  let secrets: readonly string[] = [];
  let lineOpen = false;
  let documentDone = false;
  /** a line of a thought, on standard error */
  let thoughtOpen = false;
  const endThought = (): void => {
    if (thoughtOpen) stderr.write("\n");
    thoughtOpen = false;
  };
  let drawn: { clear(): void } | undefined;
  stdout.on("error", onOutputLost);
  stderr.on("error", () => undefined); // there is no other place to tell it

  const wrap = outIsTerminal ? createWrap(() => columnsOf(stdout)) : undefined;
  const toOut = (text: string): void => {
    if (text === "") return;
    drawn?.clear();
    endThought();
    stdout.write(text);
    lineOpen = !text.endsWith("\n");
  };
  /**
   * Text for a terminal that is shown when this turn of the event loop ends. A key that was pressed meanwhile is heard before that: else text that
   * came with it would be written behind the ^C of the terminal.
   */
  let waiting = "";
  let turn: NodeJS.Immediate | undefined;
  const showWaiting = (): void => {
    clearImmediate(turn);
    turn = undefined;
    const text = waiting;
    waiting = "";
    if (text !== "") toOut(wrap?.push(text) ?? text);
  };
  /** What waits for its end belongs to the line. */
  const flushLine = (): void => {
    if (wrap === undefined) return;
    toOut(wrap.flush());
    wrap.reset();
  };
  const masked = (text: string): string => secrets.reduce((shown, secret) => shown.replaceAll(secret, mask), maskAddress(text));
  const toErr = (text: string): void => {
    showWaiting();
    drawn?.clear();
    endThought();
    // Where both streams share one line, the newline is no part of the result.
    if (lineOpen && isOnePlace) {
      flushLine();
      stderr.write("\n");
      lineOpen = false;
    }
    stderr.write(masked(text));
  };
  const commandLines = (commands: readonly string[]): string => commands.map((command) => `  ${err.word(visibleText(command))}\n`).join("");
  const shows = (wanted: TraceLevel): boolean => level >= traceLevels.indexOf(wanted);

  const indent = settings.format === "pretty" ? 2 : undefined;
  const maskedJson = (value: unknown): string => masked(JSON.stringify(maskSecrets(value), undefined, indent));
  /** An object member by member, each as JSON has it. */
  const jsonAround = (value: object, data: readonly string[]): string => {
    const [open, close] = indent === undefined ? ["{", "}"] : ["{\n", "\n}"];
    const members = Object.entries(value).map(([key, inner]) => {
      const member = { [key]: inner };
      const text = data.includes(key) ? JSON.stringify(member, undefined, indent) : maskedJson(member);
      return text.slice(open.length, -close.length);
    });
    return open + members.filter((member) => member !== "").join(indent === undefined ? "," : ",\n") + close;
  };
  const document = (value: unknown, data: readonly string[] = []): void => {
    if (!json || documentDone) return;
    documentDone = true;
    const text = isObject(value) && data.length > 0 ? jsonAround(value, data) : maskedJson(value);
    toOut(`${outIsTerminal ? escapeInJson(text) : text}\n`);
  };

  const screen: Screen = {
    settings,
    json,
    outIsTerminal,
    errIsTerminal,
    isOnePlace,
    out,
    err,
    write(text) {
      if (json) return;
      const shown = screen.whole(text);
      if (wrap === undefined) {
        toOut(shown);
        return;
      }
      waiting += shown;
      turn ??= setImmediate(showWaiting);
    },
    writeOwn(text) {
      showWaiting();
      if (!json) toOut(masked(text));
    },
    clean: visibleText,
    whole: (text) => (outIsTerminal ? visibleText(text) : text),
    endLine() {
      showWaiting();
      endThought();
      flushLine();
      if (lineOpen) toOut("\n");
    },
    document,
    note(message, actions = []) {
      if (settings.quiet || !shows("warn")) return;
      toErr(`${err.dim("note:")} ${visibleText(message)}\n${commandLines(wordActions(actions, argv))}`);
    },
    log(entry) {
      const hidden = settings.quiet && entry.level !== "error";
      const isWanted = entry.isWanted === true && settings.trace !== "off";
      if (!hidden && (shows(entry.level) || isWanted)) toErr(`${err.dim(`[${entry.level}] ${visibleText(entry.message)}`)}\n`);
    },
    aside: (text) => toErr(visibleText(text).replace(/[^\n]+/g, (line) => err.dim(line))),
    think(text) {
      if (settings.quiet || json || text === "") return;
      showWaiting();
      drawn?.clear();
      stderr.write(masked(visibleText(text)).replace(/[^\n]+/g, (line) => err.dim(line)));
      thoughtOpen = !text.endsWith("\n");
    },
    tell(text) {
      if (!settings.quiet && !json) toErr(`${visibleText(text)}\n`);
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
      const { frame, script } = error.details ?? {};
      // Where Ctrl-C was pressed, the terminal has written ^C behind the answer.
      if (code === "run-aborted" && lineOpen && wrap !== undefined && errIsTerminal) stdout.write(wrap.redraw("^C"));
      showWaiting();
      if (!json) screen.endLine();
      // a profile that logs much asks for no stacks
      const isTraced = traceLevels.indexOf(settings.trace) >= traceLevels.indexOf("debug");
      if (isTraced && !settings.quiet) toErr(`${err.dim(visibleText(stackOf(error)))}\n`);
      if (json) {
        toErr(`Error: ${visibleText(message.split("\n", 1)[0] ?? "")} [${code}]\n`);
        return;
      }
      if (code === "run-aborted") {
        // Stopping was asked for: it is an answer, not a failure. The terminal may have written ^C at the start of this line.
        toErr(`${errIsTerminal ? "\r  \r" : ""}${visibleText(message)}\n`);
        return;
      }
      const place =
        typeof script === "string" ? [visibleText(`  at ${script}`), ...(typeof frame === "string" ? [visibleText(frame)] : [])] : [];
      const lines = [`${err.bad("Error:")} ${visibleText(message)}`, ...place, ...(hint === "" ? [] : [visibleText(hint)])];
      toErr(`${lines.join("\n")}\n${commandLines(commandsOf(error, argv))}${err.dim(`[${code}]`)}\n`);
    },
    errorFields(error) {
      const { code, message, hint, where = null, retryable, exitCode: exit_code } = error;
      const details = error.details === undefined ? null : toSnake(error.details);
      // a command with a gap is for people
      const commands = commandsOf(error, argv).filter((command) => !/^llmspell(?: -p \S+)? …/.test(command));
      return { code, message, hint, commands, where, retryable, exit_code, details };
    },
    fail(error) {
      document({ status: "error", error: screen.errorFields(error) });
      screen.complain(error);
      return error.exitCode;
    },
    progress(label) {
      drawn?.clear();
      if (settings.quiet || json) return { share() {}, bytes() {}, count() {}, say() {}, end() {} };
      const progress = errIsTerminal
        ? drawProgress(label, stderr, settings.unicode, () => lineOpen && outIsTerminal)
        : printProgress(label, stderr, lineAfterMs);
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

/** As `> FILE 2>&1` has it. */
function goToOneFile(...streams: readonly OutputStream[]): boolean {
  try {
    const [first, second] = streams.map(({ fd }) => (fd === undefined ? undefined : fstatSync(fd)));
    return (
      first !== undefined && second !== undefined && !first.isCharacterDevice() && first.dev === second.dev && first.ino === second.ino
    );
  } catch {
    return false;
  }
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

/**
 * The command line to a request: one command, its operands, its flags. Hand-written over the table in commands.ts, because global flags
 * may stand before or after the command, and because every slip gets an answer that says what was meant.
 * Checks names, values and counts; it decides nothing about models.
 */
import { existsSync } from "node:fs";
import { configConflict } from "../../core/config/source-errors.ts";
import { type ErrorCode, SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { parseModelSpec } from "../../core/spec/model-spec.ts";
import { definedOnly } from "../../core/values.ts";
import { shell } from "./advice.ts";
import { type Command, commandGroups, commands, laterCommands } from "./commands.ts";
import { type Flag, globalFlags } from "./flags.ts";
import { defaultModel } from "./names.ts";
import { quoteShort } from "./problems.ts";
import { shellQuote } from "./shell-quote.ts";

/** Values of each flag given, by its long name; a flag without a value has an empty list. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>;

export type Request =
  | { readonly kind: "help"; readonly topic: string; readonly flags: GivenFlags }
  | { readonly kind: "version"; readonly flags: GivenFlags }
  | {
      readonly kind: "command";
      readonly command: Command;
      readonly operands: readonly string[];
      readonly rest: readonly string[];
      readonly flags: GivenFlags;
      /** Of a command that hands other flags on: ours behind its first operand, by their names. They may have been meant for it. */
      readonly behind: readonly string[];
    };

const globals = byName(globalFlags);

/**
 * @param argv without the program's own name
 * @throws SpellError usage-unknown, usage-value, usage-not-available
 */
export function parseArguments(argv: readonly string[]): Request {
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  let handedOn: readonly string[] = [];
  const words: string[] = [];
  const others: string[] = [];
  const behind: string[] = [];
  let command: Command | undefined;
  let known = globals;

  /** The next word that is no flag: part of the command's name, or an operand. @param rest what follows it */
  const takeWord = (word: string, rest: readonly string[] = []): void => {
    if (command !== undefined) {
      operands.push(word);
      return;
    }
    words.push(word);
    const name = words.join(" ");
    if (commandGroups.has(name)) return;
    command = findCommand(name, rest);
    known = byName([...globalFlags, ...command.flags]);
  };

  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--") {
      if (command?.takesRest === true) handedOn = argv.slice(i + 1);
      else for (const rest of argv.slice(i + 1)) takeWord(rest);
      break;
    }
    if (token === "-" || !token.startsWith("-") || /^-[\d.]/.test(token)) {
      takeWord(token, argv.slice(i + 1));
      continue;
    }
    const isHandedOn = command?.takesOtherFlags === true && token.startsWith("--");
    // nobody asks for the version of llmspell in the middle of a call
    if (isHandedOn && (!isFlag(token, known) || (operands.length > 0 && splitOnce(token)[0] === "--version"))) {
      others.push(token);
      const next = argv[i + 1];
      if (!token.includes("=") && next !== undefined && !next.startsWith("--")) {
        others.push(next);
        i += 1;
      }
      continue;
    }
    const { flag, value } = readFlag(token, known, command, words);
    if (isHandedOn && operands.length > 0) behind.push(flag.name);
    if (flag.value === undefined) {
      if (value !== undefined) throw wrong(`--${flag.name} takes no value; got ${quoteShort(value)}`, command);
      given.set(flag.name, []);
      continue;
    }
    const next = argv[i + 1];
    if (value === undefined && (next === undefined || isFlag(next, known))) {
      const got = next === undefined ? "got none" : `got the flag ${next}; write --${flag.name}=${next} if that is the value`;
      throw wrong(`--${flag.name}: expected a value, --${flag.name} ${flag.value}; ${got}`, command);
    }
    if (value === undefined) i += 1;
    addValue(given, flag, value ?? next ?? "", command);
  }

  if (given.has("version") && command === undefined) return { kind: "version", flags: given };
  if (command === undefined) return { kind: "help", topic: words.join(" "), flags: given };
  if (given.has("help")) return { kind: "help", topic: command.name, flags: given };
  if (given.has("version")) return { kind: "version", flags: given };
  refuseLater(given, known);
  if (command.name === "help") return { kind: "help", topic: operands.join(" "), flags: given };
  checkOperands(command, operands);
  return { kind: "command", command, operands, rest: [...others, ...handedOn], flags: given, behind };
}

/** What a faulty command line says about its own output, so that its error comes in the form that was asked for. */
export function scanGlobalFlags(argv: readonly string[]): GivenFlags {
  const found = new Map<string, string[]>();
  for (let i = 0; i < argv.length && argv[i] !== "--"; i++) {
    const [word = "", value] = splitOnce(argv[i] ?? "");
    const flag = globals.get(word);
    if (flag === undefined) continue;
    const text = flag.value === undefined ? undefined : (value ?? argv[i + 1]);
    if (text === undefined) found.set(flag.name, []);
    else if (flag.choices === undefined || flag.choices.includes(text.toLowerCase())) found.set(flag.name, [text.toLowerCase()]);
  }
  return found;
}

/** @returns the one value of a flag, or undefined */
export function flagText(flags: GivenFlags, name: string): string | undefined {
  return flags.get(name)?.[0];
}

/** @returns the number given; the parser has checked that it is one */
export function flagNumber(flags: GivenFlags, name: string): number | undefined {
  const text = flagText(flags, name);
  return text === undefined ? undefined : Number(text);
}

/** @throws SpellError usage-value for a text without a letter or sign, which says nothing */
export function checkText(text: string, name: string): string {
  if (text.trim() !== "") return text;
  throw new SpellError("usage-value", `${name}: expected text, got an empty one`, { where: name });
}

/** "--name" and "-n" to flag. */
function byName(flags: readonly Flag[]): ReadonlyMap<string, Flag> {
  const map = new Map<string, Flag>();
  for (const flag of flags) {
    map.set(`--${flag.name}`, flag);
    if (flag.short !== undefined) map.set(`-${flag.short}`, flag);
  }
  return map;
}

/** `--name=value`, `-nvalue` and `-n=value` carry their value with them. */
function readFlag(
  token: string,
  known: ReadonlyMap<string, Flag>,
  command: Command | undefined,
  words: readonly string[],
): { readonly flag: Flag; readonly value: string | undefined } {
  const rest = token.slice(2);
  const [word, value] = token.startsWith("--") ? splitOnce(token) : [token.slice(0, 2), rest === "" ? undefined : rest.replace(/^=/, "")];
  const flag = known.get(word);
  if (flag === undefined) throw unknownFlag(word, known, command, words);
  return { flag, value };
}

function splitOnce(token: string): readonly [string, string | undefined] {
  const at = token.indexOf("=");
  return at < 0 ? [token, undefined] : [token.slice(0, at), token.slice(at + 1)];
}

function isFlag(token: string, known: ReadonlyMap<string, Flag>): boolean {
  return token === "--" || known.has(splitOnce(token)[0]);
}

function addValue(
  given: Map<string, string[]>,
  { name, choices, problem, repeated }: Flag,
  text: string,
  command: Command | undefined,
): void {
  const where = `--${name}`;
  const value = choices === undefined ? text : text.toLowerCase();
  if (choices !== undefined && !choices.includes(value)) {
    const meant = nearest(value, choices);
    throw wrong(`${where}: expected ${choices.join(", ")}; got ${quoteShort(text)}`, command, {
      where,
      ...(meant !== undefined && { hint: `Did you mean ${where} ${meant}?` }),
      ...(name === "output" && command?.takesOtherFlags !== true ? outputAdvice(text, command) : {}),
    });
  }
  const found = problem?.(value);
  if (found !== undefined) throw wrong(`${where}: ${found}`, command, { where });
  const before = given.get(name);
  if (before === undefined) given.set(name, [value]);
  else if (repeated === true) before.push(value);
  else if (before[0] !== value) {
    const both = `${quoteShort(before[0] ?? "")} and ${quoteShort(value)}`;
    throw wrong(`${where} was given twice, with ${both}`, command, { hint: "Keep one of them." });
  }
}

/** `config init` is the one command that writes a file, so there the name of one was probably meant. */
function outputAdvice(text: string, command: Command | undefined): Aside {
  if (command?.name !== "config init") return { hint: "--output names a format, never a file; send the result to a file with >" };
  const file = `--file ${shellQuote(text)}`;
  return { hint: `--output names a format. For a file: ${file}`, lines: [`llmspell config init ${file}`] };
}

function refuseLater(given: GivenFlags, known: ReadonlyMap<string, Flag>): void {
  const [profile, config] = [flagText(given, "profile"), flagText(given, "config")];
  if (profile !== undefined && config !== undefined) throw configConflict(`--profile ${profile}`, `--config ${config}`, profile);
  for (const name of given.keys()) {
    const later = known.get(`--${name}`)?.later;
    if (later === undefined) continue;
    const message = `--${name} is not in this release: ${later} come with a later one`;
    throw slip("usage-not-available", message, { where: `--${name}`, hint: "Leave the flag out." });
  }
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const { name, flags, examples } = command;
  const [expected] = command.operands;
  const [operand] = operands;
  const isFull = operands.length > command.operands.length && command.operands.at(-1)?.repeated !== true;
  if (operand !== undefined && isFull) {
    const line = quoteShort(operands.map((word) => (/^[\w./@:=-]+$/.test(word) ? word : JSON.stringify(word))).join(" "));
    if (expected === undefined) {
      const takesFile = operands.length === 1 && flags.some((flag) => flag.name === "file");
      const lines = [`llmspell ${name} --file ${shellQuote(operand)}`];
      throw wrong(`${name} takes no operand; got ${line}`, command, takesFile ? { hint: "A file is named with --file:", lines } : {});
    }
    const taken = command.operands.map((each) => each.name).join(" ");
    throw wrong(`${name} takes ${command.operands.length === 1 ? "one " : ""}${taken}; got ${operands.length} words: ${line}`, command);
  }
  if (expected === undefined) return;
  const { choices } = expected;
  const missing = command.operands.find((each, i) => operands[i] === undefined && each.optional !== true);
  if (missing !== undefined) {
    const lines = examples.slice(0, 1).map(([line]) => line);
    throw wrong(`${name} needs ${missing.name}${missing.choices === undefined ? "" : `: ${missing.choices.join(", ")}`}`, command, {
      hint: "For example:",
      lines,
    });
  }
  if (operand !== undefined && choices?.includes(operand) === false) {
    const meant = nearest(operand, choices);
    throw wrong(
      `${expected.name}: expected ${choices.join(", ")}; got ${quoteShort(operand)}`,
      command,
      meant === undefined ? {} : { hint: `Did you mean ${meant}?`, lines: [`llmspell ${name} ${meant}`] },
    );
  }
}

/** @param rest the words behind it, which may tell what was meant */
function findCommand(name: string, rest: readonly string[]): Command {
  const found = commands.find((command) => command.name === name || command.aliases?.includes(name) === true);
  if (found !== undefined) return found;
  if (!laterCommands.includes(name)) throw unknownCommand(name, rest[0]);
  const message = `'${name}' is not in this release; the name is reserved for a later one`;
  throw slip("usage-not-available", message, { hint: "Commands of this release:", lines: ["llmspell help"], where: name });
}

/** `run NAME [PROMPT]` in the sense of Ollama; empty where the operand is a script, or can be no model. */
export function insteadOfRun(rest: readonly string[]): readonly string[] {
  const [model = "", ...prompt] = rest.filter((word) => !word.startsWith("-"));
  if (!isModelSpec(model) || /\.(lua|m?js|ts|py)$/i.test(model) || (existsSync(model) && !model.endsWith(".gguf"))) return [];
  const text = prompt.join(" ");
  if (text.length > 200) return [`llmspell generate -m ${shellQuote(model)} "…"`];
  return [text === "" ? `llmspell chat -m ${shellQuote(model)}` : `llmspell generate -m ${shellQuote(model)} ${shellQuote(text)}`];
}

function isModelSpec(text: string): boolean {
  try {
    parseModelSpec(text, { allowHosts: "any" });
    return true;
  } catch {
    return false;
  }
}

function unknownCommand(name: string, next: string | undefined): SpellError {
  const unknown = (hint: string | undefined, lines: readonly string[], meant: readonly string[] = []): SpellError => {
    const question = meant.length === 0 ? "" : `; did you mean ${meant.map((other) => `'${other}'`).join(" or ")}?`;
    return slip("usage-unknown", `unknown command ${quoteShort(name)}${question}`, { hint, lines });
  };
  if (name === "stop")
    return unknown("A model ends with its command. One that an Ollama server holds:", [
      `ollama stop ${next === undefined || next.startsWith("-") ? "NAME" : shellQuote(next)}`,
    ]);
  if (name === "install-ollama") return unknown("Ollama is installed from its own page: https://ollama.com/download", []);
  const group = [...commandGroups].find((word) => name.startsWith(`${word} `));
  const all = [...commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]), ...laterCommands];
  const inGroups = all.filter((other) => other.endsWith(` ${name.toLowerCase()}`));
  if (inGroups.length > 0) {
    const operand = next !== undefined && /^[\w.][\w./:@-]*$/.test(next) ? ` ${next}` : "";
    return unknown(
      "Try:",
      inGroups.map((other) => `llmspell ${other}${operand}`),
      inGroups,
    );
  }
  const meant = group === undefined ? nearestOfAll(name, next, all) : nearestWithin(group, name, all);
  if (meant !== undefined) return unknown("Try:", [commandGroups.has(meant) ? `llmspell help ${meant}` : `llmspell ${meant}`], [meant]);
  if (group !== undefined) return unknown(`The commands of ${group}:`, [`llmspell help ${group}`]);
  if (/^(\.{0,2}|~|[A-Za-z]:)[/\\]|\.gguf$/i.test(name) && !/\s/.test(name)) {
    const path = /^[./~\\]|^[A-Za-z]:/.test(name) ? name : `./${name}`;
    return unknown("To talk to a model:", [`llmspell chat -m ${shellQuote(path)}`]);
  }
  if (name.toLowerCase() === defaultModel) return unknown("It is a model:", [`llmspell generate -m ${defaultModel} "Once upon a time"`]);
  if (/\s/.test(name))
    return unknown("To let a model continue a text:", [`llmspell generate ${name.length <= 200 ? shellQuote(name) : '"…"'}`]);
  return unknown(undefined, ["llmspell help"]);
}

/** `modle list`: a slip in the first word of two must not lose the second. */
function nearestOfAll(name: string, next: string | undefined, all: readonly string[]): string | undefined {
  const meant = nearest(name, [...all, ...commandGroups]);
  if (next === undefined || (meant !== undefined && !commandGroups.has(meant))) return meant;
  const twoWords = all.filter((other) => other.includes(" "));
  return (meant === undefined ? nearest(`${name} ${next}`, twoWords) : nearestWithin(meant, `${meant} ${next}`, all)) ?? meant;
}

/** `model inof`: the first word is right, so only the second is compared. */
function nearestWithin(group: string, name: string, all: readonly string[]): string | undefined {
  const inside = all.filter((other) => other.startsWith(`${group} `)).map((other) => other.slice(group.length + 1));
  const second = nearest(name.slice(group.length + 1), inside);
  return second === undefined ? undefined : `${group} ${second}`;
}

function unknownFlag(word: string, known: ReadonlyMap<string, Flag>, command: Command | undefined, words: readonly string[]): SpellError {
  const owners = commands.filter(({ flags }) => flags.some(({ name, short }) => `--${name}` === word || `-${short}` === word));
  const names = owners.map(({ name }) => name).join(" and ");
  const [owner] = owners;
  if (owner !== undefined && command === undefined) {
    const lines = [`llmspell ${owner.name} ${word} …`];
    return slip("usage-unknown", `${word} is a flag of ${names}, and stands after the command`, { lines, where: word });
  }
  const shown = quoteShort(word).slice(1, -1);
  const long = [...known.keys()].filter((name) => name.startsWith("--"));
  const meant = nearest(word, long);
  const inOthers = owner === undefined ? "" : `; ${names} ${owners.length > 1 ? "have" : "has"} it`;
  const more = meant === undefined ? inOthers : `; did you mean ${meant}?`;
  const isText = !word.startsWith("--") && command?.operands.length !== 0;
  const rest = command?.takesRest === true ? "What belongs to the script goes after --. See the flags:" : undefined;
  return slip("usage-unknown", `${command?.name ?? (words.join(" ") || "llmspell")} has no flag ${shown}${more}`, {
    where: shown,
    hint: rest !== undefined ? rest : isText ? "A text that begins with - goes after --. See the flags:" : "See its flags:",
    lines: [helpLine(command)],
  });
}

function helpLine(command: Command | undefined): string {
  return command === undefined ? "llmspell help" : `llmspell help ${command.name}`;
}

/** What stands below a message; `lines` are commands to paste. */
interface Aside {
  readonly hint?: string | undefined;
  readonly lines?: readonly string[] | undefined;
  readonly where?: string | undefined;
}

function slip(code: ErrorCode, message: string, { lines = [], ...aside }: Aside): SpellError {
  return new SpellError(code, message, { ...aside, actions: shell(...lines) });
}

function wrong(message: string, command: Command | undefined, aside: Aside = {}): SpellError {
  const isForTool = command?.takesOtherFlags === true && message.startsWith("--");
  const hint = isForTool ? "A member of the tool that is named so stands after --, or in JSON:" : "See its flags and examples:";
  return slip("usage-value", message, { hint, lines: [helpLine(command)], ...definedOnly(aside) });
}

/**
 * The command line to a request: one command, its operands, its flags. Hand-written over the table in commands.ts, because global flags
 * may stand before or after the command, and because every slip gets an answer that says what was meant.
 * Checks names, values and counts; it decides nothing about models.
 */
import { configConflict } from "../../core/config/source-errors.ts";
import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { shellQuote } from "../../core/shell-quote.ts";
import {
  type Command,
  commandGroups,
  commands,
  defaultModel,
  type Flag,
  flagWord,
  globalFlags,
  laterCommands,
  quoteShort,
} from "./commands.ts";

/** Values of each flag given, by its long name; a flag without a value has an empty list. */
export type GivenFlags = ReadonlyMap<string, readonly string[]>;

export type Request =
  | { readonly kind: "help"; readonly topic: string; readonly flags: GivenFlags }
  | { readonly kind: "version"; readonly flags: GivenFlags }
  | { readonly kind: "command"; readonly command: Command; readonly operands: readonly string[]; readonly flags: GivenFlags };

const globals = byName(globalFlags);

/**
 * @param argv without the program's own name
 * @throws SpellError usage-unknown, usage-value, usage-not-available
 */
export function parseArguments(argv: readonly string[]): Request {
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  const words: string[] = [];
  let command: Command | undefined;
  let known = globals;

  /** The next word that is no flag: part of the command's name, or an operand. */
  const takeWord = (word: string, next?: string): void => {
    if (command !== undefined) {
      operands.push(word);
      return;
    }
    words.push(word);
    const name = words.join(" ");
    if (commandGroups.has(name)) return;
    command = findCommand(name, next);
    known = byName([...globalFlags, ...command.flags]);
  };

  for (let i = 0; i < argv.length; i++) {
    const token = argv[i] ?? "";
    if (token === "--") {
      for (const rest of argv.slice(i + 1)) takeWord(rest);
      break;
    }
    if (token === "-" || !token.startsWith("-") || /^-[\d.]/.test(token)) {
      takeWord(token, argv[i + 1]);
      continue;
    }
    const { flag, value } = readFlag(token, known, command, words);
    if (flag.value === undefined) {
      if (value !== undefined) throw wrong(`${flagWord(flag)} takes no value; got ${quoteShort(value)}`, command);
      given.set(flag.name, []);
      continue;
    }
    const next = argv[i + 1];
    if (value === undefined && (next === undefined || isFlag(next, known))) {
      const meant =
        next === undefined ? "nothing follows it" : `got the flag ${next}; write ${flagWord(flag)}=${next} if that is the value`;
      throw wrong(`${flagWord(flag)} needs a value, ${flagWord(flag)} ${flag.value}: ${meant}`, command);
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
  return { kind: "command", command, operands, flags: given };
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

/** "--name" and "-n" to flag. */
function byName(flags: readonly Flag[]): ReadonlyMap<string, Flag> {
  const map = new Map<string, Flag>();
  for (const flag of flags) {
    map.set(flagWord(flag), flag);
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
  if (token.startsWith("--")) {
    const [word, value] = splitOnce(token);
    const flag = known.get(word);
    if (flag === undefined) throw unknownFlag(word, known, command, words);
    return { flag, value };
  }
  const flag = known.get(token.slice(0, 2));
  if (flag === undefined) throw unknownFlag(token.slice(0, 2), known, command, words);
  const rest = token.slice(2);
  return { flag, value: rest === "" ? undefined : rest.startsWith("=") ? rest.slice(1) : rest };
}

function splitOnce(token: string): readonly [string, string | undefined] {
  const at = token.indexOf("=");
  return at < 0 ? [token, undefined] : [token.slice(0, at), token.slice(at + 1)];
}

function isFlag(token: string, known: ReadonlyMap<string, Flag>): boolean {
  return token === "--" || known.has(splitOnce(token)[0]);
}

function addValue(given: Map<string, string[]>, flag: Flag, text: string, command: Command | undefined): void {
  const value = flag.choices === undefined ? text : text.toLowerCase();
  if (flag.choices !== undefined && !flag.choices.includes(value)) {
    const meant = nearest(value, flag.choices);
    throw wrong(`${flagWord(flag)}: wanted ${flag.choices.join(", ")}; got ${quoteShort(text)}`, command, {
      where: flagWord(flag),
      ...(flag.name === "output"
        ? outputAdvice(text, command)
        : meant === undefined
          ? {}
          : { hint: `Did you mean ${flagWord(flag)} ${meant}?` }),
    });
  }
  const problem = flag.problem?.(value);
  if (problem !== undefined) throw wrong(`${flagWord(flag)}: ${problem}`, command, { where: flagWord(flag) });
  const before = given.get(flag.name);
  if (before === undefined) given.set(flag.name, [value]);
  else if (flag.repeated === true) before.push(value);
  else if (before[0] !== value) {
    throw wrong(`${flagWord(flag)} was given twice, with ${quoteShort(before[0] ?? "")} and ${quoteShort(value)}`, command, {
      hint: "Keep one of them.",
    });
  }
}

/** `config init` is the one command that writes a file, so there the name of one was probably meant. */
function outputAdvice(
  text: string,
  command: Command | undefined,
): { readonly hint: string; readonly commands?: readonly string[] | undefined } {
  if (command?.name !== "config init") return { hint: "--output names a form, never a file; send the result to a file with >" };
  return {
    hint: `--output names a form. For a file: --file ${shellQuote(text)}`,
    commands: [`llmspell config init --file ${shellQuote(text)}`],
  };
}

function refuseLater(given: GivenFlags, known: ReadonlyMap<string, Flag>): void {
  const [profile, config] = [flagText(given, "profile"), flagText(given, "config")];
  if (profile !== undefined && config !== undefined) throw configConflict(`--profile ${profile}`, `--config ${config}`, profile);
  for (const name of given.keys()) {
    const flag = known.get(`--${name}`);
    if (flag?.later === undefined) continue;
    throw new SpellError("usage-not-available", `${flagWord(flag)} is not in this release: ${flag.later} come with a later one`, {
      where: flagWord(flag),
      hint: "Leave the flag out.",
    });
  }
}

function checkOperands(command: Command, operands: readonly string[]): void {
  const [wanted] = command.operands;
  if (operands.length > command.operands.length && wanted?.repeated !== true) {
    const line = operands.map((word) => (/^[\w./@:=-]+$/.test(word) ? word : JSON.stringify(word))).join(" ");
    if (wanted === undefined) {
      const file = command.flags.find(({ name }) => name === "file");
      const own = `llmspell ${command.name} --file ${shellQuote(operands[0] ?? "")}`;
      throw wrong(
        `${command.name} takes no operand; got ${quoteShort(line)}`,
        command,
        file === undefined || operands.length > 1 ? {} : { hint: "A file is named with --file:", commands: [own] },
      );
    }
    throw wrong(`${command.name} takes one ${wanted.name}; got ${operands.length} words: ${quoteShort(line)}`, command, {
      hint: command.name === "generate" ? "Put the prompt into quotes." : undefined,
      commands:
        command.name === "generate"
          ? operands.join(" ").length > 200
            ? []
            : [`llmspell generate ${shellQuote(operands.join(" "))}`]
          : undefined,
    });
  }
  const [operand] = operands;
  if (wanted === undefined) return;
  if (operand === undefined && wanted.optional !== true) {
    const choices = wanted.choices === undefined ? "" : `: ${wanted.choices.join(", ")}`;
    throw wrong(`${command.name} needs ${wanted.name}${choices}`, command, {
      hint: "For example:",
      commands: command.examples.slice(0, 1).map(([line]) => line),
    });
  }
  if (operand !== undefined && wanted.choices !== undefined && !wanted.choices.includes(operand)) {
    const meant = nearest(operand, wanted.choices);
    throw wrong(`${wanted.name}: wanted ${wanted.choices.join(", ")}; got ${quoteShort(operand)}`, command, {
      hint: meant === undefined ? undefined : `Did you mean ${meant}?`,
      commands: meant === undefined ? undefined : [`llmspell ${command.name} ${meant}`],
    });
  }
}

/** @param next the word behind it, which may tell what was meant */
function findCommand(name: string, next: string | undefined): Command {
  const found = commands.find((command) => command.name === name || command.aliases?.includes(name) === true);
  if (found !== undefined) return found;
  if (laterCommands.includes(name)) {
    throw new SpellError("usage-not-available", `'${name}' is not in this release; the name is reserved for a later one`, {
      hint: "What there is:",
      commands: ["llmspell help"],
      where: name,
    });
  }
  throw unknownCommand(name, next);
}

function unknownCommand(name: string, next: string | undefined): SpellError {
  const unknown = `unknown command ${quoteShort(name)}`;
  if (name === "install-ollama") {
    return new SpellError("usage-unknown", unknown, { hint: "Ollama is installed from its own page: https://ollama.com/download" });
  }
  const group = [...commandGroups].find((word) => name.startsWith(`${word} `));
  const all = [...commands.flatMap((command) => [command.name, ...(command.aliases ?? [])]), ...laterCommands];
  const inGroups = all.filter((other) => other.endsWith(` ${name.toLowerCase()}`));
  if (inGroups.length > 0) {
    const operand = next !== undefined && /^[\w.][\w./:@-]*$/.test(next) ? ` ${next}` : "";
    return new SpellError("usage-unknown", `${unknown}; did you mean ${inGroups.map((other) => `'${other}'`).join(" or ")}?`, {
      hint: "Try:",
      commands: inGroups.map((other) => `llmspell ${other}${operand}`),
    });
  }
  const meant = group === undefined ? nearestOfAll(name, next, all) : nearestWithin(group, name, all);
  if (meant !== undefined) {
    const line = commandGroups.has(meant) ? `llmspell help ${meant}` : `llmspell ${meant}`;
    return new SpellError("usage-unknown", `${unknown}; did you mean '${meant}'?`, { hint: "Try:", commands: [line] });
  }
  if (group !== undefined)
    return new SpellError("usage-unknown", unknown, { hint: `The commands of ${group}:`, commands: [`llmspell help ${group}`] });
  if (/^(\.{0,2}|~|[A-Za-z]:)[/\\]|\.gguf$/i.test(name) && !/\s/.test(name)) {
    const path = /^[./~\\]|^[A-Za-z]:/.test(name) ? name : `./${name}`;
    return new SpellError("usage-unknown", unknown, { hint: "To talk to a model:", commands: [`llmspell chat -m ${shellQuote(path)}`] });
  }
  if (name.toLowerCase() === defaultModel) {
    return new SpellError("usage-unknown", unknown, {
      hint: "It is a model:",
      commands: [`llmspell generate -m ${defaultModel} "Once upon a time"`],
    });
  }
  if (/\s/.test(name) && group === undefined) {
    const prompt = name.length <= 200 ? shellQuote(name) : '"…"';
    return new SpellError("usage-unknown", unknown, {
      hint: "To let a model go on from a text:",
      commands: [`llmspell generate ${prompt}`],
    });
  }
  return new SpellError("usage-unknown", unknown, { commands: ["llmspell help"] });
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
  const second = nearest(
    name.slice(group.length + 1),
    all.filter((other) => other.startsWith(`${group} `)).map((other) => other.slice(group.length + 1)),
  );
  return second === undefined ? undefined : `${group} ${second}`;
}

function unknownFlag(word: string, known: ReadonlyMap<string, Flag>, command: Command | undefined, words: readonly string[]): SpellError {
  const ofCommands = commands.filter((other) => other.flags.some((flag) => flagWord(flag) === word || `-${flag.short}` === word));
  const [owner] = ofCommands;
  if (owner !== undefined && command === undefined) {
    return new SpellError("usage-unknown", `${word} is a flag of ${nameList(ofCommands)}, and stands after the command`, {
      commands: [`llmspell ${owner.name} ${word} …`],
      where: word,
    });
  }
  const subject = command === undefined ? (words.length === 0 ? "llmspell" : words.join(" ")) : command.name;
  const shown = quoteShort(word).slice(1, -1);
  const meant = nearest(
    word,
    [...known.keys()].filter((name) => name.startsWith("--")),
  );
  const more =
    meant !== undefined
      ? `; did you mean ${meant}?`
      : owner !== undefined
        ? `; ${nameList(ofCommands)} ${ofCommands.length > 1 ? "have" : "has"} it`
        : "";
  return new SpellError("usage-unknown", `${subject} has no flag ${shown}${more}`, {
    where: shown,
    hint:
      word.startsWith("--") || command?.operands.length === 0
        ? "See its flags:"
        : "A text that begins with - goes after --. See the flags:",
    commands: [command === undefined ? "llmspell help" : `llmspell help ${command.name}`],
  });
}

function nameList(list: readonly Command[]): string {
  return list.map(({ name }) => name).join(" and ");
}

function wrong(
  message: string,
  command: Command | undefined,
  options: {
    readonly hint?: string | undefined;
    readonly commands?: readonly string[] | undefined;
    readonly where?: string | undefined;
  } = {},
): SpellError {
  return new SpellError("usage-value", message, {
    hint: "See its flags and examples:",
    commands: [command === undefined ? "llmspell help" : `llmspell help ${command.name}`],
    ...options,
  });
}

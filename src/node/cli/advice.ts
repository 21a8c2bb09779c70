/**
 * The one place that words what a person can do next as commands to paste. Where it helps, that is the person's own command line
 * with one thing changed. Variables are set as in a POSIX shell.
 */
import type { SpellError } from "../../core/errors.ts";
import { builtinCatalogue, findEntry } from "../../core/hub/catalogue.ts";
import type { Action } from "../../core/spec/action.ts";
import { commands } from "./commands.ts";
import { shellQuote } from "./shell-quote.ts";

/** A longer command line is not worth printing again. */
const longestLine = 300;

/** @param argv the command line of this run @returns what to do about an error, most useful first */
export function commandsOf(error: SpellError, argv: readonly string[]): readonly string[] {
  const { code, retryable, details } = error;
  const actions = naming.has(code) ? error.actions.map((action) => ofCommand(action, argv)) : error.actions;
  const own = ownCommand(argv);
  const renamed = rename(argv, details?.["typed"], details?.["meant"]);
  if (renamed !== undefined) return [renamed];
  if (isOfDevice(error) && modelCommand(argv) !== undefined) {
    const onCpu = ownCommand(without(argv, deviceFlag), "--device", "cpu");
    const others = actions.filter((action) => action.kind !== "run" || action.device !== "cpu");
    if (onCpu !== undefined) return [...wordActions(others, argv), onCpu];
  }
  if (code.startsWith("net-") && retryable && actions.length === 0 && own !== undefined) return [own];
  return wordActions(actions, argv);
}

/** Whether another device may do: without a permission of Node none does. */
export function isOfDevice({ code, details }: SpellError): boolean {
  return code.startsWith("device-") && details?.["reason"] !== "permission";
}

/** Errors of names, for every command that takes one. */
const naming: ReadonlySet<string> = new Set([
  "model-unknown",
  "model-variant-unknown",
  "model-ambiguous",
  "model-not-installed",
  "spec-syntax",
]);

/** The command of a line, of those that run one model. */
export function modelCommand(argv: readonly string[]): string | undefined {
  return argv.find((word) => ["generate", "chat", "embed", "similar"].includes(word));
}

/** A model is tried with the command that asked for it. */
function ofCommand(action: Action, argv: readonly string[]): Action {
  if (action.kind !== "run") return action;
  const command = modelCommand(argv);
  if (command === "embed") return { kind: "embed", model: action.model };
  if (command === "similar") return { kind: argv.includes("--rerank") ? "rerank" : "embed", model: action.model };
  return action;
}

/** The command line with the name that was meant; undefined where there is none, or the name does not stand in the line. */
function rename(argv: readonly string[], typed: unknown, meant: unknown): string | undefined {
  if (typeof typed !== "string" || typeof meant !== "string") return undefined;
  const isName = (word: string): boolean => word === typed || word === `-m${typed}` || word === `--model=${typed}`;
  if (!argv.some(isName) || holdsSecret(argv)) return undefined;
  // who names a repository so is used to programs that fetch it
  const fetches = meant.startsWith("hf:") && (argv.includes("generate") || argv.includes("chat")) && !argv.includes("--pull");
  const named = argv.map((word) => (isName(word) ? word.slice(0, -typed.length) + meant : word));
  return ownCommand(named, ...(fetches ? ["--pull"] : []));
}

/** Lines as they are. */
export function shell(...lines: readonly string[]): readonly Action[] {
  return lines.map((text) => ({ kind: "shell", line: text }));
}

export function wordActions(actions: readonly Action[], argv: readonly string[]): readonly string[] {
  return [...new Set(actions.map((action) => wordAction(action, argv)))];
}

function wordAction(action: Action, argv: readonly string[]): string {
  switch (action.kind) {
    case "run": {
      const { model, profile, device, quantization } = action;
      const flags = ["-m", model, ...flag("quantization", quantization), ...flag("device", device)];
      return `${line("llmspell", ...sourceOf(argv, profile), "generate", ...flags)} "${promptOf(model)}"`;
    }
    case "pull": {
      const { model, as, force, allowHosts = [], profile } = action;
      const hosts = allowHosts.flatMap((host) => flag("allowHost", host));
      return models(argv, profile, "pull", ...flag("force", force), ...hosts, model, ...flag("as", as));
    }
    case "embed":
      return `${line("llmspell", ...sourceOf(argv), "embed", "-m", action.model)} "Hello"`;
    case "rerank":
      return `${line("llmspell", ...sourceOf(argv), "similar", "--rerank", "-m", action.model)} "Hello" lines.txt`;
    case "info":
      return models(argv, undefined, "info", action.model);
    case "tool-info":
      return line("llmspell", ...sourceOf(argv), "tool", "info", action.tool);
    case "list":
      return models(argv, undefined, "list", ...flag("backend", action.backend));
    case "available":
    case "prune":
      return models(argv, undefined, action.kind);
    case "help-names":
      return "llmspell help model pull";
    case "diagnose":
      return "llmspell doctor";
    case "show-config":
      return line("llmspell", ...sourceOf(argv), "config", "show", ...(action.section === undefined ? [] : [action.section]), "--origin");
    case "check-config":
      return line("llmspell", "config", "validate", "--file", action.file);
    case "new-config":
      return line("llmspell", "config", "init", ...flag("from", action.profile), "--file", action.file);
    case "list-profiles":
      return "llmspell config list-profiles";
    case "use-profile":
      if (holdsSecret(argv)) return `${line("llmspell", "-p", action.profile)} …`;
      return line("llmspell", "-p", action.profile, ...without(argv, sourceFlags));
    case "use-option": {
      const added = flag(action.name, action.value);
      const [word = ""] = added;
      const own = { alone: new RegExp(`^${word}$`), joined: new RegExp(`^${word}=`) };
      return ownCommand(action.value === true || isRepeated(word) ? argv : without(argv, own), ...added) ?? `llmspell … ${line(...added)}`;
    }
    case "set-variable":
      return `export ${action.name}=${action.value ?? "…"}`;
    case "unset-variables":
      return line("unset", ...action.names);
    case "start-server":
      return line(action.server, "serve");
    case "shell":
      return action.line;
  }
}

/** Whether a flag adds to those before it. */
function isRepeated(word: string): boolean {
  return commands.some(({ flags }) => flags.some(({ name, repeated }) => repeated === true && `--${name}` === word));
}

/** Models run and are managed in the store, and with the servers, of the configuration that this run loaded. */
function models(argv: readonly string[], profile: string | undefined, ...words: readonly string[]): string {
  return line("llmspell", ...sourceOf(argv, profile), "model", ...words);
}

/** An option by its name in code, as words; nothing where it is not set. */
function flag(name: string, value: string | number | boolean | undefined): readonly string[] {
  if (value === undefined || value === false) return [];
  const word = name.length === 1 ? `-${name}` : flagWord(name);
  return value === true ? [word] : [word, String(value)];
}

/** @param option its name in code or in a configuration */
export function flagWord(option: string): string {
  if (option === "jsonSchema") return "--schema";
  return `--${option.replaceAll("_", "-").replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/** Names of values that are not to be written into a log, with a value behind them: in JSON, in a flag, in an address. */
const secretNames = "authorization|cookie|[\\w-]*(?:key|token|secret|passw(?:or)?d|passphrase)";
const secretPart = new RegExp(`(?:^|[^\\w])(?:${secretNames})(?:["']\\s*:|=)|\\bbearer\\s|://[^/\\s]*:[^/\\s]*@`, "i");
const secretFlag = new RegExp(`^--?(?:${secretNames})$`, "i");

function holdsSecret(argv: readonly string[]): boolean {
  return argv.some((word) => secretPart.test(word) || secretFlag.test(word));
}

/** @returns the command line with more flags, before what follows --; undefined where it is too long, or holds what is to stay secret */
export function ownCommand(argv: readonly string[], ...more: readonly string[]): string | undefined {
  if (holdsSecret(argv)) return undefined;
  const [flags, text] = atDashes(argv);
  const own = line("llmspell", ...flags, ...more, ...text);
  return own.length <= longestLine ? own : undefined;
}

function line(...words: readonly string[]): string {
  return words.map(shellQuote).join(" ");
}

/** What follows -- are no flags. */
function atDashes(argv: readonly string[]): readonly [readonly string[], readonly string[]] {
  const at = argv.indexOf("--");
  return at < 0 ? [argv, []] : [argv.slice(0, at), argv.slice(at)];
}

/** A flag with its value, in the forms it may have. */
interface ValueFlag {
  readonly alone: RegExp;
  readonly joined: RegExp;
}

const sourceFlags: ValueFlag = { alone: /^(-[pc]|--profile|--config)$/, joined: /^(-[pc].|--(profile|config)=)/ };
const deviceFlag: ValueFlag = { alone: /^--device$/, joined: /^--device=/ };

/** The flags of a command line that say what to load, or others instead. */
function sourceOf(argv: readonly string[], profile?: string): readonly string[] {
  if (profile !== undefined) return flag("p", profile);
  const [flags] = atDashes(argv);
  return flags.filter((word, i) => isPartOf(sourceFlags, word, flags[i - 1]));
}

function without(argv: readonly string[], flag: ValueFlag): readonly string[] {
  const [flags, text] = atDashes(argv);
  return [...flags.filter((word, i) => !isPartOf(flag, word, flags[i - 1])), ...text];
}

function isPartOf({ alone, joined }: ValueFlag, word: string, before = ""): boolean {
  return joined.test(word) || alone.test(word) || alone.test(before);
}

/** What a model of the catalogue was made for; others are greeted. */
function promptOf(model: string): string {
  const [name = ""] = model.split(/[:@]/, 1);
  return findEntry(builtinCatalogue(), name)?.prompt ?? "Hello";
}

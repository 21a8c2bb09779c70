/** Commands of the shell for scripts: lines that begin with a dot. */
import { basename } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { didYouMean, nearest } from "../../core/nearest.ts";
import type { OpenScript } from "../../core/scripts/open.ts";
import type { ScriptArguments, ScriptEngine } from "../../core/scripts/protocol.ts";
import { scriptArguments } from "../../core/scripts/script-args.ts";
import { errnoOf } from "../errno.ts";
import { writeError } from "../write-error.ts";
import { writeNew } from "../write-whole.ts";
import type { Completions } from "./chat-input.ts";
import { readScript } from "./script.ts";
import { describeDevice } from "./session.ts";

/** What commands act on. */
export interface ReplHost {
  readonly engine: ScriptEngine;
  readonly script: OpenScript;
  /** names of variables that were there at the start */
  readonly known: ReadonlySet<string>;
  /** inputs of this run that did not fail */
  readonly inputs: readonly string[];
  /** oldest first */
  readonly history: readonly string[];
  clearHistory(): void;
  run(source: string, name: string, args?: ScriptArguments): Promise<void>;
  /** Runs a chunk of our own. */
  evaluate(source: string): Promise<void>;
  reset(): Promise<void>;
}

export interface ReplAnswer {
  readonly text: string;
  readonly leaves?: boolean | undefined;
  readonly clears?: boolean | undefined;
}

type Command = (host: ReplHost, rest: string) => ReplAnswer | Promise<ReplAnswer>;
const leave: Command = () => ({ text: "", leaves: true });

const commands: Readonly<Record<string, readonly [does: string, run: Command]>> = {
  ".help": ["this list", () => ({ text: help() })],
  ".vars": ["variables of the script", showVariables],
  ".set": ["NAME VALUE: sets a variable; JSON, else text", setVariable],
  ".unset": [
    "NAME: removes a variable",
    (host, name) => evaluate(host, `${place(host, name)} = ${host.engine === "lua" ? "nil" : "undefined"}`),
  ],
  ".run": [
    "FILE [ARG…]: runs a script here",
    async (host, rest) => {
      const [file = "", ...args] = rest.split(/\s+/);
      await host.run(await readScript(needed(".run", "FILE", file)), basename(file), scriptArguments(file, [], args));
      return { text: "" };
    },
  ],
  ".load": [
    "FILE: runs inputs saved with .save",
    async (host, file) => {
      await host.run(await readScript(needed(".load", "FILE", file)), "repl");
      return { text: "" };
    },
  ],
  ".save": [
    "FILE: writes the inputs of this run that did not fail",
    async ({ inputs }, file) => {
      const path = needed(".save", "FILE", file);
      await writeNew(path, `${inputs.join("\n")}\n`, 0o600).catch((cause: unknown) => {
        if (errnoOf(cause) !== "EEXIST") throw writeError(path, cause);
        throw new SpellError("store-denied", `${path} exists; it was left alone`, { where: path, hint: "Choose another name.", cause });
      });
      return { text: `${inputs.length} inputs written to ${file}\n` };
    },
  ],
  ".history": ["earlier inputs", ({ history }) => ({ text: history.map((entry) => `${entry}\n`).join("") })],
  ".clear-history": [
    "forgets them",
    (host) => {
      host.clearHistory();
      return { text: "" };
    },
  ],
  ".info": ["engine, globals and devices", showInfo],
  ".reset": [
    "a fresh state",
    async (host) => {
      await host.reset();
      return { text: "" };
    },
  ],
  ".clear": ["clears the screen", () => ({ text: "", clears: true })],
  ".exit": ["leaves; also .quit, .q and Ctrl-D", leave],
  ".quit": ["", leave],
  ".q": ["", leave],
};

/** @throws SpellError usage-unknown, usage-value, and of what the command does */
export async function runReplCommand(host: ReplHost, line: string): Promise<ReplAnswer> {
  const [, name = "", rest = ""] = /^(\S+)\s*(.*)$/s.exec(line.trim()) ?? [];
  const found = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (found !== undefined) return found[1](host, rest);
  throw new SpellError("usage-unknown", `no command ${name}${didYouMean(nearest(name, Object.keys(commands)))}`, {
    hint: ".help lists them.",
  });
}

function help(): string {
  const rows = Object.entries(commands).filter(([, [does]]) => does !== "");
  return rows.map(([name, [does]]) => `${name.padEnd(16)}${does}\n`).join("");
}

async function showVariables({ script, inputs, known }: ReplHost): Promise<ReplAnswer> {
  const all = [...(await script.members([], declaredIn(inputs)))].filter(([name, type]) => !known.has(name) && type !== "undefined").sort();
  return { text: all.map(([name, type]) => `${name.padEnd(20)}${type}\n`).join("") || "no variables\n" };
}

/** What inputs in JavaScript declare by `let`, `const` and `class`, also by taking apart: no engine lists it. */
function declaredIn(inputs: readonly string[]): readonly string[] {
  const all = inputs.flatMap((input) => [...input.matchAll(/^\s*(?:let|const|class)\s+(\{[^}]*\}|\[[^\]]*\]|[\w$]+)/gm)]);
  return [...new Set(all.flatMap(([, names = ""]) => [...names.matchAll(/[\w$]+(?=\s*(?:[,}\]=]|$))/g)].map(([name]) => name)))];
}

/**
 * Words for the end of an input: commands, variables, members of what stands before the last dot or colon.
 * @returns undefined where no name is being typed
 */
export async function completeInput({ script, engine, inputs }: ReplHost, before: string): Promise<Completions | undefined> {
  const starting = (typed: string, words: Iterable<string>): Completions => ({
    typed,
    words: [...words].filter((word) => word.startsWith(typed)).sort(),
  });
  if (/^\.[a-z-]*$/.test(before)) return starting(before, Object.keys(commands));
  const way =
    engine === "lua"
      ? /(?:^|[^\w.:)\]"'])((?:[A-Za-z_]\w*[.:])*)([A-Za-z_]\w*)?$/
      : /(?:^|[^\w$.)\]"'`])((?:[A-Za-z_$][\w$]*\??\.)*)([A-Za-z_$][\w$]*)?$/;
  const [, path = "", typed = ""] = way.exec(before) ?? [];
  if (path + typed === "") return undefined;
  const names = path.split(/\??[.:]/).slice(0, -1);
  return starting(typed, (await script.members(names, declaredIn(inputs))).keys());
}

function setVariable(host: ReplHost, rest: string): Promise<ReplAnswer> {
  const [, name = "", value = ""] = /^(\S+)\s+(.*)$/s.exec(rest) ?? [];
  needed(".set", "NAME VALUE", name);
  let json = JSON.stringify(value);
  try {
    json = JSON.stringify(JSON.parse(value));
  } catch {
    // text, as it is
  }
  return evaluate(host, `${place(host, name)} = JSON.parse(${JSON.stringify(json)})`);
}

function place({ engine }: ReplHost, name: string): string {
  if (!/^[A-Za-z_]\w*$/.test(name))
    throw new SpellError("usage-value", `expected the name of a variable, got ${JSON.stringify(name.slice(0, 40))}`);
  return `${engine === "lua" ? "_G" : "globalThis"}.${name}`;
}

async function evaluate(host: ReplHost, source: string): Promise<ReplAnswer> {
  await host.evaluate(source);
  return { text: "" };
}

function showInfo({ engine, script: { globals, devices } }: ReplHost): ReplAnswer {
  const rows = Object.entries(globals).map(([name, members]) => `${name.padEnd(12)}${[...new Set(members)].join(" ")}\n`);
  const used = devices.map((device) => `device      ${describeDevice(device)}\n`);
  return { text: `engine      ${engine === "lua" ? "Lua 5.4" : "JavaScript"}\n${rows.join("")}${used.join("")}` };
}

function needed(command: string, operand: string, value: string): string {
  if (value !== "") return value;
  throw new SpellError("usage-value", `${command} needs ${operand}`, { hint: ".help lists the commands." });
}

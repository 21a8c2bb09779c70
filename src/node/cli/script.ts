/** `llmspell run` and `llmspell exec`. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import type { Spell } from "../../core/api/spell.ts";
import { SpellError } from "../../core/errors.ts";
import { limits } from "../../core/limits.ts";
import { engineOf, type OpenScript, openScript, type ScriptOptions } from "../../core/scripts/open.ts";
import type { ScriptEngine } from "../../core/scripts/protocol.ts";
import { scriptArguments } from "../../core/scripts/script-args.ts";
import { once } from "../../core/values.ts";
import { prepareScript } from "../scripts/spawn.ts";
import { commandsOf, shell } from "./advice.ts";
import { flagNumber, flagText, insteadOfRun } from "./args.ts";
import type { Context } from "./context.ts";
import { readAll, readLines } from "./input.ts";
import { deviceFields } from "./session.ts";
import { shellQuote } from "./shell-quote.ts";

interface Script {
  readonly source: string;
  /** in positions of errors */
  readonly name: string;
  /** ARGS[0] */
  readonly shown: string;
  readonly operands: readonly string[];
  /** where its modules and files lie; default: the working folder */
  readonly folder?: string | undefined;
}

/** @throws SpellError usage-script-not-found, usage-value, script-*, and of a host call that the script did not catch */
export async function run(context: Context): Promise<number> {
  const [path = "", ...operands] = context.operands;
  // Another language is told before the file is read.
  if (path !== "-") engineAsked(context, basename(path));
  const source = path === "-" ? await readSource(context) : await readScript(path, context.operands);
  const place = path === "-" ? { name: "stdin" } : { name: basename(path), folder: dirname(path) };
  return play(context, { source, ...place, shown: path, operands });
}

/** @throws SpellError as run() */
export async function exec(context: Context): Promise<number> {
  const [source = ""] = context.operands;
  if (/^[^\n"'()]+\.(lua|m?js)$/.test(source) && existsSync(source))
    throw new SpellError("usage-value", `exec: expected code, got the name of a file: ${source}`, {
      where: "exec",
      actions: shell(`llmspell run ${shellQuote(source)}`),
    });
  return play(context, { source, name: "exec", shown: "exec", operands: [] });
}

async function play(context: Context, { source, name, shown, operands, folder }: Script): Promise<number> {
  const { flags, screen, interrupt, argv, rest } = context;
  const args = scriptArguments(shown, operands, rest);
  const started = performance.now();
  let output = "";
  const script = await open(context, {
    name,
    folder,
    timeoutSeconds: flagNumber(flags, "timeout"),
    limitsOutput: screen.json,
    onOutput: (text) => {
      if (screen.json) output += text;
      screen.write(text);
    },
    onText: flags.has("stream") ? (text) => screen.echo(text) : undefined,
    readLine: shown === "-" ? undefined : lineReader(context),
    commandsOf: (error) => commandsOf(error, argv),
  });
  try {
    const { value = null, exitCode = 0 } = await script.run(source, { name, args, signal: interrupt.signal });
    screen.endLine();
    screen.document({
      status: "ok",
      engine: script.engine,
      script: shown,
      args_count: args.positional.length + Object.keys(args.named).length,
      duration_ms: Math.round(performance.now() - started),
      output,
      result: value,
      devices: script.devices.map(deviceFields),
    });
    return exitCode;
  } finally {
    await script.close();
  }
}

/** Lines of standard input, which is opened with the first. @returns undefined where it is a terminal */
function lineReader(context: Context): ScriptOptions["readLine"] {
  const { interrupt, screen } = context;
  const lines = once(() => {
    const { stdin } = context;
    return stdin === undefined ? undefined : readLines(stdin, interrupt.signal, screen);
  });
  return async () => {
    const next = await lines()?.next();
    return next === undefined || next.done === true ? undefined : `${next.value}\n`;
  };
}

const engineAsked = ({ flags }: Context, name?: string): ScriptEngine | undefined => engineOf(flagText(flags, "engine"), name);

/** A script's engine with the flags of the command; its folder is the working one where none is named. */
export async function open(context: Context, { folder = ".", ...options }: ScriptOptions): Promise<OpenScript> {
  const { flags, openSpell, screen } = context;
  const engine = engineAsked(context, options.name);
  // Its process starts while the configuration is read; where that names the other language, this one was for nothing.
  prepareScript(engine ?? "lua");
  const spell = await withDevice(await openSpell(), flagText(flags, "device"));
  return openScript(spell, { folder, onLog: (level, message) => screen.log({ level, message }), ...options, engine });
}

/** The same spell, whose built-in providers take this device where a script names none. */
async function withDevice(spell: Spell, device: string | undefined): Promise<Spell> {
  if (device === undefined) return spell;
  const resolved = await spell.config();
  const { config } = resolved;
  const [{ createSpell }, { createNames }] = await Promise.all([import("../../core/api/spell.ts"), import("../../core/api/names.ts")]);
  const names = createNames(resolved);
  const providers = Object.entries(config.providers).map(([name, provider]) =>
    typeof provider === "object" && !names.isServer(name) ? [name, { ...provider, device }] : [name, provider],
  );
  return createSpell({
    platform: spell.platform,
    config: { ...resolved, config: { ...config, providers: Object.fromEntries(providers) } },
  });
}

async function readSource({ stdin, interrupt, screen }: Context): Promise<string> {
  if (stdin !== undefined) return readAll(stdin, interrupt.signal, screen);
  throw new SpellError("usage-value", "SCRIPT is -, and standard input is a terminal", {
    hint: "Pipe a script to it, or start the shell:",
    actions: shell("llmspell repl"),
  });
}

/** @throws SpellError usage-script-not-found, script-syntax */
export async function readScript(path: string, operands: readonly string[] = []): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const lines = operands.length === 0 ? [] : insteadOfRun(operands);
    throw new SpellError(
      "usage-script-not-found",
      `${path}: ${code === "EISDIR" ? "is a folder" : code === "ENOENT" ? "no such script" : "cannot be read"}`,
      {
        where: path,
        hint: lines.length > 0 ? "To talk to a model:" : "Check the path.",
        actions: shell(...lines),
        cause,
      },
    );
  }
  if (bytes.length > limits.scriptBytes)
    throw new SpellError("script-syntax", `${path}: expected a script of at most ${limits.scriptBytes} bytes, got ${bytes.length}`, {
      where: path,
    });
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new SpellError("script-syntax", `${path}: expected UTF-8 text, got other bytes`, { where: path, cause });
  }
}

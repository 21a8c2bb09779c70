/** A script over the models and the configuration of a spell, from its text to its result. */
import type { Spell } from "../api/spell.ts";
import { SpellError, throwIfAborted } from "../errors.ts";
import { isObject } from "../json.ts";
import type { ScriptOptions, ScriptResult } from "../spec/scripts.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";
import { openScript } from "./open.ts";
import type { ScriptArguments } from "./protocol.ts";

const names = ["engine", "name", "args", "onOutput", "signal", "timeoutSeconds", "folder"] as const;

/** @throws SpellError as Scripts.run() */
export async function runScript(spell: Spell, source: string, options: ScriptOptions = {}): Promise<ScriptResult> {
  checkOptionNames(options, names, "scripts.run");
  if (typeof source !== "string") throw wrongOption("source", "the text of a script", source);
  const { platform } = spell;
  const { name, onOutput, signal, timeoutSeconds, folder } = options;
  if (timeoutSeconds !== undefined && !(timeoutSeconds >= 0)) throw wrongOption("timeoutSeconds", "a number of 0 or more", timeoutSeconds);
  const args = argumentsOf(options.args);
  const begun = platform.now();
  let output = "";
  const gather = (text: string): void => {
    output += text;
  };
  const told = onOutput === undefined ? undefined : relay(onOutput, signal);
  const script = await openScript(spell, {
    engine: options.engine,
    name,
    folder,
    timeoutSeconds,
    limitsOutput: true,
    onOutput: told?.tell ?? gather,
  });
  try {
    const own = name ?? (script.engine === "lua" ? "script.lua" : "script.js");
    const { value = null, exitCode } = await script.run(source, { args: { script: own, ...args }, signal: told?.signal ?? signal });
    await told?.settled();
    return {
      engine: script.engine,
      ...(onOutput === undefined ? { output } : {}),
      result: value,
      ...(exitCode === undefined ? {} : { exitCode }),
      durationMs: platform.now() - begun,
      devices: script.devices,
    };
  } catch (error) {
    told?.throwFailure();
    // what was printed before is part of the answer
    throw error instanceof SpellError && output !== "" ? error.with({ details: { output } }) : error;
  } finally {
    await script.close();
  }
}

/**
 * Hands what is printed to the caller's function. What that throws, or a promise of it is rejected with, ends the script and is thrown as it is.
 * @param signal ends the run
 */
function relay(onOutput: (text: string) => unknown, signal: AbortSignal | undefined) {
  const failed = new AbortController();
  const over = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  const pending = new Set<Promise<void>>();
  let failure: { readonly error: unknown } | undefined;
  const fail = (error: unknown): void => {
    failure ??= { error };
    failed.abort();
  };
  const throwFailure = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    signal: over,
    tell(text: string): void {
      if (failure !== undefined) return;
      try {
        const said = onOutput(text);
        if (!(said instanceof Promise)) return;
        const waited: Promise<void> = said.then(() => undefined, fail).finally(() => pending.delete(waited));
        pending.add(waited);
      } catch (error) {
        fail(error);
      }
    },
    throwFailure,
    /** When the caller's promises are settled, or the run is ended. */
    async settled(): Promise<void> {
      const ended = new Promise<void>((resolve) => over.addEventListener("abort", () => resolve(), { once: true }));
      if (pending.size > 0 && !over.aborted) await Promise.race([Promise.all(pending), ended]);
      throwFailure();
      throwIfAborted(signal);
    },
  };
}

const argumentForm = "a list of texts, or { positional: a list of texts, named: an object of texts }";

/** @throws SpellError run-option for anything but the two forms, and for what is no text in them */
function argumentsOf(args: unknown = {}): Omit<ScriptArguments, "script"> {
  if (Array.isArray(args)) return argumentsOf({ positional: args });
  if (!isObject(args)) throw wrongOption("args", argumentForm, args);
  const { positional = [], named = {}, ...others } = args;
  const isText = (value: unknown): value is string => typeof value === "string";
  const isSound = Array.isArray(positional) && isObject(named) && [...positional, ...Object.values(named)].every(isText);
  if (!isSound || Object.keys(others).length > 0) throw wrongOption("args", argumentForm, args);
  return { positional, named: named as Readonly<Record<string, string>> };
}

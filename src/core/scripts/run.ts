/** A script over the models and the configuration of a spell, from its text to its result. */
import type { Spell } from "../api/spell.ts";
import { SpellError } from "../errors.ts";
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
  const begun = platform.now();
  let output = "";
  const gather = (text: string): void => {
    output += text;
  };
  const script = await openScript(spell, {
    engine: options.engine,
    name,
    folder,
    timeoutSeconds,
    limitsOutput: true,
    onOutput: onOutput ?? gather,
  });
  try {
    const args = argumentsOf(options.args, name ?? (script.engine === "lua" ? "script.lua" : "script.js"));
    const { value = null, exitCode } = await script.run(source, { args, signal });
    return {
      engine: script.engine,
      ...(onOutput === undefined ? { output } : {}),
      result: value,
      ...(exitCode === undefined ? {} : { exitCode }),
      durationMs: platform.now() - begun,
      devices: script.devices,
    };
  } catch (error) {
    // what was printed before is part of the answer
    throw error instanceof SpellError && output !== "" ? error.with({ details: { output } }) : error;
  } finally {
    await script.close();
  }
}

function argumentsOf(args: ScriptOptions["args"] = {}, script: string): ScriptArguments {
  const { positional = [], named = {} } = isList(args) ? { positional: args } : args;
  if ([...positional, ...Object.values(named)].some((value) => typeof value !== "string")) throw wrongOption("args", "texts", args);
  return { script, positional, named };
}

const isList = (args: NonNullable<ScriptOptions["args"]>): args is readonly string[] => Array.isArray(args);

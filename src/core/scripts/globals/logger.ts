/** `Logger`: lines of a script in the log. */
import type { LogLevel } from "../../platform.ts";
import { any, oneOf, optional, text } from "../arguments.ts";
import { now, type ScriptFunctions } from "../bind.ts";
import { redacted, type ScriptRun } from "./host.ts";

/** From the most to the least that is told. */
export const levels: readonly LogLevel[] = ["trace", "debug", "info", "warn", "error"];
export const levelChoices: readonly (LogLevel | "off")[] = [...levels, "off"];

export function isShown(level: LogLevel, least: LogLevel | "off"): boolean {
  return least !== "off" && levels.indexOf(level) >= levels.indexOf(least);
}

export function loggerGlobal(run: ScriptRun): ScriptFunctions {
  const usual = run.logLevel ?? run.config.config.runtime.log_level;
  let level: LogLevel | "off" = usual;
  const say = (own: LogLevel) =>
    now([text("message"), optional(any("fields"))], (message, fields) => {
      if (isShown(own, level)) run.log({ level: own, message: lineOf(message, fields, run.config.secrets) });
    });
  return {
    ...Object.fromEntries(levels.map((each) => [each, say(each)])),
    set_level: now([oneOf("level", levelChoices)], (given) => {
      level = given;
    }),
    get_level: now([], () => level),
    is_enabled: now([oneOf("level", levels)], (given) => isShown(given, level) && isShown(given, usual)),
  };
}

/** One line, without secrets. */
export function lineOf(message: string, fields: unknown, secrets: readonly string[]): string {
  const told = String(redacted(message, secrets));
  return fields === undefined || fields === null ? told : `${told} ${JSON.stringify(redacted(fields, secrets))}`;
}

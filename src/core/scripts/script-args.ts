/** What a script finds in ARGS. */
import type { ScriptArguments } from "./protocol.ts";

/**
 * `--key value` and `--key=value` are named; `--flag` before another `--…` or the end is "true"; a second `--` makes the rest positional; other words are
 * positional. The last of a repeated name wins.
 * @param script ARGS[0]
 * @param operands positional ones before `--`
 * @param rest words after `--`
 */
export function scriptArguments(script: string, operands: readonly string[], rest: readonly string[]): ScriptArguments {
  const positional = [...operands];
  const named = new Map<string, string>();
  for (let i = 0; i < rest.length; i++) {
    const word = rest[i] ?? "";
    if (word === "--") {
      positional.push(...rest.slice(i + 1));
      break;
    }
    const [, key, value] = /^--([^=]+)(?:=(.*))?$/s.exec(word) ?? [];
    const next = rest[i + 1];
    if (key === undefined) positional.push(word);
    else if (value !== undefined) named.set(key, value);
    else if (next === undefined || next.startsWith("--")) named.set(key, "true");
    else {
      named.set(key, next);
      i += 1;
    }
  }
  return { script, positional, named: Object.fromEntries(named) };
}

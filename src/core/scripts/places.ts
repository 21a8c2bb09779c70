/** Places inside arguments as a language counts them: "prompt[0].content" is `prompt[1].content` in Lua. */
import type { ErrorCode, SpellError } from "../errors.ts";

const placed: ReadonlySet<ErrorCode> = new Set([
  "script-argument",
  "run-option",
  "agent-option",
  "tool-input",
  "workflow-option",
  "rag-input",
]);

/** @returns the error as Lua counts: from one. What was given is text of the script, and stays */
export function countedFromOne(error: SpellError): SpellError {
  if (!placed.has(error.code)) return error;
  const [place = "", ...rest] = error.message.split(/(?=:? expected )/);
  const argument = error.details?.["argument"];
  return error.with({
    message: raised(place) + rest.join(""),
    ...(typeof argument === "string" && { details: { ...error.details, argument: raised(argument) } }),
  });
}

function raised(place: string): string {
  return place.replace(/(?<=[\w\]])\[(\d{1,9})\]/g, (_, index: string) => `[${Number(index) + 1}]`);
}

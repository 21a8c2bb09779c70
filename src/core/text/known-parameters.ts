/** Which sampling parameters a call names, and which of them a service knows. */
import type { GenerateOptions } from "../spec/generate.ts";
import { type NumberParameter, parameterRules } from "./parameters.ts";

/** Values that ask for nothing. */
const off: Readonly<Partial<Record<NumberParameter, number>>> = {
  topK: 0,
  minP: 0,
  repeatPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  numBeams: 1,
  numReturnSequences: 1,
  noRepeatNgramSize: 0,
};

/**
 * @param known names of the service for those it knows
 * @returns what to send, and what the service does not know
 */
export function splitParameters(
  options: GenerateOptions,
  known: Readonly<Partial<Record<NumberParameter, string>>>,
): { readonly sent: Readonly<Record<string, number>>; readonly ignored: readonly string[] } {
  const sent: Record<string, number> = {};
  const ignored: string[] = [];
  // what the penalty looks back on means nothing without it
  const penalizes = options.repeatPenalty !== undefined && options.repeatPenalty !== 1;
  for (const { name } of parameterRules) {
    const value = options[name];
    const own = known[name];
    if (value === undefined) continue;
    if (own !== undefined) sent[own] = value;
    else if (value !== off[name] && (name !== "repeatLastN" || penalizes)) ignored.push(name);
  }
  return { sent, ignored };
}

/** As a list. */
export function stopsOf({ stop }: GenerateOptions): readonly string[] {
  return stop === undefined ? [] : typeof stop === "string" ? [stop] : stop;
}

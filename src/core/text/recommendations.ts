/** Values that the files of a model recommend for its parameters. They never make a model unusable: one that does not fit is fitted or left out, and noted. */
import { findParameterProblem, type NumberParameter, type ParameterDefaults, parameterRules } from "./parameters.ts";

/** A value under the name that the file gives it; undefined: it says nothing. */
export type Recommendation = readonly [key: string, name: NumberParameter, value: unknown];

export interface Recommendations {
  readonly values: ParameterDefaults;
  /** what was not used as it is, each with what became of it */
  readonly changed: readonly string[];
}

export function readRecommendations(list: readonly Recommendation[]): Recommendations {
  const values: { -readonly [K in keyof ParameterDefaults]: number } = {};
  const changed: string[] = [];
  for (const [key, name, value] of list) {
    if (value === undefined) continue;
    const fitted = bringIntoRange(name, value);
    if (fitted !== undefined) values[name] = fitted;
    if (fitted !== value) changed.push(`${key} ${String(JSON.stringify(value)).slice(0, 40)} (${fitted ?? "nothing"} is used)`);
  }
  return { values, changed };
}

/** @returns one sentence; none where all was used as it is */
export function noteChanged(file: string, changed: readonly string[]): readonly string[] {
  return changed.length === 0 ? [] : [`${file} recommends what does not fit here: ${changed.join(", ")}`];
}

/** A number above the range stands for its end, and a negative top_k for "off", as other programs write it. */
function bringIntoRange(name: NumberParameter, value: unknown): number | undefined {
  const rule = parameterRules.find((entry) => entry.name === name);
  if (rule === undefined || typeof value !== "number") return undefined;
  const near = name === "topK" && value < 0 ? 0 : Math.min(value, rule.max);
  return findParameterProblem(rule, near) === undefined ? near : undefined;
}

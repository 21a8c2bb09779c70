/**
 * Generation parameters: names, ranges, defaults and presets in one table, and the one function that resolves a call's options.
 * Order: the call, its preset, the model's own defaults, the table.
 */
import { SpellError } from "../errors.ts";
import type { GenerateOptions, Preset } from "../spec/generate.ts";
import type { GgufSampling } from "../spec/runtime.ts";

export type NumberParameter = Exclude<keyof GenerateOptions, "stop" | "preset" | "system" | "raw" | "signal">;

export interface ParameterRule {
  readonly name: NumberParameter;
  /** as users of the CLI, TOML files and scripts write it */
  readonly snakeName: string;
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
  /** true: `min` itself is outside */
  readonly above?: boolean;
  /** for decoder models; absent = has no meaning for them */
  readonly decoderDefault?: number;
  readonly description: string;
}

const rule = (
  name: NumberParameter,
  min: number,
  max: number,
  kind: "integer" | "number",
  description: string,
  more: Partial<ParameterRule> = {},
): ParameterRule => ({
  name,
  snakeName: name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
  min,
  max,
  integer: kind === "integer",
  description,
  ...more,
});

/** Every numeric parameter. Source: the product's parameter table; ranges are inclusive unless `above`. */
export const parameterRules: readonly ParameterRule[] = [
  rule("maxTokens", 1, 131_072, "integer", "most tokens to generate", { decoderDefault: 512 }),
  rule("temperature", 0, 2, "number", "randomness; 0 = greedy", { decoderDefault: 0.7 }),
  rule("topP", 0, 1, "number", "keep the likeliest tokens up to this share; 1 = off", { above: true, decoderDefault: 0.9 }),
  rule("topK", 0, 100_000, "integer", "keep this many likeliest tokens; 0 = off", { decoderDefault: 40 }),
  rule("minP", 0, 1, "number", "drop tokens below this share of the likeliest; 0 = off", { decoderDefault: 0 }),
  rule("repeatPenalty", 0, 2, "number", "weakens tokens seen lately; 1 = off", { above: true, decoderDefault: 1.1 }),
  rule("repeatLastN", -1, 4096, "integer", "tokens the penalties look at; -1 = all, 0 = off", { decoderDefault: 64 }),
  rule("presencePenalty", -2, 2, "number", "weakens tokens that occurred", { decoderDefault: 0 }),
  rule("frequencyPenalty", -2, 2, "number", "weakens tokens by how often they occurred", { decoderDefault: 0 }),
  rule("seed", 0, 4_294_967_295, "integer", "start of the random numbers; random and reported by default"),
  rule("numBeams", 1, 16, "integer", "beams of the search (encoder-decoder models)"),
  rule("lengthPenalty", -5, 5, "number", "favours longer answers of a beam search (encoder-decoder models)"),
  rule("numReturnSequences", 1, 16, "integer", "answers of a beam search to return (encoder-decoder models)"),
  rule("noRepeatNgramSize", 0, 16, "integer", "no sequence of this many tokens twice; 0 = off"),
];

export const presets: Readonly<Record<Preset, Pick<GgufSampling, "temperature" | "topP" | "topK" | "repeatPenalty">>> = {
  greedy: { temperature: 0, topP: 1, topK: 0, repeatPenalty: 1 },
  balanced: { temperature: 0.7, topP: 0.9, topK: 40, repeatPenalty: 1.1 },
  conservative: { temperature: 0.5, topP: 0.85, topK: 20, repeatPenalty: 1.15 },
  creative: { temperature: 0.9, topP: 0.95, topK: 50, repeatPenalty: 1.05 },
};

/** Most stop strings, and characters of one. */
export const stopLimits = { count: 16, length: 256 } as const;

export function describeRange(rule: ParameterRule): string {
  return `${rule.integer ? "an integer, " : ""}${rule.above === true ? "> " : ""}${rule.min} … ${rule.max}`;
}

/** @returns what is wrong with a value, or undefined. The caller chooses the code by where the value came from. */
export function findParameterProblem(rule: ParameterRule, value: unknown): string | undefined {
  const inRange =
    typeof value === "number" &&
    Number.isFinite(value) &&
    (!rule.integer || Number.isSafeInteger(value)) &&
    value <= rule.max &&
    (rule.above === true ? value > rule.min : value >= rule.min);
  return inRange ? undefined : `wanted ${describeRange(rule)}; got ${typeof value === "number" ? value : JSON.stringify(value)}`;
}

/** @returns what is wrong with stop strings, or undefined. */
export function findStopProblem(stop: unknown): string | undefined {
  const list = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(list)) return "wanted a string or an array of strings";
  if (list.length > stopLimits.count) return `wanted at most ${stopLimits.count} strings; got ${list.length}`;
  const bad = list.find((text) => typeof text !== "string" || text.length === 0 || text.length > stopLimits.length);
  return bad === undefined ? undefined : `wanted strings of 1–${stopLimits.length} characters; got ${JSON.stringify(bad).slice(0, 40)}`;
}

export interface ResolvedParameters {
  readonly maxTokens: number;
  readonly sampling: GgufSampling;
  readonly stop: readonly string[];
  /** options that were given and that no decoder knows, in snake_case */
  readonly ignored: readonly string[];
}

/**
 * Options of one call to the full set a decoder gets.
 * @param modelDefaults what the model file itself recommends
 * @param randomSeed called once when no seed was given
 * @throws SpellError run-option naming parameter, range and value
 */
export function resolveDecoderParameters(
  options: GenerateOptions,
  modelDefaults: Partial<GgufSampling>,
  randomSeed: () => number,
): ResolvedParameters {
  for (const entry of parameterRules) {
    const value: unknown = options[entry.name];
    const problem = value === undefined ? undefined : findParameterProblem(entry, value);
    if (problem !== undefined) throw new SpellError("run-option", `${entry.name}: ${problem}`, { where: entry.name });
  }
  const stopProblem = options.stop === undefined ? undefined : findStopProblem(options.stop);
  if (stopProblem !== undefined) throw new SpellError("run-option", `stop: ${stopProblem}`, { where: "stop" });
  if (options.preset !== undefined && !Object.hasOwn(presets, options.preset)) {
    throw new SpellError("run-option", `preset: wanted ${Object.keys(presets).join(", ")}; got ${JSON.stringify(options.preset)}`, {
      where: "preset",
    });
  }
  const preset: Partial<GgufSampling> = options.preset === undefined ? {} : presets[options.preset];
  const pick = (name: NumberParameter & keyof GgufSampling): number =>
    options[name] ?? preset[name] ?? modelDefaults[name] ?? parameterRules.find((entry) => entry.name === name)?.decoderDefault ?? 0;
  return {
    maxTokens: options.maxTokens ?? 512,
    sampling: {
      temperature: pick("temperature"),
      topK: pick("topK"),
      topP: pick("topP"),
      minP: pick("minP"),
      repeatPenalty: pick("repeatPenalty"),
      repeatLastN: pick("repeatLastN"),
      presencePenalty: pick("presencePenalty"),
      frequencyPenalty: pick("frequencyPenalty"),
      seed: options.seed ?? randomSeed(),
    },
    stop: options.stop === undefined ? [] : typeof options.stop === "string" ? [options.stop] : options.stop,
    ignored: parameterRules
      .filter((entry) => entry.decoderDefault === undefined && entry.name !== "seed" && isSet(entry, options[entry.name]))
      .map((entry) => entry.snakeName),
  };
}

/** A value that would change something: `noRepeatNgramSize: 0` and `numBeams: 1` ask for nothing. */
function isSet(rule: ParameterRule, value: unknown): boolean {
  if (value === undefined) return false;
  if (rule.name === "noRepeatNgramSize") return value !== 0;
  return rule.name === "lengthPenalty" ? true : value !== 1;
}

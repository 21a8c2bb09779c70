/**
 * Generation parameters: names, ranges, defaults and presets in one table, and the one function that resolves a call's options.
 * Order: the call, its preset, the model's own defaults, the table.
 */

import { SpellError } from "../errors.ts";
import { shown } from "../json.ts";
import type { GenerateOptions, Preset } from "../spec/generate.ts";
import type { GenerationParameters } from "../spec/parameters.generated.ts";
import type { GgufGenerateOptions, Seq2SeqGenerateOptions } from "../spec/runtime.ts";
import type { Penalties, TokenSampling } from "../spec/sampling.ts";
import { definedOnly } from "../values.ts";
import { checkOptionNames, wrongOption } from "./check-call.ts";
import { checkTools } from "./check-tools.ts";

export type NumberParameter = keyof GenerationParameters;

/** What a model's own files recommend, by our names. */
export type ParameterDefaults = Pick<GenerateOptions, NumberParameter>;

export interface ParameterRule {
  readonly name: NumberParameter;
  /** as users of the CLI, TOML files and scripts write it */
  readonly snakeName: string;
  readonly min: number;
  readonly max: number;
  readonly integer: boolean;
  /** true: `min` itself is outside */
  readonly above?: boolean | undefined;
  /** for decoder models; absent = has no meaning for them */
  readonly decoderDefault?: number | undefined;
  /** for encoder-decoder models; absent = as decoderDefault */
  readonly seq2seqDefault?: number | undefined;
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
  rule("temperature", 0, 2, "number", "randomness; 0 = greedy", { decoderDefault: 0.7, seq2seqDefault: 0 }),
  rule("topP", 0, 1, "number", "keep the likeliest tokens up to this share; 1 = off", { above: true, decoderDefault: 0.9 }),
  rule("topK", 0, 100_000, "integer", "keep this many likeliest tokens; 0 = off", { decoderDefault: 40 }),
  rule("minP", 0, 1, "number", "drop tokens below this share of the likeliest; 0 = off", { decoderDefault: 0 }),
  rule("repeatPenalty", 0, 2, "number", "weakens tokens seen lately; 1 = off", { above: true, decoderDefault: 1.1, seq2seqDefault: 1 }),
  rule("repeatLastN", -1, 4096, "integer", "tokens the penalties look at; -1 = all, 0 = off", { decoderDefault: 64 }),
  rule("presencePenalty", -2, 2, "number", "weakens tokens that occurred", { decoderDefault: 0 }),
  rule("frequencyPenalty", -2, 2, "number", "weakens tokens by how often they occurred", { decoderDefault: 0 }),
  rule("seed", 0, 4_294_967_295, "integer", "start of the random numbers; random and reported by default"),
  rule("numBeams", 1, 16, "integer", "beams of the search (encoder-decoder models)", { seq2seqDefault: 1 }),
  rule("lengthPenalty", -5, 5, "number", "favours longer answers of a beam search (encoder-decoder models)", { seq2seqDefault: 1 }),
  rule("numReturnSequences", 1, 16, "integer", "answers of a beam search to return (encoder-decoder models)", { seq2seqDefault: 1 }),
  rule("noRepeatNgramSize", 0, 16, "integer", "no sequence of this many tokens twice; 0 = off (encoder-decoder models)", {
    seq2seqDefault: 0,
  }),
];

export const presets: Readonly<Record<Preset, Readonly<Record<"temperature" | "topP" | "topK" | "repeatPenalty", number>>>> = {
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
  return inRange ? undefined : `expected ${describeRange(rule)}, got ${shown(value)}`;
}

/** @returns what is wrong with stop strings, or undefined. */
export function findStopProblem(stop: unknown): string | undefined {
  const list = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(list)) return `expected a string or an array of strings, got ${shown(stop)}`;
  if (list.length > stopLimits.count) return `expected at most ${stopLimits.count} strings, got ${list.length}`;
  const bad = list.find((text) => typeof text !== "string" || text.length === 0 || text.length > stopLimits.length);
  return bad === undefined ? undefined : `expected strings of 1–${stopLimits.length} characters, got ${shown(bad)}`;
}

/**
 * Options of one call to the full set a decoder gets.
 * @param modelDefaults what the model file itself recommends
 * @param randomSeed called once when no seed was given
 * @throws SpellError run-option naming parameter, range and value
 */
export function resolveDecoderParameters(
  options: GenerateOptions,
  modelDefaults: ParameterDefaults,
  randomSeed: () => number,
): { readonly options: GgufGenerateOptions; readonly ignored: readonly string[] } {
  checkGenerateOptions(options);
  const pick = picker(options, modelDefaults, (entry) => entry.decoderDefault);
  return {
    options: { maxTokens: options.maxTokens ?? 512, sampling: resolveSampling(options, pick, randomSeed), stop: stopList(options) },
    ignored: parameterRules
      .filter((entry) => entry.decoderDefault === undefined && entry.name !== "seed" && isSet(entry, options[entry.name]))
      .map(({ name }) => name),
  };
}

/**
 * The options of a call over those of its provider. Of both, single values stand before the preset; a preset of the call stands before
 * everything of the provider. A beam search the call asks for drops a temperature that only the defaults set.
 */
export function withDefaults(options: GenerateOptions, defaults: GenerateOptions): GenerateOptions {
  const fromPreset = ({ preset }: GenerateOptions): GenerateOptions =>
    preset !== undefined && Object.hasOwn(presets, preset) ? presets[preset] : {};
  const { preset: _, ...singles } = defaults;
  const { temperature, ...without } = { ...fromPreset(defaults), ...singles };
  const searches = options.numBeams !== undefined && options.numBeams > 1;
  return {
    ...without,
    ...(temperature === undefined || searches ? {} : { temperature }),
    ...fromPreset(options),
    ...definedOnly(options),
  };
}

/**
 * Options of one call to the full set an encoder-decoder gets. A temperature above 0 that was asked for puts aside beams the model recommends.
 * @throws SpellError run-option naming parameter, range and value
 */
export function resolveSeq2SeqParameters(
  options: GenerateOptions,
  modelDefaults: ParameterDefaults,
  randomSeed: () => number,
): { readonly options: Seq2SeqGenerateOptions; readonly ignored: readonly string[] } {
  checkGenerateOptions(options);
  const asksForBeams = options.numBeams !== undefined && options.numBeams > 1;
  const pick = picker(
    options,
    asksForBeams ? { ...modelDefaults, temperature: 0 } : modelDefaults,
    (entry) => entry.seq2seqDefault ?? entry.decoderDefault,
  );
  const tokens = resolveSampling(options, pick, randomSeed);
  const numBeams = tokens.kind === "random" && !asksForBeams ? 1 : pick("numBeams");
  if (tokens.kind === "random" && numBeams > 1) {
    const message = `numBeams: more than 1 needs temperature 0; got ${numBeams} beams at temperature ${tokens.temperature}`;
    throw new SpellError("run-option", message, { where: "numBeams" });
  }
  const numReturnSequences = options.numReturnSequences ?? Math.min(numBeams, pick("numReturnSequences"));
  if (numReturnSequences > numBeams) {
    const message = `numReturnSequences: expected at most the number of beams (${numBeams}), got ${numReturnSequences}`;
    throw new SpellError("run-option", message, { where: "numReturnSequences" });
  }
  const { seed, penalties } = tokens;
  const lengthPenalty = pick("lengthPenalty");
  return {
    options: {
      maxTokens: pick("maxTokens"),
      sampling: numBeams > 1 ? { kind: "beam", seed, numBeams, lengthPenalty, numReturnSequences, penalties } : tokens,
      stop: stopList(options),
      noRepeatNgramSize: pick("noRepeatNgramSize"),
    },
    ignored: [],
  };
}

/** Finds the value of a parameter. */
type Picker = (name: NumberParameter) => number;

function picker(
  options: GenerateOptions,
  modelDefaults: ParameterDefaults,
  fallback: (entry: ParameterRule) => number | undefined,
): Picker {
  const preset: ParameterDefaults = options.preset === undefined ? {} : presets[options.preset];
  const isHeld = [options.jsonSchema, options.choices, options.regex, options.grammar].some((form) => form !== undefined);
  return (name) => {
    // A form repeats its quotes and colons.
    if (isHeld && name === "repeatPenalty") return options.repeatPenalty ?? 1;
    // Each of these could forbid the only token that fits.
    if (isHeld && (name === "numBeams" || name === "noRepeatNgramSize" || name === "numReturnSequences"))
      return options[name] ?? (name === "noRepeatNgramSize" ? 0 : 1);
    const entry = parameterRules.find((candidate) => candidate.name === name);
    return options[name] ?? preset[name] ?? modelDefaults[name] ?? (entry === undefined ? undefined : fallback(entry)) ?? 0;
  };
}

function resolveSampling(options: GenerateOptions, pick: Picker, randomSeed: () => number): TokenSampling {
  const seeded = { seed: options.seed ?? randomSeed(), ...(options.seed !== undefined && { isSeeded: true as const }) };
  const penalties = resolvePenalties(pick);
  const temperature = pick("temperature");
  if (temperature === 0) return { kind: "greedy", ...seeded, penalties };
  const [topK, topP, minP] = [pick("topK"), pick("topP"), pick("minP")];
  return {
    kind: "random",
    ...seeded,
    temperature,
    topK: topK === 0 ? undefined : topK,
    topP: topP === 1 ? undefined : topP,
    minP: minP === 0 ? undefined : minP,
    penalties,
  };
}

function resolvePenalties(pick: Picker): Penalties | undefined {
  const [repeatPenalty, presencePenalty, frequencyPenalty] = [pick("repeatPenalty"), pick("presencePenalty"), pick("frequencyPenalty")];
  const lastTokens = pick("repeatLastN");
  if (lastTokens === 0 || (repeatPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0)) return undefined;
  return { repeatPenalty, presencePenalty, frequencyPenalty, lastTokens: lastTokens < 0 ? "all" : lastTokens };
}

function stopList({ stop }: GenerateOptions): readonly string[] {
  return stop === undefined ? [] : typeof stop === "string" ? [stop] : stop;
}

const optionNames: Readonly<Record<Exclude<keyof GenerateOptions, NumberParameter>, true>> = {
  stop: true,
  preset: true,
  system: true,
  raw: true,
  continueLast: true,
  device: true,
  session: true,
  save: true,
  jsonSchema: true,
  choices: true,
  regex: true,
  grammar: true,
  tools: true,
  toolChoice: true,
  parallelToolCalls: true,
  reasoning: true,
  signal: true,
};

/** Names of all options of a call. */
export const generateOptionNames: readonly string[] = [...parameterRules.map(({ name }) => name), ...Object.keys(optionNames)];

/** @throws SpellError run-option naming parameter, range and value, or an unknown option */
export function checkGenerateOptions(options: GenerateOptions): void {
  checkOptionNames(options, generateOptionNames, "generation");
  checkTools(options);
  const { session } = options;
  if (session !== undefined && (typeof session !== "string" || session === ""))
    throw wrongOption("session", "a string that is not empty", session);
  checkSave(options.save);
  checkContinueLast(options);
  for (const entry of parameterRules) {
    const value: unknown = options[entry.name];
    const problem = value === undefined ? undefined : findParameterProblem(entry, value);
    if (problem !== undefined) throw new SpellError("run-option", `${entry.name}: ${problem}`, { where: entry.name });
  }
  const stopProblem = options.stop === undefined ? undefined : findStopProblem(options.stop);
  if (stopProblem !== undefined) throw new SpellError("run-option", `stop: ${stopProblem}`, { where: "stop" });
  if (options.preset !== undefined && !Object.hasOwn(presets, options.preset))
    throw wrongOption("preset", Object.keys(presets).join(", "), options.preset);
}

const forms = ["jsonSchema", "choices", "regex", "grammar", "raw"] as const;

/** @throws SpellError run-option */
function checkContinueLast(options: GenerateOptions): void {
  const { continueLast, toolChoice } = options;
  if (continueLast !== undefined && typeof continueLast !== "boolean") throw wrongOption("continueLast", "true or false", continueLast);
  if (continueLast !== true) return;
  const held = forms.find((name) => options[name] !== undefined && options[name] !== false);
  if (held !== undefined) throw wrongOption("continueLast", `none beside ${held}, which is of a whole answer`, true);
  if (toolChoice === "required" || typeof toolChoice === "object")
    throw wrongOption("continueLast", "none where a tool has to be called", true);
}

/** @throws SpellError run-option */
export function checkSave(save: unknown): void {
  const isName = typeof save === "string" && save !== "" && save.length <= mostNameCharacters;
  if (save === undefined || save === true || isName) return;
  throw wrongOption("save", `true, or a name of 1–${mostNameCharacters} characters`, save);
}

const mostNameCharacters = 100;

/** A value that would change something: `noRepeatNgramSize: 0` and `numBeams: 1` ask for nothing. */
function isSet(rule: ParameterRule, value: unknown): boolean {
  if (value === undefined) return false;
  if (rule.name === "noRepeatNgramSize") return value !== 0;
  return rule.name === "lengthPenalty" ? true : value !== 1;
}

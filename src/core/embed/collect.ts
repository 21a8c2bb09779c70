/** What a call for vectors or scores is given, checked, and what comes of its pieces. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { EmbedOptions, EmbedPrefixes, EmbedResult } from "../spec/embedding-model.ts";
import type { RerankOptions, RerankResult } from "../spec/rerank-model.ts";
import type { EmbeddedText, ScoredText } from "../spec/runtime.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";

type Warning = EmbedResult["warnings"][number];

/** Something to tell. */
export type NotePart = Warning & { readonly type: "warning" };
export type EmbedPart = EmbeddedText | NotePart;
export type ScorePart = ScoredText | NotePart;

/** @throws SpellError run-option */
export function checkEmbedCall(texts: readonly string[], options: EmbedOptions, dimensions: number | undefined): void {
  checkOptionNames(options, ["query", "dimensions", "truncate", "retries", "signal"], "embed");
  for (const name of ["query", "truncate"] as const) {
    const value = options[name];
    if (value !== undefined && typeof value !== "boolean") throw wrongOption(name, "true or false", value);
  }
  const most = dimensions ?? limits.ggufEmbeddingLength;
  const wanted = options.dimensions;
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= 1 && wanted <= most)) {
    throw wrongOption("dimensions", `an integer, 1 … ${most}`, wanted);
  }
  checkTexts(texts);
}

/** @throws SpellError run-option */
export function checkRerankCall(query: string, texts: readonly string[], options: RerankOptions): void {
  checkOptionNames(options, ["truncate", "signal"], "rerank");
  const { truncate } = options;
  if (truncate !== undefined && typeof truncate !== "boolean") throw wrongOption("truncate", "true or false", truncate);
  checkText(query, "query", "the query");
  checkTexts(texts);
}

function checkTexts(texts: readonly unknown[]): void {
  if (!Array.isArray(texts)) throw wrongOption("texts", "a list of texts", texts);
  for (const [index, text] of (texts as readonly unknown[]).entries()) checkText(text, `texts[${index}]`, `text ${index + 1}`);
}

function checkText(text: unknown, where: string, what: string): void {
  if (typeof text !== "string") throw wrongOption(where, "a text", text);
  if (text === "") throw new SpellError("run-option", `${what}: expected at least one character, got none`, { where });
  if (text.length > limits.promptCharacters) throw wrongOption(where, `at most ${limits.promptCharacters} characters`, text.length);
}

/** The texts as the model was trained on them. */
export function withPrefix(texts: readonly string[], query: boolean | undefined, prefixes: EmbedPrefixes): readonly string[] {
  const prefix = query === true ? prefixes.query : prefixes.document;
  return prefix === "" ? texts : texts.map((text) => prefix + text);
}

/**
 * Every vector in its place, cut to `dimensions`.
 * @param count texts
 * @throws SpellError run-option (more dimensions than the vectors have), run-nan
 */
export async function collectVectors(parts: AsyncIterable<EmbedPart>, count: number, dimensions: number | undefined): Promise<EmbedResult> {
  const vectors = new Array<Float32Array>(count);
  const about = await gather(parts, count, "vectors", ({ index, vector }) => {
    vectors[index] = shortened(vector, dimensions);
  });
  return { vectors, dimensions: vectors[0]?.length ?? dimensions ?? 0, ...about };
}

/** Tokens of each text in its place. @param count texts */
export async function collectTokens(parts: AsyncIterable<EmbedPart>, count: number): Promise<readonly number[]> {
  const tokens = new Array<number>(count);
  await gather(parts, count, "counts", ({ index, tokens: own }) => {
    tokens[index] = own;
  });
  return tokens;
}

/** Every score in its place. @param count texts */
export async function collectScores(parts: AsyncIterable<ScorePart>, count: number): Promise<RerankResult> {
  const scores = new Array<number>(count);
  const about = await gather(parts, count, "scores", ({ index, score }) => {
    scores[index] = score;
  });
  return { scores, ...about };
}

async function gather<P extends EmbeddedText | ScoredText>(
  parts: AsyncIterable<P | NotePart>,
  count: number,
  what: string,
  take: (part: P) => void,
): Promise<Pick<EmbedResult, "tokens" | "warnings">> {
  const warnings: Warning[] = [];
  let tokens = 0;
  let got = 0;
  let cut: { count: number; longest: number; kept: number } | undefined;
  for await (const part of parts) {
    if ("type" in part) {
      warnings.push({ code: part.code, message: part.message });
      continue;
    }
    if (part.wholeTokens !== undefined) {
      cut ??= { count: 0, longest: 0, kept: part.tokens };
      cut.count += 1;
      cut.longest = Math.max(cut.longest, part.wholeTokens);
    }
    take(part);
    tokens += part.tokens;
    got += 1;
  }
  if (got !== count) throw new SpellError("internal-error", `expected ${count} ${what}, got ${got}`);
  if (cut !== undefined) {
    const texts = cut.count === 1 ? "a text of" : `${cut.count} texts of up to`;
    warnings.push({ code: "text-cut", message: `${texts} ${cut.longest} tokens: the model reads the first ${cut.kept}` });
  }
  return { tokens, warnings };
}

/** The first numbers of a vector, of length 1 again. */
function shortened(vector: Float32Array, dimensions: number | undefined): Float32Array {
  if (dimensions === undefined || dimensions === vector.length) return vector;
  if (dimensions > vector.length) throw wrongOption("dimensions", `an integer, 1 … ${vector.length}`, dimensions);
  return unit(vector.slice(0, dimensions));
}

/** A vector scaled to length 1, in place. @throws SpellError run-nan where it has no direction */
export function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  if (!(length > 0 && Number.isFinite(length))) throw new SpellError("run-nan", "a vector has no direction: its numbers are zero or none");
  for (const [index, value] of vector.entries()) vector[index] = value / length;
  return vector;
}

/** Cosine of two vectors of length 1. */
export function similarity(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (const [index, value] of a.entries()) sum += value * (b[index] ?? 0);
  return sum;
}

export interface Ranked {
  readonly index: number;
  readonly score: number;
}

/** Places of scores, the largest first; of equals the first in the list. */
export function rank(scores: readonly number[]): readonly Ranked[] {
  return scores.map((score, index) => ({ index, score })).sort((a, b) => b.score - a.score);
}

/** What a call for vectors is given, checked, and what comes of its pieces. */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { EmbedOptions, EmbedPrefixes, EmbedResult } from "../spec/embedding-model.ts";
import type { EmbeddedText } from "../spec/runtime.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";

/** A vector, or something to tell. */
export type EmbedPart = EmbeddedText | { readonly type: "warning"; readonly code: string; readonly message: string };

const optionNames = ["query", "dimensions", "truncate", "signal"];

/** @throws SpellError run-option */
export function checkEmbedCall(texts: readonly string[], options: EmbedOptions, dimensions: number | undefined): void {
  checkOptionNames(options, optionNames, "embed");
  for (const name of ["query", "truncate"] as const) {
    const value = options[name];
    if (value !== undefined && typeof value !== "boolean") throw wrongOption(name, "true or false", value);
  }
  const most = dimensions ?? limits.ggufEmbeddingLength;
  const wanted = options.dimensions;
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted >= 1 && wanted <= most)) {
    throw wrongOption("dimensions", `an integer, 1 … ${most}`, wanted);
  }
  if (!Array.isArray(texts)) throw wrongOption("texts", "a list of texts", texts);
  for (const [index, text] of (texts as readonly unknown[]).entries()) {
    if (typeof text !== "string") throw wrongOption(`texts[${index}]`, "a text", text);
    if (text === "")
      throw new SpellError("run-option", `text ${index + 1}: expected at least one character, got none`, { where: `texts[${index}]` });
    if (text.length > limits.promptCharacters) {
      throw wrongOption(`texts[${index}]`, `at most ${limits.promptCharacters} characters`, text.length);
    }
  }
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
  const warnings: { readonly code: string; readonly message: string }[] = [];
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
    vectors[part.index] = shortened(part.vector, dimensions);
    tokens += part.tokens;
    got += 1;
  }
  if (got !== count) throw new SpellError("internal-error", `expected ${count} vectors, got ${got}`);
  if (cut !== undefined) {
    const texts = cut.count === 1 ? "a text of" : `${cut.count} texts of up to`;
    warnings.push({ code: "text-cut", message: `${texts} ${cut.longest} tokens: the model reads the first ${cut.kept}` });
  }
  return { vectors, dimensions: vectors[0]?.length ?? dimensions ?? 0, tokens, warnings };
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
  /** cosine, −1 … 1 */
  readonly score: number;
}

/** Places of vectors, most like the query first; of equals the first in the list. */
export function rank(query: Float32Array, vectors: readonly Float32Array[]): readonly Ranked[] {
  return vectors.map((vector, index) => ({ index, score: similarity(query, vector) })).sort((a, b) => b.score - a.score);
}

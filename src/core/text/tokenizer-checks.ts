/** What a tokenizer.json must be before the library sees it, which takes nearly anything: ids, scores, kinds, patterns. */
import { type ErrorCode, SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";

/** Kinds of models the library has. */
const knownModels = ["Unigram", "BPE", "WordPiece"];

/**
 * @param embeddingRows ids must lie below
 * @throws SpellError tokenizer-json, tokenizer-limit
 */
export function checkTokenizerJson(json: unknown, embeddingRows: number, file: string): Readonly<Record<string, unknown>> {
  const fail = (code: ErrorCode, what: string): SpellError => new SpellError(code, `${file}: ${what}`, { where: file });
  if (!isObject(json)) throw fail("tokenizer-json", "expected a JSON object");
  const { model, added_tokens: added = [] } = json;
  if (!isObject(model)) throw fail("tokenizer-json", "expected a model, got none");
  // The library guesses a missing type; older files leave it out.
  const type = model["type"] ?? (Array.isArray(model["vocab"]) ? "Unigram" : undefined);
  if (typeof type !== "string" || !knownModels.includes(type)) {
    throw fail("tokenizer-json", `expected a model of type ${knownModels.join(", ")}, got ${JSON.stringify(type)?.slice(0, 40) ?? "none"}`);
  }
  const ids = new Set<number>();
  const take = (id: unknown, token: string): void => {
    if (!Number.isInteger(id) || (id as number) < 0 || (id as number) >= embeddingRows) {
      throw fail(
        "tokenizer-limit",
        `token ${token.slice(0, 40)}: expected an id from 0 to ${embeddingRows - 1}, below the rows of the embedding, got ${String(id)}`,
      );
    }
    if (ids.has(id as number)) throw fail("tokenizer-limit", `token ${token.slice(0, 40)}: id ${String(id)} is taken twice`);
    ids.add(id as number);
  };
  const names = checkVocabulary(type, model, fail, take);
  if (!Array.isArray(added) || added.length > limits.tokenizerEntries) throw fail("tokenizer-json", "expected added_tokens as a list");
  for (const token of added as readonly unknown[]) {
    if (!isObject(token) || typeof token["content"] !== "string" || token["content"] === "")
      throw fail("tokenizer-json", "an added token without content");
    // most are in the vocabulary too, under the same id
    if (names.get(token["content"]) !== token["id"]) take(token["id"], token["content"]);
  }
  const { model: _, added_tokens: __, ...rest } = json;
  checkPatterns(rest, fail);
  return { ...json, model: { ...model, type }, added_tokens: added };
}

type Fail = (code: ErrorCode, what: string) => SpellError;

/** @returns id of each token */
function checkVocabulary(
  type: string,
  model: Readonly<Record<string, unknown>>,
  fail: Fail,
  take: (id: unknown, token: string) => void,
): ReadonlyMap<string, number> {
  const { vocab } = model;
  const names = new Map<string, number>();
  if (type !== "Unigram") {
    if (!isObject(vocab)) throw fail("tokenizer-json", `${type}: expected vocab as an object of tokens and ids`);
    const entries = Object.entries(vocab);
    if (entries.length > limits.tokenizerEntries)
      throw fail("tokenizer-limit", `expected at most ${limits.tokenizerEntries} tokens, got ${entries.length}`);
    for (const [token, id] of entries) {
      take(id, token);
      names.set(token, id as number);
    }
    return names;
  }
  if (!Array.isArray(vocab) || vocab.length === 0) throw fail("tokenizer-json", "Unigram: expected vocab as a list of [token, score]");
  if (vocab.length > limits.tokenizerEntries)
    throw fail("tokenizer-limit", `expected at most ${limits.tokenizerEntries} tokens, got ${vocab.length}`);
  (vocab as readonly unknown[]).forEach((entry, id) => {
    const [token, score] = Array.isArray(entry) ? (entry as readonly unknown[]) : [];
    if (typeof token !== "string" || typeof score !== "number" || !Number.isFinite(score)) {
      throw fail("tokenizer-json", `Unigram: entry ${id}: expected [token, score], got ${JSON.stringify(entry)?.slice(0, 60)}`);
    }
    take(id, token);
    names.set(token, id);
  });
  const unknown = model["unk_id"];
  if (!Number.isInteger(unknown) || (unknown as number) < 0 || (unknown as number) >= vocab.length) {
    throw fail("tokenizer-json", `Unigram: expected unk_id from 0 to ${vocab.length - 1}, got ${String(unknown)}`);
  }
  return names;
}

/**
 * A repeated group that itself holds a repetition may take exponential time: `(a+)+`. Groups of published tokenizers never do.
 * Conservative: refuses some harmless ones.
 */
const nestedRepetition = /\((?:[^()\\]|\\.)*(?:[+*]|\{\d+,\d*\})(?:[^()\\]|\\.)*\)(?:[+*]|\{\d+,\d*\})/;

function checkPatterns(value: unknown, fail: Fail): void {
  if (Array.isArray(value)) {
    for (const item of value) checkPatterns(item, fail);
    return;
  }
  if (!isObject(value)) return;
  for (const [key, item] of Object.entries(value)) {
    if (key !== "Regex" || typeof item !== "string") {
      checkPatterns(item, fail);
      continue;
    }
    if (item.length > limits.tokenizerPatternCharacters) {
      throw fail("tokenizer-json", `expected patterns of at most ${limits.tokenizerPatternCharacters} characters, got ${item.length}`);
    }
    if (nestedRepetition.test(item)) {
      throw fail("tokenizer-limit", `pattern ${item.slice(0, 60)} repeats a repetition, which may take for ever; it is not run`);
    }
  }
}

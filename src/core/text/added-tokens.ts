/** Tokens that a checkpoint has beside those of its tokenizer file: added_tokens_decoder of tokenizer_config.json, or the older added_tokens.json. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";

/** As tokenizer.json writes it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly single_word: boolean;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
  readonly special: boolean;
}

type Json = Readonly<Record<string, unknown>>;

/**
 * The first counts where both are there, as in transformers 4.57.6.
 * @param settings tokenizer_config.json
 * @param older added_tokens.json: token → id
 * @param file for errors
 * @throws SpellError tokenizer-json
 */
export function readAddedTokens(settings: Json, older: Json, file: string): readonly AddedToken[] {
  const { added_tokens_decoder: listed } = settings;
  const fail = (what: string): SpellError => new SpellError("tokenizer-json", `${file}: ${what}`, { where: file });
  const most = limits.tokenizerEntries;
  if (listed === undefined || listed === null) {
    const special = new Set(specialTexts(settings));
    return Object.entries(older).map(([content, id]): AddedToken => {
      if (!Number.isSafeInteger(id)) throw fail(`token ${content.slice(0, 40)}: expected an id, got ${String(id).slice(0, 40)}`);
      return addedToken(id as number, content, { special: special.has(content), normalized: !special.has(content) });
    });
  }
  if (!isObject(listed)) throw fail("added_tokens_decoder: expected an object of ids and tokens");
  const entries = Object.entries(listed);
  if (entries.length > most) throw fail(`added_tokens_decoder: expected at most ${most} tokens, got ${entries.length}`);
  return entries.map(([key, token]) => {
    const content = textOfToken(token);
    if (!/^\d{1,15}$/.test(key) || content === undefined) {
      throw fail(`added_tokens_decoder: expected an id and a token with content, got ${key.slice(0, 40)}`);
    }
    const flags = isObject(token) ? token : {};
    const special = flags["special"] === true;
    return addedToken(Number(key), content, {
      special,
      single_word: flags["single_word"] === true,
      lstrip: flags["lstrip"] === true,
      rstrip: flags["rstrip"] === true,
      normalized: typeof flags["normalized"] === "boolean" ? flags["normalized"] : !special,
    });
  });
}

export function addedToken(id: number, content: string, flags: Partial<AddedToken>): AddedToken {
  return { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...flags, id, content };
}

/** A token is written as its text, or as an object with flags. */
export function textOfToken(token: unknown): string | undefined {
  const text = isObject(token) ? token["content"] : token;
  return typeof text === "string" && text !== "" ? text : undefined;
}

function specialTexts(settings: Json): readonly string[] {
  const { additional_special_tokens: more, ...named } = settings;
  const single = Object.entries(named).flatMap(([key, token]) => (key.endsWith("_token") ? [token] : []));
  return [...single, ...(Array.isArray(more) ? (more as readonly unknown[]) : [])].flatMap((token) => textOfToken(token) ?? []);
}

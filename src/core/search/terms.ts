/** Texts as the words that are searched: the same for documents and questions, on every host. */

const word = /[\p{L}\p{M}\p{N}_]+/gu;
/** Scripts that write no spaces between words. */
const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}]/u;
/** More letters are no word that anybody asks for, but encoded data. */
const longestWord = 64;

const longestName = 200;
/** Where a name of several words is put together. */
const joint = /_+|(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})/u;

/** A letter before two others in Korean, which writes endings on its words: the first two, and a joint, stand for it, and a word becomes its pairs of letters. */
const paired = /\p{Script=Hangul}(?=(.)\p{Script=Hangul})/gu;

/** Most words: nothing is put together in them, which takes a fifth of the time to see. */
const single = /^[A-Za-z]?[a-z\d]*$/;

const stopWords = new Set(
  "a an and are as at be by for from has have how i if in into is it its me my of on or so than that the them then there they this to was what when where which who why will with you your do does can not".split(
    " ",
  ),
);

let segmenter: Intl.Segmenter | undefined;

/** All words in their order: one form of each character, lower case, digits and underscores included. */
export function words(text: string): readonly string[] {
  const found: string[] = [];
  for (const run of text.normalize("NFKC").toLowerCase().match(word) ?? []) {
    if (!unspaced.test(run)) found.push(run);
    else {
      segmenter ??= new Intl.Segmenter("und", { granularity: "word" });
      for (const { segment, isWordLike } of segmenter.segment(run)) if (isWordLike === true) found.push(segment);
    }
  }
  return found;
}

/**
 * The words that are kept of a text: no frequent English ones, and without English endings. Of a name such as maxRetries or max_retries its words too:
 * people ask in words for what is written as a name. Of a Korean word each two letters that stand together.
 */
export function terms(text: string): readonly string[] {
  return [...words(text), ...partsOfNames(text)].filter((each) => each.length <= longestWord && !stopWords.has(each)).map(stem);
}

function partsOfNames(text: string): readonly string[] {
  return (text.normalize("NFKC").replace(paired, "$&$1_").match(word) ?? []).flatMap((run) =>
    single.test(run) || run.length > longestName || !joint.test(run)
      ? []
      : run
          .split(joint)
          .filter((part) => part.length > 1)
          .map((part) => part.toLowerCase()),
  );
}

/** Takes endings of English words off; words with other letters stay as they are. */
function stem(text: string): string {
  if (!/^[a-z]{5,}$/.test(text)) return text;
  if (text.endsWith("ies")) return `${text.slice(0, -3)}y`;
  if (/[sui]s$/.test(text)) return text;
  let short = text;
  if (short.endsWith("ing") && short.length > 5) short = short.slice(0, -3);
  else if (/e[ds]$/.test(short)) short = short.slice(0, -2);
  else if (short.endsWith("s")) short = short.slice(0, -1);
  if (/..([^lsz])\1$/.test(short)) short = short.slice(0, -1);
  return short.endsWith("e") ? short.slice(0, -1) : short;
}

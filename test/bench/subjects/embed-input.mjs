/** What every embedding subject does with the texts beside the checkpoint: calls of 1, 16 and 64 texts, of 8 to 32 tokens and of 256. In Node and in a page. */
import { rates } from "./t5-input.mjs";

/**
 * Tokens per second, padding not counted: the better of two after one that does not count; 64 long texts, which take seconds, once.
 * @param {{ readonly short: readonly string[], readonly long: readonly string[] }} texts of texts.json
 * @param {(texts: readonly string[]) => Promise<unknown>} embed
 */
export async function embedRates(texts, embed) {
  // each word is one token, and two are special
  const tokensOf = (list) => list.reduce((sum, text) => sum + text.split(" ").length + 2, 0);
  const figures = {};
  for (const kind of ["short", "long"]) {
    for (const size of [1, 16, 64]) {
      // one text alone is measured on sixteen short ones, one after the other
      const calls = size === 1 && kind === "short" ? 16 : 1;
      const batches = Array.from({ length: calls }, (_, i) => texts[kind].slice(i * size, (i + 1) * size));
      const run = async () => {
        const started = performance.now();
        for (const batch of batches) await embed(batch);
        return (tokensOf(batches.flat()) * 1000) / (performance.now() - started);
      };
      figures[`${kind}${size}Rate`] = await (kind === "long" && size === 64 ? run() : rates(2, run));
    }
  }
  return figures;
}

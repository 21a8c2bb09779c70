/**
 * What smaller weights cost in answers: the bundled translator on its 1,000 held-out sentences, greedily, in each form.
 * Exact match with a reference, BLEU-4 (corpus, case-sensitive, several references, closest length), and how many answers differ from f32's.
 *   node test/bench/t5-quality.mjs [HELD-OUT.jsonl]      lines of {"en": "…", "fr": ["…"]}; default: the training data beside the project
 */
import { readFileSync } from "node:fs";
import { collectMany, load } from "../../dist/node/index.js";

const file = process.argv[2] ?? `${process.env.LLMSPELL_SHARED ?? "../shared"}/models/training/data/enfr/test.jsonl`;
const pairs = readFileSync(file, "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line));

const words = (text) => text.match(/[\p{L}\p{N}]+|[^\s\p{L}\p{N}]/gu) ?? [];
const grams = (list, n) => {
  const counts = new Map();
  for (let i = 0; i + n <= list.length; i += 1) {
    const gram = list.slice(i, i + n).join(" ");
    counts.set(gram, (counts.get(gram) ?? 0) + 1);
  }
  return counts;
};

function bleu(answers) {
  const hits = [0, 0, 0, 0];
  const totals = [0, 0, 0, 0];
  let length = 0;
  let referenceLength = 0;
  answers.forEach((answer, i) => {
    const mine = words(answer);
    const references = pairs[i].fr.map(words);
    length += mine.length;
    referenceLength += references
      .map((list) => list.length)
      .sort((a, b) => Math.abs(a - mine.length) - Math.abs(b - mine.length) || a - b)[0];
    for (let n = 1; n <= 4; n += 1) {
      const known = references.map((list) => grams(list, n));
      for (const [gram, count] of grams(mine, n)) {
        totals[n - 1] += count;
        hits[n - 1] += Math.min(count, Math.max(...known.map((counts) => counts.get(gram) ?? 0)));
      }
    }
  });
  const precision = hits.reduce((sum, hit, n) => sum + Math.log(hit / totals[n]), 0) / 4;
  return 100 * Math.exp(Math.min(0, 1 - referenceLength / length) + precision);
}

let plain;
for (const [label, spec, device, how] of [
  ["f32", "tiny-t5-en-fr", "cpu", "many"],
  ["q8", "tiny-t5-en-fr:q8", "cpu", "one"],
  ["q8, in batches", "tiny-t5-en-fr:q8", "cpu", "many"],
  ["q4", "tiny-t5-en-fr:q4", "cpu", "one"],
  ["q4, in batches", "tiny-t5-en-fr:q4", "cpu", "many"],
  ["int8 (q8 on WASM)", "tiny-t5-en-fr:q8", "wasm", "many"],
]) {
  const model = await load(spec, { device });
  const prompts = pairs.map(({ en }) => `translate English to French: ${en}`);
  const results = [];
  if (how === "many") results.push(...(await collectMany(model.streamMany(prompts))));
  else for (const prompt of prompts) results.push(await model.generate(prompt));
  await model.dispose();
  const answers = results.map(({ text }) => text);
  plain ??= answers;
  const exact = answers.filter((answer, i) => pairs[i].fr.includes(answer)).length;
  const changed = answers.filter((answer, i) => answer !== plain[i]).length;
  console.log(
    `${label.padEnd(20)} exact ${((100 * exact) / answers.length).toFixed(1)} %   BLEU ${bleu(answers).toFixed(1)}   differ from f32 ${((100 * changed) / answers.length).toFixed(1)} %`,
  );
}
process.exit(0);

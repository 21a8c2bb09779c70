// Sorts the lines of a file into classes by examples: node classify.mjs MODEL EXAMPLES FILE. A line of EXAMPLES is a class, a tab and a text of it.
// A model that is not here is fetched first (`pull: true`); without MODEL that is all-minilm-l6-v2, 91 MB.
import { readFile } from "node:fs/promises";
import { createSpell } from "llmspell";

const [name = "all-minilm-l6-v2", examplesFile, file] = process.argv.slice(2);
const read = async (path, sample) =>
  (path === undefined ? sample : await readFile(path, "utf8")).split(/\r?\n/).filter((line) => line.trim());
const examples = (
  await read(examplesFile, "praise\tI love it\npraise\tIt works well\ncomplaint\tIt broke\ncomplaint\tI want my money back")
).map((line) => line.split("\t"));
const lines = await read(file, "Best purchase of the year\nStopped working after a day");

const spell = createSpell();
const model = await spell.embeddings(name, { pull: true });
const known = (await model.embed(examples.map(([, text]) => text))).vectors;
const { vectors } = await model.embed(lines, { truncate: true });

/** The class whose examples are nearest on average: sums of cosines. @param without an example that does not vote */
function classify(vector, without = -1) {
  const votes = new Map();
  for (const [index, [label]] of examples.entries()) {
    if (index === without) continue;
    const { sum, count } = votes.get(label) ?? { sum: 0, count: 0 };
    votes.set(label, { sum: sum + vector.reduce((total, value, at) => total + value * known[index][at], 0), count: count + 1 });
  }
  const [best] = [...votes].map(([label, { sum, count }]) => ({ label, score: sum / count })).sort((a, b) => b.score - a.score);
  return best;
}

// Can the classes be told apart at all? Each example, classified by the others, says so.
const right = examples.filter(([label], index) => classify(known[index], index)?.label === label).length;
console.error(`${right} of ${examples.length} examples are classified rightly by the others`);
for (const [index, line] of lines.entries()) {
  const { label, score } = classify(vectors[index]);
  console.log(`${label}\t${score.toFixed(3)}\t${line}`);
}
await spell.dispose();

// Searches the lines of a file by meaning: node similar.mjs MODEL FILE "a question"
// A model that is not here is fetched first (`pull: true`); without MODEL that is all-minilm-l6-v2, 91 MB.
import { readFile } from "node:fs/promises";
import { createSpell } from "llmspell";

const [name = "all-minilm-l6-v2", file, question = "where is the cat?"] = process.argv.slice(2);
const text = file === undefined ? "The cat sleeps on the roof.\nThe train leaves at nine.\n" : await readFile(file, "utf8");
const lines = text.split("\n").filter((line) => line.trim() !== "");

const spell = createSpell();
const model = await spell.embeddings(name, { pull: true });
const { vectors } = await model.embed(lines);
const [asked] = (await model.embed([question], { query: true })).vectors;
const ranked = lines
  .map((line, index) => ({ line, score: vectors[index].reduce((sum, value, at) => sum + value * asked[at], 0) }))
  .sort((a, b) => b.score - a.score);
for (const { line, score } of ranked.slice(0, 5)) console.log(`${score.toFixed(3)}  ${line}`);
await spell.dispose();

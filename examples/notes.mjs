// Searches a folder of notes by meaning: node notes.mjs MODEL FOLDER "a question"
// A model that is not here is fetched first (`pull: true`); without MODEL that is all-minilm-l6-v2, 91 MB.
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createSpell } from "llmspell";

const [name = "all-minilm-l6-v2", folder = ".", question = "where is the cat?"] = process.argv.slice(2);
const files = (await readdir(folder, { recursive: true })).filter((file) => /\.(md|txt)$/.test(file) && !file.includes("node_modules"));

// A paragraph is a note, and remembers the line that it begins at.
const notes = [];
for (const file of files) {
  let line = 1;
  for (const part of (await readFile(join(folder, file), "utf8")).split(/(?<=\n)(?=\n)/)) {
    if (part.trim() !== "") notes.push({ text: part.trim(), place: `${file}:${line + (part.match(/^\n*/)?.[0].length ?? 0)}` });
    line += part.split("\n").length - 1;
  }
}

const spell = createSpell();
const model = await spell.embeddings(name, { pull: true });
const { vectors } = await model.embed(
  notes.map((note) => note.text),
  { truncate: true },
);
const [asked] = (await model.embed([question], { query: true })).vectors;
const found = notes
  .map((note, index) => ({ ...note, score: vectors[index].reduce((sum, value, at) => sum + value * asked[at], 0) }))
  .sort((a, b) => b.score - a.score);
for (const { score, place, text } of found.slice(0, 5)) console.log(`${score.toFixed(3)}  ${place}  ${text.split("\n")[0].slice(0, 80)}`);
await spell.dispose();

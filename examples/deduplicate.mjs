// Leaves out rows of a CSV file that say what an earlier row says: node deduplicate.mjs MODEL FILE COLUMN [0.95] > unique.csv
// A model that is not here is fetched first (`pull: true`); without MODEL that is all-minilm-l6-v2, 91 MB.
import { readFile } from "node:fs/promises";
import { createSpell } from "llmspell";

const [name = "all-minilm-l6-v2", file, column = "text", least = "0.95"] = process.argv.slice(2);
const sample = "id,text\n1,The cat sleeps on the roof.\n2,A cat is sleeping on the roof.\n3,The train leaves at nine.\n";
// Commas and line ends within quotes belong to a cell, and "" there is a quote.
const [header, ...rows] = (file === undefined ? sample : await readFile(file, "utf8")).match(/(?:"(?:[^"]|"")*"|[^"\r\n])+/g);
const cellsOf = (row) =>
  [...`,${row}`.matchAll(/,(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain);
const at = cellsOf(header).indexOf(column);
if (at < 0) throw new Error(`no column ${column} in ${header}`);
const cells = rows.map((row) => cellsOf(row)[at] || "-");

const spell = createSpell();
const { vectors } = await spell.embed(name, cells, { pull: true });
const cosine = (a, b) => a.reduce((sum, value, i) => sum + value * b[i], 0);
const kept = [];
console.log(header);
for (const [row, vector] of vectors.entries()) {
  const twin = kept.find((other) => cosine(vectors[other], vector) >= Number(least));
  if (twin !== undefined) console.error(`left out: ${rows[row]} (as ${rows[twin]})`);
  else {
    kept.push(row);
    console.log(rows[row]);
  }
}
await spell.dispose();

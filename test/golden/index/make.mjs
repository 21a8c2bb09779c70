/**
 * An index, and what it answers: written by the built package in Node, for tests that read and write the same in Node and in Chromium.
 *
 *   npm run --silent build && node test/golden/index/make.mjs > test/golden/index/garden.json
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, sep } from "node:path";
import { createSpell } from "../../../dist/node/main.js";

/** Documents have the time of their saving in them. Later than any real one: stamps of a process only rise. */
const time = Date.UTC(2100, 0, 1);
const config = {
  rag: {
    enabled: true,
    vector_storage: { dimensions: 64 },
    chunking: { chunk_size: 24, overlap: 6, min_chunk_size: 2 },
  },
};
/** Those with a name are files. */
const documents = [
  {
    name: "garden.md",
    content:
      "# Garden\n\nWater the tomatoes in the morning, before the sun is high.\n\n## Compost\n\nTurn the heap every second week. It is ready when it smells of earth and no peel is to be seen in it any more.\n\n```sh\nweigh --heap compost --unit kg\n```\n\n### Worms\n\nThey come by themselves.\n",
    metadata: { topic: "garden", pages: 2 },
  },
  { id: "bicycle", text: "Oil the chain after rain. The pump hangs in the shed, and the key is under the third flower pot.", metadata: { topic: "workshop" } },
  { name: "bread.html", content: "<h1>Bread</h1><p>Flour, water, salt &amp; time.</p><h2>Oven</h2><p>Bake it at 230 degrees, forty minutes.</p>" },
  { name: "stock.csv", content: "tool,place,count\nsaw,workshop,2\nspade,shed,1\nwatering can,garden,3\n" },
  { id: "寿司", text: "東京で寿司を食べる。米は酢で味をつける。", metadata: { topic: "küche" } },
  { id: "straße", text: "Die Straße zum Garten ist schmal; Äpfel liegen am Rand. 🍎 Nimm den Weg durch den Hof." },
];
const questions = [
  ["when is the compost ready", {}],
  ["how hot must the oven be?", {}],
  ["who waters tomatoes", { topK: 2 }],
  ["chain of the bicycle", { filters: { topic: "workshop" } }],
  ["寿司の米", {}],
  ["Äpfel am Weg", { threshold: 0.2 }],
  ["spade", { topK: 1 }],
  ["xylophone", {}],
];

const folder = mkdtempSync(join(tmpdir(), "llmspell-index-"));
const spell = createSpell({
  config: { rag: { ...config.rag, vector_storage: { ...config.rag.vector_storage, persistence_path: folder } } },
  env: {},
});
const rag = await spell.rag();
Date.now = () => time;
await rag.ingest(documents.map(({ name, content, ...more }) => (name === undefined ? more : { name, bytes: Buffer.from(content), ...more })));
await rag.save();
const answers = [];
for (const [question, options] of questions) answers.push([question, options, await rag.search(question, options)]);
await spell.dispose();
const paths = readdirSync(folder, { recursive: true }).filter((path) => /\.\w+$/.test(path));
const files = paths.sort().map((path) => [path.split(sep).join("/"), readFileSync(join(folder, path)).toString("base64")]);
rmSync(folder, { recursive: true });
const version = `llmspell ${JSON.parse(readFileSync("package.json", "utf8")).version}, Node ${process.version}`;
console.log(JSON.stringify({ source: "test/golden/index/make.mjs", version, time, config, documents, files, answers }, null, 1));

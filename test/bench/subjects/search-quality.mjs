/**
 * How often the right section is found: search-quality.mjs WAY QUESTIONS [MODEL]. WAY is `words` (hybrid_weight 1), `vectors` (0: `lexical` without word match) or
 * `both` (as the default configuration mixes them); QUESTIONS is a module with `questions`, each [text, file, part of a heading];
 * MODEL an embedding model in place of `lexical`, as `llmspell embed -m` takes it.
 * The files are READMEs of packages in the folder LLMSPELL_BENCH_PEERS (test/bench/peers says which), undici's pages, our own decisions, our own pages where a
 * question is about them or LLMSPELL_BENCH_GUIDES=1 asks for them, and as material beside them the READMEs of what this project depends on. All of it goes the way of `rag ingest`, with the default configuration.
 * Prints JSON: files, chunks, questions, and the share of questions whose section is the first, among five, among ten (hit1, hit5, hit10); with
 * LLMSPELL_BENCH_RANKS=1, the place of each question's section on standard error, 0 where it is not among ten.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { fromSource } from "../../support/from-source.mjs";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const ways = { words: { hybrid_weight: 1 }, vectors: { hybrid_weight: 0 }, both: {} };
const [way = "both", given = join(root, "test/bench/subjects/search-questions.mjs"), model] = process.argv.slice(2);
const { questions } = await import(pathToFileURL(given).href);
const peers = process.env.LLMSPELL_BENCH_PEERS;
if (peers === undefined) throw new Error("expected a folder in LLMSPELL_BENCH_PEERS, got none (test/bench/peers/README.md)");

const named = ["axios", "chokidar", "commander", "debug", "dotenv", "idb", "minisearch", "semver", "tar", "uuid", "ws"];
const files = new Map();
const readmeOf = (folder) => readdirSync(folder).find((name) => /^readme\.(?:md|markdown)$/i.test(name));
function addReadme(name, folder) {
  const file = existsSync(folder) ? readmeOf(folder) : undefined;
  if (file !== undefined && !files.has(name)) files.set(name, readFileSync(join(folder, file), "utf8"));
  return file !== undefined;
}
for (const name of named)
  if (!addReadme(name, join(peers, "node_modules", name)))
    throw new Error(`expected a README of ${name} in ${peers}/node_modules, got none`);
const pages = (folder, prefix) => {
  for (const file of readdirSync(folder))
    if (file.endsWith(".md")) files.set(prefix + file.slice(0, -3), readFileSync(join(folder, file), "utf8"));
};
pages(join(peers, "node_modules/undici/docs/docs/api"), "undici-");
pages(join(root, "docs/decisions"), "llmspell-");
if (process.env.LLMSPELL_BENCH_GUIDES === "1" || questions.some(([, file]) => file.startsWith("guide-")))
  pages(join(root, "docs"), "guide-");
const { dependencies = {}, devDependencies = {}, peerDependencies = {} } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
for (const name of Object.keys({ ...dependencies, ...devDependencies, ...peerDependencies }).sort())
  addReadme(name.replace("/", "-"), join(root, "node_modules", name));

const source = await fromSource(["node/index.ts"]);
const { createSpell } = await import(source.href);
source.remove();

const embedding = model === undefined ? {} : { embedding: { default_provider: "candle", model, cache_enabled: false } };
const spell = createSpell({ config: { rag: { search: ways[way], ...embedding } } });
const rag = await spell.rag();
const { chunks, warnings } = await rag.ingest(
  [...files].map(([name, text]) => ({ name: `${name}.md`, bytes: new TextEncoder().encode(text) })),
);
const ranks = [];
for (const [text, file, heading] of questions) {
  if (!files.has(file)) throw new Error(`expected a file ${file} among the material, got none`);
  const hits = await rag.search(text, { topK: 10 });
  ranks.push(1 + hits.findIndex((hit) => hit.source === `${file}.md` && hit.heading.includes(heading)));
}
await spell.dispose();
for (const warning of warnings) console.error(warning);
if (process.env.LLMSPELL_BENCH_RANKS === "1") console.error(ranks.join(" "));
const among = (most) => ranks.filter((rank) => rank > 0 && rank <= most).length / questions.length;
console.log(JSON.stringify({ files: files.size, chunks, questions: questions.length, hit1: among(1), hit5: among(5), hit10: among(10) }));

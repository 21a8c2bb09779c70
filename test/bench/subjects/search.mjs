/**
 * One index of so many chunks of 100 words and 384 numbers, in a process of its own: search.mjs CHUNKS ENGINE, where ENGINE is `ours` (a folder, exact),
 * `graph` (ours, merged into one segment with a graph), `sqlite-vec` (vectors, exact), `minisearch` (words) or `orama` (both), the last three from the folder
 * LLMSPELL_BENCH_PEERS. Each is called as its own documentation does. Prints JSON: milliseconds of ingest and open, median of a query in milliseconds by
 * vectors, by words, by both; share of the ten nearest that are found (recall10).
 */
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromSource } from "../../support/from-source.mjs";

const [size = "10000", engine = "ours"] = process.argv.slice(2);
const count = Number(size);
const dimensions = 384;
const source = await fromSource(["core/search/collection.ts", "node/store/search-folder.ts", "../test/fixtures/vectors.ts"]);
const { clusteredVectors, nodeSearchFolder, openCollection } = await import(source.href);
source.remove();

let state = 1;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};
const syllables = ["ka", "lo", "mi", "ne", "pu", "ra", "si", "to", "ve", "zu", "bor", "dan", "fel", "gin", "hul"];
const vocabulary = Array.from({ length: 20_000 }, () =>
  Array.from({ length: 2 + Math.floor(random() * 3) }, () => syllables[Math.floor(random() * 15)]).join(""),
);
const wordOf = () => vocabulary[Math.floor(random() ** 3 * vocabulary.length)];
const text = (words) => Array.from({ length: words }, wordOf).join(" ");

const vectors = clusteredVectors(count, dimensions, 7);
const texts = Array.from({ length: count }, () => text(100));
const questions = clusteredVectors(100, dimensions, 8).map((vector) => ({ vector, text: text(6) }));
const nearest = questions.map(({ vector }) => {
  const score = vectors.map((each) => {
    let sum = 0;
    for (let i = 0; i < dimensions; i += 1) sum += each[i] * vector[i];
    return sum;
  });
  return new Set([...score.keys()].sort((a, b) => score[b] - score[a]).slice(0, 10));
});

const peer = (name) => createRequire(join(process.env.LLMSPELL_BENCH_PEERS ?? ".", "x.js"))(name);
const figures = {};
async function timed(name, work) {
  const start = performance.now();
  const result = await work();
  figures[name] = performance.now() - start;
  return result;
}
/** @param ask gives numbers of chunks, best first */
async function queries(name, ask, compares) {
  const times = [];
  let found = 0;
  for (const question of questions.slice(0, 10)) await ask(question);
  for (const [i, question] of questions.entries()) {
    const start = performance.now();
    const got = await ask(question);
    times.push(performance.now() - start);
    if (compares) found += got.filter((id) => nearest[i].has(id)).length;
  }
  figures[name] = times.sort((a, b) => a - b)[times.length >> 1];
  if (compares) figures.recall10 = found / (questions.length * 10);
}

const folder = mkdtempSync(join(tmpdir(), "llmspell-bench-search-"));
try {
  if (engine === "ours" || engine === "graph") {
    const graph = { m: 16, efConstruction: 100, efSearch: 50, seed: 42, layers: 16, batchSize: 128, least: 1000 };
    const settings = {
      embedder: { id: "bench", dimensions },
      metric: "cosine",
      storeText: true,
      graph: engine === "graph" ? graph : undefined,
    };
    await timed("ingestMs", async () => {
      const collection = await openCollection(nodeSearchFolder(folder), settings);
      for (let at = 0; at < count; at += 5000) {
        collection.add(
          vectors.slice(at, at + 5000).map((vector, i) => ({
            id: String(at + i),
            metadata: {},
            chunks: [{ text: texts[at + i], headings: [], start: 0, end: texts[at + i].length, hash: String(at + i), vector }],
          })),
        );
        await collection.save();
      }
    });
    if (engine === "graph") await timed("graphMs", async () => (await openCollection(nodeSearchFolder(folder), settings)).merge(true));
    const collection = await timed("openMs", () => openCollection(nodeSearchFolder(folder), settings));
    const ask = (hybridWeight) => async (question) =>
      (await collection.search({ ...question, k: 10, hybridWeight })).map(({ document }) => Number(document));
    await queries("vectorMs", ask(0), true);
    await queries("wordsMs", ask(1));
    await queries("bothMs", ask(0.3));
  } else if (engine === "sqlite-vec") {
    const { DatabaseSync } = await import("node:sqlite");
    const { getLoadablePath } = peer("sqlite-vec");
    const open = () => {
      const database = new DatabaseSync(join(folder, "vectors.sqlite"), { allowExtension: true });
      database.loadExtension(getLoadablePath());
      return database;
    };
    await timed("ingestMs", () => {
      const database = open();
      database.exec(`create virtual table chunks using vec0(embedding float[${dimensions}] distance_metric=cosine)`);
      const insert = database.prepare("insert into chunks(rowid, embedding) values (?, ?)");
      database.exec("begin");
      for (const [i, vector] of vectors.entries()) insert.run(BigInt(i), new Uint8Array(vector.buffer));
      database.exec("commit");
      database.close();
    });
    const database = await timed("openMs", open);
    const select = database.prepare("select rowid from chunks where embedding match ? and k = 10 order by distance");
    await queries("vectorMs", ({ vector }) => select.all(new Uint8Array(vector.buffer)).map(({ rowid }) => Number(rowid)), true);
  } else if (engine === "minisearch") {
    const MiniSearch = peer("minisearch");
    const options = { fields: ["text"] };
    const json = await timed("ingestMs", () => {
      const index = new MiniSearch(options);
      index.addAll(texts.map((each, id) => ({ id, text: each })));
      return JSON.stringify(index);
    });
    const index = await timed("openMs", () => MiniSearch.loadJSON(json, options));
    await queries("wordsMs", ({ text: asked }) => index.search(asked).slice(0, 10));
  } else if (engine === "orama") {
    const { create, insertMultiple, load, save, search } = peer("@orama/orama");
    const schema = { text: "string", embedding: `vector[${dimensions}]` };
    const raw = await timed("ingestMs", async () => {
      const index = create({ schema });
      await insertMultiple(
        index,
        texts.map((each, i) => ({ id: String(i), text: each, embedding: [...vectors[i]] })),
        1000,
      );
      return JSON.stringify(save(index));
    });
    const index = await timed("openMs", () => {
      const made = create({ schema });
      load(made, JSON.parse(raw));
      return made;
    });
    const ids = ({ hits }) => hits.map(({ id }) => Number(id));
    const vectorOf = ({ vector }) => ({ value: [...vector], property: "embedding" });
    await queries(
      "vectorMs",
      async (question) => ids(await search(index, { mode: "vector", vector: vectorOf(question), similarity: 0, limit: 10 })),
      true,
    );
    await queries("wordsMs", async (question) => ids(await search(index, { term: question.text, limit: 10 })));
    await queries("bothMs", async (question) =>
      ids(await search(index, { mode: "hybrid", term: question.text, vector: vectorOf(question), similarity: 0, limit: 10 })),
    );
  } else throw new Error(`expected ours, graph, sqlite-vec, minisearch or orama, got ${engine}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(JSON.stringify(figures));

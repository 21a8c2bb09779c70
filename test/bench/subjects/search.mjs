/**
 * One index of so many chunks of 100 words and 384 numbers, in a process of its own: search.mjs CHUNKS ENGINE, where ENGINE is `ours` (a folder, exact),
 * `graph` (ours, merged into one segment with a graph), `sqlite-vec` (vectors, exact), `minisearch` (words) or `orama` (both), the last three from the folder
 * LLMSPELL_BENCH_PEERS. Each is called as its own documentation does. Prints JSON: milliseconds of ingest, of the graph and of open, median of a query in
 * milliseconds by vectors, by words, by both; share of the ten nearest that are found (recall10). What it does it says on standard error.
 * Texts, vectors and our indexes are made once for a folder LLMSPELL_BENCH_RUN, which the bench has for its rounds: later ones open them, and repeat the
 * figures of the first. Without it everything is made anew.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { fromSource } from "../../support/from-source.mjs";

const [size = "10000", engine = "ours"] = process.argv.slice(2);
const count = Number(size);
const dimensions = 384;
const source = await fromSource([
  "core/search/collection.ts",
  "node/store/search-folder.ts",
  "node/rag/graph-threads.ts",
  "../test/fixtures/vectors.ts",
]);
const { buildInThreads, clusteredVectors, nodeSearchFolder, openCollection } = await import(source.href);
source.remove();
const started = performance.now();
const say = (what) => console.error(`${((performance.now() - started) / 1000).toFixed(1)} s  ${engine}, ${count}: ${what}`);
const isKept = process.env.LLMSPELL_BENCH_RUN !== undefined;
const run = process.env.LLMSPELL_BENCH_RUN ?? mkdtempSync(join(tmpdir(), "llmspell-bench-search-"));

/** Made once in a folder: vectors, texts, questions and what is nearest to them. */
function material(at) {
  if (!existsSync(join(at, "whole"))) {
    mkdirSync(at, { recursive: true });
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
    say("making vectors");
    const vectors = clusteredVectors(count, dimensions, 7);
    say("making texts");
    const texts = Array.from({ length: count }, () => text(100));
    const questions = clusteredVectors(100, dimensions, 8).map((vector) => ({ vector: [...vector], text: text(6) }));
    say("looking for what is nearest");
    const nearest = questions.map(({ vector }) => {
      const score = new Float64Array(count);
      for (const [row, each] of vectors.entries()) {
        let sum = 0;
        for (let i = 0; i < dimensions; i += 1) sum += each[i] * vector[i];
        score[row] = sum;
      }
      const least = Float64Array.from(score).sort()[Math.max(0, count - 10)];
      return [...score.keys()]
        .filter((row) => score[row] >= least)
        .sort((a, b) => score[b] - score[a])
        .slice(0, 10);
    });
    const all = new Float32Array(count * dimensions);
    for (const [row, each] of vectors.entries()) all.set(each, row * dimensions);
    writeFileSync(join(at, "vectors"), new Uint8Array(all.buffer));
    writeFileSync(join(at, "texts"), texts.join("\n"));
    writeFileSync(join(at, "questions"), JSON.stringify({ questions, nearest }));
    writeFileSync(join(at, "whole"), "");
  }
  const bytes = readFileSync(join(at, "vectors"));
  const all = new Float32Array(bytes.buffer, bytes.byteOffset, count * dimensions);
  const { questions, nearest } = JSON.parse(readFileSync(join(at, "questions"), "utf8"));
  return {
    vectors: Array.from({ length: count }, (_, row) => all.slice(row * dimensions, (row + 1) * dimensions)),
    texts: readFileSync(join(at, "texts"), "utf8").split("\n"),
    questions: questions.map(({ vector, text }) => ({ vector: Float32Array.from(vector), text })),
    nearest: nearest.map((rows) => new Set(rows)),
  };
}
const { vectors, texts, questions, nearest } = material(join(run, `material-${count}`));

const peer = (name) => createRequire(join(process.env.LLMSPELL_BENCH_PEERS ?? ".", "x.js"))(name);
const figures = {};
async function timed(name, work) {
  say(name.replace(/Ms$/, ""));
  const start = performance.now();
  const result = await work();
  figures[name] = performance.now() - start;
  return result;
}
/** @param ask gives numbers of chunks, best first */
async function queries(name, ask, compares) {
  say(name.replace(/Ms$/, ""));
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

const folder = join(run, `index-${count}-${engine}`);
mkdirSync(folder, { recursive: true });
try {
  if (engine === "ours" || engine === "graph") {
    const threads = Number(process.env.LLMSPELL_BENCH_THREADS ?? Math.ceil(availableParallelism() / 2));
    const graph = { m: 16, efConstruction: 100, efSearch: 50, seed: 42, layers: 16, batchSize: 128, least: 1000, threads };
    const settings = {
      embedder: { id: "bench", dimensions },
      metric: "cosine",
      storeText: true,
      graph: engine === "graph" ? graph : undefined,
    };
    const host = {
      graphThreads: { most: availableParallelism(), build: (...asked) => timed("buildMs", () => buildInThreads(...asked)) },
      onGraph: ({ rows, threads: used }) => say(`a graph of ${rows} by ${used} threads`),
    };
    const open = () => openCollection(nodeSearchFolder(folder), settings, host);
    const made = `${folder}.json`;
    if (existsSync(made)) Object.assign(figures, JSON.parse(readFileSync(made, "utf8")));
    else {
      await timed("ingestMs", async () => {
        const collection = await openCollection(nodeSearchFolder(folder), { ...settings, graph: undefined });
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
      if (engine === "graph") await timed("graphMs", async () => (await open()).merge(true));
      writeFileSync(made, JSON.stringify(figures));
    }
    const collection = await timed("openMs", open);
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
  if (!isKept) rmSync(run, { recursive: true, force: true });
}
console.log(JSON.stringify(figures));

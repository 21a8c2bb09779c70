/**
 * Indexes in Postgres, for several machines: a table of chunks for each, vectors by pgvector, words by tsvector. Scores are those of our own index.
 * Every value is a parameter; names of tables are hexadecimal digits of our making.
 */
import { createHash } from "node:crypto";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { SharedIndexes } from "../../core/platform.ts";
import { b, type Candidate, choose, k1, leastKept, mixer, rarityOf, widened } from "../../core/search/order.ts";
import { scoreOf } from "../../core/search/scores.ts";
import { countTerms } from "../../core/search/segment.ts";
import { terms } from "../../core/search/terms.ts";
import type { Collection, CollectionSettings, Hit, IndexedDocument, Metadata, Query } from "../../core/spec/search-index.ts";
import { type Database, openPostgres, type Sql, stateOf, textOf } from "./postgres.ts";

const tables = {
  formats: "rag_format",
  format: 1,
  statements: [
    "CREATE TABLE IF NOT EXISTS llmspell.rag_places (id text PRIMARY KEY, value text NOT NULL)",
    // revision rises with each save; chunks and words are counted for BM25
    "CREATE TABLE IF NOT EXISTS llmspell.rag_indexes (id text PRIMARY KEY, path text NOT NULL, embedder text NOT NULL, dimensions integer NOT NULL, revision bigint NOT NULL DEFAULT 0, chunks bigint NOT NULL DEFAULT 0, words bigint NOT NULL DEFAULT 0)",
    "CREATE TABLE IF NOT EXISTS llmspell.rag_documents (number bigserial PRIMARY KEY, index text NOT NULL REFERENCES llmspell.rag_indexes (id), id text NOT NULL, name text NOT NULL, metadata text NOT NULL, chunks integer NOT NULL, UNIQUE (index, id))",
  ],
};

const operators = { cosine: "<=>", euclidean: "<->", inner_product: "<#>" } as const;
const classes = { cosine: "vector_cosine_ops", euclidean: "vector_l2_ops", inner_product: "vector_ip_ops" } as const;
/** pgvector links vectors of this length at most. Source: https://github.com/pgvector/pgvector#hnsw */
const mostLinked = 2000;
/** Chunks from which vectors are linked; fewer are looked at one by one, which is exact. */
const leastInGraph = 20_000;
/** chunks of one statement */
const batch = 500;

interface Known {
  readonly number: number;
  readonly metadata: Metadata;
  readonly chunks: number;
}

interface Row extends Candidate {
  readonly metadata: Metadata;
  readonly hash: string;
  readonly text: string | undefined;
  readonly headings: readonly string[];
  readonly start: number;
  readonly end: number;
}

const hex = (...parts: readonly string[]): string => createHash("sha256").update(JSON.stringify(parts)).digest("hex");
const json = <T>(value: unknown): T => JSON.parse(String(value)) as T;

/** @throws SpellError rag-package where the server has no pgvector; store-denied, store-locked */
export async function postgresIndexes(url: string): Promise<SharedIndexes> {
  const database = await openPostgres(url, tables, (sql) => needVector(sql));
  const { sql, place, guarded } = database;
  const version = await guarded(async () => {
    const [row] = await sql.unsafe("SELECT extversion AS version FROM pg_extension WHERE extname = 'vector'");
    return String(row?.["version"] ?? "0");
  });
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return {
    place,
    places: async () => (await guarded(() => sql.unsafe("SELECT value FROM llmspell.rag_places"))).map(({ value }) => json(value)),
    async note(value) {
      const text = JSON.stringify(value);
      const query = "INSERT INTO llmspell.rag_places (id, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
      await guarded(() => sql.unsafe(query, [hex(text), text]));
    },
    open: (path, settings) => openIndex(database, path, settings, major > 0 || minor >= 8),
    close: () => sql.end({ timeout: 5 }),
  };
}

/** @param goesOn whether pgvector looks further where a filter leaves too little, as it does from 0.8 */
async function openIndex(
  { sql, place, guarded }: Database,
  path: string,
  settings: CollectionSettings,
  goesOn: boolean,
): Promise<Collection> {
  const { embedder, metric, storeText, graph } = settings;
  const id = hex(path).slice(0, 24);
  const chunks = `llmspell.rag_chunks_${id}`;
  const added = new Map<string, IndexedDocument>();
  const removed = new Set<string>();
  const restated = new Map<string, Metadata>();
  let known = new Map<string, Known>();
  let counts = { revision: -1, chunks: 0, words: 0, bytes: 0 };
  let isLinked = false;
  let last: Promise<unknown> = Promise.resolve();
  /** One after the other: what is written is what was there when it began. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(() => guarded(work));
    last = done.catch(() => undefined);
    return done;
  };

  /** @returns undefined where nothing was saved yet @throws SpellError rag-model */
  const facts = async (on: Sql) => {
    const [row] = await on.unsafe("SELECT embedder, dimensions, revision, chunks, words FROM llmspell.rag_indexes WHERE id = $1", [id]);
    if (row === undefined) return undefined;
    const stored = json<string>(row["embedder"]);
    const length = Number(row["dimensions"]);
    if (stored !== embedder.id || length !== embedder.dimensions)
      throw new SpellError(
        "rag-model",
        `${place} (${path}) holds vectors of ${stored} (${length} numbers); expected those of ${embedder.id} (${embedder.dimensions})`,
        { where: place, details: { stored, asked: embedder.id } },
      );
    return { revision: Number(row["revision"]), chunks: Number(row["chunks"]), words: Number(row["words"]) };
  };

  const refresh = async (on: Sql = sql): Promise<void> => {
    const now = await facts(on);
    if (now === undefined || now.revision === counts.revision) return;
    const rows = await on.unsafe("SELECT number, name, metadata, chunks FROM llmspell.rag_documents WHERE index = $1", [id]);
    known = new Map(
      rows.map((row) => [
        json<string>(row["name"]),
        { number: Number(row["number"]), metadata: json<Metadata>(row["metadata"]), chunks: Number(row["chunks"]) },
      ]),
    );
    const [size] = await on.unsafe("SELECT pg_total_relation_size($1::text::regclass) AS bytes, to_regclass($2::text)::text AS links", [
      chunks,
      `${chunks}_${metric}`,
    ]);
    isLinked = size?.["links"] !== null && size?.["links"] !== undefined;
    counts = { ...now, bytes: Number(size?.["bytes"] ?? 0) };
  };

  const make = async (on: Sql): Promise<void> => {
    if ((await facts(on)) !== undefined) return;
    await on.unsafe("INSERT INTO llmspell.rag_indexes (id, path, embedder, dimensions) VALUES ($1, $2, $3, $4)", [
      id,
      textOf(path),
      textOf(embedder.id),
      embedder.dimensions,
    ]);
    for (const statement of [
      `CREATE TABLE ${chunks} (number bigserial PRIMARY KEY, document bigint NOT NULL, at integer NOT NULL, content text, headings text NOT NULL, first integer NOT NULL, after integer NOT NULL, hash text NOT NULL, length integer NOT NULL, words tsvector NOT NULL, counts jsonb NOT NULL, vector vector(${embedder.dimensions}) NOT NULL)`,
      `CREATE INDEX ON ${chunks} (document)`,
      `CREATE INDEX ON ${chunks} (hash)`,
      `CREATE INDEX ON ${chunks} USING gin (words)`,
    ])
      await on.unsafe(statement);
  };

  const insert = async (on: Sql, documents: readonly IndexedDocument[]): Promise<void> => {
    const rows = await on.unsafe(
      "INSERT INTO llmspell.rag_documents (index, id, name, metadata, chunks) SELECT $1, r.id, r.name, r.metadata, r.chunks FROM jsonb_to_recordset($2::text::jsonb) AS r(id text, name text, metadata text, chunks integer) RETURNING id, number",
      [
        id,
        JSON.stringify(
          documents.map((each) => ({
            ...{ id: hex(each.id), name: textOf(each.id), metadata: JSON.stringify(each.metadata), chunks: each.chunks.length },
          })),
        ),
      ],
    );
    const numbers = new Map(rows.map((row) => [String(row["id"]), Number(row["number"])]));
    const all = documents.flatMap(({ id: document, title = "", chunks: own }) =>
      own.map((chunk, at) => ({ document: numbers.get(hex(document)), title, chunk, at })),
    );
    for (let from = 0; from < all.length; from += batch) {
      const part = all.slice(from, from + batch).map(({ document, title, chunk, at }) => {
        const found = countTerms(title, chunk);
        return {
          ...{ document, at, headings: JSON.stringify(chunk.headings), first: chunk.start, after: chunk.end, hash: chunk.hash },
          content: storeText ? textOf(chunk.text) : null,
          length: Math.min(
            65_535,
            [...found.values()].reduce((sum, count) => sum + count, 0),
          ),
          words: [...found.keys()],
          counts: Object.fromEntries([...found].map(([word, count]) => [word, Math.min(255, count)])),
          vector: `[${chunk.vector.join()}]`,
        };
      });
      await on.unsafe(
        `INSERT INTO ${chunks} (document, at, content, headings, first, after, hash, length, words, counts, vector) SELECT document, at, content, headings, first, after, hash, length, array_to_tsvector(words), counts, vector::vector FROM jsonb_to_recordset($1::text::jsonb) AS r(document bigint, at integer, content text, headings text, first integer, after integer, hash text, length integer, words text[], counts jsonb, vector text)`,
        [JSON.stringify(part)],
      );
    }
  };

  /** Links vectors where there are enough of them. */
  const link = async (on: Sql): Promise<void> => {
    if (graph === undefined || embedder.dimensions > mostLinked) return;
    const [row] = await on.unsafe("SELECT chunks FROM llmspell.rag_indexes WHERE id = $1", [id]);
    if (Number(row?.["chunks"]) < (graph.least ?? leastInGraph)) return;
    const m = within(graph.m, 2, 100);
    const ef = within(graph.efConstruction, Math.max(4, 2 * m), 1000);
    await on.unsafe(
      `CREATE INDEX IF NOT EXISTS rag_chunks_${id}_${metric} ON ${chunks} USING hnsw (vector ${classes[metric]}) WITH (m = ${m}, ef_construction = ${ef})`,
    );
  };

  const save = (): Promise<void> =>
    alone(async () => {
      if (added.size === 0 && removed.size === 0 && restated.size === 0) return;
      const documents = [...added.values()];
      const gone = [...removed, ...added.keys()];
      const taken = [...removed];
      const said = [...restated];
      await sql.begin(async (on) => {
        await on.unsafe("SELECT pg_advisory_xact_lock(hashtext($1))", [`llmspell rag ${id}`]);
        await make(on);
        const old = await on.unsafe(
          "DELETE FROM llmspell.rag_documents WHERE index = $1 AND id IN (SELECT jsonb_array_elements_text($2::text::jsonb)) RETURNING number",
          [id, JSON.stringify(gone.map((each) => hex(each)))],
        );
        const numbers = `{${old.map(({ number }) => Number(number)).join()}}`;
        await on.unsafe(`DELETE FROM ${chunks} WHERE document = ANY($1::text::bigint[])`, [numbers]);
        await insert(on, documents);
        await on.unsafe(
          "UPDATE llmspell.rag_documents d SET metadata = r.metadata FROM jsonb_to_recordset($2::text::jsonb) AS r(id text, number bigint, metadata text) WHERE d.index = $1 AND d.id = r.id AND d.number = r.number",
          [
            id,
            JSON.stringify(said.map(([name, own]) => ({ id: hex(name), number: known.get(name)?.number, metadata: JSON.stringify(own) }))),
          ],
        );
        await on.unsafe(
          `UPDATE llmspell.rag_indexes SET revision = revision + 1, (chunks, words) = (SELECT count(*), coalesce(sum(length), 0) FROM ${chunks}) WHERE id = $1`,
          [id],
        );
        await link(on);
      });
      // what was added or removed meanwhile waits for the next time
      for (const document of documents) if (added.get(document.id) === document) added.delete(document.id);
      for (const each of taken) removed.delete(each);
      for (const [name, own] of said) if (restated.get(name) === own) restated.delete(name);
      await refresh();
    });

  const search = (query: Query): Promise<readonly Hit[]> => widened(query.k, (most) => look(query, most));

  const look = async (query: Query, most: number): Promise<{ readonly hits: readonly Hit[]; readonly isAll: boolean }> => {
    const { hybridWeight, keep } = query;
    const names = new Map<number, string>();
    for (const [name, { number, metadata }] of known) if (keep === undefined || keep(metadata, name)) names.set(number, name);
    if (names.size === 0) return { hits: [], isAll: true };
    const kept = [...names.values()].reduce((sum, name) => sum + (known.get(name)?.chunks ?? 0), 0);
    // documents that others saved meanwhile were not asked about: their chunks are not taken below
    const only = names.size === known.size ? undefined : `{${[...names.keys()].join()}}`;
    const [asked, vector] = [[...new Set(terms(query.text))], `[${query.vector.join()}]`];
    const rows = await sql.begin(async (on) => {
      const found = new Set<string>();
      const filter = (at: number): string => (only === undefined ? "TRUE" : `document = ANY($${at}::text::bigint[])`);
      const values = only === undefined ? [] : [only];
      const near = async (): Promise<number> => {
        const query = `SELECT number FROM ${chunks} WHERE ${filter(2)} ORDER BY vector ${operators[metric]} $1::text::vector LIMIT ${most}`;
        const rows = await on.unsafe(query, [vector, ...values]);
        for (const { number } of rows) found.add(String(number));
        return rows.length;
      };
      if (hybridWeight < 1 && query.vector.some((value) => value !== 0)) {
        const isWalked = isLinked && graph !== undefined && (only === undefined || (goesOn && kept >= counts.chunks * leastKept));
        if (isWalked) {
          await on.unsafe(`SET LOCAL hnsw.ef_search = ${within(Math.max(most, graph.efSearch), 1, 1000)}`);
          if (goesOn) await on.unsafe("SET LOCAL hnsw.iterative_scan = strict_order");
        } else await on.unsafe("SET LOCAL enable_indexscan = off");
        if ((await near()) < Math.min(most, kept) && isWalked) {
          await on.unsafe("SET LOCAL enable_indexscan = off");
          await near();
        }
        await on.unsafe("SET LOCAL enable_indexscan = on");
      }
      let bestWord = 0;
      let words = "[]";
      if (hybridWeight > 0 && asked.length > 0) {
        const having = await on.unsafe(
          `SELECT term, (SELECT count(*) FROM ${chunks} WHERE words @@ quote_literal(term)::tsquery) AS having FROM jsonb_array_elements_text($1::text::jsonb) AS a(term)`,
          [JSON.stringify(asked)],
        );
        words = JSON.stringify(
          having.map((row) => ({
            term: String(row["term"]),
            rarity: rarityOf(counts.chunks, Math.min(counts.chunks, Number(row["having"]))),
          })),
        );
        const best = await on.unsafe(
          `SELECT c.number, ${wordScore} AS score FROM ${chunks} c WHERE c.words @@ $3::text::tsquery AND ${filter(4)} ORDER BY score DESC, c.number LIMIT ${most}`,
          [words, averageOf(counts), asked.map((term) => `'${term}'`).join(" | "), ...values],
        );
        for (const { number } of best) found.add(String(number));
        bestWord = Number(best[0]?.["score"] ?? 0);
      }
      const rows = await on.unsafe(
        `SELECT c.document, c.at, c.content, c.headings, c.first, c.after, c.hash, c.vector::text AS vector, ${wordScore} AS score FROM ${chunks} c WHERE c.number = ANY($3::text::bigint[])`,
        [words, averageOf(counts), `{${[...found].join()}}`],
      );
      const mix = mixer(hybridWeight, bestWord);
      return rows.flatMap((row): readonly Row[] => {
        const document = names.get(Number(row["document"]));
        if (document === undefined) return [];
        const own = Float32Array.from(json<number[]>(row["vector"]));
        const wordScore = Number(row["score"]);
        const vectorScore = hybridWeight < 1 ? scoreOf(metric, query.vector, own) : 0;
        return [
          {
            ...{ document, chunk: Number(row["at"]), vector: own, wordScore, vectorScore, score: mix(vectorScore, wordScore) },
            metadata: known.get(document)?.metadata ?? {},
            text: row["content"] === null ? undefined : json<string>(row["content"]),
            headings: json<readonly string[]>(row["headings"]),
            ...{ start: Number(row["first"]), end: Number(row["after"]), hash: String(row["hash"]) },
            length: Number(row["after"]) - Number(row["first"]),
          },
        ];
      });
    });
    const hits = await choose(rows, query, async ({ chunk, text, headings, start, end, hash, metadata }) => ({
      ...{ chunk, text, headings, start, end, hash, metadata },
    }));
    return { hits, isAll: rows.length < most };
  };

  await guarded(() => refresh());
  const collection: Collection = {
    add(documents) {
      for (const { id: name, chunks: own } of documents)
        for (const [i, { vector }] of own.entries())
          if (vector.length !== embedder.dimensions || !vector.every(Number.isFinite))
            throw new SpellError(
              "rag-model",
              `document ${name}: expected ${embedder.dimensions} numbers, got ${vector.length} (chunk ${i})`,
            );
      for (const document of documents) {
        removed.delete(document.id);
        restated.delete(document.id);
        added.set(document.id, document);
      }
    },
    restate(documents) {
      for (const { id: name, metadata } of documents) {
        const waiting = added.get(name);
        if (waiting !== undefined) added.set(name, { ...waiting, metadata });
        else if (known.has(name) && !removed.has(name)) restated.set(name, metadata);
      }
    },
    remove(names) {
      let count = 0;
      for (const name of names) {
        if (removed.has(name) || !(known.has(name) || added.has(name))) continue;
        count += 1;
        added.delete(name);
        restated.delete(name);
        if (known.has(name)) removed.add(name);
      }
      return count;
    },
    get(name) {
      const waiting = added.get(name);
      if (waiting !== undefined) return { metadata: waiting.metadata, chunks: waiting.chunks.length };
      const found = removed.has(name) ? undefined : known.get(name);
      return found === undefined ? undefined : { metadata: restated.get(name) ?? found.metadata, chunks: found.chunks };
    },
    documents: () => [...new Set([...known.keys(), ...added.keys()])].filter((name) => !removed.has(name)).sort(),
    async knownVector(hash) {
      if (known.size === 0) return undefined;
      const [row] = await guarded(() => sql.unsafe(`SELECT vector::text AS vector FROM ${chunks} WHERE hash = $1 LIMIT 1`, [hash]));
      return row === undefined ? undefined : Float32Array.from(json<number[]>(row["vector"]));
    },
    // what is searched was saved: a server ranks what it has
    async search(query) {
      await save();
      return guarded(() => search(query));
    },
    async chunksOf(name) {
      await save();
      const found = known.get(name);
      if (found === undefined) return [];
      const query = `SELECT content, headings, first, after FROM ${chunks} WHERE document = $1 ORDER BY at`;
      return (await guarded(() => sql.unsafe(query, [found.number]))).map((row) => ({
        text: row["content"] === null ? "" : json<string>(row["content"]),
        headings: json<readonly string[]>(row["headings"]),
        ...{ start: Number(row["first"]), end: Number(row["after"]) },
      }));
    },
    stats() {
      const own = collection.documents();
      const name = `${chunks.slice("llmspell.".length)}, revision ${counts.revision}`;
      return {
        documents: own.length,
        chunks: own.reduce((sum, each) => sum + (collection.get(each)?.chunks ?? 0), 0),
        deadChunks: 0,
        segments: counts.revision < 0 ? [] : [{ name, chunks: counts.chunks, scan: isLinked && graph !== undefined ? "graph" : "exact" }],
        bytes: counts.bytes,
      };
    },
    save,
    refresh: () => alone(() => refresh()),
    merge: save,
    // the database looks after its files
    mend: async () => [],
    check: async () => {},
  };
  return collection;
}

/** BM25 of chunk `c`: $1 the words with their rarity, $2 the mean length of a chunk. */
const wordScore = `coalesce((SELECT sum(a.rarity * ${k1 + 1} * n.count / (n.count + ${k1} * (${1 - b} + ${b} * c.length / $2::text::float8))) FROM jsonb_to_recordset($1::text::jsonb) AS a(term text, rarity float8), LATERAL (SELECT (c.counts ->> a.term)::float8 AS count) n WHERE n.count IS NOT NULL), 0)`;

function averageOf({ chunks, words }: { readonly chunks: number; readonly words: number }): string {
  return String(words / chunks || 1);
}

/** Keys of the configuration have wider bounds than pgvector. */
function within(value: number, least: number, most: number): number {
  return Math.trunc(Math.min(most, Math.max(least, value)));
}

/** @throws SpellError rag-package with the line that adds pgvector */
async function needVector(sql: Sql): Promise<void> {
  const [there] = await sql.unsafe(
    "SELECT (SELECT count(*) FROM pg_extension WHERE extname = 'vector') AS made, (SELECT count(*) FROM pg_available_extensions WHERE name = 'vector') AS had, current_setting('server_version_num')::integer / 10000 AS major",
  );
  if (Number(there?.["made"]) > 0) return;
  const missing = (message: string, line: string, cause?: unknown): SpellError =>
    new SpellError("rag-package", message, { where: "pgvector", actions: [{ kind: "shell", line }], cause });
  if (Number(there?.["had"]) === 0)
    throw missing(
      "the extension pgvector is not installed on the Postgres server; rag.vector_storage.backend is postgres, which needs it",
      `sudo apt-get install postgresql-${Number(there?.["major"])}-pgvector`,
    );
  try {
    await sql.unsafe("CREATE EXTENSION IF NOT EXISTS vector");
  } catch (error) {
    if (stateOf(error) !== "42501") throw error;
    const line = 'psql "$DATABASE_URL" -c "CREATE EXTENSION vector"';
    throw missing(`the extension pgvector is not switched on in this database, and this user may not: ${messageOf(error)}`, line, error);
  }
}

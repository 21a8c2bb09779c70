/** Indexes in Postgres: the answers of our own index, tenants, several writers, names that are no SQL, a server without pgvector. */
import { createRequire } from "node:module";
import { afterAll, beforeAll, expect, it } from "vitest";
import { resolveConfig } from "../../../src/core/api/configuration.ts";
import type { SharedIndexes } from "../../../src/core/platform.ts";
import { createRag } from "../../../src/core/rag/rag.ts";
import { openCollection } from "../../../src/core/search/collection.ts";
import { lexicalVector } from "../../../src/core/search/lexical.ts";
import { memoryFolder } from "../../../src/core/search/memory-folder.ts";
import type { Collection, CollectionSettings, Hit, IndexedDocument, Metric, Query } from "../../../src/core/spec/search-index.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { postgresIndexes } from "../../../src/node/store/postgres-index.ts";
import { failure } from "../../support/failure.ts";
import { onlyWhere } from "../../support/only-where.ts";
import { type PostgresServer, postgresPrograms, startPostgres } from "../../support/postgres-server.ts";
import { isLong } from "../../support.ts";

const isHere = process.env["LLMSPELL_TEST_POSTGRES"] !== undefined || (isLong && postgresPrograms("vector") !== undefined);
const where = onlyWhere(isHere ? undefined : "needs Postgres with pgvector: LLMSPELL_TEST_POSTGRES, or its programs in the long run");
const plain = onlyWhere(
  isLong && postgresPrograms() !== undefined && postgresPrograms("vector") === undefined
    ? undefined
    : "needs a Postgres without pgvector, and the long run",
);

const dimensions = 64;
const topics = ["bread oven flour", "tide moon harbour", "violin string bow", "router cable packet", "bread knife board"];
const document = (n: number, more = ""): IndexedDocument => ({
  id: `doc ${n}`,
  title: `Title ${n}`,
  metadata: { kind: n % 3 === 0 ? "third" : "other" },
  chunks: [0, 1].map((at) => {
    const text = `${topics[(n + at) % topics.length]} number${n} ${"word ".repeat((n * 7 + at) % 5)}${more}`;
    return { text, headings: [`H${at}`], start: at, end: at + text.length, hash: text, vector: lexicalVector(text, dimensions) };
  }),
});
const settingsOf = (metric: Metric = "cosine", more: Partial<CollectionSettings> = {}): CollectionSettings => ({
  ...{ embedder: { id: "lexical", dimensions }, metric, storeText: true },
  ...more,
});
const ask = (text: string, more: Partial<Query> = {}): Query => ({
  ...{ text, vector: lexicalVector(text, dimensions), k: 8, hybridWeight: 0.3 },
  ...more,
});
const rounded = (hits: readonly Hit[]) =>
  hits.map((hit) => ({
    ...hit,
    ...{ score: hit.score.toFixed(4), vectorScore: hit.vectorScore.toFixed(4), wordScore: hit.wordScore.toFixed(3) },
  }));

where.describe("an index in Postgres", () => {
  const name = `llmspell_test_${process.pid}`;
  let server: PostgresServer;
  let url = "";
  const opened: SharedIndexes[] = [];
  beforeAll(async () => {
    server = await startPostgres("vector");
    // of its own: other tests make and drop the same schema
    await query(`CREATE DATABASE ${name}`, server.url);
    url = server.url.replace(/[^/]+$/, name);
  }, 60_000);
  afterAll(async () => {
    for (const each of opened) await each.close();
    if (url !== "") await query(`DROP DATABASE ${name} WITH (FORCE)`, server.url);
    await server?.stop();
  });
  const query = async (text: string, at = url): Promise<void> => {
    const postgres = createRequire(import.meta.url)("postgres") as (
      url: string,
      options: object,
    ) => {
      unsafe(query: string): Promise<unknown>;
      end(): Promise<void>;
    };
    const sql = postgres(at, { onnotice: () => undefined });
    await sql.unsafe(text);
    await sql.end();
  };
  const machine = async (): Promise<SharedIndexes> => {
    const indexes = await postgresIndexes(url);
    opened.push(indexes);
    return indexes;
  };
  const openAt = async (path: string, settings = settingsOf()): Promise<Collection> => (await machine()).open(path, settings);

  it.each(["cosine", "euclidean", "inner_product"] as const)("answers as our own index does: %s", async (metric) => {
    const documents = Array.from({ length: 40 }, (_, n) => document(n));
    const shared = await openAt(`same ${metric}`, settingsOf(metric));
    const own = await openCollection(memoryFolder(), settingsOf(metric));
    for (const each of [shared, own]) {
      each.add(documents);
      each.add([document(3, "changed")]);
      expect(each.remove(["doc 5", "doc 5", "none"])).toBe(1);
    }
    expect(shared.documents()).toEqual(own.documents());
    for (const asked of [
      ask("bread in the oven"),
      ask("harbour", { hybridWeight: 0 }),
      ask("violin number7", { hybridWeight: 1 }),
      ask("bread", { keep: ({ kind }) => kind === "third" }),
      ask("bread board", { rerank: "mmr", deduplicate: true }),
      ask("moon", { threshold: 0.4 }),
      ask("changed"),
    ])
      expect(rounded(await shared.search(asked))).toEqual(rounded(await own.search(asked)));
    expect(await shared.chunksOf("doc 3")).toEqual(await own.chunksOf("doc 3"));
    expect(await shared.knownVector(document(9).chunks[0]?.hash ?? "")).toEqual(document(9).chunks[0]?.vector);
    expect(shared.stats()).toMatchObject({ documents: 39, chunks: 78, segments: [{ scan: "exact" }] });
  });

  it("takes other metadata for a document, which other machines see, and leaves the passages", async () => {
    const [one, two] = [await openAt("restated"), await openAt("restated")];
    one.add([document(1), document(2)]);
    await one.save();
    await two.refresh();
    one.restate(["doc 1", "nothing"].map((id) => ({ id, metadata: { kind: "other" } })));
    expect(one.get("doc 1")).toEqual({ metadata: { kind: "other" }, chunks: 2 });
    await one.save();
    await two.refresh();
    expect(two.get("doc 1")).toEqual({ metadata: { kind: "other" }, chunks: 2 });
    expect(two.get("doc 2")?.metadata).toEqual(document(2).metadata);
    expect(await two.chunksOf("doc 1")).toHaveLength(2);
    // what another machine has put there meanwhile stays
    two.add([document(2, "changed")]);
    await two.save();
    one.restate([{ id: "doc 2", metadata: { kind: "late" } }]);
    await one.save();
    expect(one.get("doc 2")?.metadata).toEqual(document(2).metadata);
  });

  it("walks a graph where there are enough chunks, with filters", async () => {
    const graph = { m: 16, efConstruction: 64, efSearch: 100, seed: 1, layers: 4, batchSize: 64, least: 400 };
    const shared = await openAt("graph", settingsOf("cosine", { graph }));
    const exact = await openAt("graph", settingsOf());
    shared.add(Array.from({ length: 300 }, (_, n) => document(n)));
    await shared.save();
    await exact.refresh();
    expect(shared.stats().segments[0]?.scan).toBe("graph");
    for (const more of [{}, { keep: ({ kind }: Readonly<Record<string, unknown>>) => kind === "third" }]) {
      const asked = ask("tide and moon", more);
      expect(rounded(await shared.search(asked)).map(({ score }) => score)).toEqual(
        rounded(await exact.search(asked)).map(({ score }) => score),
      );
    }
  });

  it("loses nothing that machines write at once, the same document among it", async () => {
    const machines = await Promise.all([openAt("many"), openAt("many"), openAt("many")]);
    await Promise.all(
      machines.map(async (each, i) => {
        for (let n = 0; n < 4; n += 1) {
          each.add([document(10 * i + n), document(99, `by ${i}`)]);
          await each.save();
        }
      }),
    );
    for (const each of machines) await each.refresh();
    expect(machines[0]?.documents()).toHaveLength(13);
    expect(machines.map((each) => each.stats().chunks)).toEqual([26, 26, 26]);
    expect((await machines[1]?.search(ask("by", { k: 60 })))?.filter(({ document: id }) => id === "doc 99")).toHaveLength(2);
  });

  it("keeps paths apart, whatever they are called, and texts as they are", async () => {
    const paths = ["a", "a'; DROP SCHEMA llmspell CASCADE; --", 'b"$1\\', "\u0000ü"];
    const text = "it's a \u0000 \\ \ud800 \"bread\" ' | & ! :*";
    const odd = `id'; DELETE FROM llmspell.rag_documents; --`;
    for (const [i, path] of paths.entries()) {
      const index = await openAt(path);
      index.add([
        {
          id: odd,
          metadata: { i, "'": "\u0000" },
          chunks: [{ text, headings: ["'"], start: 0, end: 9, hash: "'", vector: lexicalVector(text, dimensions) }],
        },
      ]);
      await index.save();
    }
    for (const [i, path] of paths.entries()) {
      const hits = await (await openAt(path)).search(ask("' OR bread'); --"));
      expect(hits).toMatchObject([{ document: odd, text, metadata: { i, "'": "\u0000" } }]);
    }
  });

  it("refuses vectors of another model, and a database of a newer llmspell", async () => {
    const index = await openAt("models");
    index.add([document(1)]);
    await index.save();
    const other = await failure(openAt("models", settingsOf("cosine", { embedder: { id: "other", dimensions } })));
    expect(other).toMatchObject({ code: "rag-model", details: { stored: "lexical", asked: "other" } });
    await query("INSERT INTO llmspell.rag_format VALUES (2)");
    const newer = await failure(machine());
    await query("DELETE FROM llmspell.rag_format WHERE version = 2");
    expect(newer).toMatchObject({ code: "store-denied", message: expect.stringContaining("expected format 1, got 2") });
  });

  it("serves two machines and two tenants through rag()", async () => {
    const start = async () => {
      const platform = { ...memoryPlatform(), sharedIndexes: postgresIndexes };
      const rag = {
        multi_tenant: true,
        tenants: { max_tenants: 2 },
        vector_storage: { backend: "postgres", persistence_path: "", dimensions },
      } as const;
      const { config } = await resolveConfig({ config: { rag }, env: {} }, platform);
      const embeddings = () => Promise.reject(new Error("no model was expected"));
      return createRag({ platform, settings: config.rag, embeddings, postgresUrl: () => url });
    };
    const [one, two] = [await start(), await start()];
    await one.ingest([{ id: "x", text: "Bake bread at 230 degrees." }], { tenantId: "a", collection: "food" });
    await one.save();
    expect(await two.search("bread", { tenantId: "a", collection: "food" })).toMatchObject([
      { id: "x", content: "Bake bread at 230 degrees." },
    ]);
    expect(await failure(two.search("bread", { tenantId: "b", collection: "food" }))).toMatchObject({
      code: "rag-unknown",
      hint: "There is none. ingest makes one.",
    });
    expect(await two.collections("a")).toEqual(["food"]);
    expect(await two.remove(["x"], { tenantId: "a", collection: "food" })).toBe(1);
    await Promise.all([one.close(), two.close()]);
    const three = await start();
    expect(await three.documents({ tenantId: "a", collection: "food" })).toEqual([]);
    await three.close();
  });
});

plain.it("says which line adds pgvector to a server that has none", async () => {
  const server = await startPostgres();
  try {
    expect(await failure(postgresIndexes(server.url))).toMatchObject({
      code: "rag-package",
      actions: [{ kind: "shell", line: expect.stringMatching(/^sudo apt-get install postgresql-\d+-pgvector$/) }],
    });
  } finally {
    await server.stop();
  }
});

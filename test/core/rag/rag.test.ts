/** Retrieval from documents to passages, over folders in memory: two programs over one folder, tenants, scopes, what changed, limits. */
import { describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import type { RagHost } from "../../../src/core/rag/rag.ts";
import type { IngestProgress, Rag } from "../../../src/core/rag/types.ts";
import { lexicalVector } from "../../../src/core/search/lexical.ts";
import { words } from "../../../src/core/search/terms.ts";
import type { EmbeddingModel } from "../../../src/core/spec/embedding-model.ts";
import { memoryPlatform } from "../../../src/core/testing/index.ts";
import { failure } from "../../support/failure.ts";
import { disk, open, type Settings } from "./open.ts";

const onDisk: Settings = { vector_storage: { persistence_path: "/index", save_interval_seconds: 0 } };
const notes = [
  { id: "bread", text: "# Bread\n\nFlour, water, salt and yeast.\n\n## Oven\n\nBake it at 230 degrees for forty minutes." },
  {
    id: "tent",
    text: "# Tent\n\nThe poles go through the sleeves, then the pegs hold the corners.",
    metadata: { kind: "camp", year: 2024 },
  },
  { id: "bike", text: "# Bicycle\n\nOil the chain after rain. The pump is in the shed.", metadata: { kind: "repair", year: 2025 } },
];

/** A model whose vectors are those of words; it counts what it is asked. */
function countingModel(
  asked: string[],
  dimensions = 384,
  countTokens: EmbeddingModel["countTokens"] = async (texts) => texts.map((text) => words(text).length),
): RagHost["embeddings"] {
  return async () =>
    ({
      async embed(texts: readonly string[]) {
        asked.push(...texts);
        return { vectors: texts.map((text) => lexicalVector(text, dimensions)), dimensions, tokens: texts.length, warnings: [] };
      },
      countTokens,
      dispose: async () => undefined,
    }) as unknown as EmbeddingModel;
}

const withModel: Settings = { ...onDisk, embedding: { default_provider: "candle", model: "some-encoder", cache_enabled: false } };

describe("retrieval", () => {
  it("finds passages with source, heading and the place that opens them", async () => {
    const { rag } = await open();
    expect(await rag.ingest(notes)).toMatchObject({ documents: 3, unchanged: 0, warnings: [] });
    const [best] = await rag.search("how hot is the oven for baking?");
    expect(best).toMatchObject({ id: "bread", heading: "Bread > Oven", content: "Bake it at 230 degrees for forty minutes." });
    expect(notes[0]?.text.slice(best?.start, best?.end)).toBe(best?.content);
    expect((await rag.search("chain", { topK: 1 }))[0]).toMatchObject({ id: "bike", metadata: { kind: "repair", year: 2025 } });
  });

  it("says what it got in place of a document, or of its metadata", async () => {
    const { rag } = await open();
    const got = async (document: unknown) => (await failure(rag.ingest([document as (typeof notes)[0]]))).message;
    expect(await got(null)).toBe("documents[0]: document: expected an object, got null");
    expect(await got(["bread"])).toBe("documents[0]: document: expected an object, got a list");
    expect(await got("bread")).toBe("documents[0]: document: expected an object, got string");
    expect(await got({ text: "x", metadata: [1] })).toBe("documents[0]: metadata: expected an object, got a list");
  });

  it("reads no bytes of the version that it has, as long as they would be cut and shown alike", async () => {
    const { rag } = await open();
    let reads = 0;
    const file = (version: string | undefined, text = "# Oven\n\nBake it.", more = {}) => ({
      ...{ id: "oven", name: "oven.md", version, ...more },
      bytes: () => {
        reads += 1;
        return new TextEncoder().encode(text);
      },
    });
    const ingested = async (...given: Parameters<typeof rag.ingest>) => {
      reads = 0;
      const { documents, unchanged } = await rag.ingest(...given);
      return { documents, unchanged, reads };
    };
    const [changed, same, known] = [
      { documents: 1, unchanged: 0, reads: 1 },
      { documents: 0, unchanged: 1, reads: 1 },
      { documents: 0, unchanged: 1, reads: 0 },
    ];
    expect(await ingested(file("1"))).toEqual(changed);
    expect(await ingested(file("1"))).toEqual(known);
    expect(await ingested(file(undefined))).toEqual(same);
    expect(await ingested(file("2"))).toEqual(same);
    // what was read and is the same has that version from then on
    expect(await ingested(file("2"))).toEqual(known);
    expect(await ingested(file("3", "# Oven\n\nBake it longer."))).toEqual(changed);
    expect((await rag.search("bake"))[0]?.content).toBe("Bake it longer.");
    expect(await ingested(file("3", undefined, { metadata: { kind: "food" } }))).toEqual(changed);
    expect(await ingested(file("3", undefined, { title: "Kitchen" }))).toEqual(changed);
    expect(await ingested(file("3"), { chunking: { chunkSize: 100, overlap: 0 } })).toEqual(changed);
    expect(await ingested(file("3"), { chunking: { chunkSize: 100, overlap: 0 } })).toEqual(known);
    await rag.remove(["oven"]);
    expect(await ingested(file("3"))).toEqual(changed);
  });

  it("says which id several documents of one call have", async () => {
    const { rag } = await open();
    const [first, second] = [
      { id: "a", text: "one fox" },
      { id: "a", text: "two cats" },
    ];
    const { documents, warnings } = await rag.ingest([first, second, ...notes]);
    expect(documents).toBe(4);
    expect(warnings).toEqual(['one call brought several documents of one id: "a"; the last of each is kept']);
    expect((await rag.search("cats"))[0]?.content).toBe("two cats");
    const { rag: skipping } = await open({ ingest: { on_duplicate: "skip" } });
    expect((await skipping.ingest([first, second])).warnings).toEqual([expect.stringContaining("the first of each is kept")]);
  });

  it("cuts by the tokens of its model, and only what changed", async () => {
    const counted: string[] = [];
    const count = async (texts: readonly string[]) => {
      counted.push(...texts);
      // as a model that reads letters
      return texts.map((text) => text.length);
    };
    const settings: Settings = { ...withModel, chunking: { chunk_size: 60, max_chunk_size: 60, overlap: 0, min_chunk_size: 0 } };
    const { rag } = await open(settings, { embeddings: countingModel([], 384, count) });
    const text = Array.from({ length: 12 }, (_, i) => `Sentence ${i} is of some words and no more.`).join(" ");
    expect((await rag.ingest({ id: "long", text })).warnings).toEqual([]);
    const passages: string[] = [];
    for await (const { content } of rag.export()) passages.push(content);
    expect(passages).toHaveLength(12);
    expect(Math.max(...passages.map((each) => each.length))).toBeLessThanOrEqual(60);
    expect(counted.length).toBeGreaterThan(0);
    counted.length = 0;
    expect(await rag.ingest({ id: "long", text })).toMatchObject({ unchanged: 1 });
    expect(counted).toEqual([]);
    const { rag: other } = await open(settings, { embeddings: countingModel([], 384, async () => undefined) });
    expect((await other.ingest({ id: "long", text })).warnings).toEqual([expect.stringContaining("characters ÷ 3")]);
  });

  it("refuses a threshold that no score by its metric has", async () => {
    const { rag } = await open();
    await rag.ingest(notes);
    for (const threshold of [1.5, -1.01, Number.NaN])
      expect(await failure(rag.search("oil", { threshold }))).toMatchObject({ code: "rag-input", where: "threshold" });
    const by = async (metric: "euclidean" | "inner_product") => (await open({ vector_storage: { hnsw: { metric } } })).rag;
    expect((await failure((await by("euclidean")).search("oil", { threshold: -0.5 }))).message).toContain("from 0 to 1");
    expect(await (await by("inner_product")).search("oil", { threshold: 7 })).toEqual([]);
  });

  it("filters by metadata before it ranks, leaves out what is under the threshold, and gives at most topK", async () => {
    const { rag } = await open();
    await rag.ingest(notes);
    expect((await rag.search("oil", { filters: { kind: "camp" } })).map(({ id }) => id)).toEqual(["tent"]);
    expect((await rag.search("oil", { filters: { kind: ["camp", "repair"], year: 2025 } })).map(({ id }) => id)).toEqual(["bike"]);
    expect(await rag.search("oil", { filters: { toString: 1 } })).toEqual([]);
    expect(await rag.search("zeppelin", { threshold: 0.5 })).toEqual([]);
    expect(await rag.search("the", { topK: 2, threshold: -1 })).toHaveLength(2);
  });

  it("numbers the passages of a context and keeps to its length", async () => {
    const { rag } = await open();
    await rag.ingest(notes);
    const whole = await rag.context("oil the chain of the bicycle", { topK: 2 });
    expect(whole.text.startsWith("[1] bike > Bicycle\nOil the chain after rain.")).toBe(true);
    expect(whole.text).toContain("\n\n[2] ");
    const short = await rag.context("oil the chain of the bicycle", { maxTokens: 16 });
    expect(short.results.map(({ id }) => id)).toEqual(["bike"]);
    expect((await rag.context("oil", { maxTokens: 1 })).text).toBe("");
  });

  it("is there for the next program after save(), and for one that was open before", async () => {
    const store = disk();
    const first = await open(onDisk, {}, store);
    let time = 0;
    const early = await open(onDisk, {}, store);
    await early.rag.search("tent");
    await first.rag.ingest(notes);
    await first.rag.save();
    expect((await (await open(onDisk, {}, store)).rag.search("tent poles"))[0]?.id).toBe("tent");
    const later = { ...memoryPlatform({ now: () => time }), searchFolder: store.searchFolder };
    const { rag } = await open(onDisk, { platform: later }, store);
    expect(await rag.remove(["tent", "nothing"])).toBe(1);
    await rag.close();
    await first.rag.close();
    time += 5000;
    expect((await rag.search("tent poles")).map(({ id }) => id)).not.toContain("tent");
  });

  it("takes nothing more once who has it is gone", async () => {
    const over = new AbortController();
    const { rag } = await open({}, { over: over.signal });
    await rag.ingest(notes);
    over.abort(new SpellError("run-closed", "the spell was disposed"));
    await expect(rag.ingest([{ id: "late", text: "late" }])).rejects.toMatchObject({ code: "run-closed" });
    await expect(rag.search("late")).rejects.toMatchObject({ code: "run-closed" });
  });

  it.each([
    ["search has no option topk; did you mean topK?", (rag: Rag) => rag.search("x", { topk: 1 } as object)],
    ["ingest has no option chunk", (rag: Rag) => rag.ingest(notes, { chunk: {} } as object)],
    [
      "chunking has no option chunk_size; did you mean chunkSize?",
      (rag: Rag) => rag.ingest(notes, { chunking: { chunk_size: 9 } as object }),
    ],
  ])("%s", async (message, call) => {
    const { rag } = await open();
    await expect(call(rag)).rejects.toMatchObject({ code: "run-option", message: expect.stringContaining(message) as string });
  });

  it("embeds again only what changed", async () => {
    const asked: string[] = [];
    const store = disk();
    const long = { id: "log", text: Array.from({ length: 40 }, (_, i) => `# Day ${i}\n\nOn day ${i} we walked ${i} miles.`).join("\n\n") };
    const first = await open(withModel, { embeddings: countingModel(asked) }, store);
    const told: IngestProgress[] = [];
    expect(await first.rag.ingest([long, ...notes], { onProgress: (each) => told.push(each) })).toMatchObject({
      documents: 4,
      embedded: 44,
    });
    expect(told.map(({ done, of }) => `${done}/${of}`)).toEqual(["1/4", "2/4", "3/4", "4/4"]);
    await first.rag.close();
    asked.length = 0;
    const { rag } = await open(withModel, { embeddings: countingModel(asked) }, store);
    const changed = { ...long, text: long.text.replace("walked 7 miles", "slept") };
    expect(await rag.ingest([changed, ...notes])).toMatchObject({ documents: 1, unchanged: 3, chunks: 40, embedded: 1 });
    expect(asked).toEqual(["Day 7\nOn day 7 we slept."]);
    expect((await rag.search("slept"))[0]?.heading).toBe("Day 7");
  });

  it.each([
    ["a".repeat(5000), "5000"],
    ["", "0"],
    ["a\u001fb", "U+001F"],
    [7 as unknown as string, "number"],
  ])("takes no id such as %j", async (id, got) => {
    const { rag } = await open();
    const error = await failure(rag.ingest([{ id, text: "x" }]));
    expect(error).toMatchObject({
      code: "rag-input",
      message: `documents[0]: id: expected text of 1–1000 characters without U+001F, got ${got}`,
    });
  });

  it("keeps nothing of a call where one document is refused", async () => {
    const { rag } = await open({ ingest: { max_document_mb: 1 } });
    const bad = { id: "big", text: "x".repeat(1_000_001) };
    expect(await failure(rag.ingest([...notes, bad]))).toMatchObject({ code: "rag-input", where: "rag.ingest.max_document_mb" });
    expect(await rag.documents()).toEqual([]);
  });

  it("sets a damaged file aside, says so, and embeds anew what it held, whatever of it is damaged", async () => {
    for (const share of [0.001, 0.3, 0.5, 0.7, 0.95]) {
      const store = disk();
      const first = await open(withModel, { embeddings: countingModel([]) }, store);
      await first.rag.ingest(notes);
      await first.rag.close();
      const folder = await store.searchFolder("/index/default");
      const [name = ""] = (await folder.list()).filter((each) => each.endsWith(".seg"));
      const bytes = (await folder.read(name, 0, (await folder.size(name)) ?? 0)) ?? new Uint8Array();
      const at = Math.floor(bytes.length * share);
      bytes.fill(0x41, at, at + 40);
      await folder.write(name, [bytes]);
      const asked: string[] = [];
      const { rag } = await open(withModel, { embeddings: countingModel(asked) }, store);
      const result = await rag.ingest(notes);
      expect({ share, ...result }).toMatchObject({ documents: 3, unchanged: 0, embedded: 4 });
      expect(result.warnings).toEqual([expect.stringMatching(/damaged.*set aside as .*\.damaged/)]);
      expect(asked).toHaveLength(4);
      await rag.save();
      const names = await folder.list();
      expect(names).toContain(name.replace(".seg", ".damaged"));
      expect(names).not.toContain(name);
      expect((await rag.search("tent poles"))[0]?.id).toBe("tent");
      expect(await rag.ingest(notes)).toMatchObject({ unchanged: 3, warnings: [] });
    }
  });

  it("tells how far a graph is while it saves", async () => {
    const { rag } = await open(onDisk, { leastInGraph: 50 });
    const told: string[] = [];
    await rag.ingest(Array.from({ length: 60 }, (_, i) => ({ id: `d${i}`, text: `Note ${i} about thing ${i * 7}.` })));
    await rag.save({ onProgress: ({ done, of }) => told.push(`${done} of ${of}`) });
    expect((await rag.stats()).segments.map(({ scan }) => scan)).toEqual(["graph"]);
    expect(told.at(-1)).toBe("60 of 60");
    expect(told.length).toBeGreaterThan(3);
  });

  it("never mixes vectors of two models", async () => {
    const store = disk();
    const first = await open(onDisk, {}, store);
    await first.rag.ingest(notes);
    await first.rag.close();
    const { rag } = await open(withModel, { embeddings: countingModel([]) }, store);
    expect((await failure(rag.search("tent"))).code).toBe("rag-model");
    const short = await open(withModel, { embeddings: countingModel([], 100) });
    expect(await failure(short.rag.ingest(notes))).toMatchObject({ code: "rag-model", where: "rag.vector_storage.dimensions" });
    const none = await open({ embedding: { default_provider: "candle" } });
    expect(await failure(none.rag.search("tent"))).toMatchObject({ code: "rag-model", where: "rag.embedding.model" });
  });

  it("re-ranks the best with a cross-encoder", async () => {
    const asked: unknown[] = [];
    const rerank: RagHost["rerank"] = async (model, query, texts) => {
      asked.push([model, query, texts.length]);
      return { scores: texts.map((text) => (text.includes("pump") ? 9 : 0)) };
    };
    const { rag } = await open({}, { rerank });
    await rag.ingest(notes);
    const [best] = await rag.search("bread", { topK: 1, rerankModel: "judge", threshold: -1 });
    expect(best).toMatchObject({ id: "bike", score: 9 });
    expect(asked).toEqual([["judge", "bread", 4]]);
  });

  it("exports every passage, and tells what it holds", async () => {
    const { rag } = await open(onDisk);
    await rag.ingest(notes);
    const all = [];
    for await (const chunk of rag.export()) all.push(chunk);
    expect(all.map(({ id, heading }) => `${id}: ${heading}`)).toEqual([
      "bike: Bicycle",
      "bread: Bread",
      "bread: Bread > Oven",
      "tent: Tent",
    ]);
    expect(await rag.stats()).toMatchObject({ documents: 3, chunks: 4, embedder: "lexical", dimensions: 384, place: "/index/default" });
    expect(rag.listProviders()).toEqual([{ name: "lexical", model: "", isDefault: true }]);
    expect((await rag.stats()).advice[0]).toContain("embedding model");
  });
});

describe("collections, tenants and scopes", () => {
  it("hold their documents apart", async () => {
    const { rag } = await open(onDisk);
    await rag.ingest(notes[0] ?? [], { collection: "kitchen" });
    await rag.ingest(notes[1] ?? [], { scope: "trip", scopeId: "1" });
    expect((await rag.search("bread", { collection: "kitchen" }))[0]?.id).toBe("bread");
    expect((await rag.search("the tent")).map(({ id }) => id)).toEqual(["tent"]);
    expect(await rag.search("tent", { scope: "trip", scopeId: "2" })).toEqual([]);
    expect(await rag.cleanupScope("trip", "2")).toBe(0);
    expect(await rag.cleanupScope("trip", "1")).toBe(1);
    expect(await rag.documents()).toEqual([]);
    expect(await rag.collections()).toEqual(["default", "kitchen"]);
    expect((await failure(rag.search("x", { collection: "../etc" }))).code).toBe("rag-input");
  });

  it("that were named and are not there are told where they are read, with those that are", async () => {
    const { rag } = await open(onDisk);
    // a name that was not given is no misspelt one
    expect(await rag.search("bread")).toEqual([]);
    const reads = (collection: string) => [
      rag.search("bread", { collection }),
      rag.context("bread", { collection }),
      rag.export({ collection }).next(),
    ];
    for (const error of await Promise.all(reads("kitchen").map(failure)))
      expect(error).toMatchObject({
        code: "rag-unknown",
        message: "collection: no collection kitchen",
        hint: "There is none. ingest makes one.",
      });
    await rag.ingest(notes, { collection: "kitchen" });
    await rag.ingest(notes);
    for (const error of await Promise.all(reads("kitchn").map(failure)))
      expect(error).toMatchObject({
        code: "rag-unknown",
        message: "collection: no collection kitchn; did you mean kitchen?",
        hint: "There are default, kitchen. ingest makes one.",
      });
    await rag.remove(["bread", "tent", "bike"], { collection: "kitchen" });
    expect(await rag.search("bread", { collection: "kitchen" })).toEqual([]);
  });

  it("have a name on the disk from their first save on: of an ingest that was killed or stopped nothing is left", async () => {
    const store = disk();
    const { rag } = await open(onDisk, {}, store);
    const others = async () => (await open(onDisk, {}, store)).rag.collections();
    await failure(rag.ingest(notes, { collection: "stopped", signal: AbortSignal.abort() }));
    await rag.ingest(notes, { collection: "kitchen" });
    expect([await rag.collections(), await others()]).toEqual([["kitchen"], []]);
    await rag.save();
    expect([await rag.collections(), await others()]).toEqual([["kitchen"], ["kitchen"]]);
  });

  it.each([false, true])("multi_tenant %s: one tenant never sees another's", async (multi_tenant) => {
    const store = disk();
    const { rag } = await open({ ...onDisk, multi_tenant }, {}, store);
    await rag.ingest({ id: "n", text: "The password of the shed is walrus." }, { tenantId: "ann" });
    await rag.ingest({ id: "n", text: "The password of the shed is hidden." }, { tenantId: "bob" });
    store.touched.length = 0;
    expect((await rag.search("password", { tenantId: "bob" })).map(({ content }) => content)).toEqual([
      "The password of the shed is hidden.",
    ]);
    expect(await rag.search("password")).toEqual([]);
    expect(await rag.remove(["n"], { tenantId: "bob" })).toBe(1);
    expect(await rag.documents({ tenantId: "ann" })).toEqual(["n"]);
    await rag.save();
    const other = await open({ ...onDisk, multi_tenant }, {}, store);
    store.touched.length = 0;
    await other.rag.search("password", { tenantId: "bob" });
    // apart: a search opens its own folder alone
    if (multi_tenant) expect(new Set(store.touched).size).toBe(1);
    expect(await other.rag.documents({ tenantId: "ann" })).toEqual(["n"]);
  });

  it("of sessions are found where they are named, and go with their time", async () => {
    let time = 1_000_000;
    const { rag } = await open({}, { wallTime: () => time });
    const place = await rag.createSessionCollection("s1", 60);
    await rag.ingest(notes, place);
    expect(await rag.search("tent")).toEqual([]);
    expect((await rag.search("tent", place))[0]?.id).toBe("tent");
    rag.configureSession("s1", { topK: 1 });
    expect(await rag.search("the", { ...place, topK: 5, threshold: -1 })).toHaveLength(1);
    expect(await rag.search("tent", place)).toHaveLength(1);
    time += 61_000;
    // the same question, which has an answer in the cache
    expect(await rag.search("tent", place)).toEqual([]);
    // nothing of them is left in the program that goes on
    expect(await rag.stats()).toMatchObject({ documents: 0, chunks: 0 });
  });

  it("are removed by a list of ids alone", async () => {
    const { rag } = await open();
    await expect(rag.remove("tent" as unknown as string[])).rejects.toMatchObject({ code: "rag-input", where: "ids" });
  });
});

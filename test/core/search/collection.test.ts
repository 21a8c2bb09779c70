/** An index over segments: what is added is found, whoever wrote it; what is damaged is said so. */
import { describe, expect, it } from "vitest";
import type { SearchFolder } from "../../../src/core/platform.ts";
import { openCollection } from "../../../src/core/search/collection.ts";
import { crc32 } from "../../../src/core/search/crc32.ts";
import { lexicalVector } from "../../../src/core/search/lexical.ts";
import { memoryFolder } from "../../../src/core/search/memory-folder.ts";
import type { Collection, CollectionSettings, IndexedDocument, Metadata } from "../../../src/core/spec/search-index.ts";
import { clusteredVectors } from "../../fixtures/vectors.ts";
import { failure } from "../../support/failure.ts";
import { isLong } from "../../support.ts";

const embedder = { id: "lexical", dimensions: 64 };
const settings: CollectionSettings = { embedder, metric: "cosine", storeText: true };
const document = (id: string, ...texts: string[]): IndexedDocument => ({
  id,
  title: id,
  metadata: { from: id },
  chunks: texts.map((text, i) => ({
    text,
    headings: ["Top"],
    start: i * 10,
    end: i * 10 + text.length,
    hash: `${id}-${text}`,
    vector: lexicalVector(text, 64),
  })),
});
const ask = async (collection: Collection, text: string, more = {}): Promise<readonly string[]> =>
  (await collection.search({ text, vector: lexicalVector(text, 64), k: 5, hybridWeight: 0.3, ...more })).map(
    (hit) => `${hit.document}/${hit.chunk}: ${hit.text}`,
  );

/** @param isProved false: the checksum is that of the zeros, as if it were not read */
function zeroSection(file: Uint8Array<ArrayBuffer>, section: string, isProved: boolean): void {
  const view = new DataView(file.buffer, file.byteOffset);
  const length = view.getUint32(8, true);
  const raw = file.subarray(16, 16 + length);
  const header = JSON.parse(new TextDecoder().decode(raw)) as { sections: Record<string, [number, number, number]> };
  const place = header.sections[section] as [number, number, number];
  const zeros = file.subarray(16 + length + place[0], 16 + length + place[0] + place[1]).fill(0);
  if (isProved) return;
  place[2] = crc32(zeros);
  const text = JSON.stringify(header);
  raw.set(new TextEncoder().encode(text.padEnd(length)));
  view.setUint32(12, crc32(raw), true);
}

const animals = document("animals", "The fox jumps over the lazy dog.", "Cats sleep all day.");
const tools = document("tools", "A hammer drives nails.", "The saw cuts wood.");

describe("a collection", () => {
  it("finds what was added before and after it was saved, and in another opening", async () => {
    const folder = memoryFolder();
    const collection = await openCollection(folder, settings);
    collection.add([animals, tools]);
    expect((await ask(collection, "jumping foxes"))[0]).toBe("animals/0: The fox jumps over the lazy dog.");
    expect(await folder.list()).toEqual([]);
    await collection.save();
    await collection.save();
    expect(await folder.list()).toHaveLength(1);
    expect((await ask(collection, "cut wood"))[0]).toBe("tools/1: The saw cuts wood.");
    const other = await openCollection(folder, settings);
    expect(await ask(other, "cut wood")).toEqual(await ask(collection, "cut wood"));
    expect(other.get("tools")).toEqual({ metadata: { from: "tools" }, chunks: 2 });
    expect(await other.chunksOf("tools")).toEqual(tools.chunks.map(({ text, headings, start, end }) => ({ text, headings, start, end })));
    expect(await other.knownVector("tools-The saw cuts wood.")).toEqual(tools.chunks[1]?.vector);
    expect(await other.knownVector("nothing")).toBeUndefined();
  });

  it("replaces, removes, merges, and finds neither the old nor the removed", async () => {
    const folder = memoryFolder();
    const collection = await openCollection(folder, settings);
    collection.add([animals, tools]);
    await collection.save();
    collection.add([document("animals", "Only birds are left.")]);
    expect(collection.remove(["tools", "nothing"])).toBe(1);
    expect(await ask(collection, "saw wood fox")).toEqual(["animals/0: Only birds are left."]);
    expect(collection.documents()).toEqual(["animals"]);
    await collection.save();
    const other = await openCollection(folder, settings);
    expect(await ask(other, "saw wood fox")).toEqual(["animals/0: Only birds are left."]);
    await other.merge(true);
    expect(await folder.list()).toHaveLength(1);
    expect(other.stats()).toMatchObject({ documents: 1, chunks: 1, deadChunks: 0 });
    expect(await ask(collection, "saw wood fox")).toEqual(["animals/0: Only birds are left."]);
    other.add([tools]);
    await other.save();
    await collection.refresh();
    expect(collection.documents()).toEqual(["animals", "tools"]);
  });

  it.each(["vectors", "places", "counts", "texts"] as const)("refuses %s that are zeros where a search reads them", async (section) => {
    for (const isProved of [true, false]) {
      const folder = memoryFolder();
      const collection = await openCollection(folder, settings);
      collection.add([animals, tools]);
      await collection.save();
      const [name = ""] = await folder.list();
      const file = (await folder.read(name, 0, (await folder.size(name)) ?? 0)) as Uint8Array<ArrayBuffer>;
      zeroSection(file, section, isProved);
      await folder.remove(name);
      await folder.write(name, [file]);
      // texts and words have checksums by parts, so that none is read as a whole
      const byParts = { places: "places of the word", counts: "places of the word", texts: "the text of chunk" };
      const message = section !== "vectors" ? byParts[section] : isProved ? "section vectors has another checksum" : "8 bits";
      const search = async () => ask(await openCollection(folder, settings), "animals hammer");
      expect(await failure(search())).toMatchObject({ code: "rag-damaged", message: expect.stringContaining(message) });
      if (isProved) expect(await failure((await openCollection(folder, settings)).check())).toMatchObject({ code: "rag-damaged" });
    }
  });

  it("has what two writers saved, and goes on where a merge took files away", async () => {
    const folder = memoryFolder();
    const [one, two] = [await openCollection(folder, settings), await openCollection(folder, settings)];
    one.add([animals]);
    two.add([tools]);
    await Promise.all([one.save(), two.save()]);
    await one.refresh();
    await two.refresh();
    await Promise.all([one.merge(true), two.merge(true)]);
    for (const each of [one, two, await openCollection(folder, settings)]) {
      await each.refresh();
      expect(each.documents()).toEqual(["animals", "tools"]);
      expect((await ask(each, "fox"))[0]).toContain("animals/0");
    }
  });

  it("keeps words and places without texts, through a merge too", async () => {
    const folder = memoryFolder();
    const collection = await openCollection(folder, { ...settings, storeText: false });
    collection.add([animals, tools]);
    await collection.save();
    await collection.merge(true);
    const [hit] = await collection.search({ text: "hammer", vector: lexicalVector("nothing", 64), k: 1, hybridWeight: 1 });
    expect(hit).toMatchObject({ document: "tools", chunk: 0, text: undefined, start: 0, end: 22, wordScore: expect.any(Number) });
    expect(hit?.wordScore).toBeGreaterThan(0.5);
  });

  it("filters, deduplicates, holds a threshold, and lets what differs come first", async () => {
    const collection = await openCollection(memoryFolder(), settings);
    const copies = ["a", "b", "c"].map((id) => document(id, "The fox jumps over the dog."));
    collection.add([...copies, document("d", "Whoever jumps over the wall is gone.")]);
    expect(await ask(collection, "fox jumps", { k: 3, keep: (metadata: { from?: unknown }) => metadata.from !== "a" })).not.toContainEqual(
      expect.stringMatching(/^a/),
    );
    expect(await ask(collection, "fox jumps", { k: 3, deduplicate: true })).toHaveLength(2);
    const places = async (k: number, more = {}) =>
      (
        await collection.search({
          text: "fox jumps",
          vector: lexicalVector("fox jumps", 64),
          k,
          hybridWeight: 0.3,
          deduplicate: true,
          ...more,
        })
      ).map((hit) => [hit.document, ...hit.copies.map((copy) => copy.document)].join());
    expect(await places(3)).toEqual(["a,b,c", "d"]);
    expect(await places(3, { rerank: "mmr" })).toEqual(["a,b,c", "d"]);
    expect(await places(1)).toEqual(["a,b,c"]);
    expect(await places(3, { deduplicate: false })).toEqual(["a", "b", "c"]);
    // more of them than candidates are looked at: the others are found all the same, and every one is named
    const many = Array.from({ length: 300 }, (_, i) => `m${String(i).padStart(3, "0")}`);
    collection.add(many.map((id) => document(id, "The fox jumps over the dog.")));
    expect((await places(2)).map((all) => all.split(",").length)).toEqual([303, 1]);
    expect(await ask(collection, "fox jumps", { threshold: 2 })).toEqual([]);
    collection.remove(many);
    expect((await ask(collection, "jumps over", { k: 2 }))[1]).toMatch(/^b/);
    expect((await ask(collection, "jumps over", { k: 2, rerank: "mmr" }))[1]).toMatch(/^d/);
  });

  it("orders by mmr the same, however large its scores are", async () => {
    const flat = { embedder: { id: "own", dimensions: 3 }, metric: "inner_product", storeText: true } as const;
    const collection = await openCollection(memoryFolder(), flat);
    const vectors = { best: [1, 0, 0], like: [0.9, 0.1, 0], other: [0.85, 0, 2], far: [0.5, 3, 0] };
    collection.add(
      Object.entries(vectors).map(([id, vector]) => ({
        ...document(id),
        chunks: [{ text: id, headings: [], start: 0, end: id.length, hash: id, vector: Float32Array.from(vector) }],
      })),
    );
    const ordered = async (scale: number, rerank: "none" | "mmr"): Promise<readonly string[]> => {
      const vector = Float32Array.of(scale, 0, 0);
      return (await collection.search({ text: "", vector, k: 4, hybridWeight: 0, rerank })).map((hit) => hit.document);
    };
    for (const scale of [0.1, 1, 10]) {
      expect(await ordered(scale, "none")).toEqual(["best", "like", "other", "far"]);
      expect(await ordered(scale, "mmr")).toEqual(["best", "other", "like", "far"]);
    }
  });

  it("keeps what is added and removed while it is being saved for the next time", async () => {
    const folder = memoryFolder();
    const slow: SearchFolder = {
      ...folder,
      async write(name, parts) {
        await new Promise((resolve) => setTimeout(resolve, 20));
        await folder.write(name, parts);
      },
    };
    const collection = await openCollection(slow, settings);
    collection.add([animals, document("gone", "A whale swims.")]);
    const saving = collection.save();
    await new Promise((resolve) => setTimeout(resolve, 5));
    collection.add([tools]);
    collection.remove(["gone"]);
    await Promise.all([saving, collection.save()]);
    const other = await openCollection(folder, settings);
    expect(other.documents()).toEqual(["animals", "tools"]);
    expect(await ask(other, "whale")).not.toContainEqual(expect.stringContaining("whale"));
  });

  it("builds a graph where enough chunks have none, answers with it as without, and filters exactly", async () => {
    const graph = { m: 8, efConstruction: 60, efSearch: 40, seed: 1, layers: 8, batchSize: 32, least: 300 };
    const vectors = clusteredVectors(1000, 64, 3);
    const many = vectors.map(
      (vector, i): IndexedDocument => ({
        id: `d${i}`,
        metadata: { even: i % 2 === 0, rare: i % 50 === 0 },
        chunks: [{ text: `number ${i}`, headings: [], start: 0, end: 9, hash: String(i), vector }],
      }),
    );
    const folder = memoryFolder();
    const withGraph = await openCollection(folder, { ...settings, graph });
    const scans = async (from: number, to: number) => {
      withGraph.add(many.slice(from, to));
      await withGraph.save();
      return withGraph.stats().segments.map(({ chunks, scan }) => `${chunks} ${scan}`);
    };
    expect(await scans(0, 200)).toEqual(["200 exact"]);
    expect(await scans(200, 700)).toEqual(["700 graph"]);
    // not half of what has one
    expect(await scans(700, 1000)).toEqual(["700 graph", "300 exact"]);
    await withGraph.merge(true);
    expect(withGraph.stats()).toMatchObject({ chunks: 1000, deadChunks: 0, segments: [{ scan: "graph" }] });
    withGraph.remove(["d0", "d1", "d2"]);
    const exact = await openCollection(folder, settings);
    exact.remove(["d0", "d1", "d2"]);
    let [same, all] = [0, 0];
    for (const vector of clusteredVectors(10, 64, 4)) {
      for (const keep of [
        undefined,
        (metadata: Metadata) => metadata["even"] === true,
        (metadata: Metadata) => metadata["rare"] === true,
      ]) {
        const query = { text: "number 77", vector, k: 5, hybridWeight: 0.2, keep };
        const [got, expected] = [await withGraph.search(query), await exact.search(query)];
        expect(got).toHaveLength(5);
        if (keep !== undefined) expect(got.every(({ metadata }) => keep(metadata))).toBe(true);
        if (keep?.({ rare: true }) === true) expect(got).toEqual(expected);
        same += got.filter((hit) => expected.some(({ document: id }) => id === hit.document)).length;
        all += 5;
      }
    }
    expect(same / all).toBeGreaterThan(0.97);
  });

  it("finds the nearest of all, as plain arithmetic does, by every metric and without words", async () => {
    const vectors = clusteredVectors(300, 50, 5).map((vector, i) => vector.map((value) => value * (1 + (i % 7))));
    for (const metric of ["cosine", "euclidean", "inner_product"] as const) {
      const collection = await openCollection(memoryFolder(), { ...settings, metric, embedder: { id: "x", dimensions: 50 } });
      collection.add(
        vectors.map((vector, i) => ({
          id: `d${i}`,
          metadata: {},
          chunks: [{ text: "", headings: [], start: 0, end: 0, hash: String(i), vector }],
        })),
      );
      for (const vector of clusteredVectors(5, 50, 6)) {
        const near = (other: Float32Array): number => {
          const product = other.reduce((sum, value, i) => sum + value * (vector[i] ?? 0), 0);
          if (metric === "inner_product") return product;
          const [length, own] = [Math.hypot(...other), Math.hypot(...vector)];
          return metric === "cosine" ? product / length / own : -Math.hypot(...other.map((value, i) => value - (vector[i] ?? 0)));
        };
        const expected = [...vectors.keys()]
          .sort((a, b) => near(vectors[b] as Float32Array) - near(vectors[a] as Float32Array))
          .slice(0, 5);
        const hits = await collection.search({ text: "", vector, k: 5, hybridWeight: 0 });
        expect(hits.map(({ document: id }) => id)).toEqual(expected.map((i) => `d${i}`));
      }
    }
  });

  it("refuses vectors of another model, of another length, and numbers that are none", async () => {
    const folder = memoryFolder();
    const collection = await openCollection(folder, settings);
    collection.add([animals]);
    await collection.save();
    expect(await failure(openCollection(folder, { ...settings, embedder: { id: "minilm", dimensions: 64 } }))).toMatchObject({
      code: "rag-model",
      message: expect.stringContaining("expected those of minilm"),
    });
    const bad = (vector: Float32Array): IndexedDocument => ({
      id: "x",
      metadata: {},
      chunks: [{ text: "x", headings: [], start: 0, end: 1, hash: "x", vector }],
    });
    expect(() => collection.add([bad(new Float32Array(63))])).toThrow(expect.objectContaining({ code: "rag-model" }));
    expect(() => collection.add([bad(new Float32Array(64).fill(Number.NaN))])).toThrow(expect.objectContaining({ code: "run-nan" }));
  });
});

describe("a segment", () => {
  it("that is damaged anywhere, cut, or newer is a typed error and no wrong answer", async () => {
    const folder = memoryFolder();
    const collection = await openCollection(folder, settings);
    collection.add([document("a", "one fox")]);
    await collection.save();
    const [name = ""] = await folder.list();
    const whole = (await folder.read(name, 0, (await folder.size(name)) ?? 0)) ?? new Uint8Array();
    const withBytes = async (bytes: Uint8Array<ArrayBuffer>): Promise<SearchFolder> => {
      const other = memoryFolder();
      await other.write(name, [bytes]);
      return other;
    };
    const newer = whole.slice();
    newer[4] = 9;
    expect(await failure(openCollection(await withBytes(newer), settings))).toMatchObject({ code: "rag-version" });
    const expected = await ask(collection, "fox");
    const step = isLong ? 1 : 7;
    for (let at = 0; at < whole.length; at += step) {
      const bytes = whole.slice();
      bytes[at] = (bytes[at] ?? 0) ^ 0x41;
      for (const each of [bytes, whole.slice(0, at)]) {
        const got = await openCollection(await withBytes(each), settings)
          .then((opened) => ask(opened, "fox"))
          .catch((error: { code?: string }) => error.code ?? String(error));
        if (typeof got === "string") expect(got, `at ${at}`).toMatch(/^rag-(damaged|version|model)$/);
        // padding, or numbers that are read by range and have no checksum of their own
        else
          expect(
            got.map((hit) => hit.split(":")[0]),
            `at ${at}`,
          ).toEqual(expected.map((hit) => hit.split(":")[0]));
      }
    }
  });
});

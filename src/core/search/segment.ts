/**
 * A segment: an immutable file with chunks, their vectors and the places of their words, and what it removes of older ones.
 *
 *   "LSEG"  u32 version  u32 bytes of the header  u32 CRC-32 of the header  header (JSON)  sections, each at a multiple of 8
 *
 * Numbers are little-endian. The header says where each section lies, after the header, and its CRC-32.
 */
import { SpellError } from "../errors.ts";
import { isObject, readJson } from "../json.ts";
import type { SearchFolder } from "../platform.ts";
import type { Chunk, EmbedderIdentity, Graph, IndexedChunk, IndexedDocument, Metadata, Metric } from "../spec/search-index.ts";
import { once } from "../values.ts";
import { crc32 as ownCrc32 } from "./crc32.ts";
import type { Walk } from "./graph.ts";
import { type Nearness, nearness } from "./nearness.ts";
import { rowScan } from "./row-scan.ts";
import { terms } from "./terms.ts";

const version = 1;
const magic = "LSEG";
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
/** bytes of the largest header and of the largest section of JSON */
const mostJson = { bytes: 1 << 29, depth: 64 };
/**
 * Sections are read by parts. A text and the places of a word have checksums of their own; of a section without, up to here the whole is proved at its first use,
 * which takes 0.1 s at most, and above a vector is held against its row of 8 bits.
 */
const mostProved = 16 * 2 ** 20;

/** A document in a segment. */
export interface SegmentDocument {
  readonly id: string;
  readonly title?: string | undefined;
  readonly metadata: Metadata;
  /** The newest of equal ids counts. */
  readonly stamp: number;
  /** its first chunk, and how many it has */
  readonly from: number;
  readonly count: number;
}

export type Restated = readonly [id: string, stamp: number, metadata: Metadata];

/** A chunk whose text is not there any more brings the words that were counted in it. */
export interface CountedChunk extends IndexedChunk {
  readonly counted?: readonly (readonly [term: string, count: number])[] | undefined;
}

export interface NewSegment {
  readonly embedder: EmbedderIdentity;
  readonly documents: readonly NewDocument[];
  /** names of segments that this one stands for */
  readonly replaces: readonly string[];
  /** ids of documents that were removed, and when */
  readonly drops: readonly (readonly [id: string, stamp: number])[];
  /** metadata that documents of other segments have since, for those of exactly this stamp */
  readonly restated?: readonly Restated[] | undefined;
  readonly storeText: boolean;
  /** of the chunks' rows */
  readonly graph?: Graph | undefined;
}

export type NewDocument = Omit<IndexedDocument, "chunks"> & { readonly stamp: number; readonly chunks: readonly CountedChunk[] };

/** What is kept of a chunk beside its text. */
export type ChunkFacts = Omit<Chunk, "text"> & { readonly hash: string };

export interface Segment extends Pick<NewSegment, "embedder" | "replaces" | "drops"> {
  readonly name: string;
  readonly restated: readonly Restated[];
  /** It has no checksums by parts: sections are read whole where one word or text is asked for. */
  readonly isOld: boolean;
  readonly bytes: number;
  /** chunks */
  readonly count: number;
  /** words in all chunks together */
  readonly words: number;
  readonly documents: readonly SegmentDocument[];
  readonly chunks: readonly ChunkFacts[];
  /** in documents, of each chunk */
  readonly documentOf: Uint32Array;
  readonly near: Nearness;
  /** absent: every chunk is looked at */
  readonly walk?: Walk | undefined;
  /** words of each chunk */
  readonly lengths: Uint16Array;
  /** Other metadata for one of its documents, in memory. */
  restate(at: number, metadata: Metadata): void;
  /** Chunks that have a word, and how often. @returns undefined where none has it */
  postings(term: string): Promise<{ readonly chunks: Uint32Array; readonly counts: Uint8Array } | undefined>;
  /** undefined where texts are not stored */
  text(chunk: number): Promise<string | undefined>;
  vector(chunk: number): Promise<Float32Array>;
  /** Words of a chunk as they were counted, for segments without texts. */
  wordsOf(chunk: number): Promise<readonly (readonly [term: string, count: number])[]>;
  /** Reads what is read by parts else. @throws SpellError rag-damaged; SegmentGone */
  check(): Promise<void>;
}

type Section =
  | "chunks"
  | "counts"
  | "documents"
  | "graphBottom"
  | "graphLevels"
  | "graphUpper"
  | "lengths"
  | "places"
  | "placeSums"
  | "rows"
  | "scales"
  | "textAt"
  | "texts"
  | "textSums"
  | "terms"
  | "termAt"
  | "vectors";

interface Header extends Pick<NewSegment, "embedder" | "replaces" | "drops" | "restated"> {
  readonly count: number;
  readonly words: number;
  readonly graph?: { readonly m: number; readonly entry: number } | undefined;
  /** [from, length, CRC-32] */
  readonly sections: Readonly<Partial<Record<Section, readonly [number, number, number]>>>;
}

/** A file that was there when the folder was listed; whoever merges has removed it. */
export class SegmentGone extends Error {}

/** @param crc32 of the host, where it has one */
export function writeSegment(
  { embedder, documents, replaces, drops, restated = [], storeText, graph }: NewSegment,
  crc32: (bytes: Uint8Array) => number = ownCrc32,
): readonly Uint8Array[] {
  const chunks = documents.flatMap(({ chunks: own }) => own);
  const count = chunks.length;
  const { dimensions } = embedder;
  const sections: Record<string, readonly [number, number, number]> = {};
  const parts: Uint8Array[] = [];
  let at = 0;
  const put = (name: Section, data: ArrayBufferView): void => {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const padding = (8 - (bytes.byteLength % 8)) % 8;
    sections[name] = [at, bytes.byteLength, crc32(bytes)];
    parts.push(bytes, new Uint8Array(padding));
    at += bytes.byteLength + padding;
  };
  const putJson = (name: Section, value: unknown): void => put(name, encoder.encode(JSON.stringify(value)));

  let from = 0;
  putJson(
    "documents",
    documents.map(({ id, title, metadata, stamp, chunks: own }) => {
      from += own.length;
      return { id, title, metadata, stamp, from: from - own.length, count: own.length };
    }),
  );
  putJson(
    "chunks",
    chunks.map(({ headings, start, end, hash }) => [headings, start, end, hash]),
  );
  const vectors = new Float32Array(count * dimensions);
  for (const [row, { vector }] of chunks.entries()) vectors.set(vector, row * dimensions);
  const { rows, scales } = quantize(documents, dimensions);
  put("rows", rows);
  put("scales", scales);
  put("vectors", vectors);
  if (graph !== undefined) {
    put("graphLevels", graph.levels);
    put("graphBottom", graph.bottom);
    put("graphUpper", graph.upper);
  }
  const index = indexWords(documents);
  putJson("terms", index.terms);
  put("termAt", index.termAt);
  put("places", index.places);
  put("counts", index.counts);
  const { places, counts, termAt } = index;
  put(
    "placeSums",
    Uint32Array.from(index.terms, (_, i) =>
      placeSum(places.subarray(termAt[i], termAt[i + 1]), counts.subarray(termAt[i], termAt[i + 1]), crc32),
    ),
  );
  put("lengths", index.lengths);
  if (storeText) {
    const texts = chunks.map(({ text }) => encoder.encode(text));
    const textAt = new Uint32Array(count + 1);
    for (const [i, text] of texts.entries()) textAt[i + 1] = (textAt[i] ?? 0) + text.byteLength;
    const all = new Uint8Array(textAt[count] ?? 0);
    for (const [i, text] of texts.entries()) all.set(text, textAt[i]);
    put("textAt", textAt);
    put("texts", all);
    put(
      "textSums",
      Uint32Array.from(texts, (text) => crc32(text)),
    );
  }
  const start = graph === undefined ? undefined : { m: graph.m, entry: graph.entry };
  const some = restated.length === 0 ? undefined : restated;
  const header = { count, words: index.words, embedder, replaces, drops, restated: some, graph: start, sections };
  const json = encoder.encode(JSON.stringify(header));
  const padded = new Uint8Array(Math.ceil(json.byteLength / 8) * 8).fill(0x20);
  padded.set(json);
  const head = new Uint8Array(16);
  head.set(encoder.encode(magic));
  const view = new DataView(head.buffer);
  view.setUint32(4, version, true);
  view.setUint32(8, padded.byteLength, true);
  view.setUint32(12, crc32(padded), true);
  return [head, padded, ...parts];
}

/** Of what is kept of one word. */
function placeSum(places: Uint32Array, counts: Uint8Array, crc32: (bytes: Uint8Array) => number): number {
  return (crc32(new Uint8Array(places.buffer, places.byteOffset, places.byteLength)) ^ crc32(counts)) >>> 0;
}

/** All vectors of 8 bits; row · scale is about the vector. */
export function quantize(
  documents: readonly NewDocument[],
  dimensions: number,
): { readonly rows: Int8Array; readonly scales: Float32Array } {
  const chunks = documents.flatMap(({ chunks: own }) => own);
  const rows = new Int8Array(chunks.length * dimensions);
  const scales = Float32Array.from(chunks, ({ vector }, row) =>
    quantizeRow(vector, rows.subarray(row * dimensions, (row + 1) * dimensions)),
  );
  return { rows, scales };
}

/** @param row is filled @returns what a number of the row is worth */
export function quantizeRow(vector: Float32Array, row: Int8Array): number {
  let largest = 0;
  for (const value of vector) largest = Math.max(largest, Math.abs(value));
  const factor = 127 / (largest || 1);
  for (let i = 0; i < row.length; i += 1) row[i] = Math.round((vector[i] ?? 0) * factor);
  return 1 / factor;
}

/** The words by which a chunk is found, and how often each is there: words of its headings, which say what it is about, count twice. */
export function countTerms(title: string, { headings, text }: Pick<Chunk, "headings" | "text">): Map<string, number> {
  const counts = new Map<string, number>();
  for (const term of terms([title, ...headings, ...headings, text].join("\n"))) counts.set(term, (counts.get(term) ?? 0) + 1);
  return counts;
}

function indexWords(documents: readonly NewDocument[]) {
  const lengths: number[] = [];
  const places = new Map<string, number[]>();
  let words = 0;
  let chunk = 0;
  for (const { title = "", chunks } of documents) {
    for (const { headings, text, counted } of chunks) {
      const counts = counted === undefined ? countTerms(title, { headings, text }) : new Map(counted);
      const length = [...counts.values()].reduce((sum, count) => sum + count, 0);
      for (const [term, count] of counts) {
        const list = places.get(term);
        if (list === undefined) places.set(term, [chunk, count]);
        else list.push(chunk, count);
      }
      lengths.push(Math.min(65_535, length));
      words += length;
      chunk += 1;
    }
  }
  const sorted = [...places.keys()].sort();
  const termAt = new Uint32Array(sorted.length + 1);
  for (const [i, term] of sorted.entries()) termAt[i + 1] = (termAt[i] ?? 0) + (places.get(term)?.length ?? 0) / 2;
  const total = termAt[sorted.length] ?? 0;
  const [all, counts] = [new Uint32Array(total), new Uint8Array(total)];
  for (const [i, term] of sorted.entries()) {
    const list = places.get(term) ?? [];
    const first = termAt[i] ?? 0;
    for (let j = 0; j < list.length; j += 2) {
      all[first + j / 2] = list[j] ?? 0;
      counts[first + j / 2] = Math.min(255, list[j + 1] ?? 0);
    }
  }
  return { words, terms: sorted, termAt, places: all, counts, lengths: Uint16Array.from(lengths) };
}

/** @throws SegmentGone; SpellError rag-damaged, rag-version */
export async function openSegment(folder: SearchFolder, name: string, metric: Metric): Promise<Segment> {
  const damaged = (what: string): SpellError =>
    new SpellError("rag-damaged", `${name} in ${folder.place} is damaged: ${what}`, {
      where: name,
      hint: "Ingest again: the file is set aside, and what it held is embedded anew.",
      details: { file: name, place: folder.place },
    });
  const { crc32 = ownCrc32 } = folder;
  const bytes = await folder.size(name);
  if (bytes === undefined) throw new SegmentGone(name);
  const take = async (from: number, length: number, what: string): Promise<Uint8Array<ArrayBuffer>> => {
    const got = from + length > bytes ? undefined : await folder.read(name, from, length);
    if (got !== undefined) return got;
    if ((await folder.size(name)) === undefined) throw new SegmentGone(name);
    throw damaged(`expected ${what} at ${from} to ${from + length}, got a file of ${bytes} bytes`);
  };
  const head = await take(0, 16, "the beginning");
  const view = new DataView(head.buffer);
  const mark = String.fromCharCode(...head.subarray(0, 4));
  if (mark !== magic) throw damaged(`expected ${magic} at its beginning, got ${JSON.stringify(mark)}`);
  const written = view.getUint32(4, true);
  if (written > version)
    throw new SpellError(
      "rag-version",
      `${name} in ${folder.place} has format ${written}; this version of llmspell reads up to ${version}`,
      {
        where: name,
      },
    );
  const raw = await take(16, view.getUint32(8, true), "the header");
  if (written !== version || crc32(raw) !== view.getUint32(12, true)) throw damaged("its header has another checksum");
  const header = checkHeader(
    readJson(raw, mostJson, ({ message }) => damaged(`header: ${message}`)),
    damaged,
  );
  const base = 16 + raw.byteLength;
  const end = Math.max(0, ...Object.values(header.sections).map(([from, length]) => from + length));
  if (base + end > bytes) throw damaged(`expected ${base + end} bytes, got ${bytes}`);

  const placeOf = (section: Section): readonly [number, number, number] => {
    const found = header.sections[section];
    if (found === undefined) throw damaged(`it has no section ${section}`);
    return found;
  };
  const whole = async (section: Section): Promise<Uint8Array<ArrayBuffer>> => {
    const [from, length, sum] = placeOf(section);
    const data = await take(base + from, length, section);
    if (crc32(data) !== sum) throw damaged(`section ${section} has another checksum`);
    return data;
  };
  /** Once for each section, unless it failed. */
  const kept = <T>(read: (section: Section) => Promise<T>): ((section: Section) => Promise<T>) => {
    const known = new Map<Section, Promise<T>>();
    return (section) => {
      const got = known.get(section) ?? read(section);
      known.set(section, got);
      got.catch(() => known.delete(section));
      return got;
    };
  };
  const prove = kept(async (section) => void (await whole(section)));
  const sums = kept(async (section) => new Uint32Array((await whole(section)).buffer));
  /** Checksums of the parts of a section; undefined: it was written before there were any. */
  const sumsOf = async (own: "textSums" | "placeSums"): Promise<Uint32Array | undefined> =>
    header.sections[own] === undefined ? undefined : sums(own);
  const range = async (section: Section, from: number, length: number, isSummed = false): Promise<Uint8Array<ArrayBuffer>> => {
    const [start, all] = placeOf(section);
    if (from + length > all) throw damaged(`section ${section} ends at ${all}, expected ${from + length}`);
    if (!isSummed && all <= mostProved) await prove(section);
    return take(base + start + from, length, section);
  };
  const json = async (section: Section): Promise<unknown> =>
    readJson(await whole(section), mostJson, ({ message }) => damaged(`${section}: ${message}`));

  const { count, embedder } = header;
  const { dimensions } = embedder;
  const [documents, facts, words] = [await json("documents"), await json("chunks"), await json("terms")] as readonly [
    SegmentDocument[],
    readonly (readonly [readonly string[], number, number, string])[],
    readonly string[],
  ];
  const rows = new Int8Array((await whole("rows")).buffer);
  const scales = new Float32Array((await whole("scales")).buffer);
  const lengths = new Uint16Array((await whole("lengths")).buffer);
  const termAt = new Uint32Array((await whole("termAt")).buffer);
  const hasText = header.sections.texts !== undefined;
  const textAt = hasText ? new Uint32Array((await whole("textAt")).buffer) : undefined;
  if (facts.length !== count || rows.length !== count * dimensions || scales.length !== count || lengths.length !== count)
    throw damaged(`its sections do not have ${count} chunks of ${dimensions} numbers`);
  const documentOf = new Uint32Array(count);
  let next = 0;
  for (const [at, { from, count: own }] of documents.entries()) {
    if (from !== next || !Number.isSafeInteger(own) || own < 0 || from + own > count)
      throw damaged(`document ${at} has no chunks of its own`);
    documentOf.fill(at, from, from + own);
    next += own;
  }
  const near = nearness(metric, rowScan(rows, dimensions), scales);
  let walk: Walk | undefined;
  if (header.graph !== undefined) {
    const { faultOf, Walk } = await import("./graph.ts");
    const levels = await whole("graphLevels");
    const [bottom, upper] = [new Uint32Array((await whole("graphBottom")).buffer), new Uint32Array((await whole("graphUpper")).buffer)];
    const graph = { ...header.graph, levels, bottom, upper };
    const fault = faultOf(graph, count);
    if (fault !== undefined) throw damaged(`its graph: ${fault}`);
    walk = new Walk(near, graph);
  }
  const counted = once(async () => {
    const [places, counts] = [new Uint32Array((await whole("places")).buffer), await whole("counts")];
    const found = new Map<number, (readonly [string, number])[]>();
    for (const [i, term] of words.entries()) {
      for (let j = termAt[i] ?? 0; j < (termAt[i + 1] ?? 0); j += 1) {
        const chunk = places[j] ?? 0;
        const list = found.get(chunk);
        const entry = [term, counts[j] ?? 0] as const;
        if (list === undefined) found.set(chunk, [entry]);
        else list.push(entry);
      }
    }
    return found;
  });
  const { words: wordCount, replaces, drops, restated = [] } = header;
  return {
    embedder,
    replaces,
    drops,
    restated,
    isOld: count > 0 && (header.sections.placeSums === undefined || (hasText && header.sections.textSums === undefined)),
    count,
    words: wordCount,
    name,
    bytes,
    documents,
    chunks: facts.map(([headings, start, end, hash]) => ({ headings, start, end, hash })),
    documentOf,
    near,
    walk,
    lengths,
    restate(at, metadata) {
      const document = documents[at];
      if (document !== undefined && document.metadata !== metadata) documents[at] = { ...document, metadata };
    },
    async postings(term) {
      const at = find(words, term);
      if (at === undefined) return undefined;
      const from = termAt[at] ?? 0;
      const length = (termAt[at + 1] ?? from) - from;
      const sums = await sumsOf("placeSums");
      const isSummed = sums !== undefined;
      const [places, counts] = await Promise.all([
        range("places", from * 4, length * 4, isSummed),
        range("counts", from, length, isSummed),
      ]);
      const chunks = new Uint32Array(places.buffer);
      const isSound = chunks.every((chunk, i) => chunk < count && (i === 0 || chunk > (chunks[i - 1] ?? 0))) && !counts.includes(0);
      if (!isSound || (isSummed && sums[at] !== placeSum(chunks, counts, crc32)))
        throw damaged(`the places of the word ${JSON.stringify(term)} are none`);
      return { chunks, counts };
    },
    async text(chunk) {
      if (textAt === undefined) return undefined;
      const from = textAt[chunk] ?? 0;
      const sums = await sumsOf("textSums");
      const bytes = await range("texts", from, (textAt[chunk + 1] ?? from) - from, sums !== undefined);
      if (sums !== undefined && sums[chunk] !== crc32(bytes)) throw damaged(`the text of chunk ${chunk} has another checksum`);
      try {
        return decoder.decode(bytes);
      } catch {
        throw damaged(`the text of chunk ${chunk} is no UTF-8`);
      }
    },
    wordsOf: async (chunk) => (await counted()).get(chunk) ?? [],
    check: once(async () => {
      for (const section of ["vectors", "places", "counts", "placeSums", "texts", "textSums"] as const)
        if (header.sections[section] !== undefined) await whole(section);
    }),
    async vector(chunk) {
      const vector = new Float32Array((await range("vectors", chunk * dimensions * 4, dimensions * 4)).buffer);
      if (!vector.every(Number.isFinite)) throw damaged(`the vector of chunk ${chunk} has a number that is none`);
      const scale = scales[chunk] ?? 0;
      const first = chunk * dimensions;
      // rounding is half a step
      if (!vector.every((value, i) => Math.abs(value - (rows[first + i] ?? 0) * scale) <= scale))
        throw damaged(`the vector of chunk ${chunk} is another than its row of 8 bits`);
      return vector;
    },
  };
}

function checkHeader(value: unknown, damaged: (what: string) => SpellError): Header {
  const isCount = (each: unknown): each is number => Number.isSafeInteger(each) && Number(each) >= 0;
  const header = value as Header;
  const isWhole =
    isObject(value) &&
    isCount(header.count) &&
    isCount(header.words) &&
    isObject(header.embedder) &&
    isCount(header.embedder.dimensions) &&
    typeof header.embedder.id === "string" &&
    Array.isArray(header.replaces) &&
    Array.isArray(header.drops) &&
    (header.restated === undefined || (Array.isArray(header.restated) && header.restated.every(isRestated))) &&
    (header.graph === undefined || isObject(header.graph)) &&
    isObject(header.sections) &&
    Object.values(header.sections).every((each) => Array.isArray(each) && each.length === 3 && each.every(isCount));
  if (!isWhole) throw damaged("its header is not one of an index");
  return header;
}

function isRestated(value: unknown): boolean {
  return Array.isArray(value) && typeof value[0] === "string" && Number.isSafeInteger(value[1]) && isObject(value[2]);
}

/** Place in a sorted list. */
function find(sorted: readonly string[], wanted: string): number | undefined {
  let [low, high] = [0, sorted.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const found = sorted[middle] ?? "";
    if (found === wanted) return middle;
    if (found < wanted) low = middle + 1;
    else high = middle - 1;
  }
  return undefined;
}

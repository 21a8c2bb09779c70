/** Documents as they are given become documents as they are indexed: read, checked, cut. */
import type { RagConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { DocumentReaders } from "../platform.ts";
import { chunkMarkdown } from "../search/chunk.ts";
import type { Chunk, Metadata } from "../spec/search-index.ts";
import { checkOptionNames } from "../text/check-call.ts";
import { type FileText, textOfFile, withoutMark } from "./files.ts";
import { hashOf } from "./hash.ts";
import { chunkLines } from "./lines.ts";
import { measured } from "./measured.ts";
import type { Chunking, RagDocument } from "./types.ts";

export interface Prepared {
  readonly id: string;
  readonly title: string;
  readonly metadata: Metadata;
  readonly chunks: readonly Chunk[];
  /** of all that its chunks are made of */
  readonly hash: string;
}

/** A document that was read and checked. */
export interface Draft extends Omit<Prepared, "chunks"> {
  /** Cuts it: for documents that are not in the index as they are. */
  chunks(): Promise<readonly Chunk[]>;
}

export interface PrepareParts {
  readonly settings: RagConfig;
  readonly chunking: Chunking;
  readonly count: (text: string) => number;
  /** as Embedder.tokens */
  readonly tokens: (texts: readonly string[]) => Promise<readonly number[] | undefined>;
  readonly readers: DocumentReaders | undefined;
  /** Of a document that is there already; absent: its name is its source. */
  readonly sourceOf?: ((id: string) => string | undefined) | undefined;
  /** for chunks by meaning */
  readonly embed: (texts: readonly string[]) => Promise<readonly Float32Array[]>;
}

/** @throws SpellError rag-input, rag-file, rag-package */
export async function prepare(document: RagDocument, at: number, parts: PrepareParts): Promise<Draft> {
  const { settings, chunking, readers, sourceOf } = parts;
  const where = `documents[${at}]`;
  const wrong = (what: string, expected: string, got: unknown): SpellError =>
    new SpellError("rag-input", `${where}: ${what}: expected ${expected}, got ${kindOf(got)}`, { where });
  const wrongId = (id: unknown): SpellError => {
    const got = typeof id !== "string" ? typeof id : id.length > 1000 || id === "" ? id.length : "U+001F";
    return new SpellError("rag-input", `${where}: id: expected text of 1–1000 characters without U+001F, got ${got}`, { where });
  };
  if (!isObject(document) || Array.isArray(document)) throw wrong("document", "an object", document);
  const { name, bytes: given, metadata = {} } = document as RagDocument;
  const said = (document as RagDocument).text ?? (document as RagDocument).content;
  if (!isObject(metadata) || Array.isArray(metadata)) throw wrong("metadata", "an object", metadata);
  if (said === undefined && (name === undefined || given === undefined)) throw wrong("text", "text, or name and bytes of a file", said);
  if (said !== undefined && typeof said !== "string") throw wrong("text", "text", said);
  const bytes = said === undefined && typeof given === "function" ? await given() : (given as Uint8Array | undefined);
  const most = settings.ingest.max_document_mb * 1_000_000;
  const size = bytes?.byteLength ?? new TextEncoder().encode(said).byteLength;
  if (size > most)
    throw new SpellError("rag-input", `${name ?? document["id"] ?? where}: expected at most ${most} bytes, got ${size}`, {
      where: "rag.ingest.max_document_mb",
      hint: "Divide it, or raise rag.ingest.max_document_mb.",
      details: { limit: most, size },
    });
  if (said !== undefined && settings.security.enable_input_validation && said.includes("\u0000"))
    throw new SpellError("rag-input", `${document["id"] ?? where}: expected text, got bytes that are no text`, { where });
  const file: FileText =
    said === undefined ? await textOfFile(name ?? "", bytes ?? new Uint8Array(), readers) : { ...withoutMark(said), form: "prose" };
  const named = (document as RagDocument).id ?? name;
  const title = (document as RagDocument).title ?? (named === undefined ? undefined : sourceOf?.(named)) ?? name ?? file.title ?? "";
  const { keep_headings, keep_code_blocks } = settings.chunking;
  const moved = file.before === undefined ? [] : [file.before];
  const hash = await hashOf(JSON.stringify([file.text, file.form, title, chunking, keep_headings, keep_code_blocks, ...moved]));
  const id = named ?? hash.slice(0, 16);
  if (typeof id !== "string" || id === "" || id.length > 1000 || id.includes("\u001f")) throw wrongId(id);
  return { id, title, metadata, hash, chunks: async () => placed(await cut(file, parts), file.before) };
}

function kindOf(value: unknown): string {
  return Array.isArray(value) ? "a list" : value === null ? "null" : value === undefined ? "nothing" : typeof value;
}

/**
 * Of a document that brings a version: all that its chunks are made of beside its bytes, too.
 * @param keepsSource whatever its name is @returns undefined: it has to be read
 */
export function versionOf(
  document: RagDocument,
  { settings, chunking }: Pick<PrepareParts, "settings" | "chunking">,
  keepsSource: boolean,
): string | undefined {
  if (!isObject(document)) return undefined;
  const { version, text, content, metadata = {}, title, name } = document as RagDocument;
  if (typeof version !== "string" || text !== undefined || content !== undefined || !isObject(metadata)) return undefined;
  const { keep_headings, keep_code_blocks } = settings.chunking;
  return JSON.stringify([version, title ?? (keepsSource ? "" : name), Object.values(chunking), keep_headings, keep_code_blocks]);
}

/** As they stand in the file. */
function placed(chunks: readonly Chunk[], before = 0): readonly Chunk[] {
  return before === 0 ? chunks : chunks.map((chunk) => ({ ...chunk, start: chunk.start + before, end: chunk.end + before }));
}

async function cut({ text, form }: FileText, { settings, chunking, count: guess, tokens, embed }: PrepareParts): Promise<readonly Chunk[]> {
  const { chunking: own } = settings;
  const { chunkSize: size, maxChunkSize: max, overlap, minChunkSize: min, strategy } = chunking;
  if (form !== "prose") return measured((count) => chunkLines(text, { size, max, count, hasHeader: form === "table" }), guess, tokens);
  const way = strategy === "semantic" ? "sentence" : strategy;
  // by meaning: sections first, as long as they may be
  const first = { strategy: way, size: strategy === "semantic" ? max : size, overlap, max, min, keepCode: own.keep_code_blocks } as const;
  const sections = await measured((count) => chunkMarkdown(text, { ...first, count }), guess, tokens);
  const split = strategy === "semantic" ? (await import("./semantic.ts")).splitByMeaning : undefined;
  const chunks = split === undefined ? sections : await split(sections, { size, min, guess, tokens, embed });
  return own.keep_headings ? chunks : chunks.map((chunk) => ({ ...chunk, headings: [] }));
}

/** @throws SpellError rag-input */
export function chunkingOf({ chunking }: RagConfig, given: Partial<Chunking> = {}): Chunking {
  checkOptionNames(given, ["strategy", "chunkSize", "overlap", "maxChunkSize", "minChunkSize"], "chunking");
  const all: Chunking = {
    strategy: given.strategy ?? chunking.strategy,
    chunkSize: given.chunkSize ?? chunking.chunk_size,
    overlap: given.overlap ?? chunking.overlap,
    maxChunkSize: given.maxChunkSize ?? chunking.max_chunk_size,
    minChunkSize: given.minChunkSize ?? chunking.min_chunk_size,
  };
  const wrong = (name: string, expected: string, got: unknown): SpellError =>
    new SpellError("rag-input", `chunking.${name}: expected ${expected}, got ${JSON.stringify(got)}`, { where: `chunking.${name}` });
  for (const [name, least] of [
    ["chunkSize", 1],
    ["maxChunkSize", 1],
    ["overlap", 0],
    ["minChunkSize", 0],
  ] as const) {
    const value = all[name];
    if (!Number.isInteger(value) || value < least || value > 1_048_576) throw wrong(name, `a whole number from ${least} to 1048576`, value);
  }
  if (!["sliding_window", "sentence", "semantic"].includes(all.strategy))
    throw wrong("strategy", "sliding_window, sentence or semantic", all.strategy);
  if (all.overlap >= all.chunkSize) throw wrong("overlap", `less than chunkSize (${all.chunkSize})`, all.overlap);
  return all;
}

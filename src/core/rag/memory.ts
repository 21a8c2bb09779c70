/** What an index may take: vectors and bytes, counted before anything is embedded. */
import type { RagConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";

/** Of text, postings and metadata of a chunk, about: 300 words. */
const textBytes = 1024;

/** Bytes in memory of so many chunks: 8-bit rows, 32-bit rows unless they stay in the file, links of a graph. */
export function indexBytes(chunks: number, { vector_storage }: RagConfig): number {
  const { dimensions, on_disk, backend, hnsw } = vector_storage;
  const links = backend === "hnsw" && chunks >= 20_000 ? 8 * hnsw.m : 0;
  return chunks * (dimensions + 4 + (on_disk ? 0 : 4 * dimensions) + links + textBytes);
}

/** @throws SpellError rag-memory */
export function checkRoom(chunks: number, settings: RagConfig): void {
  const { vector_storage, tenants } = settings;
  const most = [
    [vector_storage.hnsw.max_elements, "rag.vector_storage.hnsw.max_elements"],
    [tenants.max_vectors_per_tenant, "rag.tenants.max_vectors_per_tenant"],
  ] as const;
  for (const [limit, where] of most)
    if (chunks > limit)
      throw new SpellError("rag-memory", `expected at most ${limit} vectors, got ${chunks}`, { where, details: { limit, got: chunks } });
  if (vector_storage.backend === "postgres") return;
  const limit = vector_storage.max_memory_mb * 1_000_000;
  const got = indexBytes(chunks, settings);
  if (got > limit)
    throw new SpellError("rag-memory", `the index would take ${got} bytes; expected at most ${limit} (${chunks} chunks)`, {
      where: "rag.vector_storage.max_memory_mb",
      details: { limit, got },
    });
}

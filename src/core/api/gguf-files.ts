/** Looking into GGUF files without loading a model. What reads them is fetched with the first file: a page that loads none should not pay for it. */
import type { ByteSource } from "../formats/byte-source.ts";
import type { AcceptGgufOptions, GgufFacts } from "../gguf/gate.ts";
import type { GgufHeader, ReadGgufHeaderOptions } from "../gguf/header.ts";

/**
 * Checks all files of one model and gathers its facts. Reads headers only.
 * @param files all parts, in order
 * @throws SpellError every gguf-* code, model-empty, model-architecture, model-t5-gguf; net-* and run-aborted from the sources
 */
export async function acceptGguf(files: readonly ByteSource[], options: AcceptGgufOptions = {}): Promise<GgufFacts> {
  return (await import("../gguf/gate.ts")).acceptGguf(files, options);
}

/**
 * Reads and checks the header by ranged reads that double from 1 MiB; the tensor data is measured, never read.
 * Keys are plain data in a Map, whatever they are called.
 * @throws SpellError model-empty, gguf-*; net-* and run-aborted from the source
 */
export async function readGgufHeader(source: ByteSource, options: ReadGgufHeaderOptions = {}): Promise<GgufHeader> {
  return (await import("../gguf/header.ts")).readGgufHeader(source, options);
}

/**
 * Random access to the bytes of one file, wherever it lies. Reads are ranged; nothing here ever reads a whole file by itself.
 * Sources over files of Node are in src/node/file-source.ts.
 */

export interface ByteSource {
  /** File name for messages, without folders. */
  readonly name: string;
  /** bytes */
  readonly size: number;
  /** Real path, where the source is a local file: engines that map files need it. */
  readonly path?: string;
  /**
   * Reads exactly `length` bytes at `offset`; a shorter answer is an error, never returned.
   * @throws SpellError gguf-truncated when the range ends after the file; net-* for remote sources; run-aborted
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/**
 * Random access to the bytes of one file in memory, in a Blob or on a server. Reads are ranged; nothing here reads a whole file by itself.
 * Sources over files of Node are in src/node/file-source.ts.
 */
import { SpellError, throwIfAborted } from "../errors.ts";
import { decodeUri } from "../values.ts";
import { formatCount } from "./format-count.ts";

export interface ByteSource {
  /** File name for messages, without folders. */
  readonly name: string;
  /** bytes */
  readonly size: number;
  /** Real path, where the source is a local file: engines that map files need it. */
  readonly path?: string | undefined;
  /** The same bytes as a Blob, where the host has one: engines that take Blobs then copy nothing. */
  readonly blob?: Blob | undefined;
  /** Changes whenever the content may have changed: a key for what is made from the file. Absent where the host cannot know. */
  readonly version?: string | undefined;
  /** Milliseconds since the epoch of the last change, where the host knows. */
  readonly modifiedMs?: number | undefined;
  /** Whether a read would still find this very content, where the host knows. */
  isCurrent?(): Promise<boolean>;
  /**
   * Reads exactly `length` bytes at `offset`; a shorter answer is an error, never returned. The bytes are not to be changed: they may be a view.
   * @throws SpellError gguf-truncated when the range ends after the file; net-* for remote sources; run-aborted
   */
  read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** @returns bytes of all files together */
export function totalSize(files: readonly Pick<ByteSource, "size">[]): number {
  return files.reduce((sum, { size }) => sum + size, 0);
}

/** Bytes that are in memory already. Reads are views of `bytes`, not copies, and plain ones: slice() of Node's Buffer would not copy. */
export function bytesSource(name: string, given: Uint8Array): ByteSource {
  const bytes = new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  const source: ByteSource = {
    name,
    size: bytes.byteLength,
    async read(offset, length, signal) {
      checkRead(source, offset, length, signal);
      return bytes.subarray(offset, offset + length);
    },
  };
  return source;
}

/** A Blob, or a File chosen in a page. Bytes are read when they are asked for. */
export function blobSource(name: string, blob: Blob): ByteSource {
  const source: ByteSource = {
    name,
    size: blob.size,
    blob,
    async read(offset, length, signal) {
      checkRead(source, offset, length, signal);
      let buffer: ArrayBuffer;
      try {
        buffer = await blob.slice(offset, offset + length).arrayBuffer();
      } catch (cause) {
        const message = `${name}: cannot be read any more; the file was changed or removed since it was chosen`;
        throw new SpellError("gguf-truncated", message, { where: name, cause });
      }
      throwIfAborted(signal);
      if (buffer.byteLength !== length) throw truncated(source, offset, length, offset + buffer.byteLength);
      return new Uint8Array(buffer);
    },
  };
  return source;
}

export interface HttpSourceOptions {
  /** File name for messages; the last part of the address by default. */
  readonly name?: string | undefined;
  /** Ends the request for the size. Reads have their own. */
  readonly signal?: AbortSignal | undefined;
}

/** A file on a server. */
interface RemoteFile {
  readonly url: string;
  readonly name: string;
  readonly fetch: typeof globalThis.fetch;
}

/** What a server says of a file before any of it is read. */
interface RemoteFacts {
  readonly size: number;
  readonly etag?: string | undefined;
}

/**
 * A file on a server that answers byte ranges. The size is asked for once (HEAD, or a range of one byte where HEAD is refused);
 * each read is one request, whose status, range and length are checked. Where the server names a strong etag, all reads are held to that version.
 * No retries, no cache; the request carries no headers but Range, If-Range and Accept-Encoding.
 * @param fetch the platform's
 * @throws SpellError net-status (no answer, or not with the file), net-range (no byte ranges, or wrong ones), run-aborted
 */
export async function httpSource(url: string, fetch: typeof globalThis.fetch, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const name = options.name ?? nameFromUrl(url);
  const file: RemoteFile = { url, name, fetch };
  const { size, etag } = (await askByHead(file, options.signal)) ?? (await askByRange(file, options.signal));
  const source: ByteSource = {
    name,
    size,
    async read(offset, length, signal) {
      checkRead(source, offset, length, signal);
      if (length === 0) return new Uint8Array(0);
      const last = offset + length - 1;
      const response = await request(file, signal, rangeHeaders(offset, last, etag));
      try {
        checkRange(response, name, `bytes ${offset}-${last}/${size}`);
        return await readBody(response, name, length, signal);
      } finally {
        await discard(response);
      }
    },
  };
  return source;
}

/** @returns undefined where the answer does not settle it: signed links and some servers refuse HEAD, others do not say the size */
async function askByHead(file: RemoteFile, signal: AbortSignal | undefined): Promise<RemoteFacts | undefined> {
  const response = await request(file, signal, {}, "HEAD");
  await discard(response);
  const size = parseSize(response.headers.get("content-length"));
  if (response.status !== 200 || size === undefined || response.headers.get("accept-ranges") !== "bytes") return undefined;
  return { size, etag: strongEtag(response) };
}

async function askByRange(file: RemoteFile, signal: AbortSignal | undefined): Promise<RemoteFacts> {
  const response = await request(file, signal, { range: "bytes=0-0" });
  await discard(response);
  const range = response.headers.get("content-range") ?? "";
  // An empty file has no first byte; its answer is 416 with `bytes */0`.
  if (response.status === 416 && range === "bytes */0") return { size: 0 };
  const size = parseSize(/^bytes 0-0\/(\d+)$/.exec(range)?.[1]);
  checkRange(response, file.name, `bytes 0-0/${size ?? "(size)"}`);
  if (size === undefined) throw rangeError(file.name, "the server does not say how long the file is");
  return { size, etag: strongEtag(response) };
}

async function request(
  { url, name, fetch }: RemoteFile,
  signal: AbortSignal | undefined,
  headers: Readonly<Record<string, string>>,
  method = "GET",
): Promise<Response> {
  throwIfAborted(signal);
  try {
    // The length must be that of the unpacked bytes. Requests with a range say so by themselves (the fetch standard, "identity").
    const plain: Readonly<Record<string, string>> = "range" in headers ? {} : { "accept-encoding": "identity" };
    return await fetch(url, { method, headers: { ...plain, ...headers }, signal: signal ?? null });
  } catch (cause) {
    throwIfAborted(signal);
    if (cause instanceof SpellError) throw cause;
    throw new SpellError("net-status", `${name}: no answer from ${new URL(url).host}`, { where: name, cause });
  }
}

/** Headers that ask for the bytes `from` … `to`, both included, of the version that `etag` names. */
export function rangeHeaders(from: number, to: number, etag: string | undefined): Readonly<Record<string, string>> {
  const range = `bytes=${from}-${to}`;
  return etag === undefined ? { range } : { range, "if-range": etag };
}

function checkRange(response: Response, name: string, expected: string): void {
  const { status } = response;
  const range = response.headers.get("content-range") ?? "no Content-Range";
  if (status === 200)
    throw rangeError(name, `expected status 206 and ${expected}, got 200: the server ignores byte ranges, or the file has changed`);
  if (status !== 206)
    throw new SpellError("net-status", `${name}: expected status 206, got ${status}`, { where: name, details: { status } });
  if (range !== expected) throw rangeError(name, `expected ${expected}, got ${range}`);
  if (!isUnpacked(response))
    throw rangeError(name, `expected unpacked bytes, got Content-Encoding ${response.headers.get("content-encoding")}`);
}

function rangeError(name: string, problem: string, cause?: unknown): SpellError {
  return new SpellError("net-range", `${name}: ${problem}`, { where: name, cause });
}

/** The body into one buffer of the expected length: a longer one is refused as soon as it shows, so it costs no memory. */
async function readBody(response: Response, name: string, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  const reader = response.body?.getReader();
  try {
    for (let chunk = await reader?.read(); chunk?.value !== undefined; chunk = await reader?.read()) {
      const part: Uint8Array = chunk.value;
      if (done + part.byteLength > length) throw rangeError(name, `expected ${formatCount(length)} bytes, got more`);
      bytes.set(part, done);
      done += part.byteLength;
    }
  } catch (cause) {
    await reader?.cancel().catch(() => undefined);
    throwIfAborted(signal);
    if (cause instanceof SpellError) throw cause;
    throw rangeError(name, `the connection ended after ${formatCount(done)} of ${formatCount(length)} bytes`, cause);
  } finally {
    reader?.releaseLock();
  }
  if (done !== length) throw rangeError(name, `expected ${formatCount(length)} bytes, got ${formatCount(done)}`);
  return bytes;
}

/** Unread bodies hold their connection. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

/** Whether the bytes that were sent are those of the file: their length is the file's, and ranges are of it. */
export function isUnpacked({ headers }: Response): boolean {
  return /^(identity)?$/i.test(headers.get("content-encoding") ?? "");
}

/** @returns undefined for a weak one and for none: only a strong etag says that bytes are the same */
export function strongEtag({ headers }: Response): string | undefined {
  return /^"[\x21\x23-\x7e]{1,200}"$/.exec(headers.get("etag") ?? "")?.[0];
}

/** @returns a length in bytes from a header; undefined for anything but digits below 2^53 */
export function parseSize(text: string | null | undefined): number | undefined {
  const size = /^\d{1,16}$/.test(text ?? "") ? Number(text) : Number.NaN;
  return Number.isSafeInteger(size) ? size : undefined;
}

function nameFromUrl(url: string): string {
  const { pathname, host } = new URL(url);
  const last = pathname.split("/").pop() ?? "";
  return decodeUri(last) || host;
}

/**
 * What every source checks before it reads.
 * @throws SpellError run-aborted; gguf-truncated, with `wanted` and `got` in its details
 */
export function checkRead(source: ByteSource, offset: number, length: number, signal: AbortSignal | undefined): void {
  throwIfAborted(signal);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    const message = `${source.name}: expected whole numbers from 0 on, got a read of ${length} bytes at ${offset}`;
    throw new SpellError("internal-error", message, { where: source.name });
  }
  if (length > source.size - offset) throw truncated(source, offset, length, source.size);
}

/** The error of a file that ends early. @param end bytes there are */
export function truncated(source: Pick<ByteSource, "name">, offset: number, length: number, end: number): SpellError {
  const got = Math.max(0, end - offset);
  const range = `expected ${formatCount(length)} bytes at byte ${formatCount(offset)}, got ${formatCount(got)}`;
  const message = `${source.name}: ${range}: the file ends at byte ${formatCount(end)}`;
  return new SpellError("gguf-truncated", message, { where: source.name, details: { offset, wanted: length, got } });
}

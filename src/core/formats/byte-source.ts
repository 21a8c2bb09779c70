/**
 * Random access to the bytes of one file, wherever it lies. Reads are ranged; nothing here ever reads a whole file by itself.
 * Sources over files of Node are in src/node/file-source.ts.
 */
import { abortedError, SpellError } from "../errors.ts";
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
  /** Changes whenever the content may have changed: what is made from the file can be kept under it. Absent where nobody can tell. */
  readonly version?: string | undefined;
  /** Milliseconds since the epoch of the last change, where the host knows. */
  readonly modifiedMs?: number | undefined;
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

/** A Blob, or a File that a person chose. Nothing is read before it is asked for. */
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
        throw new SpellError("gguf-truncated", `${name}: it cannot be read any more; it was changed or removed since it was chosen`, {
          where: name,
          cause,
        });
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

/**
 * A file on a server that answers byte ranges. The size is asked for once (HEAD, or a range of one byte where HEAD is refused);
 * each read is one request, whose status, range and length are checked. Where the server names a strong etag, all reads are held to that version.
 * It neither retries nor keeps anything; the request carries no headers but Range, If-Range and Accept-Encoding.
 * @param fetch the platform's
 * @throws SpellError net-status (no answer, or not with the file), net-range (no byte ranges, or wrong ones), run-aborted
 */
export async function httpSource(url: string, fetch: typeof globalThis.fetch, options: HttpSourceOptions = {}): Promise<ByteSource> {
  const name = options.name ?? nameFromUrl(url);
  const found = (await askByHead(url, name, fetch, options.signal)) ?? (await askByRange(url, name, fetch, options.signal));
  const source: ByteSource = {
    name,
    size: found.size,
    async read(offset, length, signal) {
      checkRead(source, offset, length, signal);
      if (length === 0) return new Uint8Array(0);
      const last = offset + length - 1;
      const response = await request(url, name, fetch, signal, rangeHeaders(offset, last, found.etag));
      try {
        checkRange(response, name, `bytes ${offset}-${last}/${found.size}`);
        return await readBody(response, name, length, signal);
      } finally {
        await discard(response);
      }
    },
  };
  return source;
}

interface RemoteFile {
  readonly size: number;
  readonly etag?: string | undefined;
}

/** @returns undefined where the answer to HEAD does not settle it: signed links and some servers refuse the method, others do not say the size */
async function askByHead(
  url: string,
  name: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal | undefined,
): Promise<RemoteFile | undefined> {
  const response = await request(url, name, fetch, signal, {}, "HEAD");
  await discard(response);
  const size = parseSize(response.headers.get("content-length"));
  if (response.status !== 200 || size === undefined || response.headers.get("accept-ranges") !== "bytes") return undefined;
  return { size, ...strongEtag(response) };
}

async function askByRange(url: string, name: string, fetch: typeof globalThis.fetch, signal: AbortSignal | undefined): Promise<RemoteFile> {
  const response = await request(url, name, fetch, signal, { range: "bytes=0-0" });
  await discard(response);
  // An empty file has no first byte: 416 with `bytes */0` says so.
  if (response.status === 416 && response.headers.get("content-range") === "bytes */0") return { size: 0 };
  const size = parseSize(/^bytes 0-0\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1] ?? null);
  checkRange(response, name, `bytes 0-0/${size ?? "(size)"}`);
  if (size === undefined) throw new SpellError("net-range", `${name}: the server does not say how long the file is`, { where: name });
  return { size, ...strongEtag(response) };
}

async function request(
  url: string,
  name: string,
  fetch: typeof globalThis.fetch,
  signal: AbortSignal | undefined,
  headers: Readonly<Record<string, string>>,
  method = "GET",
): Promise<Response> {
  throwIfAborted(signal);
  try {
    // The length wanted is that of the bytes as they are. Requests with a range say so by themselves (the fetch standard, "identity").
    const plain: Readonly<Record<string, string>> = "range" in headers ? {} : { "accept-encoding": "identity" };
    return await fetch(url, { method, headers: { ...plain, ...headers }, signal: signal ?? null });
  } catch (cause) {
    throwIfAborted(signal);
    throw new SpellError("net-status", `${name}: no answer from ${hostOf(url)}`, { where: name, cause });
  }
}

/** Headers that ask for the bytes `from` … `to`, both included, of the version that `etag` names. */
export function rangeHeaders(from: number, to: number, etag: string | undefined): Readonly<Record<string, string>> {
  const range = `bytes=${from}-${to}`;
  return etag === undefined ? { range } : { range, "if-range": etag };
}

function checkRange(response: Response, name: string, wanted: string): void {
  const { status } = response;
  if (status === 200) {
    throw new SpellError(
      "net-range",
      `${name}: wanted status 206 and ${wanted}; got 200 and the whole file: no byte ranges, or the file changed meanwhile`,
      { where: name },
    );
  }
  if (status !== 206) throw new SpellError("net-status", `${name}: wanted status 206; got ${status}`, { where: name, details: { status } });
  const got = response.headers.get("content-range");
  if (got !== wanted) throw new SpellError("net-range", `${name}: wanted ${wanted}; got ${got ?? "no Content-Range"}`, { where: name });
  const encoding = response.headers.get("content-encoding");
  if (encoding !== null && encoding !== "identity")
    throw new SpellError("net-range", `${name}: wanted the bytes as they are; got Content-Encoding ${encoding}`, { where: name });
}

/** The body into one buffer of the wanted length: a longer one is refused as soon as it shows, so it costs no memory. */
async function readBody(response: Response, name: string, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  const reader = response.body?.getReader();
  try {
    for (;;) {
      const chunk = await reader?.read();
      if (chunk === undefined || chunk.done) break;
      const part: Uint8Array = chunk.value;
      if (done + part.byteLength > length)
        throw new SpellError("net-range", `${name}: wanted ${formatCount(length)} bytes; got more`, { where: name });
      bytes.set(part, done);
      done += part.byteLength;
    }
  } catch (cause) {
    await reader?.cancel().catch(() => undefined);
    throwIfAborted(signal);
    if (cause instanceof SpellError) throw cause;
    throw new SpellError("net-range", `${name}: the connection ended after ${formatCount(done)} of ${formatCount(length)} bytes`, {
      where: name,
      cause,
    });
  } finally {
    reader?.releaseLock();
  }
  if (done !== length)
    throw new SpellError("net-range", `${name}: wanted ${formatCount(length)} bytes; got ${formatCount(done)}`, { where: name });
  return bytes;
}

/** Unread bodies hold their connection. */
async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

function strongEtag(response: Response): { readonly etag?: string | undefined } {
  const etag = response.headers.get("etag");
  return etag?.startsWith('"') === true ? { etag } : {};
}

function parseSize(text: string | null): number | undefined {
  if (text === null || !/^\d{1,16}$/.test(text)) return undefined;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : undefined;
}

function nameFromUrl(url: string): string {
  const last = new URL(url).pathname.split("/").pop() ?? "";
  try {
    return decodeURIComponent(last) || hostOf(url);
  } catch {
    return last;
  }
}

function hostOf(url: string): string {
  return new URL(url).host;
}

/**
 * What every source checks before it reads.
 * @throws SpellError run-aborted, gguf-truncated with wanted and got
 */
export function checkRead(source: ByteSource, offset: number, length: number, signal: AbortSignal | undefined): void {
  throwIfAborted(signal);
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0) {
    throw new SpellError("internal-error", `${source.name}: read of ${length} bytes at ${offset}: wanted whole numbers from 0 on`, {
      where: source.name,
    });
  }
  if (length > source.size - offset) throw truncated(source, offset, length, source.size);
}

/** The error of a file that ends early. @param end bytes there are */
export function truncated(source: Pick<ByteSource, "name">, offset: number, length: number, end: number): SpellError {
  const got = Math.max(0, end - offset);
  return new SpellError(
    "gguf-truncated",
    `${source.name}: wanted ${formatCount(length)} bytes at byte ${formatCount(offset)}; got ${formatCount(got)}: the file ends at byte ${formatCount(end)}`,
    { where: source.name, details: { offset, wanted: length, got } },
  );
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError();
}

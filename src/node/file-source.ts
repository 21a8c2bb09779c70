/**
 * ByteSource over a regular file: positioned reads, never the whole file.
 * A pipe, a device or a socket under a model's name is refused without being opened, so nothing here can block on one.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { basename } from "node:path";
import { abortedError, SpellError } from "../core/errors.ts";
import { type ByteSource, checkRead, truncated } from "../core/formats/byte-source.ts";

/** A source over a local file. It holds no file handle between reads, so forgetting close() leaks nothing. */
export interface FileSource extends ByteSource {
  /** Real path, symbolic links resolved. */
  readonly path: string;
  /** Later reads reject with run-closed. A second call does nothing. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Looks at a path and proves that it can be read. Each read opens the file anew and checks that it is still the same one.
 * @throws SpellError model-unknown (no such file), model-not-regular (a folder, pipe, device or socket), store-denied (no permission)
 */
export async function openFileSource(path: string): Promise<FileSource> {
  const name = basename(path);
  const [stats, real] = await translateErrors(path, async () => {
    // Before anything is opened: opening a pipe waits for its writer, opening a device may do anything.
    const stats = await stat(path);
    refuseOther(path, stats);
    // Opened once to see that it may be; access() would answer for the real user instead of the effective one.
    const [real] = await Promise.all([realpath(path), openSame(path, stats, name).then((handle) => handle.close())]);
    return [stats, real] as const;
  });
  let closed = false;

  const source: FileSource = {
    name,
    size: stats.size,
    path: real,
    modifiedMs: Math.trunc(stats.mtimeMs),
    version: [stats.dev, stats.ino, stats.size, stats.mtimeMs, stats.ctimeMs].join(":"),
    async read(offset, length, signal) {
      checkRead(source, offset, length, signal);
      if (closed) throw new SpellError("run-closed", `${name}: the file was closed`, { where: real });
      return translateErrors(path, async () => {
        const handle = await openSame(real, stats, name);
        try {
          return await readExactly(handle, source, offset, length, signal);
        } finally {
          await handle.close();
        }
      });
    },
    async close() {
      closed = true;
    },
    [Symbol.asyncDispose]() {
      return source.close();
    },
  };
  return source;
}

/** Opens without waiting, and looks again: since the file was looked at it may have been changed or replaced. */
async function openSame(path: string, before: Stats, name: string): Promise<FileHandle> {
  // O_NONBLOCK: should a pipe have taken the file's place, open returns at once. It means nothing for regular files; Windows has none.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const now = await handle.stat();
    refuseOther(path, now);
    if (!isSame(before, now)) {
      throw new SpellError("gguf-truncated", `${name}: the file was changed while it was in use`, {
        where: path,
        hint: "Wait until it is written completely, then try again.",
      });
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readExactly(
  handle: FileHandle,
  source: ByteSource,
  offset: number,
  length: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    if (signal?.aborted === true) throw abortedError();
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw truncated(source, offset, length, offset + done);
    done += bytesRead;
  }
  return bytes;
}

function isSame(before: Stats, now: Stats): boolean {
  return before.dev === now.dev && before.ino === now.ino && before.size === now.size && before.mtimeMs === now.mtimeMs;
}

function refuseOther(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  const kind = stats.isDirectory()
    ? "a folder"
    : stats.isFIFO()
      ? "a pipe"
      : stats.isSocket()
        ? "a socket"
        : stats.isCharacterDevice() || stats.isBlockDevice()
          ? "a device"
          : "something else";
  throw new SpellError("model-not-regular", `${path} is ${kind}; wanted a regular file`, { where: path });
}

/** What the system says about a path, as codes of ours. Anything else stays itself, under store-denied: the file is there and cannot be read. */
async function translateErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    if (missingCodes.has(code)) throw new SpellError("model-unknown", `no such file: ${path}`, { where: path, cause });
    if (code === "ENXIO")
      throw new SpellError("model-not-regular", `${path} is a socket or a device; wanted a regular file`, { where: path, cause });
    throw new SpellError("store-denied", `${path} cannot be read${code === "" ? "" : ` (${code})`}`, {
      where: path,
      hint: "Check the permissions of the file and of its folders.",
      cause,
    });
  }
}

/** ERR_INVALID_ARG_VALUE: a path with a NUL, which no file can have. */
const missingCodes: ReadonlySet<string> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "ERR_INVALID_ARG_VALUE"]);

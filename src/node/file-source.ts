/**
 * ByteSource over a regular file: positioned reads, never the whole file.
 * Pipes, devices and sockets are refused without being opened, so nothing here can block on one.
 */
import { constants, type Stats } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { sep } from "node:path";
import { abortedError, SpellError } from "../core/errors.ts";
import { baseName } from "../core/file-names.ts";
import { type ByteSource, checkRead, truncated } from "../core/formats/byte-source.ts";
import { errnoOf } from "./errno.ts";

/** A source over a local file. It holds no file handle between reads: without close() nothing leaks. */
export interface FileSource extends ByteSource {
  /** Real path, symbolic links resolved. */
  readonly path: string;
  /** Later reads reject with run-closed. A second call does nothing. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Checks that a path can be read. Each read opens the file again and checks that it is still the same.
 * @throws SpellError model-unknown (no such file), model-not-regular (a folder, pipe, device or socket), store-denied (no permission)
 */
export async function openFileSource(path: string): Promise<FileSource> {
  const name = baseName(path.replaceAll(sep, "/"));
  const [stats, real] = await translateErrors(path, async () => {
    // Before anything is opened: opening a pipe waits for its writer, opening a device may do anything.
    const stats = await stat(path);
    refuseOther(path, stats);
    // Opened once to test the permission; access() would answer for the real user instead of the effective one.
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
          return await readExactly(handle, offset, length, (end) => truncated(source, offset, length, end), signal);
        } finally {
          await handle.close();
        }
      });
    },
    isCurrent: () =>
      stat(real).then(
        (now) => isSame(stats, now),
        () => false,
      ),
    async close() {
      closed = true;
    },
    [Symbol.asyncDispose]() {
      return source.close();
    },
  };
  return source;
}

/** Opens without waiting, and checks again: the file may have been changed or replaced in between. */
async function openSame(path: string, before: Stats, name: string): Promise<FileHandle> {
  // O_NONBLOCK: if a pipe replaced the file, open returns at once. It does nothing for regular files; Windows lacks it.
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const now = await handle.stat();
    refuseOther(path, now);
    if (!isSame(before, now)) {
      const hint = "Load the model anew, once the file is written completely.";
      const code = name.endsWith(".safetensors") ? "safetensors-truncated" : "gguf-truncated";
      throw new SpellError(code, `${name}: the file was changed while it was in use`, { where: path, hint });
    }
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** @param ended makes the error for a file that ends at this byte, too early */
export async function readExactly(
  handle: FileHandle,
  offset: number,
  length: number,
  ended: (end: number) => SpellError,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    if (signal?.aborted === true) throw abortedError();
    const { bytesRead } = await handle.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) throw ended(offset + done);
    done += bytesRead;
  }
  return bytes;
}

function isSame(before: Stats, now: Stats): boolean {
  return before.dev === now.dev && before.ino === now.ino && before.size === now.size && before.mtimeMs === now.mtimeMs;
}

function refuseOther(path: string, stats: Stats): void {
  if (stats.isFile()) return;
  const kind = stats.isDirectory() ? "a folder" : stats.isFIFO() ? "a pipe" : stats.isSocket() ? "a socket" : "a device";
  throw new SpellError("model-not-regular", `${path}: expected a regular file, got ${kind}`, { where: path });
}

/** Errors of the system as codes of ours; store-denied for all that have no own one. */
async function translateErrors<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    const code = errnoOf(cause);
    if (missingCodes.has(code)) throw new SpellError("model-unknown", `no such file: ${path}`, { where: path, cause });
    if (code === "ENXIO")
      throw new SpellError("model-not-regular", `${path}: expected a regular file, got a socket or device`, { where: path, cause });
    const hint = "Check the permissions of the file and of its folders.";
    throw new SpellError("store-denied", `cannot read ${path}${code === undefined ? "" : ` (${code})`}`, { where: path, hint, cause });
  }
}

/** ERR_INVALID_ARG_VALUE: a path with a NUL character. */
const missingCodes: ReadonlySet<string | undefined> = new Set(["ENOENT", "ENOTDIR", "ENAMETOOLONG", "ELOOP", "ERR_INVALID_ARG_VALUE"]);

/**
 * A lock between processes that only saves work: file systems differ in what they promise, clocks jump, and process numbers are used
 * again. At worst two processes hold it at once.
 */
import { randomBytes } from "node:crypto";
import { readFile, rename, stat, unlink, utimes, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";
import { throwIfAborted, toSpellError } from "../../core/errors.ts";
import type { LockOptions } from "../../core/platform.ts";
import { errnoOf } from "../errno.ts";
import { isAlive } from "../processes.ts";

/** Between two touches by the holder. */
const touchMs = 4000;
/** A lock untouched for this long is free: its holder was killed on another host, or hangs. */
const staleMs = 12_000;
/** Between two looks of a waiter. */
const pollMs = 250;

/** @returns a function that releases it. @throws SpellError run-aborted while waiting, store-denied */
export async function holdFileLock(path: string, { onWait, signal }: LockOptions): Promise<() => Promise<void>> {
  const mark = randomBytes(8).toString("hex");
  let hasWaited = false;
  for (;;) {
    throwIfAborted(signal);
    if (await tryCreate(path, mark)) break;
    if (await isAbandoned(path)) {
      // Of several waiters one wins the rename; the others find the next lock.
      const grave = `${path}.${mark}`;
      await rename(path, grave).then(
        () => unlink(grave),
        () => undefined,
      );
      continue;
    }
    if (!hasWaited) onWait?.();
    hasWaited = true;
    await setTimeout(pollMs, undefined, { signal }).catch(() => undefined); // an abort is told at the start of the loop
  }
  const touch = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, touchMs);
  touch.unref();
  return async () => {
    clearInterval(touch);
    const text = await readFile(path, "utf8").catch(() => "");
    if (text.includes(mark)) await unlink(path).catch(() => undefined);
  };
}

async function tryCreate(path: string, mark: string): Promise<boolean> {
  try {
    await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname(), mark }), { flag: "wx", mode: 0o600 });
    return true;
  } catch (error) {
    if (errnoOf(error) === "EEXIST") return false;
    throw toSpellError(error, "store-denied", path);
  }
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    if (Math.abs(Date.now() - mtimeMs) > staleMs) return true;
    const { pid, host } = JSON.parse(await readFile(path, "utf8")) as { readonly pid?: unknown; readonly host?: unknown };
    return host === hostname() && typeof pid === "number" && !isAlive(pid);
  } catch {
    return false; // removed, or just being written: look again
  }
}

/**
 * A lock between processes that saves work and that nothing depends on: file systems differ in what they promise, clocks jump, and process
 * numbers are used again. At worst two hold it at once.
 */
import { randomBytes } from "node:crypto";
import { open, readFile, rename, stat, unlink, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { abortedError, toSpellError } from "../../core/errors.ts";
import type { LockOptions } from "../../core/platform.ts";
import { isAlive } from "../processes.ts";

/** The holder touches its lock this often. */
const touchMs = 4000;
/** A lock that was not touched for this long belongs to nobody: its holder was killed on another host, or hangs. */
const staleMs = 12_000;
/** Between two looks of a waiter. */
const pollMs = 250;

export interface HeldLock {
  release(): Promise<void>;
}

/** @throws SpellError run-aborted while waiting, store-denied */
export async function holdFileLock(path: string, { onWait, signal }: LockOptions): Promise<HeldLock> {
  const mark = randomBytes(8).toString("hex");
  let hasWaited = false;
  for (;;) {
    if (signal?.aborted === true) throw abortedError();
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
    await pause(pollMs, signal);
  }
  const touch = setInterval(() => {
    const now = new Date();
    utimes(path, now, now).catch(() => undefined);
  }, touchMs);
  touch.unref();
  return {
    async release() {
      clearInterval(touch);
      const text = await readFile(path, "utf8").catch(() => "");
      if (text.includes(mark)) await unlink(path).catch(() => undefined);
    },
  };
}

async function tryCreate(path: string, mark: string): Promise<boolean> {
  try {
    const file = await open(path, "wx", 0o600);
    try {
      await file.writeFile(JSON.stringify({ pid: process.pid, host: hostname(), mark }));
    } finally {
      await file.close();
    }
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
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
    return false; // it went away, or is just being written: look again
  }
}

function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", done, { once: true });
  });
}

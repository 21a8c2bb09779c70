/** Files of an index in a folder. A file has its name only when it is whole and on the disk; a killed process leaves at most a nameless one. */
import { createHash, randomBytes } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { open, readdir, stat, unlink } from "node:fs/promises";
import { hostname } from "node:os";
import { dirname, join } from "node:path";
import * as zlib from "node:zlib";
import { SpellError } from "../../core/errors.ts";
import type { SearchFolder } from "../../core/platform.ts";
import { once } from "../../core/values.ts";
import { isMissing } from "../errno.ts";
import { makeFolder } from "../make-folder.ts";
import { isAlive } from "../processes.ts";
import { replaceFile } from "../write-whole.ts";
import { attempt, storeError, unlessMissing } from "./store-errors.ts";

const isFile = (name: string): boolean => /^[0-9a-z-]+\.[0-9a-z]+$/.test(name);
/** Nobody writes one file for so long: its writer was killed, on whatever machine. */
const abandonedMs = 3_600_000;
/** `.MACHINE-PROCESS-RANDOM.tmp`: of this machine's writers it is known whether they live. */
const temporaryName = /^\.(?:([0-9a-f]{12})-(\d+)-)?[0-9a-f]+\.tmp$/;
/** A container is a machine of its own: numbers of processes mean others there. */
const machine = once(() => createHash("sha256").update(hostname()).digest("hex").slice(0, 12));

const hint = "Check its permissions, or set rag.vector_storage.persistence_path to a folder that can be written.";

/** @param path The first write makes it; a missing folder reads as empty. */
export function nodeSearchFolder(path: string): SearchFolder {
  const folder = folderAt(path);
  const told = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      throw error instanceof SpellError && error.code === "store-denied" ? error.with({ hint }) : error;
    });
  return {
    ...folder,
    list: () => told(folder.list()),
    size: (name) => told(folder.size(name)),
    read: (name, from, length) => told(folder.read(name, from, length)),
    write: (name, parts) => told(folder.write(name, parts)),
    remove: (name) => told(folder.remove(name)),
  };
}

function folderAt(path: string): SearchFolder {
  let isSwept = false;
  /** Removes what killed writers left, once for each object. @param names of the folder */
  async function sweep(names: readonly string[]): Promise<void> {
    if (isSwept) return;
    isSwept = true;
    for (const name of names) if (await isAbandoned(path, name)) await unlink(join(path, name)).catch(() => undefined);
  }
  return {
    place: path,
    async list() {
      const entries = (await unlessMissing(path, () => readdir(path, { withFileTypes: true }))) ?? [];
      if (entries.length === 0) await refuseFile(path);
      await sweep(entries.map(({ name }) => name));
      return entries
        .filter((entry) => entry.isFile() && isFile(entry.name))
        .map(({ name }) => name)
        .sort();
    },
    async size(name) {
      const facts = await unlessMissing(join(path, name), () => stat(join(path, name)));
      return facts?.isFile() === true ? facts.size : undefined;
    },
    // A query reads some hundred short ranges of files that the system has in memory: asking a thread for each takes ten times as long as reading it.
    async read(name, from, length) {
      const file = join(path, name);
      let descriptor: number | undefined;
      try {
        descriptor = openSync(file, constants.O_RDONLY);
        if (from + length > fstatSync(descriptor).size) return undefined;
        const bytes = new Uint8Array(length);
        for (let done = 0; done < length; ) {
          const count = readSync(descriptor, bytes, done, length - done, from + done);
          if (count === 0) return undefined;
          done += count;
        }
        return bytes;
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw storeError(error, file);
      } finally {
        if (descriptor !== undefined) closeSync(descriptor);
      }
    },
    write: (name, parts) =>
      attempt(join(path, name), async () => {
        makeFolder(path);
        const write = async (file: Awaited<ReturnType<typeof open>>): Promise<void> => {
          for (const part of parts) await file.writeFile(part);
        };
        await replaceFile(join(path, name), join(path, temporary()), write, { mode: 0o600 });
        await syncFolder(path);
      }),
    async remove(name) {
      await unlessMissing(join(path, name), () => unlink(join(path, name)));
    },
    // Deno and Bun may have none
    crc32: zlib.crc32 as typeof zlib.crc32 | undefined,
  };
}

/** @throws SpellError store-denied where a file lies in the place of the folder, or of one above it */
async function refuseFile(path: string): Promise<void> {
  for (let at = path; ; at = dirname(at)) {
    const facts = await stat(at).catch(() => undefined);
    if (facts === undefined && dirname(at) !== at) continue;
    if (facts === undefined || facts.isDirectory()) return;
    throw new SpellError("store-denied", `${at}: expected a folder, got a file`, { where: at });
  }
}

function temporary(): string {
  return `.${machine()}-${process.pid}-${randomBytes(8).toString("hex")}.tmp`;
}

async function isAbandoned(folder: string, name: string): Promise<boolean> {
  const [isTemporary, where, writer] = temporaryName.exec(name) ?? [];
  if (isTemporary === undefined) return false;
  if (where === machine() && !isAlive(Number(writer))) return true;
  const facts = await stat(join(folder, name)).catch(() => undefined);
  return facts !== undefined && Date.now() - facts.mtimeMs > abandonedMs;
}

/** Makes a rename durable. Windows neither has nor needs this call. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(path, constants.O_RDONLY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

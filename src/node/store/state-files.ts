/**
 * What models computed for prompts, kept from process to process: `states/<group>/<id>.json`, a record, and the state it names beside it. A group is one
 * model file under one engine and its settings; states of another are never looked at. Knows no engine.
 * A state is written under a name that nothing points to; the record that names it, with its hash, comes last and whole. So a killed process leaves
 * a file nobody reads, and of two processes that write under one name each finds a whole state, its own or the other's.
 */
import { createHash, randomBytes } from "node:crypto";
import { constants } from "node:fs";
import * as nodeFs from "node:fs/promises";
import { join } from "node:path";
import { messageOf, SpellError } from "../../core/errors.ts";
import { isObject } from "../../core/json.ts";
import type { KeptStates, StateFacts } from "../../core/platform.ts";
import { attempt, storeError, unlessMissing } from "./store-errors.ts";
import { type StoreFs, storeFiles } from "./store-files.ts";

/** A state, as its record has it. */
export interface StateRecord {
  /** as users name it, for lists */
  readonly model: string;
  /** of the conversation it belongs to; undefined: of every prompt that begins as it does */
  readonly name: string | undefined;
  /** the state is that after these */
  readonly tokens: readonly number[];
}

export interface KeptState extends StateRecord {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly recordPath: string;
  /** tokens that it has in common with those that were looked for */
  readonly shared: number;
}

export interface StateFiles extends KeptStates {
  /**
   * The state that saves most: its beginning is that of the tokens for longest.
   * @param accepts whether a state can be used that shares so many tokens
   * @param damaged told why a record was deleted
   */
  best(
    group: string,
    tokens: readonly number[],
    accepts: (state: StateRecord, shared: number) => boolean,
    damaged: (why: string) => void,
  ): Promise<KeptState | undefined>;
  /** Counts it as used, and reads it whole. @throws SpellError store-corrupt where it is not what its record says: then it is gone */
  check(state: KeptState): Promise<void>;
  /** Deletes a state that cannot be used. */
  drop(state: KeptState): Promise<void>;
  /**
   * Keeps a state in place of what its name, or its tokens, had; the oldest others go where all have more than `mostBytes`.
   * @param write makes the file
   * @throws SpellError store-full, store-denied; nothing was kept then
   */
  keep(group: string, record: StateRecord, write: (path: string) => Promise<unknown>, mostBytes: number): Promise<void>;
}

const format = 1;
/** A state without a record may be on its way; after this it is what a killed process left. */
const leftoverMs = 600_000;
const idForm = /^[0-9a-f]{32}$/;
const stateForm = /^[0-9a-f]{32}\.[0-9a-f]{16}\.state$/;

/** @param folder absolute; the first write makes it, mode 0700 */
export function stateFiles(folder: string, fs: StoreFs = nodeFs): StateFiles {
  const files = storeFiles(fs, folder);

  /** States are read by code that trusts them: nobody else may have written here. @returns false for a missing folder */
  const isOurs = async (path: string): Promise<boolean> => {
    const stats = await unlessMissing(path, () => fs.lstat(path));
    if (stats === undefined) return false;
    const isOwn = process.getuid === undefined || (stats.uid === process.getuid() && (stats.mode & 0o022) === 0);
    if (stats.isDirectory() && isOwn) return true;
    throw new SpellError("store-denied", `${path}: expected a folder that only its owner writes to`, { where: path });
  };

  const remove = async (path: string): Promise<void> => {
    await unlessMissing(path, () => fs.unlink(path));
  };

  const readRecord = async (group: string, id: string): Promise<Omit<KeptState, "shared"> | undefined> => {
    const recordPath = join(folder, group, `${id}.json`);
    const value = await files.readJson(recordPath);
    if (value === undefined) return undefined;
    const { format: found, model, name, tokens, file, bytes, sha256 } = isObject(value) ? value : {};
    const isRight =
      found === format &&
      typeof model === "string" &&
      (name === null || typeof name === "string") &&
      typeof tokens === "string" &&
      typeof file === "string" &&
      stateForm.test(file) &&
      file.startsWith(id) &&
      Number.isSafeInteger(bytes) &&
      typeof sha256 === "string";
    if (!isRight) throw new SpellError("store-corrupt", `${recordPath} is damaged`, { where: recordPath });
    const path = join(folder, group, file);
    return { model, name: name ?? undefined, tokens: unpack(tokens), path, bytes: Number(bytes), sha256, recordPath };
  };

  /** Of what lies in a group: records, and states that none of them names. */
  const look = async (group: string): Promise<{ readonly ids: readonly string[]; readonly states: readonly string[] }> => {
    const names = (await isOurs(join(folder, group))) ? await files.names(join(folder, group)) : [];
    return {
      ids: names.flatMap((name) => (name.endsWith(".json") && idForm.test(name.slice(0, -5)) ? [name.slice(0, -5)] : [])),
      states: names.filter((name) => stateForm.test(name)),
    };
  };

  const list = async (): Promise<readonly StateFacts[]> => {
    if (!(await isOurs(folder))) return [];
    const found: StateFacts[] = [];
    for (const group of (await files.names(folder)).filter((name) => idForm.test(name))) {
      const { ids, states } = await look(group);
      const named = new Set<string>();
      for (const id of ids) {
        const record = await readRecord(group, id).catch(() => undefined);
        const facts = await files.lookFile(join(folder, group, `${id}.json`)).catch(() => undefined);
        if (facts === undefined) continue;
        if (record !== undefined) named.add(record.path);
        const { model = "", name, bytes = 0 } = record ?? {};
        found.push({ id: `${group}/${id}`, model, name, bytes: facts.size + bytes, usedMs: facts.modifiedMs });
      }
      for (const file of states) {
        const path = join(folder, group, file);
        const facts = named.has(path) ? undefined : await files.lookFile(path).catch(() => undefined);
        if (facts === undefined || Date.now() - facts.modifiedMs < leftoverMs) continue;
        found.push({ id: `${group}/${file}`, model: "", name: undefined, bytes: facts.size, usedMs: facts.modifiedMs });
      }
    }
    return found;
  };

  const removeById = async (id: string): Promise<void> => {
    const [group = "", file = ""] = id.split("/");
    if (!idForm.test(group)) return;
    if (stateForm.test(file)) await remove(join(folder, group, file));
    else if (idForm.test(file)) {
      const record = await readRecord(group, file).catch(() => undefined);
      await remove(join(folder, group, `${file}.json`));
      if (record !== undefined) await remove(record.path);
    }
    await fs.rmdir(join(folder, group)).catch(() => undefined); // where it is empty now
  };

  /** Oldest first, until what is left has room. */
  const makeRoom = async (mostBytes: number): Promise<void> => {
    const all = [...(await list())].sort((a, b) => a.usedMs - b.usedMs);
    let total = all.reduce((sum, { bytes }) => sum + bytes, 0);
    for (const { id, bytes } of all) {
      if (total <= mostBytes) return;
      await removeById(id);
      total -= bytes;
    }
  };

  return {
    place: folder,
    list,
    remove: removeById,

    async best(group, tokens, accepts, damaged) {
      if (!(await isOurs(folder))) return undefined;
      let found: KeptState | undefined;
      for (const id of (await look(group)).ids) {
        try {
          const record = await readRecord(group, id);
          const shared = record === undefined ? 0 : sharedLength(record.tokens, tokens);
          if (record !== undefined && shared > (found?.shared ?? 0) && accepts(record, shared)) found = { ...record, shared };
        } catch (error) {
          damaged(messageOf(error));
          await removeById(`${group}/${id}`).catch(() => undefined);
        }
      }
      return found;
    },

    async check(state) {
      const { path, recordPath, bytes, sha256 } = state;
      const now = new Date();
      await fs.utimes(recordPath, now, now).catch(() => undefined);
      const found = await attempt(path, () => digest(fs, path, false));
      if (found.bytes === bytes && found.sha256 === sha256) return;
      throw new SpellError(
        "store-corrupt",
        `${path}: expected ${bytes} bytes with sha256 ${sha256}; got ${found.bytes} with ${found.sha256}`,
        {
          where: path,
        },
      );
    },

    async drop({ path, recordPath }) {
      await remove(recordPath);
      await remove(path);
    },

    async keep(group, { model, name, tokens }, write, mostBytes) {
      const packed = pack(tokens);
      const id = shortHash(JSON.stringify(name === undefined ? { tokens: packed } : { name }));
      const place = join(folder, group);
      await attempt(place, () => files.makeFolder(place));
      await isOurs(folder);
      await isOurs(place);
      const file = `${id}.${randomBytes(8).toString("hex")}.state`;
      const path = join(place, file);
      try {
        // made here, because engines know no modes
        await (await fs.open(path, "wx", 0o600)).close();
        await write(path).catch((cause: unknown) => {
          // The engine does not say why; a full disk is by far the usual reason.
          throw new SpellError("store-full", `${path} cannot be written (${messageOf(cause)}): expected room on the disk`, {
            where: path,
            cause,
          });
        });
        const { bytes, sha256 } = await digest(fs, path, true);
        if (bytes > mostBytes)
          throw new SpellError("store-full", `it takes ${megabytes(bytes)}, and kept_states_mb lets all have ${megabytes(mostBytes)}`);
        const before = await readRecord(group, id).catch(() => undefined);
        await files.writeJson(join(place, `${id}.json`), { format, model, name: name ?? null, file, bytes, sha256, tokens: packed });
        if (before !== undefined) await remove(before.path);
      } catch (error) {
        // The record may be there already, and only not be durable yet.
        await readRecord(group, id).then(
          (now) => (now?.path === path ? undefined : remove(path)),
          () => undefined,
        );
        throw storeError(error, path);
      }
      await makeRoom(mostBytes);
    },
  };
}

/** @param isNew makes the bytes durable too */
async function digest(fs: StoreFs, path: string, isNew: boolean): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const file = await fs.open(
    path,
    (isNew ? constants.O_RDWR : constants.O_RDONLY) | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0),
  );
  try {
    if (!(await file.stat()).isFile()) throw new SpellError("store-corrupt", `${path}: expected a regular file`, { where: path });
    if (isNew) await file.sync();
    const hash = createHash("sha256");
    const buffer = Buffer.allocUnsafe(1024 * 1024);
    let bytes = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, bytes);
      if (bytesRead === 0) return { bytes, sha256: hash.digest("hex") };
      hash.update(buffer.subarray(0, bytesRead));
      bytes += bytesRead;
    }
  } finally {
    await file.close();
  }
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 100_000) / 10} MB`;
}

/** @returns 32 hex digits */
export function shortHash(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}

/** @returns how many numbers both begin with */
export function sharedLength(a: readonly number[], b: readonly number[]): number {
  const most = Math.min(a.length, b.length);
  let length = 0;
  while (length < most && a[length] === b[length]) length += 1;
  return length;
}

/** Tokens as base64 of their bytes, little-endian. */
function pack(tokens: readonly number[]): string {
  const bytes = Buffer.alloc(tokens.length * 4);
  for (const [index, token] of tokens.entries()) bytes.writeInt32LE(token, index * 4);
  return bytes.toString("base64");
}

function unpack(text: string): readonly number[] {
  const bytes = Buffer.from(text, "base64");
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readInt32LE(index * 4));
}

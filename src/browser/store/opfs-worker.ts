/**
 * Writes parts in the origin's private file system. Only a worker may write there in place; a page's own writers copy the whole file at each save.
 * Hashing happens here too, so that a page stays free while a model arrives.
 */
import { createSHA256 } from "hash-wasm";
import { blobPath } from "../../core/download/address.ts";
import { checkComplete, createPrefixHash, type PrefixHash } from "../../core/download/prefix-hash.ts";
import { SpellError } from "../../core/errors.ts";
import { opfsFolder, storageError } from "./opfs-files.ts";
import type { OpfsAnswer, OpfsRequest } from "./opfs-protocol.ts";

interface OpenPart {
  readonly name: string;
  readonly file: FileSystemFileHandle;
  readonly access: FileSystemSyncAccessHandle;
  readonly hash: PrefixHash;
}

const parts = new Map<number, OpenPart>();
const commits = new Map<number, AbortController>();

async function newHash() {
  const hash = await createSHA256();
  return {
    update: (bytes: Uint8Array): void => {
      hash.update(bytes);
    },
    digest: (): string => hash.digest(),
  };
}

function partOf(number: number): OpenPart {
  const part = parts.get(number);
  if (part === undefined) throw new SpellError("run-closed", "this part was released or committed already");
  return part;
}

async function answer(request: OpfsRequest): Promise<unknown> {
  switch (request.type) {
    case "open": {
      const folder = await opfsFolder("parts");
      const file = await folder.getFileHandle(request.name, { create: request.isNew });
      const access = await file.createSyncAccessHandle();
      const read = async (offset: number, length: number): Promise<Uint8Array> => readExactly(access, request.name, offset, length);
      parts.set(request.part, { name: request.name, file, access, hash: await createPrefixHash(newHash, read) });
      return access.getSize();
    }
    case "write": {
      const { access, hash } = partOf(request.part);
      hash.wrote(request.offset, request.bytes);
      let done = 0;
      while (done < request.bytes.byteLength) {
        const written = access.write(request.bytes.subarray(done), { at: request.offset + done });
        // A full origin writes less, or nothing, instead of throwing.
        if (written === 0) throw new DOMException("nothing was written", "QuotaExceededError");
        done += written;
      }
      // It has been seen to claim more than it wrote, too.
      if (access.getSize() < request.offset + done) throw new DOMException("less was written than claimed", "QuotaExceededError");
      return undefined;
    }
    case "read": {
      const { access, name } = partOf(request.part);
      return readExactly(access, name, request.offset, request.length);
    }
    case "truncate": {
      const { access, hash } = partOf(request.part);
      access.truncate(request.size);
      await hash.cut(request.size);
      return undefined;
    }
    case "flush":
      partOf(request.part).access.flush();
      return undefined;
    case "commit": {
      const { access, file, hash } = partOf(request.part);
      const abort = new AbortController();
      commits.set(request.call, abort);
      try {
        const wanted = { size: request.size, sha256: request.sha256 };
        const digest = blobPath(`sha256:${await checkComplete(hash, access.getSize(), wanted, abort.signal)}`);
        access.flush();
        access.close();
        parts.delete(request.part);
        // Two tabs may end the same download at once; the second replaces the file by an equal one.
        await navigator.locks.request(`llmspell blob ${digest}`, async () => (file as MovableFile).move(await opfsFolder("blobs"), digest));
        return digest;
      } finally {
        commits.delete(request.call);
      }
    }
    case "abort":
      commits.get(request.call)?.abort();
      return undefined;
    case "close": {
      const part = parts.get(request.part);
      parts.delete(request.part);
      part?.access.close();
      return undefined;
    }
  }
}

/** Shipped by all current browsers for this file system; not yet in the compiler's library. */
interface MovableFile extends FileSystemFileHandle {
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
}

function readExactly(access: FileSystemSyncAccessHandle, name: string, offset: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = access.read(bytes.subarray(done), { at: offset + done });
    if (count === 0) throw new SpellError("store-corrupt", `${name} ends at byte ${offset + done}`, { where: name });
    done += count;
  }
  return bytes;
}

globalThis.onmessage = ({ data }: MessageEvent<{ readonly id: number; readonly request: OpfsRequest }>): void => {
  const { id, request } = data;
  const post = (message: OpfsAnswer, move: Transferable[] = []): void => {
    postMessage(message, { transfer: move });
  };
  answer(request).then(
    (value) => post({ id, ok: true, value }, value instanceof Uint8Array ? [value.buffer as ArrayBuffer] : []),
    (error: unknown) => post({ id, ok: false, error: storageError(error, "parts").toJSON() }),
  );
};

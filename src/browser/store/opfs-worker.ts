/**
 * Writes parts in the origin's private file system. Only a worker may write there in place; a page's own writers copy the whole file at each save.
 * Hashing happens here too, so that a page stays free while a model arrives.
 */
import { blobPath } from "../../core/download/address.ts";
import { checkComplete, createPrefixHash, type PrefixHash } from "../../core/download/prefix-hash.ts";
import { SpellError } from "../../core/errors.ts";
import { wasmHash } from "../../core/store/wasm-hash.ts";
import { opfsFolder, storageError } from "./opfs-files.ts";
import type { OpfsAnswer, OpfsCall, OpfsRequest } from "./opfs-protocol.ts";

interface OpenPart {
  readonly file: MovableFile;
  readonly access: FileSystemSyncAccessHandle;
  readonly hash: PrefixHash;
  readonly read: (offset: number, length: number) => Promise<Uint8Array>;
  /** of the commit that runs */
  abort: AbortController | undefined;
}

/** Shipped by all current browsers for this file system; not yet in the compiler's library. */
interface MovableFile extends FileSystemFileHandle {
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
}

const parts = new Map<number, OpenPart>();

async function openPart(name: string, isNew: boolean): Promise<OpenPart> {
  const file = (await (await opfsFolder("parts")).getFileHandle(name, { create: isNew })) as MovableFile;
  const access = await file.createSyncAccessHandle();
  const read = async (offset: number, length: number): Promise<Uint8Array> => {
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length; ) {
      const count = access.read(bytes.subarray(done), { at: offset + done });
      if (count === 0) throw new SpellError("store-corrupt", `${name} ends at byte ${offset + done}`, { where: name });
      done += count;
    }
    return bytes;
  };
  return { file, access, hash: await createPrefixHash(() => wasmHash("sha256"), read), read, abort: undefined };
}

async function answer(number: number, request: OpfsRequest): Promise<unknown> {
  if (request.type === "open") {
    const opened = await openPart(request.name, request.isNew);
    parts.set(number, opened);
    return opened.access.getSize();
  }
  const part = parts.get(number);
  if (part === undefined) {
    if (request.type === "abort" || request.type === "close") return undefined;
    throw new SpellError("run-closed", "this part was released or committed already");
  }
  const { access, hash } = part;
  switch (request.type) {
    case "write": {
      const { offset, bytes } = request;
      hash.wrote(offset, bytes);
      let done = 0;
      while (done < bytes.byteLength) {
        const written = access.write(bytes.subarray(done), { at: offset + done });
        // A full origin writes less, or nothing, instead of throwing.
        if (written === 0) throw new DOMException("nothing was written", "QuotaExceededError");
        done += written;
      }
      // It has been seen to claim more than it wrote, too.
      if (access.getSize() < offset + done) throw new DOMException("less was written than claimed", "QuotaExceededError");
      return undefined;
    }
    case "read":
      return part.read(request.offset, request.length);
    case "truncate":
      access.truncate(request.size);
      return hash.cut(request.size);
    case "flush":
      return access.flush();
    case "commit": {
      part.abort = new AbortController();
      const digest = blobPath(`sha256:${await checkComplete(hash, access.getSize(), request, part.abort.signal)}`);
      access.flush();
      access.close();
      parts.delete(number);
      // Two tabs may end the same download at once; the second replaces the file by an equal one.
      await navigator.locks.request(`llmspell blob ${digest}`, async () => part.file.move(await opfsFolder("blobs"), digest));
      return digest;
    }
    case "abort":
      return part.abort?.abort();
    case "close":
      parts.delete(number);
      return access.close();
  }
}

globalThis.onmessage = ({ data: { id, part, request } }: MessageEvent<OpfsCall>): void => {
  const post = (message: OpfsAnswer, move: Transferable[] = []): void => postMessage(message, { transfer: move });
  answer(part, request).then(
    (value) => post({ id, ok: true, value }, value instanceof Uint8Array ? [value.buffer as ArrayBuffer] : []),
    (error: unknown) => post({ id, ok: false, error: storageError(error, "parts").toJSON() }),
  );
};

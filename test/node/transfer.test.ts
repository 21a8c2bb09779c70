/** Downloads into a folder. Rows D1–D19, D23, D26. */
import { mkdtempSync, rmSync } from "node:fs";
import * as realFs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { fsArtifactStore, type StoreFs } from "../../src/node/store/fs-artifact-store.ts";
import { transferContract } from "../contract/transfer.ts";
import { startFaultServer } from "../support/fault-server.mjs";
import { type ScriptedHub, scriptedHub } from "../support/scripted-hub.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-transfer-"));
let server: Awaited<ReturnType<typeof startFaultServer>>;
let hub: ScriptedHub;
let made = 0;
/** Bytes that the disk still takes. */
let room = Number.POSITIVE_INFINITY;
beforeAll(async () => {
  server = await startFaultServer();
  hub = scriptedHub(server);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Files of a disk that gets full. */
const fs: StoreFs = {
  ...realFs,
  async open(...args) {
    const file = await realFs.open(...args);
    const write = file.write.bind(file) as (bytes: Uint8Array, offset: number, length: number, position: number) => Promise<unknown>;
    const limited: typeof write = (bytes, offset, length, position) => {
      if (length > room) return Promise.reject(Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" }));
      room -= length;
      return write(bytes, offset, length, position);
    };
    return Object.assign(file, { write: limited });
  },
};

transferContract("a folder", {
  async create() {
    made += 1;
    const place = join(folder, String(made));
    return () => fsArtifactStore(place, { fs });
  },
  fetch,
  seesRetryAfter: true,
  noRoom: "store-full",
  async limitRoom(bytes) {
    room = bytes;
    return async () => {
      room = Number.POSITIVE_INFINITY;
    };
  },
  hub: () => hub,
});

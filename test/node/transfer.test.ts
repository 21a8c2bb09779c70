/** Downloads into a folder. Rows D1–D18, D23, D26. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { fsArtifactStore } from "../../src/node/fs-artifact-store.ts";
import { transferContract } from "../contract/transfer.ts";
import { startFaultServer } from "../support/fault-server.mjs";
import { type ScriptedHub, scriptedHub } from "../support/scripted-hub.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-transfer-"));
let server: Awaited<ReturnType<typeof startFaultServer>>;
let hub: ScriptedHub;
let made = 0;
beforeAll(async () => {
  server = await startFaultServer();
  hub = scriptedHub(server);
});
afterAll(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

transferContract("a folder", {
  async create() {
    made += 1;
    const place = join(folder, String(made));
    return () => fsArtifactStore(place);
  },
  fetch,
  seesRetryAfter: true,
  hub: () => hub,
});

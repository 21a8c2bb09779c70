import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { fsArtifactStore } from "../../src/node/fs-artifact-store.ts";
import { artifactStoreContract } from "../contract/artifact-store.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-store-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
let made = 0;

artifactStoreContract("a folder", async () => {
  made += 1;
  const place = join(folder, `store ${made} – ü`, "models");
  return () => fsArtifactStore(place);
});

/** The contract in Chromium, and what only a browser does. */
import { clear, createStore } from "idb-keyval";
import { describe, expect, it } from "vitest";
import { findOpfs, opfsArtifactStore } from "../../../src/browser/store/opfs-artifact-store.ts";
import { browserStore } from "../../../src/browser/store/store.ts";
import type { LogEntry } from "../../../src/core/platform.ts";
import { artifactStoreContract, noiseBytes, sha256Of } from "../../contract/artifact-store.ts";

async function emptyOrigin(): Promise<void> {
  await clear(createStore("llmspell", "records"));
  const root = await navigator.storage.getDirectory();
  await root.removeEntry("llmspell", { recursive: true }).catch(() => undefined);
}

artifactStoreContract("the origin's private file system", async () => {
  await emptyOrigin();
  return () => opfsArtifactStore();
});

describe("the store of a page", () => {
  it("is there", async () => {
    expect(await findOpfs()).toEqual({ available: true });
  });

  it("R17 a record without its file → store-evicted; a file without its record is listed", async () => {
    await emptyOrigin();
    const store = opfsArtifactStore();
    const bytes = noiseBytes(1000);
    const sha256 = await sha256Of(bytes);
    const part = await store.openPart(sha256);
    await part.write(0, bytes);
    const { digest } = await part.commit({ size: 1000, sha256 });
    await store.writeManifest(["x"], { digest });
    const root = await (await navigator.storage.getDirectory()).getDirectoryHandle("llmspell");
    await (await root.getDirectoryHandle("blobs")).removeEntry(digest);
    await expect(store.openBlob(digest, "x.gguf")).rejects.toMatchObject({ code: "store-evicted" });
    expect(await store.readManifest(["x"])).toEqual({ digest });
  });

  it("gives a File of the disk, not bytes in memory", async () => {
    await emptyOrigin();
    const store = opfsArtifactStore();
    const part = await store.openPart("ef".repeat(32));
    await part.write(0, noiseBytes(5000));
    const { digest } = await part.commit({ size: 5000 });
    expect((await store.openBlob(digest, "a.gguf")).blob).toBeInstanceOf(File);
  });
});

artifactStoreContract("a page whose browser keeps nothing", async () => {
  const store = browserStore(
    () => undefined,
    async () => ({ available: false, reason: "a private window" }),
  );
  return () => store;
});

it("R19 a browser that keeps nothing → memory, one warning", async () => {
  const entries: LogEntry[] = [];
  const store = browserStore(
    (entry) => entries.push(entry),
    async () => ({ available: false, reason: "a private window" }),
  );
  await Promise.all([store.listBlobs(), store.listParts(), store.space()]);
  expect(entries).toMatchObject([{ level: "warn", message: expect.stringContaining("a private window") }]);
  expect(store.place).toBe("memory");
});

/** Downloads of a page into its private file system, from a server on another origin. Rows D1–D19, D23, D26, R15, R16. */
import { clear, createStore } from "idb-keyval";
import { afterAll, beforeAll } from "vitest";
import { commands } from "vitest/browser";
import { browserPlatform } from "../../src/browser/platform.ts";
import { opfsArtifactStore } from "../../src/browser/store/opfs-artifact-store.ts";
import { transferContract } from "../contract/transfer.ts";

let url = "";
beforeAll(async () => {
  url = await commands.startHub();
});
afterAll(() => commands.stopHub());

transferContract("the origin's private file system", {
  async create() {
    await clear(createStore("llmspell", "records"));
    await (await navigator.storage.getDirectory()).removeEntry("llmspell", { recursive: true }).catch(() => undefined);
    return () => opfsArtifactStore();
  },
  fetch: browserPlatform().fetch,
  seesRetryAfter: false,
  noRoom: "store-quota",
  hub: () => ({
    url,
    reset: () => commands.resetHub(),
    serve: (name, noise) => commands.serveOnHub(name, noise),
    plan: (match, actions, host) => commands.planHub(match, actions, host),
    seen: () => commands.seenByHub(),
  }),
  async limitRoom(bytes) {
    const { usage = 0 } = await navigator.storage.estimate();
    await commands.limitStorage(location.origin, usage + bytes);
    return () => commands.limitStorage(location.origin, undefined);
  },
});

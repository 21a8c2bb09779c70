import { expect, it } from "vitest";
import { memoryStore } from "../../../src/core/store/memory-store.ts";
import { artifactStoreContract, noiseBytes } from "../../contract/artifact-store.ts";

artifactStoreContract("memory", async () => {
  const store = memoryStore();
  return () => store;
});

it("R16 a full store → store-quota with used and allowed; the part stays", async () => {
  const store = memoryStore({ quota: 1000 });
  const part = await store.openPart("cd".repeat(32));
  await part.write(0, noiseBytes(900));
  await expect(part.write(900, noiseBytes(200))).rejects.toMatchObject({
    code: "store-quota",
    details: { used: 900, quota: 1000, needed: 200 },
  });
  expect(await store.space()).toEqual({ free: 100, quota: 1000 });
  expect(await part.commit({ size: 900 })).toMatchObject({ size: 900 });
});

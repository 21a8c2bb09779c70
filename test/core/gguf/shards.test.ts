import { describe, expect, it } from "vitest";
import { type ByteSource, bytesSource } from "../../../src/core/formats/byte-source.ts";
import { collectShards, parseShardName } from "../../../src/core/gguf/shards.ts";
import { shardName } from "../../fixtures/gguf/models.ts";

const file = (name: string): ByteSource => bytesSource(name, new Uint8Array(1));

/** A folder with these files, which notes what it was asked for. */
function folder(...names: string[]) {
  const asked: string[] = [];
  const sibling = async (name: string): Promise<ByteSource | undefined> => {
    asked.push(name);
    return names.includes(name) ? file(name) : undefined;
  };
  return { asked, sibling };
}

describe("parseShardName", () => {
  it("reads prefix, index and count", () => {
    expect(parseShardName("big-model.Q4-00002-of-00011.gguf")).toEqual({ prefix: "big-model.Q4", index: 2, count: 11 });
  });

  it.each([
    "model.gguf",
    "model-00000-of-00002.gguf",
    "model-00003-of-00002.gguf",
    "model-1-of-2.gguf",
    "model-00001-of-00002.bin",
    "model-000001-of-00002.gguf.part",
    "",
  ])("%s is no part", (name) => expect(parseShardName(name)).toBeUndefined());
});

describe("collectShards", () => {
  it("leaves a single file alone and looks for nothing", async () => {
    const { asked, sibling } = folder();
    const named = file("model.gguf");
    expect(await collectShards(named, sibling)).toEqual([named]);
    expect(asked).toEqual([]);
  });

  it("finds all parts in order, whichever was named", async () => {
    const names = [1, 2, 3].map((index) => shardName("m", index, 3));
    for (const name of names) {
      const parts = await collectShards(file(name), folder(...names).sibling);
      expect(parts.map((part) => part.name)).toEqual(names);
    }
  });

  it("G37: names the parts that are missing", async () => {
    const error = await collectShards(file(shardName("m", 2, 3)), folder(shardName("m", 3, 3)).sibling).catch((error) => error);
    expect(error).toMatchObject({ code: "gguf-shard", where: "m-00002-of-00003.gguf", details: { missing: ["m-00001-of-00003.gguf"] } });
    expect(error.message).toContain("m-00001-of-00003.gguf");
  });

  it("does not look for 99,999 files because a name says so", async () => {
    const { asked, sibling } = folder();
    await expect(collectShards(file("m-00001-of-99999.gguf"), sibling)).rejects.toMatchObject({ code: "gguf-shard" });
    expect(asked).toEqual([]);
  });
});

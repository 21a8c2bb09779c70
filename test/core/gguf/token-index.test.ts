import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { acceptGguf } from "../../../src/core/gguf/gate.ts";
import { readGgufHeader } from "../../../src/core/gguf/header.ts";
import { type GgufStringArray, hashText } from "../../../src/core/gguf/string-array.ts";
import { indexTokens, type TokenIndex } from "../../../src/core/gguf/token-index.ts";
import { nanoLlama, withEntries } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";

async function indexOf(tokens: readonly string[]): Promise<ReturnType<typeof indexTokens>> {
  const bytes = writeGguf({ entries: [["tokens", "[string]", tokens]], tensors: [] });
  const header = await readGgufHeader(bytesSource("m.gguf", bytes));
  return indexTokens(header.metadata.get("tokens") as GgufStringArray);
}

describe("indexTokens", () => {
  it("finds each token by its text, and nothing else", async () => {
    const tokens = ["", "a", "é😀", ...Array.from({ length: 5000 }, (_, i) => `token ${i}`), ""];
    const index = (await indexOf(tokens)) as TokenIndex;
    expect(tokens.map((text) => index.find(text))).toEqual(tokens.map((text, id) => (text === "" ? undefined : id)));
    expect(["b", "token", "token 5000", ""].map((text) => index.find(text))).toEqual([undefined, undefined, undefined, undefined]);
  });

  it("G36: names the first token that is there already", async () => {
    expect(await indexOf(["a", "b", "c", "b", "a"])).toEqual({ equal: [1, 3] });
  });

  it("tells apart different tokens of one hash", async () => {
    const tokens = collisions(3);
    expect(new Set(tokens.map(hashText)).size).toBe(1);
    const index = (await indexOf(["x", ...tokens])) as TokenIndex;
    expect(tokens.map((text) => index.find(text))).toEqual([1, 2, 3]);
    expect(await indexOf([...tokens, tokens[1] ?? ""])).toEqual({ equal: [1, 3] });
  });

  it("takes no token for the empty one, whose hash is 0", async () => {
    const [token = ""] = collisions(1, 0);
    expect(await indexOf([token, token])).toEqual({ equal: [0, 1] });
    expect(hashText(token)).not.toBe(hashText(""));
  });

  it("G36: gives up on tokens that are made to share a hash, and the gate refuses them", async () => {
    const tokens = collisions(24);
    expect(await indexOf(tokens)).toEqual({ crowded: true });
    const model = withEntries(nanoLlama(), {
      "tokenizer.ggml.tokens": ["[string]", tokens],
      "tokenizer.ggml.scores": undefined,
      "tokenizer.ggml.token_type": undefined,
    });
    await expect(acceptGguf([bytesSource("m.gguf", writeGguf(model))])).rejects.toMatchObject({
      code: "gguf-tokenizer",
      message: expect.stringContaining("made to be slow"),
    });
  });
});

/**
 * Different ASCII texts of one hash. Each step of the hash can be undone, so the last bytes are found by meeting in the middle: the hashes of
 * two bytes put first, and those from which three more bytes lead to the wanted one.
 */
function collisions(count: number, wanted: number = hashText("wanted")): string[] {
  const prime = 0x0100_0193;
  const step = (hash: number, byte: number) => Math.imul(hash ^ byte, prime);
  let inverse = prime;
  for (let i = 0; i < 5; i++) inverse = Math.imul(inverse, 2 - Math.imul(prime, inverse));
  const undo = (hash: number, byte: number) => Math.imul(hash, inverse) ^ byte;
  const ends = new Map<number, string>();
  for (let a = 0x20; a < 0x60; a++)
    for (let b = 0x20; b < 0x60; b++)
      for (let c = 0x20; c < 0x40; c++) ends.set(undo(undo(undo(wanted, c), b), a), String.fromCharCode(a, b, c));
  const found: string[] = [];
  for (let n = 0; found.length < count; n++) {
    const start = hashText(`t${n}`);
    for (let a = 0x20; a < 0x7f; a++)
      for (let b = 0x20; b < 0x7f; b++) {
        const end = ends.get(step(step(start, a), b));
        if (end !== undefined) found.push(`t${n}${String.fromCharCode(a, b)}${end}`);
      }
  }
  return found.slice(0, count);
}

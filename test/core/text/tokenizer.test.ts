import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { openTokenizer } from "../../../src/core/text/tokenizer.ts";
import { json, tinyTokenizer } from "../../fixtures/t5-writer.ts";
import { soonMs } from "../../support/soon.ts";
import { root, sharedModel } from "../../support.ts";

const file = (path: string) => bytesSource(path.slice(path.lastIndexOf("/") + 1), readFileSync(path));
const bundled = `${root}builtins/models/tiny-t5-en-fr`;
const open = (tokenizer: unknown, embeddingRows = 20) =>
  openTokenizer({ model: bytesSource("tokenizer.json", json(tokenizer)) }, { embeddingRows });
const tiny = (): Record<string, unknown> => tinyTokenizer(20);
const model = (changed: Record<string, unknown>): Record<string, unknown> => ({
  ...tiny(),
  model: { ...(tiny()["model"] as object), ...changed },
});
const added = (...tokens: readonly object[]): Record<string, unknown> => ({
  ...tiny(),
  added_tokens: [...(tiny()["added_tokens"] as object[]), ...tokens],
});
const pattern = (Regex: string): Record<string, unknown> => ({
  ...tiny(),
  pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
});

describe("bad tokenizers", () => {
  it.each([
    ["G58: no model", { ...tiny(), model: undefined }, "tokenizer-json"],
    ["G58: an unknown kind", model({ type: "Magic" }), "tokenizer-json"],
    ["G58: a list", [], "tokenizer-json"],
    ["G58: a vocabulary that is no list", model({ vocab: { a: 1 } }), "tokenizer-json"],
    ["G58: an empty vocabulary", model({ vocab: [] }), "tokenizer-json"],
    ["G58: an entry that is no pair", model({ vocab: ["a"] }), "tokenizer-json"],
    ["G58: a list where BPE has ids", model({ type: "BPE", vocab: [] }), "tokenizer-json"],
    ["G58: added tokens that are no list", { ...tiny(), added_tokens: {} }, "tokenizer-json"],
    ["G58: an added token without content", { ...tiny(), added_tokens: [{ id: 1 }] }, "tokenizer-json"],
    ["G58: an unknown part of the chain", { ...tiny(), pre_tokenizer: { type: "Evil" } }, "tokenizer-json"],
    ["G59: id −1", added({ id: -1, content: "x" }), "tokenizer-limit"],
    ["G59: id 10^12", added({ id: 1e12, content: "x" }), "tokenizer-limit"],
    ["G59: one id twice", added({ id: 5, content: "not what 5 is" }), "tokenizer-limit"],
    ["G59: ids beyond the embedding", tinyTokenizer(21), "tokenizer-limit"],
    ["G62: an invalid pattern", pattern("("), "tokenizer-json"],
    ["G62: a pattern of a megabyte", pattern("a".repeat(2 ** 20)), "tokenizer-json"],
    [
      "G63: a score that is null",
      model({
        vocab: [
          ["<pad>", 0],
          ["</s>", 0],
          ["<unk>", null],
        ],
      }),
      "tokenizer-json",
    ],
    [
      "G63: a score that is a text",
      model({
        vocab: [
          ["<pad>", 0],
          ["</s>", 0],
          ["<unk>", "x"],
        ],
      }),
      "tokenizer-json",
    ],
    ["G63: no unknown token", model({ unk_id: 99 }), "tokenizer-json"],
  ])("%s", async (_, tokenizer, code) => {
    await expect(open(tokenizer)).rejects.toMatchObject({ code });
  });

  it("G60: a token called __proto__ is plain data", async () => {
    const words = JSON.parse('{"__proto__":0,"</s>":1,"<unk>":2,"a":3}') as Record<string, number>;
    const bpe = { ...tiny(), model: { type: "BPE", vocab: words, merges: [], unk_token: "<unk>" }, added_tokens: [], post_processor: null };
    const tokenizer = await open(bpe);
    expect(tokenizer.decode([3])).toBe("a");
    expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
  });

  it("G61: a pattern that may take for ever is not run", async () => {
    const started = performance.now();
    await expect(open(pattern("(a+)+$")).then((tokenizer) => tokenizer.encode(`${"a".repeat(28)}!`))).rejects.toMatchObject({
      code: "tokenizer-limit",
    });
    expect(performance.now() - started).toBeLessThan(soonMs);
  });

  it("a spiece.model that is cut or none", async () => {
    const bytes = readFileSync(`${bundled}/spiece.model`);
    for (const cut of [0, 1, 100, bytes.length - 1]) {
      const opened = openTokenizer({ model: bytesSource("spiece.model", bytes.subarray(0, cut)) }, { embeddingRows: 4000 });
      await expect(opened).rejects.toMatchObject({ code: "tokenizer-json" });
    }
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (noise) => {
        await expect(openTokenizer({ model: bytesSource("spiece.model", noise) }, { embeddingRows: 4000 })).rejects.toMatchObject({
          code: expect.stringMatching(/^tokenizer-/),
        });
      }),
      { numRuns: 2000 },
    );
  });
});

describe("tokenizers", () => {
  const golden = JSON.parse(readFileSync(`${root}test/golden/tiny-t5-en-fr.json`, "utf8")) as {
    readonly tokenizer: readonly (readonly [string, number[]])[];
    readonly cases: readonly { readonly greedy_ids: number[]; readonly greedy_text: string }[];
  };
  const config = file(`${bundled}/tokenizer_config.json`);

  it.each(["tokenizer.json", "spiece.model"])("of the bundled T5 give SentencePiece's ids, from %s", async (name) => {
    const tokenizer = await openTokenizer({ model: file(`${bundled}/${name}`), config }, { embeddingRows: 4000 });
    for (const [text, ids] of golden.tokenizer) expect(tokenizer.encode(text), text).toEqual(ids);
    for (const { greedy_ids, greedy_text } of golden.cases) expect(tokenizer.decode(greedy_ids)).toBe(greedy_text);
  });

  // T5TokenizerFast.from_pretrained(folder, legacy=…)(text).input_ids of transformers 4.57.6 over the same files. Without legacy it gives
  // [1632, 4000, 258, 156, 122, 37, 1] for the second text; the library counts a normalized token and what follows it as one section.
  it.each([
    [true, "Hello [ENT] world", [1632, 8, 4000, 1048, 1]],
    [true, "Hello[ENT]world", [1632, 4000, 1048, 1]],
    [false, "Hello [ENT] world", [1632, 8, 4000, 1048, 1]],
  ])("take tokens that a checkpoint adds beside spiece.model, legacy: %s, %s", async (legacy, text, ids) => {
    const settings = { ...JSON.parse(readFileSync(`${bundled}/tokenizer_config.json`, "utf8")), legacy };
    const model = file(`${bundled}/spiece.model`);
    const places = [
      { config: bytesSource("tokenizer_config.json", json(settings)), added: bytesSource("added_tokens.json", json({ "[ENT]": 4000 })) },
      { config: bytesSource("tokenizer_config.json", json({ ...settings, added_tokens_decoder: { 4000: { content: "[ENT]" } } })) },
    ];
    for (const place of places) {
      const tokenizer = await openTokenizer({ model, ...place }, { embeddingRows: 4001 });
      expect(tokenizer.encode(text)).toEqual(ids);
    }
  });

  it("of a SentencePiece model with byte fallback give the ids and texts of the reference", async () => {
    const folder = `${root}test/golden/byte-fallback`;
    const { encode, decode } = JSON.parse(readFileSync(`${folder}/golden.json`, "utf8")) as Record<
      "encode" | "decode",
      readonly { readonly text: string; readonly ids: number[] }[]
    >;
    const settings = bytesSource("tokenizer_config.json", json({ extra_ids: 10 }));
    const tokenizer = await openTokenizer({ model: file(`${folder}/spiece.model`), config: settings }, { embeddingRows: 310 });
    for (const { text, ids } of encode) expect(tokenizer.encode(text), text).toEqual(ids);
    for (const { text, ids } of decode) expect(tokenizer.decode(ids)).toBe(text);
    expect([encode.length, decode.length]).toEqual([9, 9]);
  });

  it("take no text that the library's stack has no room for", async () => {
    const tokenizer = await openTokenizer({ model: file(`${bundled}/tokenizer.json`) }, { embeddingRows: 4096 });
    const error = await Promise.resolve()
      .then(() => tokenizer.encode("hello world ".repeat(100_000)))
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ code: "run-context", message: expect.stringContaining("1200000 characters") });
    expect(tokenizer.encode("hello").length).toBeGreaterThan(0);
  });

  it("stream what they decode, whatever the ids", async () => {
    const tokenizer = await openTokenizer({ model: file(`${bundled}/tokenizer.json`), config }, { embeddingRows: 4000 });
    const tidy = await openTokenizer(
      { model: file(`${bundled}/tokenizer.json`), config: bytesSource("c", json({ clean_up_tokenization_spaces: true })) },
      { embeddingRows: 4000 },
    );
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 3999 }), { maxLength: 150 }), (ids) => {
        for (const { createStreamDecoder, decode } of [tokenizer, tidy]) {
          const decoder = createStreamDecoder();
          const text = ids.map((id) => decoder.push(id)).join("") + decoder.flush();
          expect(text).toBe(decode(ids));
        }
      }),
      { numRuns: 300 },
    );
  });

  it("of t5-small give the ids and texts of the reference", async ({ skip }) => {
    const path = sharedModel("t5-small-tokenizer/tokenizer.json");
    if (path === undefined) return skip("the tokenizer of t5-small is not here");
    const folder = path.slice(0, path.lastIndexOf("/"));
    const tokenizer = await openTokenizer({ model: file(path), config: file(`${folder}/tokenizer_config.json`) }, { embeddingRows: 32128 });
    const vectors = JSON.parse(readFileSync(`${folder}/vectors.json`, "utf8")) as Record<
      string,
      Record<string, { text: string; ids: number[] }>
    >;
    // the other sets belong to other tokenizers
    for (const name of ["Xenova/t5-small", "google-t5/t5-small"]) {
      const set = Object.values(vectors[name] ?? {});
      expect(set.length).toBeGreaterThan(20);
      for (const { text, ids } of set) expect(tokenizer.encode(text), text).toEqual(ids);
    }
  });
});

import { describe, expect, it } from "vitest";
import { type ByteSource, bytesSource } from "../../../src/core/formats/byte-source.ts";
import { readT5Configs } from "../../../src/core/t5/config.ts";
import { acceptT5, findT5Files } from "../../../src/core/t5/files.ts";
import { json, writeTinyT5 } from "../../fixtures/t5-writer.ts";

const text = (content: string): ByteSource => bytesSource("config.json", new TextEncoder().encode(content));
const good = JSON.parse(new TextDecoder().decode(writeTinyT5().get("config.json"))) as Record<string, unknown>;
const read = (changed: Record<string, unknown>, generation?: Record<string, unknown>) =>
  readT5Configs(
    bytesSource("config.json", json({ ...good, ...changed })),
    generation === undefined ? undefined : bytesSource("generation_config.json", json(generation)),
  );
const sources = (files: ReadonlyMap<string, Uint8Array>): ByteSource[] => [...files].map(([name, bytes]) => bytesSource(name, bytes));

describe("bad configurations", () => {
  it.each([
    ["G53: no bytes", ""],
    ["G53: a web page", "<!DOCTYPE html><title>Sign in</title>"],
    ["G53: a list", "[]"],
    ["G54: a million nested lists", "[".repeat(1_000_000)],
    ["G54: five megabytes", `{"a":"${"x".repeat(5 * 2 ** 20)}"}`],
  ])("%s", async (_, content) => {
    await expect(readT5Configs(text(content), undefined)).rejects.toMatchObject({ code: "model-config-json" });
  });

  it("G53: UTF-16", async () => {
    await expect(readT5Configs(bytesSource("config.json", Uint8Array.of(0xff, 0xfe, 0x7b, 0)), undefined)).rejects.toMatchObject({
      code: "model-config-json",
      message: expect.stringContaining("UTF-16"),
    });
  });

  it("G53: no config.json at all", () => {
    const files = sources(writeTinyT5()).filter(({ name }) => name !== "config.json");
    expect(() => findT5Files(files)).toThrow(expect.objectContaining({ code: "model-layout" }));
  });

  it.each([
    ["d_model", "512"],
    ["d_model", -1],
    ["d_model", 1e308],
    ["d_model", "NaN"],
    ["d_model", null],
    ["num_heads", 0],
    ["num_layers", 1.5],
    ["vocab_size", 2 ** 40],
    ["feed_forward_proj", "gated-silu"],
    ["feed_forward_proj", "__proto__"],
    ["layer_norm_epsilon", "1e-6"],
    ["relative_attention_num_buckets", 7],
    ["relative_attention_max_distance", 2],
    ["tie_word_embeddings", "yes"],
    ["eos_token_id", "1"],
    ["decoder_start_token_id", 1.5],
  ])("G55: %s = %j", async (field, value) => {
    await expect(read({ [field]: value })).rejects.toMatchObject({ code: "model-config-field", where: field });
  });

  it("G56: fields that ask for code are ignored, told once, and cause no request", async () => {
    const { notes, config } = await read({
      auto_map: { AutoModel: "evil.Model" },
      trust_remote_code: true,
      _attn_implementation_internal: "evil",
      something: 1,
    });
    expect(notes).toHaveLength(3);
    expect(notes.every((note) => note.includes("ignored"))).toBe(true);
    expect(config.dModel).toBe(32);
  });

  it.each([
    [{ architectures: ["Evil"] }, "Evil"],
    [{ architectures: "T5ForConditionalGeneration" }, "architectures"],
    [{ architectures: ["T5EncoderModel"] }, "decoder is missing"],
    [{ model_type: "longt5" }, "a relative of T5"],
    [{ model_type: "bart" }, "another family"],
    [{ model_type: "bert" }, "writes no text"],
    [{ model_type: undefined }, "no model_type"],
  ])("G57: %j", async (changed, told) => {
    await expect(read(changed)).rejects.toMatchObject({ code: "model-architecture", message: expect.stringContaining(told) });
  });

  it("G52: a checkpoint without its embedding names what is missing", async () => {
    const files = writeTinyT5();
    const other = writeTinyT5({ config: { num_layers: 3 } }).get("config.json");
    files.set("config.json", other ?? new Uint8Array());
    await expect(acceptT5(findT5Files(sources(files)))).rejects.toMatchObject({
      code: "safetensors-missing",
      message: expect.stringContaining("encoder.block.2"),
    });
  });

  it("weights that contradict the configuration", async () => {
    const files = writeTinyT5();
    files.set("config.json", json({ ...good, d_ff: 65 }));
    await expect(acceptT5(findT5Files(sources(files)))).rejects.toMatchObject({ code: "safetensors-shape" });
  });

  it("a folder without a tokenizer", async () => {
    const files = sources(writeTinyT5()).filter(({ name }) => name !== "tokenizer.json");
    await expect(acceptT5(findT5Files(files))).rejects.toMatchObject({ code: "tokenizer-missing" });
  });

  it.each([
    ["config.json", "model-config-json"],
    ["generation_config.json", "model-config-json"],
    ["model.safetensors", "safetensors-header-json"],
  ])("a Git LFS pointer or a web page in place of %s", async (name, code) => {
    for (const [content, told] of [
      ["version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "a Git LFS pointer"],
      ["<!DOCTYPE html><title>Sign in</title>", "an HTML page"],
    ] as const) {
      const files = writeTinyT5().set(name, new TextEncoder().encode(content));
      await expect(acceptT5(findT5Files(sources(files)))).rejects.toMatchObject({ code, message: expect.stringContaining(told) });
    }
  });

  it.each(["[]", '{"num_beams": 4', "", "null"])("a generation_config.json of %j recommends nothing, and is noted", async (content) => {
    const files = writeTinyT5().set("generation_config.json", new TextEncoder().encode(content));
    const { notes, generation } = await acceptT5(findT5Files(sources(files)));
    expect(notes).toEqual([expect.stringMatching(/^generation_config\.json: .*; nothing of it is used$/)]);
    expect(generation.defaults).toEqual({});
  });

  it("a spiece.model that is a Git LFS pointer is named where tokenizer.json is read", async () => {
    const pointer = new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n");
    const { notes } = await acceptT5(findT5Files(sources(writeTinyT5().set("spiece.model", pointer))));
    expect(notes).toEqual(["spiece.model is a Git LFS pointer; tokenizer.json is read instead"]);
    const whole = await acceptT5(findT5Files(sources(writeTinyT5().set("spiece.model", new Uint8Array([10, 1])))));
    expect(whole.notes).toEqual([]);
  });

  it("a head that is said to be its own and is not stored", async () => {
    const files = writeTinyT5({ config: { tie_word_embeddings: true } });
    files.set("config.json", json({ ...good, tie_word_embeddings: false }));
    await expect(acceptT5(findT5Files(sources(files)))).rejects.toMatchObject({
      code: "safetensors-missing",
      message: expect.stringContaining("lm_head.weight"),
    });
  });
});

describe("configurations", () => {
  it("read what Python writes for numbers that are none as absent", async () => {
    const text = new TextDecoder().decode(json({ ...good, dropout_rate: "R", note: 'NaN in "quotes"' })).replace('"R"', "NaN");
    const generation = bytesSource("generation_config.json", new TextEncoder().encode('{"num_beams":2,"length_penalty":-Infinity}'));
    const read = await readT5Configs(bytesSource("config.json", new TextEncoder().encode(text)), generation);
    expect(read.generation.defaults).toEqual({ numBeams: 2 });
  });

  it("fill in what the reference fills in", async () => {
    const { config } = await read({
      num_decoder_layers: undefined,
      d_kv: undefined,
      n_positions: undefined,
      tie_word_embeddings: undefined,
    });
    expect(config).toMatchObject({ numDecoderLayers: 2, dKv: 64, nPositions: 512, scaleDecoderOutputs: true });
  });

  it.each([
    [{ tie_word_embeddings: false }, false],
    [{ tie_word_embeddings: true }, true],
    // as transformers 5 writes an untied model
    [{ tie_word_embeddings: true, scale_decoder_outputs: false }, false],
  ])("scale logits where %j", async (changed, scaled) => {
    expect((await read(changed)).config.scaleDecoderOutputs).toBe(scaled);
  });

  it("take token ids of generation_config.json first, then config.json, then the padding", async () => {
    expect((await read({}, { decoder_start_token_id: 3, eos_token_id: [1, 5] })).config).toMatchObject({
      decoderStartTokenId: 3,
      eosTokenIds: [1, 5],
    });
    expect((await read({ decoder_start_token_id: undefined, pad_token_id: 4 })).config.decoderStartTokenId).toBe(4);
  });

  it("name settings that change the answer elsewhere and are not known here", async () => {
    const { notes, generation } = await read(
      {},
      { num_beams: 4, forced_bos_token_id: 2, num_beam_groups: 2, typical_p: 1, length_penalty: 0.8 },
    );
    expect(notes.map((note) => /: (\w+) is/.exec(note)?.[1])).toEqual(["forced_bos_token_id", "num_beam_groups"]);
    expect(generation.defaults).toEqual({ numBeams: 4, lengthPenalty: 0.8 });
  });

  it.each([
    [{ repetition_penalty: 2.5 }, { repeatPenalty: 2, repeatLastN: -1 }],
    [{ num_beams: 20 }, { numBeams: 16 }],
    [{ num_beams: "many" }, {}],
    [
      { do_sample: true, top_k: -1, temperature: 100 },
      { topK: 0, temperature: 2, topP: 1 },
    ],
    [{ no_repeat_ngram_size: 20 }, { noRepeatNgramSize: 16 }],
    [{ length_penalty: 6 }, { lengthPenalty: 5 }],
    [{ length_penalty: -6 }, {}],
    [{ max_length: 1_000_000 }, { maxTokens: 131_071 }],
    [{ max_length: -1 }, {}],
    [{ max_new_tokens: 1.5 }, {}],
    [{ min_new_tokens: -3 }, {}],
    [{ suppress_tokens: [3, 99] }, {}],
  ])("fit or leave out %j, with one note", async (recommended, defaults) => {
    const { notes, generation } = await read({}, recommended);
    expect(generation.defaults).toEqual(defaults);
    expect(notes).toEqual([expect.stringMatching(/^generation_config\.json recommends what does not fit here: /)]);
  });

  it.each([
    ["eos_token_id", 20, { eosTokenIds: [1] }],
    ["eos_token_id", [5, -1], { eosTokenIds: [5] }],
    ["decoder_start_token_id", 1000, { decoderStartTokenId: 0 }],
    ["pad_token_id", -1, { padTokenId: 0 }],
  ])("take the default for %s %j, outside the vocabulary, with a note", async (name, id, config) => {
    const got = await read({ [name]: id });
    expect(got.config).toMatchObject(config);
    expect(got.notes).toEqual([expect.stringContaining(`${name} ${[id].flat().at(-1)} is outside the vocabulary`)]);
  });

  // transformers 4.x ties again after loading; transformers 5 always says "tied" and keeps a head where there is one
  it.each([
    [{ tie_word_embeddings: true }, "embedding"],
    [{ tie_word_embeddings: undefined }, "embedding"],
    [{ tie_word_embeddings: false }, "stored"],
    [{ tie_word_embeddings: true, scale_decoder_outputs: false }, "any"],
    [{ model_type: "mt5", tie_word_embeddings: undefined }, "stored"],
    [{ model_type: "umt5", tie_word_embeddings: undefined }, "embedding"],
  ])("take the head of %j from %s", async (changed, head) => {
    expect((await read(changed)).config.head).toBe(head);
  });

  it.each(["F32", "F16", "BF16"] as const)(
    "accept a folder in %s, whole or in parts, tied or not, heads that do not fill d_model",
    async (dtype) => {
      for (const config of [{}, { tie_word_embeddings: true, feed_forward_proj: "relu", num_decoder_layers: 3, num_heads: 3 }]) {
        for (const shards of [1, 3]) {
          const facts = await acceptT5(findT5Files(sources(writeTinyT5({ config, dtype, shards }))));
          expect(facts.dtype).toBe(dtype);
          expect(facts.parameterCount).toBeGreaterThan(10_000);
        }
      }
    },
  );

  it("accept a tied embedding that is stored under the head's name alone", async () => {
    const files = writeTinyT5({ config: { tie_word_embeddings: true } });
    const whole = files.get("model.safetensors") ?? new Uint8Array();
    const end = 8 + Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(0, true));
    const header = new TextEncoder().encode(new TextDecoder().decode(whole.subarray(8, end)).replace("shared.weight", "lm_head.weight"));
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
    files.set("model.safetensors", Uint8Array.of(...length, ...header, ...whole.subarray(end)));
    expect((await acceptT5(findT5Files(sources(files)))).tensors.has("lm_head.weight")).toBe(true);
  });
});

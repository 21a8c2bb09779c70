import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SpellError } from "../../../src/core/errors.ts";
import { bytesSource } from "../../../src/core/formats/byte-source.ts";
import { supportedArchitectures } from "../../../src/core/gguf/architectures.ts";
import { acceptGguf } from "../../../src/core/gguf/gate.ts";
import { limits } from "../../../src/core/limits.ts";
import { brokenGgufs, oddGgufs } from "../../fixtures/gguf/broken.ts";
import { nanoLlama, splitModel, tinyLlama, tinyT5, withEntries } from "../../fixtures/gguf/models.ts";
import { ByteWriter, type GgufSpec, valueTypeIds, writeGguf } from "../../fixtures/gguf-writer.ts";
import { soonMs } from "../../support/soon.ts";
import { createSourceRig, type SourceRig, sourceKinds } from "./sources.ts";

let rig: SourceRig;
beforeAll(async () => {
  rig = await createSourceRig();
});
afterAll(() => rig.close());

const accept = (spec: GgufSpec) => acceptGguf([bytesSource("model.gguf", writeGguf(spec))]);

describe.each(sourceKinds)("through a %s source", (kind) => {
  it.each(brokenGgufs)("G$row: $what → $code", async ({ code, says, make }) => {
    const started = performance.now();
    const error = await rig
      .open(kind, "broken.gguf", make())
      .then((source) => acceptGguf([source]))
      .then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(performance.now() - started).toBeLessThan(soonMs);
    expect(error).toBeInstanceOf(SpellError);
    const refused = error as SpellError;
    expect(refused.code, refused.message).toBe(code);
    expect(refused.exitCode).toBe(3);
    expect(refused.message).toContain("broken.gguf");
    expect(`${refused.message} ${refused.hint}`).toContain(says ?? "");
    expect(refused.message.length).toBeLessThan(600);
  });

  it.each(oddGgufs)("G$row: $what passes", async ({ make }) => {
    const facts = await acceptGguf([await rig.open(kind, "odd.gguf", make())]);
    expect(facts).toMatchObject({ architecture: "llama", vocabSize: 32, notes: [] });
  });

  it("G38: 1 KiB behind the last tensor passes, with a note", async () => {
    const good = writeGguf(nanoLlama());
    const longer = new Uint8Array(good.length + 1024);
    longer.set(good);
    const facts = await acceptGguf([await rig.open(kind, "longer.gguf", longer)]);
    expect(facts.notes).toEqual(["longer.gguf: 1,024 bytes follow the last tensor; they are ignored"]);
  });

  it("a split model passes as its parts in order", async () => {
    const parts = await Promise.all(splitModel(tinyLlama(), 3).map((part) => rig.open(kind, part.name, part.bytes)));
    const whole = await accept(tinyLlama());
    const facts = await acceptGguf(parts);
    expect({ ...facts, fileBytes: 0 }).toEqual({ ...whole, fileBytes: 0 });
    expect(facts.fileBytes).toBe(parts.reduce((sum, part) => sum + part.size, 0));
  });

  it("a signal that is aborted ends the check with run-aborted", async () => {
    const source = await rig.open(kind, "model.gguf", writeGguf(nanoLlama()));
    await expect(acceptGguf([source], { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "run-aborted" });
  });
});

describe("facts", () => {
  it("names everything a model says about itself", async () => {
    const spec = withEntries(tinyLlama({ weights: "Q8_0" }), {
      "general.license": ["string", "apache-2.0"],
      "general.sampling.temp": ["float32", 0.8],
      "general.sampling.top_k": ["int32", 20],
      "general.sampling.penalty_last_n": ["int32", -1],
      "general.sampling.top_p": ["float32", 7],
    });
    expect(await accept(spec)).toMatchObject({
      architecture: "llama",
      name: "tiny-llama-Q8_0",
      quantization: "Q8_0",
      // embeddings and output 2·64·320, norms 5·64, per layer 64·(64+32+32+64) + 3·64·128
      parameterCount: 2 * 64 * 320 + 5 * 64 + 2 * (64 * 192 + 3 * 64 * 128),
      contextLength: 512,
      embeddingLength: 64,
      blockCount: 2,
      headCount: 4,
      headSize: 16,
      kvHeadCount: 2,
      vocabSize: 320,
      fileBytes: writeGguf(spec).length,
      license: "apache-2.0",
      bos: { id: 1, text: "<s>" },
      eos: { id: 2, text: "</s>" },
      addBos: true,
      controlTokens: ["<unk>", "<s>", "</s>"],
      samplingDefaults: { temperature: 0.8, topK: 20, repeatLastN: -1, topP: 1 },
      // 2 layers · 2 heads · (16 + 16) numbers · 2 bytes
      kvBytesPerToken: 256,
      notes: ["model.gguf recommends what does not fit here: general.sampling.top_p 7 (1 is used)"],
    });
  });

  it("leaves out what the file does not say", async () => {
    const facts = await accept(withEntries(nanoLlama(), { "tokenizer.ggml.add_bos_token": undefined, "general.name": undefined }));
    expect(facts).toMatchObject({ name: undefined, license: undefined, chatTemplate: undefined, addBos: undefined });
  });

  it("takes heads per layer, of which some may have none", async () => {
    const spec = withEntries(tinyLlama(), {
      "llama.attention.head_count_kv": ["[int32]", [0, 2]],
      "llama.attention.head_count": ["[int32]", [4, 4]],
    });
    expect(await accept(spec)).toMatchObject({ headCount: 4, kvHeadCount: 2, kvBytesPerToken: 128 });
  });

  it("names a file without a known file type after the type that holds most bytes", async () => {
    expect(await accept(withEntries(tinyLlama({ weights: "Q4_0" }), { "general.file_type": undefined }))).toMatchObject({
      quantization: "Q4_0",
    });
    expect(await accept(withEntries(tinyLlama({ weights: "F16" }), { "general.file_type": ["uint32", 99] }))).toMatchObject({
      quantization: "F16",
    });
    // 1024: the converter guessed
    expect(await accept(withEntries(tinyLlama(), { "general.file_type": ["uint32", 1024 + 15] }))).toMatchObject({
      quantization: "Q4_K_M",
    });
  });

  it("lists control tokens by type, and those an engine takes for control whatever their type", async () => {
    const tokens = ["<unk>", "<s>", "</s>", "<|im_end|>", "plain", ...Array.from({ length: 27 }, (_, i) => `t${i}`)];
    const spec = withEntries(nanoLlama(), {
      "tokenizer.ggml.tokens": ["[string]", tokens],
      "tokenizer.ggml.token_type": ["[int32]", tokens.map((_, i) => (i === 1 ? 3 : 1))],
    });
    expect((await accept(spec)).controlTokens).toEqual(["<s>", "<|im_end|>"]);
  });

  it("notes a special token outside the vocabulary that no prompt needs", async () => {
    const facts = await accept(withEntries(nanoLlama(), { "tokenizer.ggml.padding_token_id": ["uint32", 5000] }));
    expect(facts.notes).toEqual(["model.gguf: tokenizer.ggml.padding_token_id is 5,000, outside the vocabulary; it is not used"]);
  });

  it.each([4_294_967_295, 999_999])("takes the engine's default for special ids outside the vocabulary (%d), with a note", async (id) => {
    const facts = await accept(
      withEntries(nanoLlama(), { "tokenizer.ggml.bos_token_id": ["uint32", id], "tokenizer.ggml.eos_token_id": ["uint32", id] }),
    );
    expect(facts.bos?.id).toBe(1);
    expect(facts.eos?.id).toBe(2);
    expect(facts.notes).toEqual([
      expect.stringMatching(/bos_token_id is .*, outside the vocabulary; the engine's default is used, 1$/),
      expect.stringMatching(/eos_token_id is .*, outside the vocabulary; the engine's default is used, 2$/),
    ]);
  });

  it("reads descriptions of any type or encoding, with a note", async () => {
    const latin1 = Uint8Array.of(0x4a, 0xf6, 0x72, 0x67);
    const facts = await accept(
      withEntries(nanoLlama(), { "general.license": ["uint32", 7], "general.author": ["string", latin1 as never] }),
    );
    expect(facts.license).toBeUndefined();
    expect(facts.notes).toEqual([
      expect.stringMatching(/"general\.author".*not UTF-8/),
      "model.gguf: general.license is no text; it is left out",
    ]);
  });

  it("wants no heads of a model without attention", async () => {
    const spec = withEntries(nanoLlama(), {
      "general.architecture": ["string", "mamba"],
      "mamba.context_length": ["uint32", 64],
      "mamba.embedding_length": ["uint32", 32],
      "mamba.block_count": ["uint32", 1],
    });
    expect(await accept(spec)).toMatchObject({ architecture: "mamba", headCount: 0, kvBytesPerToken: 0 });
  });
});

describe("keys of a type or a value that engines take for granted", () => {
  const changes: readonly (readonly [
    key: string,
    change: readonly [type: string, value: unknown] | undefined,
    code: string,
    says: string,
  ])[] = [
    ["tokenizer.ggml.model", undefined, "gguf-tokenizer", "the key is missing"],
    ["tokenizer.ggml.tokens", ["string", "a text"], "gguf-tokenizer", 'the text "a text"'],
    ["tokenizer.ggml.tokens", ["uint32", 7], "gguf-tokenizer", "7 (uint32)"],
    ["tokenizer.ggml.token_type", ["[float32]", Array(32).fill(1)], "gguf-tokenizer", "float32"],
    ["tokenizer.ggml.scores", ["[int32]", Array(32).fill(1)], "gguf-tokenizer", "int32"],
    ["tokenizer.ggml.precompiled_charsmap", ["[float32]", [1]], "gguf-tokenizer", "uint8"],
    ["tokenizer.ggml.merges", ["[int32]", [1]], "gguf-tokenizer", "strings"],
    ["tokenizer.ggml.bos_token_id", ["[uint32]", [1]], "gguf-tokenizer", "an array of uint32"],
    ["tokenizer.ggml.add_bos_token", ["uint32", 1], "gguf-tokenizer", "true or false"],
    ["llama.block_count", ["[uint32]", [2]], "gguf-metadata", "an array of uint32"],
    ["llama.attention.head_count", ["[float32]", [4]], "gguf-metadata", "UINT32"],
    ["llama.attention.head_count_kv", ["string", "two"], "gguf-metadata", 'the text "two"'],
    ["llama.attention.layer_norm_rms_epsilon", ["float32", -1], "gguf-metadata", "expected 0 … 1, got -1"],
    ["llama.attention.layer_norm_rms_epsilon", ["uint32", 1], "gguf-metadata", "a number with a fraction"],
    ["llama.rope.freq_base", ["float32", Number.NaN], "gguf-metadata", "expected a number above 0, got NaN"],
    ["llama.rope.freq_base", ["float32", 0], "gguf-metadata", "expected a number above 0, got 0"],
    ["general.alignment", ["uint32", 12], "gguf-alignment", "12"],
  ];

  it.each(changes)("%s as %j is %s", async (key, change, code, says) => {
    const error = await accept(withEntries(nanoLlama(), { [key]: change })).then(
      () => undefined,
      (refusal: unknown) => refusal,
    );
    expect(error).toBeInstanceOf(SpellError);
    expect((error as SpellError).code).toBe(code);
    expect((error as SpellError).message).toContain(key);
    expect((error as SpellError).message).toContain(says);
  });

  it("more entries than llama.cpp reads in good time are refused by their count", async () => {
    const more = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`own.${index}`, ["bool", true] as const]));
    const own = nanoLlama().entries.length;
    await expect(accept(withEntries(nanoLlama(), more(limits.ggufModelEntries - own)))).resolves.toMatchObject({ architecture: "llama" });
    await expect(accept(withEntries(nanoLlama(), more(limits.ggufModelEntries - own + 1)))).rejects.toMatchObject({
      code: "gguf-count",
      message: "model.gguf: expected at most 10,000 metadata entries in a model, got 10,001",
    });
  });

  it("G36: more tokens than a vocabulary has, and more control tokens, are refused by their count", async () => {
    const array = (key: string, type: "int32" | "string", count: number, bytes: Uint8Array) =>
      new ByteWriter().text(key).uint32(valueTypeIds.array).uint32(valueTypeIds[type]).uint64(count).raw(bytes).bytes();
    const vocabulary = (count: number, type: number) => {
      const base = withEntries(nanoLlama(), {
        "tokenizer.ggml.tokens": undefined,
        "tokenizer.ggml.scores": undefined,
        "tokenizer.ggml.token_type": undefined,
      });
      // Empty ones: they may be equal.
      const tokens = array("tokenizer.ggml.tokens", "string", count, new Uint8Array(8 * count));
      const types = array("tokenizer.ggml.token_type", "int32", count, new Uint8Array(new Int32Array(count).fill(type).buffer));
      return accept({ ...base, entries: [...base.entries, tokens, types] });
    };
    await expect(vocabulary(limits.ggufVocabulary + 1, 1)).rejects.toMatchObject({
      code: "gguf-tokenizer",
      message: expect.stringMatching(/1,048,576.*1,048,577/),
    });
    await expect(vocabulary(limits.ggufControlTokens + 1, 3)).rejects.toMatchObject({
      code: "gguf-tokenizer",
      message: expect.stringMatching(/262,144.*262,145/),
    });
    // These fail for want of rows only, which is looked at afterwards.
    await expect(vocabulary(limits.ggufControlTokens, 3)).rejects.toThrow("rows of token_embd.weight");
  });

  it("as many experts in use as there are pass; more do not", async () => {
    const experts = (used: number) => ({ "llama.expert_count": ["uint32", 4], "llama.expert_used_count": ["uint32", used] }) as const;
    expect(await accept(withEntries(nanoLlama(), experts(4)))).toMatchObject({ architecture: "llama" });
    await expect(accept(withEntries(nanoLlama(), experts(5)))).rejects.toMatchObject({ code: "gguf-metadata" });
    await expect(accept(withEntries(nanoLlama(), { "llama.expert_count": ["uint32", 4] }))).rejects.toMatchObject({
      code: "gguf-metadata",
      message: expect.stringMatching(/llama\.expert_used_count: .*1 … 4.*got 0/),
    });
  });

  it("a recommendation that is no number is noted, not used", async () => {
    const facts = await accept(
      withEntries(nanoLlama(), {
        "general.sampling.temp": ["[float32]", [0.5]],
        "general.sampling.top_k": ["uint64", 40n],
        "general.sampling.min_p": ["string", "much"],
      }),
    );
    expect(facts.samplingDefaults).toEqual({ topK: 40 });
    expect(facts.notes).toEqual([
      'model.gguf recommends what does not fit here: general.sampling.temp "an array" (nothing is used), general.sampling.min_p "much" (nothing is used)',
    ]);
  });

  it("a gpt2 tokenizer and one without special tokens are what they say", async () => {
    const without = { "tokenizer.ggml.bos_token_id": undefined, "tokenizer.ggml.eos_token_id": undefined };
    const gpt2 = withEntries(nanoLlama(), {
      ...without,
      "tokenizer.ggml.model": ["string", "gpt2"],
      "tokenizer.ggml.merges": ["[string]", ["a b"]],
    });
    const facts = await accept(gpt2);
    expect(facts.bos).toBeUndefined();
    expect(facts.eos).toBeUndefined();
    await expect(accept(withEntries(gpt2, { "tokenizer.ggml.merges": undefined }))).rejects.toMatchObject({ code: "gguf-tokenizer" });
  });
});

it("no file at all is a mistake of the caller", async () => {
  await expect(acceptGguf([])).rejects.toMatchObject({ code: "internal-error" });
});

describe("G15", () => {
  it("keys called like parts of every object stay data", async () => {
    await accept({
      ...nanoLlama(),
      entries: [["__proto__", "string", "polluted"], ["constructor", "string", "polluted"], ...nanoLlama().entries],
    });
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    expect({}.constructor).toBe(Object);
  });
});

describe("G37: parts of a split model", () => {
  const open = (parts: readonly { name: string; bytes: Uint8Array }[]) => parts.map((part) => bytesSource(part.name, part.bytes));
  const refusal = async (parts: readonly { name: string; bytes: Uint8Array }[]) =>
    acceptGguf(open(parts)).then(
      () => new Error("accepted"),
      (error: SpellError) => error,
    );

  it("G37: part 2 of 3 alone names the missing files", async () => {
    const [, second] = splitModel(nanoLlama(), 3, "m");
    const error = await refusal([second!]);
    expect(error).toMatchObject({ code: "gguf-shard", details: { missing: ["m-00001-of-00003.gguf", "m-00003-of-00003.gguf"] } });
    expect(error.message).toContain("m-00001-of-00003.gguf");
  });

  it("G37: fewer parts than the files say", async () => {
    const [first, second] = splitModel(nanoLlama(), 3, "m");
    const error = await refusal([first!, second!]);
    expect(error).toMatchObject({ code: "gguf-shard" });
    expect(error.message).toContain("m-00003-of-00003.gguf");
  });

  it("G37: more parts than the files say", async () => {
    const [a, b] = splitModel(nanoLlama(), 2);
    const [, , c] = splitModel(nanoLlama(), 3);
    expect(await refusal([a!, b!, c!])).toMatchObject({ code: "gguf-shard" });
  });

  it("G37: one part of many names five of the others and counts the rest; without a pattern in its name, their numbers", async () => {
    const [first] = splitModel(nanoLlama(), 9, "m");
    const error = await refusal([first!]);
    expect(error.message).toMatch(/missing beside it: (m-0000[2-6]-of-00009\.gguf(, )?){5} and 3 more$/);
    const renamed = await refusal([{ name: "model.gguf", bytes: first!.bytes }]);
    expect(renamed.message).toContain("missing beside it: part 2, part 3, part 4, part 5, part 6 and 3 more");
  });

  it("G37: parts in the wrong order", async () => {
    const [a, b] = splitModel(nanoLlama(), 2);
    expect(await refusal([b!, a!])).toMatchObject({ code: "gguf-shard" });
  });

  it("G37: parts of two models with other tensors", async () => {
    const [a] = splitModel(nanoLlama(), 2);
    const [, b] = splitModel(tinyLlama(), 2);
    expect(await refusal([a!, b!])).toMatchObject({ code: "gguf-shard" });
  });

  it("G37: parts of two models that both hold a tensor", async () => {
    const spec = nanoLlama();
    const [a] = splitModel(spec, 2);
    const [, b] = splitModel({ ...spec, tensors: [...spec.tensors.slice(2), ...spec.tensors.slice(0, 2)] }, 2);
    const error = await refusal([a!, b!]);
    expect(error).toMatchObject({ code: "gguf-shard" });
    expect(error.message).toContain("token_embd.weight");
  });

  it("G37: parts that name two models", async () => {
    const spec = nanoLlama();
    const [a] = splitModel(spec, 2);
    const other = writeGguf({
      ...spec,
      entries: [
        ["general.name", "string", "another"],
        ["split.no", "uint16", 1],
        ["split.count", "uint16", 2],
        ["split.tensors.count", "int32", 4],
      ],
      tensors: spec.tensors.slice(2),
    });
    expect(await refusal([a!, { name: "b.gguf", bytes: other }])).toMatchObject({ code: "gguf-shard" });
  });
});

describe("supported architectures", () => {
  it.each([
    ["general.type", "imatrix"],
    ["general.type", "dataset"],
    ["general.architecture", "qwen3tts"],
    ["general.architecture", "eagle3"],
    ["general.architecture", "llada"],
    ["general.architecture", "gptj"],
  ])("%s %s is refused, saying what it is and what to do", async (key, value) => {
    const error = await accept(withEntries(nanoLlama(), { [key]: ["string", value] })).catch((error: SpellError) => error);
    expect(error).toMatchObject({ code: "model-architecture", details: { found: value, supported: supportedArchitectures } });
    expect((error as SpellError).message).toContain(`"${value}"`);
    expect((error as SpellError).hint).toMatch(/^(Use|Supported)/);
  });

  it("T5 is refused with the action that gets one that runs", async () => {
    const error = await accept(tinyT5()).catch((error: SpellError) => error);
    expect(error).toMatchObject({ code: "model-t5-gguf", actions: [{ kind: "pull", model: "flan-t5-small" }] });
  });

  it("hold the catalogue's and the classic families, each once, and none that makes no text", () => {
    for (const name of ["llama", "phi2", "phi3", "qwen2", "qwen3", "gemma", "gemma2", "gemma3", "gpt2", "mamba", "rwkv7"])
      expect(supportedArchitectures).toContain(name);
    for (const name of ["t5", "t5encoder", "bert", "clip", "eagle3", "gemma-embedding", "wavtokenizer-dec", "(unknown)"])
      expect(supportedArchitectures).not.toContain(name);
    expect(new Set(supportedArchitectures).size).toBe(supportedArchitectures.length);
  });
});

/** T5 through the public entry of Node, on both runtimes: the contract, the bundled model's golden answers, and what is T5's own. */

import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions, LanguageModel, StreamPart } from "../../src/node/index.ts";
import { collectMany, load } from "../../src/node/index.ts";
import { languageModelContract } from "../contract/language-model.ts";
import { textOf } from "../support/text-of.ts";
import { isLong } from "../support.ts";

const bundled = fileURLToPath(new URL("../../builtins/models/tiny-t5-en-fr", import.meta.url));
const prefix = "translate English to French: ";
const folder = mkdtempSync(join(tmpdir(), "llmspell-t5-"));
const endless = join(folder, "endless");
cpSync(bundled, endless, { recursive: true });
// A translator ends after a few words; the contract wants long answers.
writeFileSync(
  join(endless, "generation_config.json"),
  JSON.stringify({ decoder_start_token_id: 0, eos_token_id: 1, pad_token_id: 0, min_new_tokens: 400 }),
);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const contract = { prompt: `${prefix}Where is the train station?`, knowsAllOptions: true };
languageModelContract("T5 on onnxruntime-node", { ...contract, open: () => load(endless, { device: "cpu" }) });
languageModelContract("T5 on onnxruntime-web in Node", { ...contract, open: () => load(endless, { device: "wasm" }) });

interface Golden {
  readonly cases: readonly { readonly en: string; readonly greedy_text: string; readonly beam4_text: string }[];
  readonly beam: readonly { readonly en: string; readonly sequences: readonly { readonly text: string }[] }[];
}
const golden = JSON.parse(readFileSync(new URL("../golden/tiny-t5-en-fr.json", import.meta.url), "utf8")) as Golden;

async function streamEnd(
  model: LanguageModel,
  prompt: string,
  options?: GenerateOptions,
): Promise<Extract<StreamPart, { type: "stream-end" }>> {
  for await (const part of model.stream(prompt, options)) if (part.type === "stream-end") return part;
  throw new Error("no stream-end");
}

describe.each([
  ["onnxruntime-node", "cpu", isLong ? 130 : 16],
  ["onnxruntime-web in Node", "wasm", isLong ? 130 : 12],
] as const)("the bundled translator on %s", (runtime, device, count) => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await load("tiny-t5-en-fr", { device });
  });
  afterAll(() => model.dispose());

  it("reports the runtime that computes", () => {
    expect(model.device).toMatchObject({ chosen: device, runtime: runtime.split(" ")[0] });
    expect(model).toMatchObject({ architecture: "t5", isSeq2Seq: true, hasChatTemplate: false, contextLength: 512 });
  });

  it("translates greedily and with four beams as transformers does", async () => {
    for (const { en, greedy_text, beam4_text } of golden.cases.slice(0, count)) {
      expect(await textOf(model.stream(prefix + en)), en).toBe(greedy_text);
      expect(await textOf(model.stream(prefix + en, { numBeams: 4 })), en).toBe(beam4_text);
    }
  });

  it("returns all four sequences, best first", async () => {
    for (const { en, sequences } of golden.beam.slice(0, count / 4)) {
      const { candidates } = await streamEnd(model, prefix + en, { numBeams: 4, numReturnSequences: 4 });
      expect(candidates, en).toEqual(sequences.map(({ text }) => text));
    }
  });
});

describe("T5 in Node", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await load("tiny-t5-en-fr");
  });
  afterAll(() => model.dispose());

  it("answers the same with a copy in 4 bits that writes ahead, and leaves it out with a note where it would be no faster", async () => {
    await using drafted = await load("tiny-t5-en-fr", { device: "cpu", draft: "q4" });
    for (const { en, greedy_text } of golden.cases.slice(0, isLong ? 130 : 12))
      expect(await textOf(drafted.stream(prefix + en)), en).toBe(greedy_text);
    await using other = await load("tiny-t5-en-fr", { device: "wasm", draft: "q4" });
    const notes: string[] = [];
    for await (const part of other.stream(`${prefix}Hello.`)) if (part.type === "warning") notes.push(part.message);
    expect(notes).toEqual(["a draft in q4 is no faster than f32 on wasm; it was left out"]);
    await expect(load("tiny-stories", { draft: "q4" })).rejects.toMatchObject({ code: "run-option", where: "draft" });
  });

  it("says once that a draft is not used with beams, and not where it is used", async () => {
    await using drafted = await load("tiny-t5-en-fr", { device: "cpu", draft: "q4" });
    const notes: string[] = [];
    for (const numBeams of [1, 4, 4])
      for await (const part of drafted.stream(`${prefix}Hello.`, { numBeams })) if (part.type === "warning") notes.push(part.message);
    expect(notes).toEqual(["a draft is not used with beams; it was left out"]);
  });

  it("says which of several prompts is too long: run-context", async () => {
    const prompts = [`${prefix}Hello.`, `${prefix}${"Hello. ".repeat(400)}`];
    const refusal = {
      code: "run-context",
      where: "prompts[1]",
      message: expect.stringMatching(/^prompt 2 has \d+ tokens; /),
      details: { index: 1 },
    };
    for (const options of [{}, { numBeams: 2 }])
      await expect(collectMany(model.streamMany(prompts, options))).rejects.toMatchObject(refusal);
    await expect(model.generate(prompts[1] ?? "")).rejects.toMatchObject({
      where: "prompt",
      message: expect.stringMatching(/^the input has/),
    });
  });

  it("answers each turn alone, and says so once", async () => {
    const turns = [
      { role: "user", content: `${prefix}Hello.` },
      { role: "assistant", content: "Bonjour." },
      { role: "user", content: `${prefix}How are you?` },
    ] as const;
    const warnings: string[] = [];
    let text = "";
    for (let round = 0; round < 2; round += 1) {
      for await (const part of model.stream(turns)) {
        if (part.type === "warning") warnings.push(part.code);
        if (part.type === "text-delta") text += part.text;
      }
    }
    expect(text).toBe("Comment allez-vous ?Comment allez-vous ?");
    expect(warnings).toEqual(["turn-alone"]);
  });

  it("leaves out a system prompt with a warning", async () => {
    const codes: string[] = [];
    for await (const part of model.stream(`${prefix}Hello.`, { system: "Be polite." })) if (part.type === "warning") codes.push(part.code);
    expect(codes).toEqual(["option-ignored"]);
  });

  it("finds the other files of a model beside a weight file that is named", async () => {
    await using named = await load(join(bundled, "model.safetensors"));
    expect(await textOf(named.stream(`${prefix}Hello world`))).toBe("Bonjour le monde");
  });

  it("loads the quantised variants by name and by option", async () => {
    for (const [spec, options] of [
      ["tiny-t5-en-fr:q8", {}],
      [bundled, { quantization: "q4" }],
    ] as const) {
      await using quantised = await load(spec, options);
      expect(await textOf(quantised.stream(`${prefix}Hello world`))).toBe("Bonjour le monde");
    }
  });

  it("refuses a conversation without a message of the user, which would be an empty input", async () => {
    await using model = await load(bundled);
    for (const role of ["assistant", "system"] as const)
      await expect(model.generate([{ role, content: "Hello" }])).rejects.toMatchObject({ code: "run-option", where: "prompt" });
  });

  it("takes files from memory too", async () => {
    const names = ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "generation_config.json"];
    const files = names.map((name) => new File([readFileSync(join(bundled, name))], name));
    await using fromMemory = await load(files);
    expect(await textOf(fromMemory.stream(`${prefix}Hello world`))).toBe("Bonjour le monde");
  });

  it("E22 follows links, as the cache of the Hugging Face Hub has them", async () => {
    const { symlinkSync, mkdirSync } = await import("node:fs");
    const snapshot = join(folder, "snapshot");
    mkdirSync(snapshot);
    for (const name of ["config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"]) {
      symlinkSync(join(bundled, name), join(snapshot, name));
    }
    await using linked = await load(snapshot);
    expect(await textOf(linked.stream(`${prefix}Hello world`))).toBe("Bonjour le monde");
  });

  it("R13 a model that never ends stops at maxTokens with reason length", async () => {
    await using talker = await load(endless);
    const { finishReason, usage } = await streamEnd(talker, contract.prompt, { maxTokens: 30 });
    expect(finishReason).toBe("length");
    expect(usage.completionTokens).toBe(30);
  });

  it("R12 weights that are not numbers give run-nan, not text", async () => {
    const broken = join(folder, "nan");
    cpSync(bundled, broken, { recursive: true });
    const file = join(broken, "model.safetensors");
    const bytes = readFileSync(file);
    const start = 8 + Number(bytes.readBigUInt64LE(0));
    for (let at = start; at < bytes.length; at += 2) bytes.writeUInt16LE(0x7e00, at);
    writeFileSync(file, bytes);
    await using numb = await load(broken);
    await expect(textOf(numb.stream(contract.prompt))).rejects.toMatchObject({ code: "run-nan" });
  });

  it("R25 a file cut while it is in use ends in a typed error, and the next load works", async () => {
    const { truncateSync } = await import("node:fs");
    const cut = join(folder, "cut");
    cpSync(bundled, cut, { recursive: true });
    const victim = await load(cut);
    truncateSync(join(cut, "model.safetensors"), 100_000);
    const code = await textOf(victim.stream(contract.prompt)).then(
      () => "answered",
      (error: unknown) => (error as { code?: string }).code,
    );
    // Weights that were widened at load need the file no more; mapped ones end the child; tokens are looked up in the file.
    expect(["answered", "run-crash", "safetensors-truncated"]).toContain(code);
    await victim.dispose();
    await using next = await load("tiny-t5-en-fr");
    expect(await textOf(next.stream(`${prefix}Hello world`))).toBe("Bonjour le monde");
  });
});

/** T5 exported to ONNX, through @huggingface/transformers: the contract, the bundled model's golden answers, and what is refused. */

import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { exportedRuntime } from "../../../src/node/engines/devices.ts";
import { installCommand } from "../../../src/node/engines/packages.ts";
import type { LanguageModel, StreamPart } from "../../../src/node/index.ts";
import { createSpell, load, nodePlatform } from "../../../src/node/index.ts";
import { languageModelContract } from "../../contract/language-model.ts";
import { writeExport } from "../../fixtures/t5-export.ts";
import { textOf } from "../../support/text-of.ts";
import { isLong, root } from "../../support.ts";

const prefix = "translate English to French: ";
const home = mkdtempSync(join(tmpdir(), "llmspell-export-"));
const folder = join(home, "tiny");
const endless = join(home, "endless");
const external = join(home, "external");
const read = (path: string) => readFile(join(root, path));

function write(to: string, files: ReadonlyMap<string, Uint8Array>): void {
  mkdirSync(join(to, "onnx"), { recursive: true });
  for (const [name, bytes] of files) writeFileSync(join(to, name.includes(".onnx") ? "onnx" : "", name), bytes);
}

beforeAll(async () => {
  write(folder, await writeExport(read));
  write(external, await writeExport(read, { external: true }));
  cpSync(folder, endless, { recursive: true });
  // A translator ends after a few words; the contract wants long answers.
  writeFileSync(join(endless, "generation_config.json"), JSON.stringify({ min_new_tokens: 400, num_beams: 4 }));
}, 30_000);
afterAll(() => rmSync(home, { recursive: true, force: true }));

languageModelContract("an exported T5 on transformers.js", {
  prompt: `${prefix}Where is the train station?`,
  open: () => load(endless),
  knowsAllOptions: true,
  remembersPrompts: false,
});

interface Golden {
  readonly cases: readonly { readonly en: string; readonly greedy_text: string }[];
}
const golden = JSON.parse(readFileSync(join(root, "test/golden/tiny-t5-en-fr.json"), "utf8")) as Golden;

async function partsOf(model: LanguageModel, prompt: string, options = {}): Promise<readonly StreamPart[]> {
  const parts: StreamPart[] = [];
  for await (const part of model.stream(prompt, options)) parts.push(part);
  return parts;
}

describe("an exported T5", () => {
  let model: LanguageModel;
  beforeAll(async () => {
    model = await load(folder);
  });
  afterAll(() => model?.dispose());

  it("translates as transformers does", async () => {
    expect(model).toMatchObject({ architecture: "t5", isSeq2Seq: true, device: { chosen: "cpu", runtime: "transformers.js" } });
    for (const { en, greedy_text } of golden.cases.slice(0, isLong ? 130 : 16))
      expect(await textOf(model.stream(prefix + en)), en).toBe(greedy_text);
  }, 240_000);

  it("has its weights in files beside the graphs, too", async () => {
    await using other = await load(external);
    for (const { en, greedy_text } of golden.cases.slice(0, 4)) expect(await textOf(other.stream(prefix + en)), en).toBe(greedy_text);
  });

  it("answers greedily where beams are asked for, with one warning, and says so where the files ask for them", async () => {
    const parts = await partsOf(model, `${prefix}Hello.`, { numBeams: 4 });
    const warnings = parts.flatMap((part) => (part.type === "warning" ? [part.message] : []));
    expect(warnings).toEqual(["numBeams is not known to transformers.js for t5 models; it was not sent"]);
    await using other = await load(endless);
    const said = (await partsOf(other, `${prefix}Hello.`, { maxTokens: 2 })).flatMap((part) =>
      part.type === "warning" ? [part.message] : [],
    );
    expect(said).toEqual([expect.stringContaining("generation_config.json asks for 4 beams")]);
  });

  it("draws with a seed as the same model does from its checkpoint", async () => {
    const options = { temperature: 2, topK: 0, topP: 1, seed: 11, maxTokens: 12, repeatPenalty: 1.3 };
    await using checkpoint = await load("tiny-t5-en-fr", { device: "cpu" });
    const prompt = `${prefix}The weather is nice today.`;
    const wanted = await textOf(checkpoint.stream(prompt, options));
    expect(await textOf(model.stream(prompt, options))).toBe(wanted);
    expect(await textOf(model.stream(prompt, { ...options, seed: 12 }))).not.toBe(wanted);
  });

  it("is described without being loaded", async () => {
    const info = await createSpell().models.info(folder);
    expect(info).toMatchObject({ format: "onnx", architecture: "t5", quantization: "fp32" });
  });

  it("names the package and its command where it is not installed", async () => {
    const exported = { available: true, value: exportedRuntime({ isInstalled: () => false }) } as const;
    const loading = createSpell({ platform: { ...nodePlatform(), exported } }).load(folder);
    await expect(loading).rejects.toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining("not installed"),
      actions: [{ kind: "shell", line: installCommand("@huggingface/transformers") }, { kind: "diagnose" }],
      details: { tried: [{ reason: "package-missing", hint: installCommand("@huggingface/transformers") }] },
    });
  });

  it("refuses a device it does not have, and a form the export lacks", async () => {
    await expect(load(folder, { device: "wasm" })).rejects.toMatchObject({ code: "device-unavailable" });
    await expect(load(folder, { quantization: "q4" })).rejects.toMatchObject({
      code: "model-variant-unknown",
      message: "the export has no form q4; available: f32",
    });
  });

  it("G66: weights outside the folder → onnx-external", async () => {
    for (const location of ["../secret.bin", "/etc/hostname", "C:\\secret", "missing.bin"]) {
      const bad = join(home, "bad");
      cpSync(external, bad, { recursive: true });
      const path = join(bad, "onnx", "encoder_model.onnx");
      const bytes = readFileSync(path);
      const wanted = Buffer.from("encoder_model.onnx_data");
      const at = bytes.indexOf(wanted);
      bytes.write(location.padEnd(wanted.length, location === "missing.bin" ? "_" : " "), at);
      writeFileSync(path, bytes);
      await expect(load(bad), location).rejects.toMatchObject({ code: "onnx-external" });
    }
  });
});

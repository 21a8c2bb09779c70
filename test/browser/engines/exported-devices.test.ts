/** T5 exported to ONNX in Chromium, through @huggingface/transformers that the page hands in: the contract, golden answers, no request elsewhere. */

import { describe, expect, it } from "vitest";
import { browserPlatform, createSpell, load } from "../../../src/browser/index.ts";
import { languageModelContract } from "../../contract/language-model.ts";
import { writeExport } from "../../fixtures/t5-export.ts";
import golden from "../../golden/tiny-t5-en-fr.json";
import { textOf } from "../../support/text-of.ts";

const prefix = "translate English to French: ";
const spell = createSpell({ platform: browserPlatform({ transformers: () => import("@huggingface/transformers") }) });

async function read(path: string): Promise<Uint8Array> {
  return new Uint8Array(await (await fetch(`/${path}`)).arrayBuffer());
}

async function files(changes: Readonly<Record<string, string>> = {}): Promise<File[]> {
  const all = new Map<string, BlobPart>([...(await writeExport(read))] as [string, BlobPart][]);
  for (const [name, text] of Object.entries(changes)) all.set(name, text);
  return [...all].map(([name, bytes]) => new File([bytes], name));
}

languageModelContract("an exported T5 in Chromium", {
  prompt: `${prefix}Where is the train station?`,
  knowsAllOptions: true,
  remembersPrompts: false,
  open: async () => spell.load(await files({ "generation_config.json": JSON.stringify({ min_new_tokens: 400 }) })),
});

describe("an exported T5 in a page", () => {
  it("translates as transformers does", async () => {
    await using model = await spell.load(await files());
    expect(model.device).toMatchObject({ chosen: "wasm", runtime: "transformers.js" });
    for (const { en, greedy_text } of golden.cases.slice(0, 12)) expect(await textOf(model.stream(prefix + en)), en).toBe(greedy_text);
  });

  it("says how to hand in the package where the page did not", async () => {
    await expect(load(await files())).rejects.toMatchObject({
      code: "device-unavailable",
      message: expect.stringContaining('browserPlatform({ transformers: () => import("@huggingface/transformers") })'),
    });
  });

  it("asks no other origin for anything", () => {
    const origins = new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin));
    expect([...origins].filter((origin) => origin !== location.origin && !origin.startsWith("blob:") && origin !== "null")).toEqual([]);
  });
});

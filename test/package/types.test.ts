import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, it } from "vitest";
import { root } from "../support.ts";
import { run } from "./support.ts";

const folder = inject("folder");
/** Of TypeScript 6 and 7: users have either. */
const compilers = ["typescript", "typescript-native"].map((name) => join(root, "node_modules", name, "bin/tsc"));

/** Uses a name of each entry, and one wrongly: types that silently became `any` fail too. */
const consumer = `
import { collect, type LanguageModel, load, SpellError, type StreamPart } from "llmspell";
import { readGgufHeader } from "llmspell/core";
import { nodePlatform } from "llmspell/node";
import { scriptedModel } from "llmspell/testing";

export async function story(): Promise<string> {
  const model: LanguageModel = await load("tiny-stories");
  const parts: AsyncIterable<StreamPart> = model.stream("Once", { maxTokens: 8 });
  return collect(parts);
}
export const used: readonly unknown[] = [SpellError, readGgufHeader, nodePlatform, scriptedModel];
// @ts-expect-error a number is not a prompt
export const wrong = (model: LanguageModel): unknown => model.stream(1);
`;
const page = `
import { load, type StreamPart } from "llmspell/browser";
export async function* story(): AsyncIterable<StreamPart> {
  yield* (await load("tiny-stories")).stream("Once");
}
// @ts-expect-error a page cannot name a model by a number
export const wrong = (): unknown => load(1);
`;

async function compile(file: string, options: Readonly<Record<string, unknown>>): Promise<void> {
  const project = join(folder, "types", "tsconfig.json");
  const strict = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, target: "ES2022", types: [] };
  writeFileSync(project, JSON.stringify({ compilerOptions: { ...strict, ...options }, files: [file] }));
  for (const compiler of compilers) {
    const { status, stdout } = await run(process.execPath, [compiler, "-p", project], folder);
    expect({ status, stdout }).toEqual({ status: 0, stdout: "" });
  }
}

const lib = ["ES2023", "DOM", "DOM.AsyncIterable"];
const bundler = { module: "ESNext", moduleResolution: "Bundler", lib };

describe("types of the packed package", () => {
  beforeAll(() => {
    mkdirSync(join(folder, "types"), { recursive: true });
    writeFileSync(join(folder, "types", "consumer.mts"), consumer);
    writeFileSync(join(folder, "types", "page.mts"), page);
  });

  it("resolve under NodeNext", () => compile("consumer.mts", { module: "NodeNext", lib }));

  it("resolve under Bundler with the node condition", () => compile("consumer.mts", { ...bundler, customConditions: ["node"] }));

  it("resolve for a page under Bundler", () => compile("page.mts", { ...bundler, customConditions: ["browser"] }));
});

/** The index on texts of ours: questions as a person asks them find the page that answers; and what a page has to fetch for it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { expect, it } from "vitest";
import { chunkMarkdown } from "../../src/core/search/chunk.ts";
import { openCollection } from "../../src/core/search/collection.ts";
import { lexicalVector } from "../../src/core/search/lexical.ts";
import { memoryFolder } from "../../src/core/search/memory-folder.ts";
import { root } from "../support.ts";

const pages = [
  "devices",
  "embeddings",
  "install",
  "kernels",
  "providers",
  "scripts",
  "serve",
  "state-and-sessions",
  "structured-output",
  "t5",
  "thinking",
  "tools",
];
const questions: readonly (readonly [question: string, page: string])[] = [
  ["what happens when my graphics card disappears in the middle of a run", "devices"],
  ["how does it choose between the processor and the graphics card", "devices"],
  ["put a better order on search results with a cross-encoder", "embeddings"],
  ["which sentences mean nearly the same", "embeddings"],
  ["which version of Node is needed", "install"],
  ["why are products of matrices written in C and compiled to WebAssembly", "kernels"],
  ["use a vLLM machine of our team", "providers"],
  ["where do I put the key of OpenAI", "providers"],
  ["how long may a Lua program run before it is ended", "scripts"],
  ["let other programs on this computer ask over HTTP", "serve"],
  ["put the server behind nginx", "serve"],
  ["run the calls of an earlier session again with changes", "state-and-sessions"],
  ["cancel a call before the tool runs", "state-and-sessions"],
  ["the answer must be valid JSON of my schema", "structured-output"],
  ["let the model only pick one of three words", "structured-output"],
  ["translate with an encoder and decoder model", "t5"],
  ["hide the reasoning of the model from the answer", "thinking"],
  ["the model should call a function of my program", "tools"],
];

it("finds pages of ours by questions, without a model", async () => {
  const embedder = { id: "lexical", dimensions: 384 };
  const collection = await openCollection(memoryFolder(), { embedder, metric: "cosine", storeText: true });
  const settings = { strategy: "sliding_window", size: 256, overlap: 32, max: 1024, min: 50, keepCode: true } as const;
  collection.add(
    pages.map((id) => ({
      id,
      title: id,
      metadata: {},
      chunks: chunkMarkdown(readFileSync(join(root, `docs/${id}.md`), "utf8"), settings).map((chunk, i) => ({
        ...chunk,
        hash: `${id}-${i}`,
        vector: lexicalVector([id, ...chunk.headings, chunk.text].join("\n"), 384),
      })),
    })),
  );
  let found = 0;
  const missed: string[] = [];
  for (const [text, page] of questions) {
    const hits = await collection.search({ text, vector: lexicalVector(text, 384), k: 5, hybridWeight: 0.3 });
    if (hits.some(({ document }) => document === page)) found += 1;
    else missed.push(text);
  }
  // a guard: 17 of 18 when it was written
  expect(found / questions.length, missed.join("\n")).toBeGreaterThanOrEqual(0.8);
});

it("takes at most 25 kB of a page, compressed", async () => {
  const files = ["core/search/collection.ts", "core/search/lexical.ts", "core/search/chunk.ts", "browser/store/search-folder.ts"];
  const contents = files.map((file) => `export * from "./src/${file}";`).join("\n");
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
  });
  expect(gzipSync(outputFiles[0]?.contents ?? "").byteLength).toBeLessThanOrEqual(25_000);
});

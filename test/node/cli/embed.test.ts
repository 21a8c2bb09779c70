/** `embed`, `similar`, LocalLLM.embed and LocalLLM.rerank over a small encoder, as people run them. */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { distance } from "../../contract/embedding-model.ts";
import { type BertSpec, bertGolden, type RerankSpec, rerankGolden, writeBert } from "../../fixtures/bert-writer.ts";
import { cli, home } from "./support.ts";

const spec = bertGolden.models.find(({ name }) => name === "minilm")!;
const model = join(home, "minilm");
const on = ["-m", model, "--device", "cpu"];

const scorer = rerankGolden.models.find(({ name }) => name === "ms-marco-minilm")!;
const reranker = join(home, "reranker");

function save(folder: string, one: BertSpec | RerankSpec): void {
  for (const [file, bytes] of writeBert(bertGolden, one)) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), bytes);
  }
}

beforeAll(() => {
  save(model, spec);
  save(reranker, scorer);
});

describe("embed", () => {
  it("gives a vector for each operand, as JSON", async () => {
    const { stdout, status } = await cli(["embed", ...on, "--output", "json", bertGolden.texts[0]!, bertGolden.texts[3]!]);
    expect(status).toBe(0);
    const { embeddings, ...about } = JSON.parse(stdout) as { embeddings: number[][] };
    expect(about).toEqual({
      ...{ status: "ok", model, provider: "candle", backend: "candle", architecture: "bert", dimensions: 36 },
      ...{ usage: { prompt_tokens: 10, total_tokens: 10 }, warnings: [] },
    });
    expect(distance(embeddings[0]!, spec.vectors[0]!)).toBeLessThan(2e-5);
    expect(distance(embeddings[1]!, spec.vectors[3]!)).toBeLessThan(2e-5);
  });

  it("gives a line for each line of standard input, and cuts vectors", async () => {
    const { stdout, status } = await cli(["embed", ...on, "--dimensions", "4"], { input: "the cat\nthe river\n" });
    expect(status).toBe(0);
    const lines = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as number[]);
    expect(lines.map(({ length }) => length)).toEqual([4, 4]);
    expect(Math.hypot(...lines[0]!)).toBeCloseTo(1, 5);
  });

  it("takes more dimensions than the model has for a wrong command line", async () => {
    const { status, stderr } = await cli(["embed", ...on, "--dimensions", "99", "the cat"]);
    expect(status).toBe(2);
    expect(stderr).toContain("--dimensions: expected an integer, 1 … 36, got 99");
  });

  it("says what to do with a text that is too long, and does it", async () => {
    const long = "cat ".repeat(200);
    const refused = await cli(["embed", ...on, long]);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("text 1 has 202 tokens; this model reads 96");
    const line = await cli(["embed", ...on], { input: `cat\n${long}\n` });
    expect(line.stderr).toContain("line 2 of standard input has 202 tokens; this model reads 96\nDivide the text, or have it cut:");
    expect(line.stderr).toContain("--truncate");
    const cut = await cli(["embed", ...on, "--truncate", long]);
    expect(cut.status).toBe(0);
    expect(cut.stderr).toContain("a text of 202 tokens: the model reads the first 96");
  });
});

it.each([
  [["embed"], "", "no texts were given"],
  [["embed"], "cat\n\nriver\n", "line 2 of standard input is empty"],
  [["embed", "cat", ""], "", "text 2 is empty"],
  [["similar", " "], "cat\n", "TEXT is empty"],
  [["similar", "cat"], "\n \n", "standard input: expected lines of text; got none"],
  [["similar", "cat", home], "", "expected a file of lines; it is a folder"],
])("%j of %j: wants a text", async (words, input, message) => {
  const { status, stderr } = await cli([...words, ...on], { input });
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});

it.each([
  ["rag", "search", ""],
  ["rag", "ask", " "],
])("takes no empty text for one: %s %j %j", async (...words) => {
  const { status, stderr } = await cli(words);
  expect(status).toBe(2);
  expect(stderr).toMatch(/(QUERY|QUESTION): expected text, got an empty one/);
});

describe("similar", () => {
  it("ranks the lines of a file, with their numbers", async () => {
    const file = join(home, "lines.txt");
    writeFileSync(file, "a good old house\n\nthe cat was singing\nmusic and chess\n");
    const { stdout, status } = await cli(["similar", "the cat was singing", file, ...on, "--top-k", "2", "--output", "json"]);
    expect(status).toBe(0);
    const { results } = JSON.parse(stdout) as { results: { text: string; score: number; index: number }[] };
    expect(results).toHaveLength(2);
    expect(results[0]).toEqual({ text: "the cat was singing", score: 1, index: 2 });
    expect(results[1]!.score).toBeLessThan(1);
  });

  it("reads lines of standard input", async () => {
    const { stdout } = await cli(["similar", "river", ...on], { input: "house\nriver\n" });
    expect(stdout.split("\n")[0]).toBe("1.000  river");
  });

  it("ranks by a model that reads both together", async () => {
    const [query = ""] = rerankGolden.queries;
    const texts = rerankGolden.texts.slice(0, 3);
    const flags = ["--rerank", "-m", reranker, "--device", "cpu", "--output", "json"];
    const { stdout, status } = await cli(["similar", query, ...flags], { input: texts.join("\n") });
    expect(status).toBe(0);
    const { results, ...about } = JSON.parse(stdout) as { results: { text: string; score: number; index: number }[] };
    const tokens = scorer.tokens[0]!.slice(0, 3).reduce((sum, each) => sum + each, 0);
    expect(about).toMatchObject({ status: "ok", model: reranker, architecture: "bert", usage: { prompt_tokens: tokens }, warnings: [] });
    const inOrder = scorer.scores[0]!.slice(0, 3).map((score, index) => ({ score, index }));
    inOrder.sort((a, b) => b.score - a.score);
    expect(results.map(({ index }) => index)).toEqual(inOrder.map(({ index }) => index));
    expect(results[0]!.score).toBeCloseTo(inOrder[0]!.score, 4);
  });

  it("names the line that is too long, by its number in the file, and TEXT", async () => {
    const long = "cat ".repeat(200);
    const file = join(home, "long.txt");
    writeFileSync(file, `river\n\n${long}\n`);
    expect((await cli(["similar", "cat", file, ...on])).stderr).toContain(`line 3 of ${file} has 202 tokens`);
    expect((await cli(["similar", long, file, ...on])).stderr).toContain("TEXT has 202 tokens");
    const { stderr } = await cli(["similar", "cat", file, "--rerank", "-m", reranker, "--device", "cpu"]);
    expect(stderr).toMatch(/line 3 of .* and the query have \d+ tokens/);
  });

  it("names a file that is missing", async () => {
    const { stderr, status } = await cli(["similar", "river", "missing.txt", ...on]);
    expect(status).toBe(2);
    expect(stderr).toContain("missing.txt: expected a file of lines; no such file");
  });
});

it("generate names the command that makes vectors", async () => {
  const { stderr, status } = await cli(["generate", ...on, "Hello"]);
  expect(status).toBe(3);
  expect(stderr).toContain("makes embeddings, not text (bert)");
  expect(stderr).toContain(`llmspell embed -m ${model} "Hello"`);
});

it("scripts get lists of numbers, and scores", async () => {
  const code = `local v = LocalLLM.embed(ARGS.model, {"the cat was singing", "x"}, {device = "cpu"}); print(#v, #v[1], v[1][1])
local s = LocalLLM.rerank(ARGS.reranker, "${rerankGolden.queries[0]}", {"x", "the cat was singing"}, {device = "cpu"}); print(s[2])`;
  const config = join(home, "files.toml");
  writeFileSync(config, `[runtime.security]\nallow_file_access = true\nallowed_paths = [${JSON.stringify(home)}]\n`);
  const { stdout, stderr } = await cli(["exec", "-c", config, code, "--", "--model", model, "--reranker", reranker]);
  expect(stderr).toBe("");
  const [count, length, first, score] = stdout.trim().split(/\s+/).map(Number);
  expect([count, length]).toEqual([2, 36]);
  expect(first).toBeCloseTo(spec.vectors[0]![0]!, 5);
  expect(score).toBeCloseTo(scorer.scores[0]![0]!, 4);
});

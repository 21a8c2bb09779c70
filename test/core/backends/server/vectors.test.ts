/** Vectors of services: what is sent, what is read, what is refused. The official client (openai) is the judge of the base64. */
import OpenAI from "openai";
import { describe, expect, it } from "vitest";
import { failure } from "../../../support/failure.ts";
import { type Heard, type Service, serviceOf } from "../../../support/service.ts";

const json = (value: unknown, status = 200): Response =>
  new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json" } });
const base64 = (numbers: readonly number[]): string => Buffer.from(new Float32Array(numbers).buffer).toString("base64");
const office = { office: { provider_type: "openai-compatible", base_url: "http://127.0.0.1:9/v1" } } as const;
const of = (data: readonly unknown[], more: object = {}): object => ({ object: "list", model: "m", data, ...more });
const saying = (answer: unknown): Service => serviceOf("office/m", office, () => json(answer));
const vectors = async ({ spell }: Service, texts: readonly string[] = ["a", "b"]) => spell.embed("office/m", texts);

/** Each text is a vector of its length and 1. */
function answerOf({ body }: Heard): object {
  const input = body["input"] as readonly string[];
  return of(
    input.map((text, index) => ({ object: "embedding", index, embedding: [text.length, 1] })),
    { usage: { prompt_tokens: input.length, total_tokens: input.length } },
  );
}

describe("a service that speaks as OpenAI does", () => {
  it("gives vectors of length 1 in the order of the texts, asked for in requests of 32", async () => {
    const service = serviceOf("office/m", office, (heard) => json(answerOf(heard)));
    const texts = Array.from({ length: 70 }, (_, index) => "x".repeat(index + 1));
    const result = await service.spell.embed("office/m", texts);
    expect(service.heard.map(({ url, body }) => [url, (body["input"] as string[]).length])).toEqual([
      ["http://127.0.0.1:9/v1/embeddings", 32],
      ["http://127.0.0.1:9/v1/embeddings", 32],
      ["http://127.0.0.1:9/v1/embeddings", 6],
    ]);
    expect(service.heard[0]?.body).toEqual({ model: "m", input: texts.slice(0, 32) });
    expect(result).toMatchObject({ model: "m@office", provider: "office", backend: "openai-compatible", dimensions: 2, tokens: 70 });
    for (const [index, vector] of result.vectors.entries()) {
      expect(Math.hypot(...vector)).toBeCloseTo(1, 6);
      expect(vector[0]! / vector[1]!).toBeCloseTo(index + 1, 3);
    }
    await service.spell.dispose();
  });

  it("sorts answers by their index, and reads base64 as numbers and as the official client does", async () => {
    const [first, second] = [
      [0.6, -0.8, 0],
      [0, 0.28, 0.96],
    ];
    const data = [
      { index: 1, embedding: base64(second!) },
      { index: 0, embedding: base64(first!) },
    ];
    const { vectors: read } = await vectors(saying(of(data)));
    const { vectors: plain } = await vectors(saying(of([{ embedding: first }, { embedding: second }])));
    expect(read.map((each) => Array.from(each))).toEqual(plain.map((each) => Array.from(each)));
    const client = new OpenAI({ apiKey: "k", maxRetries: 0, fetch: async () => json(of(data)) });
    const official = await client.embeddings.create({ model: "m", input: ["a", "b"] });
    const inOrder = [...official.data].sort((a, b) => a.index - b.index);
    for (const [row, { embedding }] of inOrder.entries())
      for (const [at, value] of embedding.entries()) expect(read[row]![at]).toBeCloseTo(value, 6);
  });

  it("asks OpenAI itself for base64, with its key, and cuts vectors here", async () => {
    const service = serviceOf("openai/e", { openai: { provider_type: "openai", api_key: "key-of-mine" } }, () =>
      json(of([{ index: 0, embedding: base64([3, 4, 12]) }])),
    );
    const { vectors: read, dimensions, warnings } = await service.spell.embed("openai/e", ["a"], { dimensions: 2, truncate: true });
    expect(service.heard[0]).toMatchObject({
      url: "https://api.openai.com/v1/embeddings",
      body: { model: "e", encoding_format: "base64" },
    });
    expect(service.heard[0]?.headers.get("authorization")).toBe("Bearer key-of-mine");
    expect([dimensions, ...read[0]!.map((value) => Math.round(value * 10))]).toEqual([2, 6, 8]);
    expect(warnings).toMatchObject([{ code: "option-ignored", message: expect.stringContaining("truncate") }]);
  });

  it("tries again after 503, and says what a refusal says", async () => {
    const service = serviceOf("office/m", office, (heard, count) => (count === 0 ? json({ error: "busy" }, 503) : json(answerOf(heard))));
    expect((await vectors(service)).vectors).toHaveLength(2);
    expect(service.heard).toHaveLength(2);
    const error = await failure(
      vectors(serviceOf("office/m", office, () => json({ error: { message: "maximum context length is 512" } }, 400))),
    );
    expect(error.code).toBe("run-context");
  });

  it.each([
    ["fewer vectors than texts", of([{ embedding: [1, 0] }]), "answered 2 texts with 1 vectors"],
    ["more of them", of([{ embedding: [1] }, { embedding: [1] }, { embedding: [1] }]), "answered 2 texts with 3 vectors"],
    [
      "two for one text",
      of([
        { index: 0, embedding: [1] },
        { index: 0, embedding: [1] },
      ]),
      "text 2 with something other than a vector",
    ],
    [
      "a text that was not asked for",
      of([
        { index: 0, embedding: [1] },
        { index: 9, embedding: [1] },
      ]),
      "no list of vectors",
    ],
    ["vectors of different widths", of([{ embedding: [1, 0] }, { embedding: [1] }]), "vectors of 2 and of 1 numbers"],
    ["no numbers", of([{ embedding: [1, null] }, { embedding: [1, 1] }]), "text 1 with something other than a vector"],
    [
      "numbers that are none, in base64",
      of([{ embedding: base64([1, Number.NaN]) }, { embedding: base64([1, 1]) }]),
      "text 1 with something other",
    ],
    ["what is no base64", of([{ embedding: "???" }, { embedding: base64([1]) }]), "text 1 with something other than a vector"],
    ["half a number", of([{ embedding: btoa("12345") }, { embedding: base64([1]) }]), "text 1 with something other than a vector"],
    ["an empty vector", of([{ embedding: [] }, { embedding: [] }]), "text 1 with something other than a vector"],
    ["no direction", of([{ embedding: [0, 0] }, { embedding: [1, 1] }]), "text 1 with a vector without direction"],
    ["something else", "hello", "no list of vectors"],
  ])("refuses %s", async (_, answer, message) => {
    const error = await failure(vectors(saying(answer)));
    expect(error.code).toBe("provider-error");
    expect(error.message).toContain(message);
    expect(error.message).toContain("127.0.0.1:9");
  });

  it("refuses vectors of another width than before", async () => {
    const service = serviceOf("office/m", office, (_, count) => json(of([{ embedding: count === 0 ? [1, 0] : [1, 0, 0] }])));
    const model = await service.spell.embeddings("office/m");
    expect(model.dimensions).toBeUndefined();
    await model.embed(["a"]);
    expect(model.dimensions).toBe(2);
    expect((await failure(model.embed(["b"]))).message).toContain("vectors of 2 and of 3 numbers");
  });

  it("does not re-rank; Anthropic makes no vectors", async () => {
    expect((await failure(saying(of([])).spell.rerank("office/m", "a", ["b"]))).code).toBe("model-architecture");
    const { spell } = serviceOf("anthropic/c", { anthropic: { provider_type: "anthropic", api_key: "k" } }, () => json({}));
    expect((await failure(spell.embed("anthropic/c", ["a"]))).code).toBe("model-architecture");
  });
});

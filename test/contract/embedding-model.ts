/** What every EmbeddingModel promises. One suite; it runs on ONNX Runtime and llama.cpp, native and WebAssembly, in Node and in Chromium. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EmbeddingModel, EmbedOptions } from "../../src/core/spec/embedding-model.ts";
import { failure } from "../support/failure.ts";

export interface EmbeddingModelCase {
  readonly open: () => Promise<EmbeddingModel>;
  /** A word of one token, which may follow itself. */
  readonly word: string;
  /** Tokens of the shortest text beyond its words. */
  readonly around: number;
  /** Whether what runs it counts tokens without computing; default true. */
  readonly counts?: boolean;
  /** How far a vector may be from the same text's alone. */
  readonly tolerance?: number;
}

export function lengthOf(vector: Float32Array): number {
  return Math.hypot(...vector);
}

export function distance(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let most = Math.abs(a.length - b.length);
  for (let index = 0; index < a.length; index += 1) most = Math.max(most, Math.abs((a[index] ?? Number.NaN) - (b[index] ?? Number.NaN)));
  return most;
}

export function embeddingModelContract(name: string, { open, word, around, counts = true, tolerance = 1e-6 }: EmbeddingModelCase): void {
  describe(`EmbeddingModel contract: ${name}`, () => {
    let model: EmbeddingModel;
    beforeAll(async () => {
      model = await open();
    });
    afterAll(() => model.dispose());
    const words = (count: number): string => Array.from({ length: count }, () => word).join(" ");

    it("reports its device, its size and the numbers of a vector", () => {
      expect(model.device!.tried).toContainEqual(expect.objectContaining({ device: model.device!.chosen, ok: true, reason: "ok" }));
      expect(model.dimensions).toBeGreaterThan(1);
      expect(model.contextLength).toBeGreaterThan(8);
      expect(model.sizeBytes).toBeGreaterThan(0);
    });

    it("gives vectors of length 1 in the order of the texts, the same alone and in any company", async () => {
      const texts = [words(9), "the river", words(2), "old cat", words(30)];
      const together = await model.embed(texts);
      expect(together.vectors).toHaveLength(5);
      expect(together.dimensions).toBe(model.dimensions);
      for (const [index, text] of texts.entries()) {
        const { vectors } = await model.embed([text]);
        expect(lengthOf(vectors[0]!)).toBeCloseTo(1, 5);
        expect(distance(vectors[0]!, together.vectors[index]!)).toBeLessThan(tolerance);
      }
      expect(distance(together.vectors[0]!, together.vectors[1]!)).toBeGreaterThan(1e-3);
    });

    it("counts tokens, and takes no texts for an answer", async () => {
      expect((await model.embed([words(3), words(5)])).tokens).toBe(8 + 2 * around);
      expect(await model.embed([])).toMatchObject({ vectors: [], tokens: 0, warnings: [] });
    });

    it("counts the tokens of texts of any length, where what runs it can", async () => {
      const limit = model.contextLength!;
      const counted = await model.countTokens([words(3), words(limit + 5)]);
      if (!counts) return expect(counted).toBeUndefined();
      const [few = 0, many = 0] = counted ?? [];
      expect(many - few).toBe(limit + 2);
      expect(few).toBeGreaterThanOrEqual(3);
      expect(few).toBeLessThanOrEqual(3 + around);
      expect(await model.countTokens([])).toEqual([]);
    });

    it("takes a text of exactly its limit, refuses one more, and cuts it where it is told to", async () => {
      const limit = model.contextLength!;
      const whole = words(limit - around);
      const exact = await model.embed([whole]);
      expect(exact.tokens).toBe(limit);
      const longer = `${whole} ${word}`;
      const error = await failure(model.embed(["a", longer]));
      expect(error.code).toBe("run-context");
      expect(error.message).toContain(`text 2 has ${limit + 1} tokens; this model reads ${limit}`);
      const cut = await model.embed(["a", longer], { truncate: true });
      expect(cut.warnings).toContainEqual(expect.objectContaining({ code: "text-cut" }));
      expect(distance(cut.vectors[1]!, exact.vectors[0]!)).toBeLessThan(tolerance);
    });

    it("cuts vectors to the first dimensions, of length 1 again", async () => {
      const [whole, short] = await Promise.all([model.embed(["the river"]), model.embed(["the river"], { dimensions: 8 })]);
      const first = whole.vectors[0]!.slice(0, 8);
      const norm = lengthOf(first);
      expect(short.dimensions).toBe(8);
      expect(
        distance(
          short.vectors[0]!,
          first.map((value) => value / norm),
        ),
      ).toBeLessThan(1e-6);
    });

    it.each([
      ["an empty text", ["a", ""], {}, "text 2: expected at least one character, got none"],
      ["no list", "text", {}, "texts: expected a list of texts"],
      ["something else than text", ["a", 1], {}, "texts[1]: expected a text, got 1"],
      ["no dimensions", ["a"], { dimensions: 0 }, "dimensions: expected an integer, 1 …"],
      ["an unknown option", ["a"], { truncated: true }, "embed has no option truncated"],
    ])("refuses %s", async (_, texts, options, message) => {
      const error = await failure(model.embed(texts as readonly string[], options as EmbedOptions));
      expect(error.code).toBe("run-option");
      expect(error.message).toContain(message);
    });

    it("refuses more dimensions than a vector has", async () => {
      expect((await failure(model.embed(["a"], { dimensions: model.dimensions! + 1 }))).code).toBe("run-option");
    });

    it("stops at an abort, and answers the next call", async () => {
      const texts = Array.from({ length: 400 }, (_, index) => words(1 + (index % 30)));
      const stop = new AbortController();
      const running = model.embed(texts, { signal: stop.signal });
      stop.abort();
      expect((await failure(running)).code).toBe("run-aborted");
      expect((await model.embed(["a"])).vectors).toHaveLength(1);
    });

    it("rejects once it was disposed, and leaves other holders alone", async () => {
      const other = await open();
      await other.dispose();
      expect((await failure(other.embed(["a"]))).code).toBe("run-closed");
      expect((await model.embed(["a"])).vectors).toHaveLength(1);
    });
  });
}

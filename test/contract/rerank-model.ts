/** What every RerankModel promises. One suite; it runs on ONNX Runtime, native and WebAssembly, in Node and in Chromium. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RerankModel, RerankOptions } from "../../src/core/spec/rerank-model.ts";
import { failure } from "../support/failure.ts";

export interface RerankModelCase {
  readonly open: () => Promise<RerankModel>;
  /** A word of one token, which may follow itself. */
  readonly word: string;
  /** Tokens of the shortest pair beyond its words. */
  readonly around: number;
}

export function rerankModelContract(name: string, { open, word, around }: RerankModelCase): void {
  describe(`RerankModel contract: ${name}`, () => {
    let model: RerankModel;
    beforeAll(async () => {
      model = await open();
    });
    afterAll(() => model.dispose());
    const words = (count: number): string => Array.from({ length: count }, () => word).join(" ");

    it("gives scores in the order of the texts, the same alone and in any company", async () => {
      const texts = [words(9), "the river", words(2), "old cat", words(30)];
      const together = await model.rerank("the river", texts);
      expect(together.scores).toHaveLength(5);
      for (const [index, text] of texts.entries()) {
        const [score] = (await model.rerank("the river", [text])).scores;
        expect(Math.abs(score! - together.scores[index]!)).toBeLessThan(1e-5);
      }
      expect(new Set(together.scores).size).toBe(5);
    });

    it("counts tokens, and takes no texts for an answer", async () => {
      expect((await model.rerank(words(2), [words(3), words(5)])).tokens).toBe(12 + 2 * around);
      expect(await model.rerank("a", [])).toEqual({ scores: [], tokens: 0, warnings: [] });
    });

    it("takes a pair of exactly its limit, refuses one more, and cuts the text where it is told to", async () => {
      const limit = model.contextLength!;
      const whole = words(limit - around - 2);
      const exact = await model.rerank(words(2), [whole]);
      expect(exact.tokens).toBe(limit);
      const longer = `${whole} ${word}`;
      const error = await failure(model.rerank(words(2), ["a", longer]));
      expect(error.code).toBe("run-context");
      expect(error.message).toContain(`text 2 and the query have ${limit + 1} tokens; this model reads ${limit}`);
      const cut = await model.rerank(words(2), ["a", longer], { truncate: true });
      expect(cut.warnings).toContainEqual(expect.objectContaining({ code: "text-cut" }));
      expect(Math.abs(cut.scores[1]! - exact.scores[0]!)).toBeLessThan(1e-5);
    });

    it("refuses a query that leaves no room", async () => {
      const error = await failure(model.rerank(words(model.contextLength!), ["a"], { truncate: true }));
      expect(error.code).toBe("run-context");
      expect(error.message).toContain("leaves no room for a text");
    });

    it.each([
      ["an empty query", "", ["a"], {}, "the query: expected at least one character, got none"],
      ["an empty text", "a", ["a", ""], {}, "text 2: expected at least one character, got none"],
      ["no list", "a", "text", {}, "texts: expected a list of texts"],
      ["something else than text", 1, ["a"], {}, "query: expected a text, got 1"],
      ["an unknown option", "a", ["a"], { truncated: true }, "rerank has no option truncated"],
    ])("refuses %s", async (_, query, texts, options, message) => {
      const error = await failure(model.rerank(query as string, texts as readonly string[], options as RerankOptions));
      expect(error.code).toBe("run-option");
      expect(error.message).toContain(message);
    });

    it("stops at an abort, and answers the next call", async () => {
      const texts = Array.from({ length: 400 }, (_, index) => words(1 + (index % 30)));
      const stop = new AbortController();
      const running = model.rerank("the river", texts, { signal: stop.signal });
      stop.abort();
      expect((await failure(running)).code).toBe("run-aborted");
      expect((await model.rerank("a", ["a"])).scores).toHaveLength(1);
    });

    it("rejects once it was disposed, and leaves other holders alone", async () => {
      const other = await open();
      await other.dispose();
      expect((await failure(other.rerank("a", ["a"]))).code).toBe("run-closed");
      expect((await model.rerank("a", ["a"])).scores).toHaveLength(1);
    });
  });
}

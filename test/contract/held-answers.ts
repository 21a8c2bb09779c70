/** What ends with `stop` keeps its form, what is cut says `length`: on every runtime, at any temperature. */
import { Ajv2020 } from "ajv/dist/2020.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { LanguageModel } from "../../src/core/spec/language-model.ts";
import { failure } from "../support/failure.ts";

const schema = {
  type: "object",
  properties: {
    name: { type: "string", maxLength: 12 },
    age: { type: "integer", minimum: 0, maximum: 120 },
    tags: { type: "array", items: { enum: ["a", "b"] }, maxItems: 2 },
  },
  required: ["name", "age"],
  additionalProperties: false,
};
const validate = new Ajv2020().compile(schema);

/** Prompts and choices: a first token that is likely leads to a choice that is not. */
const wholes: readonly [prompt: string, ...choices: readonly string[]][] = [
  ["Is it so?", "no", "none zxq", "yes"],
  ["The cat is black.", "il est noir", "oui", "le zxq"],
];

function likeliest(choices: readonly string[], logprobs: readonly number[]): string | undefined {
  return choices[logprobs.indexOf(Math.max(...logprobs))];
}

export function heldAnswersContract(name: string, open: () => Promise<LanguageModel>, seeds: number): void {
  describe(`held answers: ${name}`, () => {
    let model: LanguageModel;
    beforeAll(async () => {
      model = await open();
    });
    afterAll(() => model.dispose());

    it("are valid or cut", async () => {
      const reasons = new Set<string>();
      for (let seed = 1; seed <= seeds; seed += 1) {
        const maxTokens = seed % 2 === 0 ? 6 : 90;
        const options = { jsonSchema: schema, seed, temperature: 1.5, maxTokens };
        const { text, json, finishReason } = await model.generate("Tell me of a girl.", options);
        reasons.add(finishReason);
        if (finishReason === "stop") expect([text, validate(JSON.parse(text)), json]).toEqual([text, true, JSON.parse(text)]);
        else expect([finishReason, json]).toEqual(["length", undefined]);
      }
      expect([...reasons].sort()).toEqual(["length", "stop"]);
    });

    it("are one of the choices, and match patterns", async () => {
      const choices = ["yes", "yes, often", "no"];
      expect(choices).toContain((await model.generate("Is it so?", { choices, temperature: 1.5, seed: 2 })).text);
      expect((await model.generate("A code:", { regex: /[A-Z]{2}-\d{3}/, seed: 2 })).text).toMatch(/^[A-Z]{2}-\d{3}$/);
    });

    it("tell how likely each choice is, among the choices alone", async () => {
      const choices = ["a red dog", "{x}", "a red cat"];
      const { text, choiceLogprobs = [] } = await model.generate("Once upon a time there was", { choices, temperature: 0 });
      expect(text).toBe(likeliest(choices, choiceLogprobs));
      expect(choiceLogprobs).toHaveLength(3);
      expect(choiceLogprobs.reduce((sum, value) => sum + Math.exp(value), 0)).toBeCloseTo(1, 4);
      const again = await model.generate("Once upon a time there was", { choices: choices.toReversed(), temperature: 1.5, seed: 3 });
      for (const [i, value] of (again.choiceLogprobs ?? []).toReversed().entries()) expect(value).toBeCloseTo(choiceLogprobs[i] ?? 0, 1);
      expect((await model.generate("So:", { choices: ["yes"] })).choiceLogprobs).toEqual([expect.closeTo(0, 6)]);
      expect((await model.generate("So:", { regex: "[a-z]{3}" })).choiceLogprobs).toBeUndefined();
    });

    it("are the likeliest choice as a whole, whatever its first token is worth, and drawn by what each is worth", async () => {
      for (const [prompt, ...choices] of wholes) {
        const { text, choiceLogprobs = [], finishReason, usage } = await model.generate(prompt, { choices, temperature: 0 });
        expect([text, finishReason]).toEqual([likeliest(choices, choiceLogprobs), "stop"]);
        expect(usage.completionTokens).toBeGreaterThan(1);
      }
      const choices = ["the cat", "the dog", "a cat"];
      const drawn = new Set<string>();
      for (let seed = 0; seed < 24 && drawn.size < 2; seed += 1)
        drawn.add((await model.generate("There was", { choices, temperature: 2, topP: 1, topK: 0, minP: 0, seed: seed * 7919 })).text);
      expect(drawn.size).toBe(2);
    });

    it("are cut where a choice has no room, and say how likely each is all the same", async () => {
      const choices = ["a red dog sat in the garden", "a red cat sat in the garden"];
      const { text, finishReason, choiceLogprobs } = await model.generate("So:", { choices, temperature: 0, maxTokens: 2 });
      expect(choices.some((choice) => choice.startsWith(text) && choice !== text)).toBe(true);
      expect([finishReason, choiceLogprobs?.length]).toEqual(["length", 2]);
    });

    it("are whole where tokens ran out behind their last letter, and nothing else could follow", async () => {
      const options = { jsonSchema: { const: "tea" }, seed: 1, temperature: 0 };
      const { usage } = await model.generate("Tell me.", options);
      const most = usage.completionTokens;
      for (const maxTokens of [most - 1, most - 2]) {
        const { text, json, finishReason } = await model.generate("Tell me.", { ...options, maxTokens });
        const isWhole = text === '"tea"';
        expect([maxTokens, json, finishReason]).toEqual([maxTokens, isWhole ? "tea" : undefined, isWhole ? "stop" : "length"]);
      }
      // the last token that was counted is the end itself
      expect((await model.generate("Tell me.", { ...options, maxTokens: most - 1 })).text).toBe('"tea"');
    });

    it("say so where a stop string cuts them", async () => {
      const { text, json, finishReason, warnings } = await model.generate("Tell me.", { jsonSchema: schema, stop: [":"], seed: 1 });
      expect([text.includes(":"), json, finishReason, warnings.map(({ code }) => code)]).toEqual([
        false,
        undefined,
        "length",
        ["output-invalid"],
      ]);
    });

    it("end where they are aborted, and the next call works", async () => {
      const abort = new AbortController();
      const read = async (): Promise<void> => {
        const stream = model.stream("Tell me.", { jsonSchema: schema, signal: abort.signal });
        for await (const part of stream) if (part.type === "text-delta") abort.abort();
      };
      const error = await failure(read());
      expect(error.code).toBe("run-aborted");
      expect((await model.generate("Say it.", { choices: ["b"] })).text).toBe("b");
    });

    it("are refused before the model is asked", async () => {
      expect((await failure(model.generate("x", { jsonSchema: { type: "array", uniqueItems: true } }))).details ?? {}).not.toHaveProperty(
        "partialText",
      );
      expect(await failure(model.generate("x", { grammar: "root ::= (" }))).toMatchObject({ code: "run-option", where: "grammar" });
      expect(await failure(model.generate("x", { choices: ["a"], numBeams: 2 }))).toMatchObject({ code: "run-option", where: "numBeams" });
    });
  });
}

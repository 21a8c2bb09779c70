/** Answers of the decode loop under a grammar, against a naive choice over the whole vocabulary; what a vocabulary can write. */
import { readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { constraintOf } from "../../../src/core/grammar/constraint.ts";
import { createMatcher } from "../../../src/core/grammar/matcher.ts";
import { draw, filterCandidates, seededRandom } from "../../../src/core/sampling.ts";
import type { GenerateOptions } from "../../../src/core/spec/generate.ts";
import type { Constraint, Grammar } from "../../../src/core/spec/grammar.ts";
import { greedy, type TokenSampling } from "../../../src/core/spec/sampling.ts";
import { encode } from "../../../src/core/t5/decode.ts";
import { createHold, createVocabulary, type Hold } from "../../../src/core/t5/hold.ts";
import { rateAnswers } from "../../../src/core/t5/rate.ts";
import { type SearchOptions, searchTokens } from "../../../src/core/t5/search.ts";
import { searchMany } from "../../../src/core/t5/search-many.ts";
import { tokenTexts } from "../../../src/core/text/token-texts.ts";
import { eagerDrafter, plainSession, scoresAfter } from "./plain-session.ts";

function formOf(options: GenerateOptions): Exclude<Constraint, { readonly kind: "grammar" }> {
  const constraint = constraintOf(options);
  if (constraint.kind === "grammar") throw new Error("no grammar was made");
  return constraint;
}

const texts = [
  "",
  "",
  " a",
  "a",
  "b",
  " ",
  '"',
  '",',
  "(",
  ")",
  ":",
  "1",
  "2",
  ",",
  "ab",
  "true",
  '("',
  ' "',
  "c",
  "1)",
  "e",
  "t",
  "r",
  "u",
];
const end = 1;
const vocabulary = createVocabulary(texts);
const standIns: Readonly<Record<string, readonly string[]>> = { "(": ["{", "["], ")": ["}", "]"] };

const forms = [
  formOf({
    jsonSchema: {
      type: "object",
      properties: { a: { type: "integer" }, b: { type: "array", items: { enum: [true, 1] } } },
      required: ["a"],
    },
  }),
  formOf({ jsonSchema: { type: "string", maxLength: 5 } }),
  formOf({ choices: ["ab", "a b", "(c)", "true"] }),
  formOf({ regex: "[abc]{2,4}(: [12]+)?" }),
];

/** Longest reading of a token after a text, letter by letter. */
function naiveNext(grammar: Grammar, text: string, id: number): string | undefined {
  const matcher = createMatcher(grammar);
  const fits = (next: string): boolean => matcher.walk(matcher.start, next) !== undefined;
  const write = (token: string): string | undefined => {
    let all = text;
    for (const letter of token) {
      const next = [letter, ...(standIns[letter] ?? [])].find((each) => fits(all + each));
      if (next === undefined) return undefined;
      all += next;
    }
    return all;
  };
  const token = texts[id] ?? "";
  if (token === "") return undefined;
  return write(token) ?? (text === "" && token.length > 1 && token.startsWith(" ") ? write(token.slice(1)) : undefined);
}

function naive(seed: number, input: readonly number[], grammar: Grammar, sampling: TokenSampling, maxTokens: number) {
  const random = seededRandom(sampling.seed);
  const produced = [0];
  let text = "";
  while (produced.length <= maxTokens) {
    const mayEnd = createMatcher(grammar).accepts(text);
    const scores = scoresAfter(seed, input, produced, texts.length).map((score, id) =>
      (id === end ? mayEnd : naiveNext(grammar, text, id) !== undefined) ? score : Number.NEGATIVE_INFINITY,
    );
    const id = sampling.kind === "greedy" ? scores.indexOf(Math.max(...scores)) : draw(filterCandidates(scores, sampling), random());
    produced.push(id);
    if (id === end) break;
    text = naiveNext(grammar, text, id) ?? "?";
  }
  return { ids: produced.slice(1), text };
}

function options(hold: Hold, sampling: TokenSampling, maxTokens: number): SearchOptions {
  const rest = { minTokens: 0, noRepeatNgramSize: 0, suppressTokens: [], endIds: new Set([end]), startId: 0, pause: async () => undefined };
  return { sampling, maxTokens, hold, ...rest };
}

const cases = {
  seed: fc.integer({ min: 1, max: 1_000_000 }),
  draft: fc.option(fc.integer({ min: 1, max: 1000 }), { nil: undefined }),
  input: fc.array(fc.integer({ min: 2, max: texts.length - 1 }), { minLength: 1, maxLength: 8 }),
  form: fc.constantFrom(...forms),
  sampling: fc.oneof(
    fc.constant<TokenSampling>(greedy),
    fc.record({
      kind: fc.constant("random" as const),
      seed: fc.nat(99),
      temperature: fc.constantFrom(0.5, 1.5),
      topK: fc.constantFrom(undefined, 2, 5),
      topP: fc.constantFrom(undefined, 0.8),
    }),
  ),
};

describe("answers under a grammar", () => {
  it("are what the naive choice finds, with guesses from the input and from a copy, drawn or greedy", async () => {
    await fc.assert(
      fc.asyncProperty(cases.seed, cases.draft, cases.input, cases.form, cases.sampling, async (seed, draft, input, form, sampling) => {
        const plain = plainSession(seed, texts.length);
        const copy = plainSession(draft === undefined || draft % 2 === 0 ? seed : draft, texts.length, plain.runtime.keepsOutputs);
        const drafter = eagerDrafter(copy);
        const session = { ...plain, ...(draft === undefined ? {} : { drafter }) };
        const hold = createHold(vocabulary, form, new Set([end]));
        const decoder = hold.createDecoder();
        const ids: number[] = [];
        let text = "";
        for await (const id of searchTokens(session, await encode(session, [input]), input, options(hold, sampling, 20))) {
          ids.push(id);
          if (id !== end) text += decoder.push(id);
        }
        const wanted = naive(seed, input, form.grammar, sampling, 20);
        expect({ ids, text }).toEqual(wanted);
        if (ids.at(-1) === end) expect(createMatcher(form.grammar).accepts(text)).toBe(true);
      }),
      { numRuns: 150, seed: 1 },
    );
  });

  it("are in a batch what they are alone", async () => {
    const inputs = [[3, 4], [9, 2, 2], [5]];
    for (const [seed, form] of forms.entries()) {
      const session = plainSession(seed + 1, texts.length);
      const found: number[][] = inputs.map(() => []);
      for await (const { index, id } of searchMany(session, inputs, options(createHold(vocabulary, form, new Set([end])), greedy, 20)))
        found[index]?.push(id);
      expect(found).toEqual(inputs.map((input) => naive(seed + 1, input, form.grammar, greedy, 20).ids));
    }
  });
});

describe("what a vocabulary writes", () => {
  it("letters that it lacks have another's token, unless that letter fits itself", () => {
    const letters = (list: readonly number[]): string => String.fromCodePoint(...list);
    expect(letters(vocabulary.letters)).toContain("{");
    expect(letters(vocabulary.letters)).not.toContain("<");
    const hold = createHold(vocabulary, formOf({ jsonSchema: { type: "string" } }), new Set([end]));
    const decoder = hold.createDecoder();
    expect([6, 8, 6].map((id) => decoder.push(id)).join("")).toBe('"("');
  });

  it("a form that it cannot write is refused before the first step, with the letters", () => {
    const make = (given: GenerateOptions): Hold => createHold(vocabulary, formOf(given), new Set([end]));
    expect(() => make({ jsonSchema: { enum: ["<b>"] } })).toThrow(
      expect.objectContaining({ code: "run-option", message: expect.stringContaining('"<"') }),
    );
    const choices = ["ab", "~"];
    expect(() => make({ choices })).toThrow(
      expect.objectContaining({ code: "run-option", where: "choices", message: expect.stringContaining('"~"') }),
    );
    // of an enum the others stay
    expect(() => make({ jsonSchema: { enum: ["<b>", "ab"] } })).not.toThrow();
  });

  it("the bundled translator's has every letter of JSON, itself or by another", () => {
    const json = JSON.parse(
      readFileSync(new URL("../../../builtins/models/tiny-t5-en-fr/tokenizer.json", import.meta.url), "utf8"),
    ) as Record<string, unknown>;
    const {
      model,
      decoder,
      added_tokens: added,
    } = json as { model: { vocab: [string, number][]; unk_id: number } } & Record<string, unknown>;
    const pieces = model.vocab.map(([text]) => text);
    const list = tokenTexts({ pieces, unknown: pieces[model.unk_id], decoder, added });
    expect(list[0]).toBe("");
    const { letters } = createVocabulary(list);
    const wanted = '{}[]":, -.0123456789truefalsn';
    expect(Array.from(wanted).filter((letter) => !letters.includes(letter.codePointAt(0) ?? 0))).toEqual([]);
  });

  it("bytes of ASCII are letters, in SentencePiece and in GPT-2's form; special tokens write nothing", () => {
    const pieces = ["<unk>", "▁a", "<0x41>", "<0xC3>"];
    expect(tokenTexts({ pieces, unknown: "<unk>", decoder: null, added: [{ id: 4, content: "</s>", special: true }] })).toEqual([
      "",
      " a",
      "A",
      "",
      "",
    ]);
    const decoder = { type: "ByteLevel" };
    expect(tokenTexts({ pieces: ["Ġa", "Ċ", "Ã©", "Ã"], unknown: undefined, decoder, added: [] })).toEqual([" a", "\n", "é", ""]);
  });
});

it("the probability of an answer is the sum of its tokens', whatever stands beside it", async () => {
  const session = plainSession(5, texts.length);
  const input = [4, 9];
  const answers = [[3, end], [14, 4, 5, end], [end]];
  const got = await rateAnswers(session, await encode(session, [input]), answers, 0, async () => undefined);
  const wanted = answers.map((ids) =>
    ids.reduce((sum, id, at) => {
      const scores = scoresAfter(5, input, [0, ...ids.slice(0, at)], texts.length);
      return sum + (scores[id] ?? 0) - Math.log(scores.reduce((total, score) => total + Math.exp(score), 0));
    }, 0),
  );
  for (const [at, value] of wanted.entries()) expect(got[at]).toBeCloseTo(value, 4);
});

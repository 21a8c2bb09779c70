/** Thoughts apart from answers, wherever the text is cut. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createThinkingFilter, endsInThought, type ThinkingForm, type ThinkingPart, thinkingOf } from "../../../src/core/text/thinking.ts";
import { isLong } from "../../support.ts";

const form = (template: string): ThinkingForm => {
  const found = thinkingOf(template);
  if (found === undefined) throw new Error(`${template} shows no thinking`);
  return found;
};
const forms = { think: form("x <think> y"), magistral: form("[THINK]"), "gpt-oss": form("<|channel|>analysis") };

function read(
  marks: ThinkingForm,
  text: string,
  lengths: readonly number[] = [text.length || 1],
  isOpen = false,
): readonly [reasoning: string, text: string] {
  const filter = createThinkingFilter(marks, isOpen);
  const parts: ThinkingPart[] = [];
  let at = 0;
  for (let i = 0; at < text.length; i += 1) {
    const length = lengths[i % lengths.length] ?? 1;
    parts.push(...filter.push(text.slice(at, at + length)));
    at += length;
  }
  parts.push(...filter.end());
  const of = (type: string): string => parts.map((part) => (part.type === type ? part.text : "")).join("");
  return [of("reasoning"), of("text")];
}

const numRuns = isLong ? 5000 : 300;
const lengths = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 8 });
const words = fc.array(
  fc.oneof(fc.string({ maxLength: 6 }), fc.constantFrom("<", "</th", "\n", " ", "<|end", "[/THI", '{"a": "<think>"}')),
  { maxLength: 6 },
);

describe.each(Object.entries(forms))("marks of %s", (_, marks) => {
  const begin = (answer: string): string => `${marks.gap}${marks.plain}${answer}`;
  it("part thought and answer, however the text is cut", () => {
    fc.assert(
      fc.property(words, words, lengths, fc.boolean(), (thought, answer, cuts, isOpen) => {
        const [a, b] = [thought.join("").trim().replaceAll(marks.close, ""), `A${answer.join("")}`];
        const text = `${isOpen ? "" : marks.open}\n${a}\n${marks.close}${begin(b)}`;
        expect(read(marks, text, cuts, isOpen)).toEqual([a.trim(), b]);
      }),
      { numRuns, seed: 5 },
    );
  });

  it("change nothing where no thought comes", () => {
    fc.assert(
      fc.property(words, lengths, (answer, cuts) => {
        const text = `\n A${answer.join("")}`;
        expect(read(marks, text, cuts)).toEqual(["", text]);
      }),
      { numRuns, seed: 6 },
    );
  });

  it("inside an answer are text", () => {
    const answer = `{"say": "${marks.open}x${marks.close}"}`;
    expect(read(marks, `${marks.open}a${marks.close}${begin(answer)}`, [2])).toEqual(["a", answer]);
    expect(read(marks, `${marks.plain}${answer}`, [2])).toEqual(["", answer]);
  });

  it("that never close leave thought alone", () => {
    expect(read(marks, `${marks.open}a ${marks.close.slice(0, 3)}`, [1])).toEqual([`a ${marks.close.slice(0, 3)}`, ""]);
  });
});

it("an answer that is white space or a beginning of a mark alone is text", () => {
  expect(read(forms.think, " \n", [1])).toEqual(["", " \n"]);
  expect(read(forms.think, "<thi", [1])).toEqual(["", "<thi"]);
});

it("an empty thought is none", () => {
  expect(read(forms.think, "<think>\n\n</think>\n\nHi", [3])).toEqual(["", "Hi"]);
});

it("a preamble of gpt-oss is text", () => {
  expect(read(forms["gpt-oss"], "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hi", [4])).toEqual([
    "hm",
    "Hi",
  ]);
});

it("a prompt that ends in a thought is known by its mark", () => {
  expect(endsInThought("<|Assistant|><think>\n", forms.think)).toBe(true);
  expect(endsInThought("<|im_start|>assistant\n<think>\n\n</think>\n\n", forms.think)).toBe(false);
});

it("a template without marks thinks nothing", () => {
  expect(thinkingOf("{{ messages }}")).toBeUndefined();
});

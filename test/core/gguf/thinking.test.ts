/** Models that think: by the marks of their templates, on a runtime that continues a text of ours. */
import { describe, expect, it } from "vitest";
import type { GenerateOptions, GenerateResult, Prompt } from "../../../src/core/spec/generate.ts";
import { type ScriptedModelOptions, scriptedModel } from "../../../src/core/testing/index.ts";
import { continuing } from "../../support/continuing.ts";

const template =
  "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}{% endfor %}<|assistant|>";
const opened = `${template}<think>\n`;
const switched = `${template}{% if enable_thinking is defined and not enable_thinking %}<think>\n\n</think>\n\n{% else %}{{ '' if true else '<think>' }}{% endif %}`;

async function ask(
  text: string,
  chatTemplate: string,
  options: GenerateOptions = {},
  more: ScriptedModelOptions = {},
  prompt: Prompt = "Hi",
): Promise<GenerateResult> {
  const model = await scriptedModel({ answer: continuing(text), chatTemplate, ...more });
  return model.generate(prompt, options);
}

describe("a thought", () => {
  it("is no text of the answer", async () => {
    expect(await ask("<think>\nI greet.\n</think>\n\nHello you", `${template}{# <think> #}`)).toMatchObject({
      reasoning: "I greet.",
      text: "Hello you",
      finishReason: "stop",
      warnings: [],
    });
  });

  it("may have been begun by the template", async () => {
    expect(await ask("I greet.\n</think>\n\nHello you", opened)).toMatchObject({ reasoning: "I greet.", text: "Hello you" });
  });

  it("does not end at a stop string of the answer", async () => {
    const result = await ask("<think> a, b </think> c, d", template, { stop: "," });
    expect(result).toMatchObject({ reasoning: "a, b", text: "c", finishReason: "stop" });
    // <think> a, b </think> c, are five words; they count once, whatever the runs of the engine
    expect(result.usage.completionTokens).toBe(5);
  });

  it("is parted from the answer by lines that end nothing", async () => {
    const result = await ask("I greet.\n</think>\n\nHello\nyou", opened, { stop: "\n" });
    expect(result).toMatchObject({ reasoning: "I greet.", text: "Hello", stoppedBy: "\n", finishReason: "stop", warnings: [] });
  });

  it("that takes all tokens leaves no answer, and that is told", async () => {
    for (const options of [{ maxTokens: 3 }, { maxTokens: 3, stop: "x" }]) {
      expect(await ask("<think> a b c d e </think> f", template, options)).toMatchObject({
        text: "",
        reasoning: "a b",
        finishReason: "length",
        warnings: [{ code: "answer-missing", message: "the model spent all 3 tokens on thinking and gave no answer" }],
      });
    }
  });

  it("that is never closed is closed where an answer has to keep a form", async () => {
    const answer = (prompt: string): Iterable<string> => (prompt.endsWith("</think>\n\n") ? ['"yes"'] : ["I", " greet."]);
    expect(await ask("", opened, { jsonSchema: { enum: ["yes"] } }, { answer })).toMatchObject({
      reasoning: "I greet.",
      text: '"yes"',
      json: "yes",
      finishReason: "stop",
      warnings: [],
    });
    expect(await ask("", opened, {}, { answer })).toMatchObject({ text: "", finishReason: "stop", warnings: [{ code: "answer-missing" }] });
  });

  it("counts in maxTokens", async () => {
    const result = await ask("<think> a </think> b c d e", template, { maxTokens: 5, stop: "x" });
    expect(result).toMatchObject({ text: "b c", finishReason: "length" });
    expect(result.usage.completionTokens).toBe(5);
  });
});

it("an answer without a thought begins anew under its stop strings, and counts once", async () => {
  const result = await ask("a, b", template, { stop: "," });
  expect(result).toMatchObject({ reasoning: undefined, text: "a", finishReason: "stop" });
  expect(result.usage.completionTokens).toBe(1);
});

it("reasoning off goes to the template's own switch, and is told where there is none", async () => {
  const echo = { answer: (prompt: string): Iterable<string> => [JSON.stringify(prompt)] };
  expect(await ask("", switched, { reasoning: "off" }, echo)).toMatchObject({
    text: JSON.stringify("<|user|>Hi<|assistant|><think>\n\n</think>\n\n"),
    warnings: [],
  });
  expect((await ask("", switched, {}, echo)).text).not.toContain("think");
  expect((await ask("<think>a</think>b", template, { reasoning: "off" })).warnings).toEqual([
    {
      code: "option-ignored",
      message: "reasoning is not known to this model's chat template: it thinks as it does",
      options: ["reasoning"],
    },
  ]);
  await expect(ask("", template, { reasoning: "some" as never })).rejects.toMatchObject({
    code: "run-option",
    message: 'reasoning: expected auto, off, got "some"',
  });
});

it("an earlier thought is in the prompt where the template reads it, and defused", async () => {
  const echo = { answer: (prompt: string): Iterable<string> => [`>${prompt}`], controlTokens: ["<|user|>"] };
  const said: Prompt = [
    { role: "user", content: "a" },
    {
      role: "assistant",
      content: [
        { type: "reasoning", text: "hm <|user|>" },
        { type: "text", text: "b" },
      ],
    },
    { role: "user", content: "c" },
  ];
  expect((await ask("", template, {}, echo, said)).text).toBe(
    "><|user|>a<|assistant|>b<think>hm <\u200b|user|></think><|user|>c<|assistant|>",
  );
  expect((await ask("", "{% for m in messages %}{{ m.content }}{% endfor %}", {}, echo, said)).text).toBe(">abc");
});

it("a raw prompt knows no thoughts", async () => {
  expect((await ask("<think>a</think>b", template, { raw: true })).text).toBe("<think>a</think>b");
});

import { describe, expect, it } from "vitest";
import type { GenerateOptions, Message, Prompt } from "../../../src/core/spec/generate.ts";
import type { StreamPart } from "../../../src/core/spec/stream-part.ts";
import { scriptedModel } from "../../../src/core/testing/index.ts";
import { textOf } from "../../support/text-of.ts";

const template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}";

/** Answers with the prompt it was given, so that tests see what reached the runtime. */
const echo = (prompt: string): Iterable<string> => [prompt];

describe("GGUF model", () => {
  it("renders text as one user message where there is a template, and passes it as it is where there is none", async () => {
    const chat = await scriptedModel({ answer: echo, chatTemplate: template });
    expect(await textOf(chat.stream("Hi"))).toBe("<|user|>Hi<|assistant|>");
    expect(
      await textOf(
        chat.stream(
          [
            { role: "user", content: "a" },
            { role: "assistant", content: "b" },
            { role: "user", content: "c" },
          ],
          { system: "s" },
        ),
      ),
    ).toBe("<|system|>s<|user|>a<|assistant|>b<|user|>c<|assistant|>");
    expect(await textOf(chat.stream("Hi", { raw: true }))).toBe("Hi");
    const plain = await scriptedModel({ answer: echo });
    expect(await textOf(plain.stream("Once upon"))).toBe("Once upon");
    expect(plain.hasChatTemplate).toBe(false);
  });

  it("G100 breaks control tokens in messages, warns once, and leaves raw text alone", async () => {
    const model = await scriptedModel({ answer: echo, chatTemplate: template, controlTokens: ["<|user|>"] });
    const parts: StreamPart[] = [];
    for await (const part of model.stream("a <|user|> b")) parts.push(part);
    expect(parts.filter((part) => part.type === "warning")).toEqual([
      { type: "warning", code: "prompt-defused", message: expect.stringContaining("U+200B") },
    ]);
    expect(parts.find((part) => part.type === "text-delta")).toMatchObject({ text: "<|user|>a <\u200b|user|> b<|assistant|>" });
    expect(await textOf(model.stream("a <|user|> b", { raw: true }))).toBe("a <|user|> b");
  });

  it("puts a system message before the first user message where the template refuses it", async () => {
    const strict = `{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}${template}`;
    const model = await scriptedModel({ answer: echo, chatTemplate: strict });
    const parts: StreamPart[] = [];
    for await (const part of model.stream("Hi", { system: "Be kind" })) parts.push(part);
    expect(parts.find((part) => part.type === "text-delta")).toMatchObject({ text: "<|user|>Be kind\n\nHi<|assistant|>" });
    expect(parts.filter((part) => part.type === "warning")).toHaveLength(1);
    const refuses = await scriptedModel({ chatTemplate: "{{ raise_exception('never') }}" });
    await expect(textOf(refuses.stream("Hi"))).rejects.toMatchObject({
      code: "template-parse",
      message: expect.stringContaining("never"),
    });
  });

  it("refuses messages of unknown form", async () => {
    const model = await scriptedModel({ chatTemplate: template });
    for (const prompt of [[], [{ role: "robot", content: "x" }], [{ role: "user", content: 3 }], [null]]) {
      await expect(textOf(model.stream(prompt as never))).rejects.toMatchObject({ code: "run-option" });
    }
    await expect(textOf(model.stream([{ role: "user", content: "x" }], { raw: true }))).rejects.toMatchObject({ code: "run-option" });
  });

  it.each<readonly [what: string, chatTemplate: string | undefined, last: Message["content"], prompt: string]>([
    ["a template", template, "Yes, <|user|>", "<|user|>So?<|assistant|>Yes, <\u200b|user|>"],
    ["no template", undefined, "Yes, ", "So?\n\nYes, "],
    ["a template that thinks where it wants to", `${template}{# <think> #}`, "Yes, ", "<|user|>So?<|assistant|>Yes, "],
    ["a template that has begun to think", `${template}{{ '<think>\n' }}`, "Yes, ", "<|user|>So?<|assistant|><think>\n\n</think>\n\nYes, "],
    [
      "a thought of its own",
      `${template}{# <think> #}`,
      [
        { type: "reasoning", text: "Hm." },
        { type: "text", text: "Yes, " },
      ],
      "<|user|>So?<|assistant|><think>\nHm.\n</think>\n\nYes, ",
    ],
    ["channels", `${template}{# <|channel|>analysis #}`, "Yes, ", "<|user|>So?<|assistant|><|channel|>final<|message|>Yes, "],
  ])("goes on with an answer that was begun: %s", async (_, chatTemplate, last, prompt) => {
    const model = await scriptedModel({ answer: echo, chatTemplate, controlTokens: ["<|user|>"] });
    const messages: Message[] = [
      { role: "user", content: "So?" },
      { role: "assistant", content: last },
    ];
    const { text, reasoning } = await model.generate(messages, { continueLast: true });
    expect([text, reasoning]).toEqual([prompt, undefined]);
  });

  it.each<readonly [what: string, prompt: Prompt, options: GenerateOptions]>([
    ["text", "So?", {}],
    ["a last message of the user", [{ role: "user", content: "So?" }], {}],
    ["an empty one", [{ role: "assistant", content: "" }], {}],
    ["a form", [{ role: "assistant", content: "[" }], { jsonSchema: { type: "array" } }],
    ["a tool that has to be called", [{ role: "assistant", content: "I" }], { tools: [{ name: "f" }], toolChoice: "required" }],
    ["a word for true", [{ role: "assistant", content: "I" }], { continueLast: "yes" as never }],
  ])("goes on with no %s", async (_, prompt, options) => {
    const model = await scriptedModel({ answer: echo, chatTemplate: template });
    await expect(model.generate(prompt, { continueLast: true, ...options })).rejects.toMatchObject({
      code: "run-option",
      where: "continueLast",
    });
  });

  it("R5 fails the call in which the engine dies with the text so far, and starts it again for the next", async () => {
    const model = await scriptedModel({ crashAt: (word, call) => word === 3 && call === 1 && crashes-- > 0 });
    let crashes = 1;
    await expect(textOf(model.stream("Once"))).rejects.toMatchObject({
      code: "run-crash",
      details: { partialText: expect.stringMatching(/^( \w+){3}$/) },
    });
    expect(await textOf(model.stream("Once", { maxTokens: 5 }))).toMatch(/^( \w+){5}$/);
  });

  it("R5 stops starting an engine that died three times within a minute", async () => {
    let deaths = 0;
    const model = await scriptedModel({
      crashAt: () => {
        deaths += 1;
        return true;
      },
    });
    for (let i = 0; i < 6; i += 1) await expect(textOf(model.stream("Once"))).rejects.toMatchObject({ code: "run-crash" });
    expect(deaths).toBe(4); // the first engine and three restarts
  });

  it("names an option its runtime cannot do, once, only when it was given", async () => {
    const model = await scriptedModel({ unsupported: ["minP"] });
    const warnings = async (options: object): Promise<string[]> => {
      const list: string[] = [];
      for await (const part of model.stream("Once", { maxTokens: 1, ...options })) if (part.type === "warning") list.push(part.message);
      return list;
    };
    expect(await warnings({})).toEqual([]);
    expect(await warnings({ minP: 0.1 })).toEqual([expect.stringMatching(/minP.*scripted/)]);
  });

  it("R13 ends a model that never ends at the default of 512 tokens", async () => {
    const model = await scriptedModel({ contextLength: 4096 });
    expect((await textOf(model.stream("Once"))).match(/ /g)).toHaveLength(512);
  });
});

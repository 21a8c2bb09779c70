/** Calls of programs without a compiler: what is no option, no prompt and no model is told, never ignored. */
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { checkPrompt } from "../../../src/core/text/check-call.ts";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { textOf } from "../../support/text-of.ts";

const file = writeGguf(tinyLlama());
const open = (answer: () => string[] = () => [" ok"]) => {
  const platform = memoryPlatform({ files: { "/models/a b.gguf": file }, gguf: scriptedRuntime({ answer }) });
  return { platform, spell: createSpell({ platform }) };
};

/** As a script calls it. */
// biome-ignore lint/suspicious/noExplicitAny: the wrong types are what is tested
const untyped = (value: unknown): any => value;

describe("options that are none", () => {
  it.each([
    [{ max_tokens: 5 }, "max_tokens", "maxTokens"],
    [{ "top-p": 0.5 }, "top-p", "topP"],
    [{ temprature: 0 }, "temprature", "temperature"],
    [{ maxtokens: 5 }, "maxtokens", "maxTokens"],
    [{ do_sample: true }, "do_sample", undefined],
  ])("of a generation: %j", async (options, where, meant) => {
    const { spell } = open();
    const model = await spell.load("/models/a b.gguf");
    const error = await textOf(model.stream("x", untyped(options))).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "run-option",
      where,
      message: `generation has no option ${where}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
      hint: expect.stringContaining("maxTokens, temperature"),
    });
    await model.dispose();
  });

  it("of load, createSpell, generate and pull, before anything is looked for", async () => {
    const { platform, spell } = open();
    await expect(spell.load("/none", untyped({ gpu: true }))).rejects.toMatchObject({ code: "run-option", where: "gpu" });
    await expect(spell.load("nowhere@ollama", untyped({ ctx: 1 }))).rejects.toMatchObject({ code: "run-option", where: "ctx" });
    await expect(spell.generate("/models/a b.gguf", "x", untyped({ max_tokens: 5 }))).rejects.toMatchObject({
      message: expect.stringContaining("maxTokens"),
    });
    // words of other libraries
    for (const [word, ours] of [
      ["abortSignal", "signal"],
      ["maxOutputTokens", "maxTokens"],
      ["max_new_tokens", "maxTokens"],
    ] as const)
      await expect(spell.generate("/models/a b.gguf", "x", untyped({ [word]: 1 }))).rejects.toMatchObject({
        message: expect.stringContaining(`did you mean ${ours}?`),
      });
    await expect(spell.models.pull("nowhere", untyped({ on_progress: () => undefined }))).rejects.toMatchObject({ where: "on_progress" });
    expect(() => createSpell(untyped({ platform, profil: "candle" }))).toThrow(/did you mean profile/);
  });
});

it("shows a wrong value as data: text in quotes", async () => {
  const { spell } = open();
  const wrong: readonly [string, unknown, string][] = [
    ["contextSize", "x", '"x"'],
    ["threads", 10n, "10"],
    ["device", ["gpu"], '["gpu"]'],
    ["batchSize", () => 1, "a function"],
    ["quantization", 4, "4"],
    ["draft", "f16", '"f16"'],
    ["signal", "now", '"now"'],
    ["pull", 1, "1"],
  ];
  for (const [where, value, got] of wrong)
    await expect(spell.load("/models/a b.gguf", untyped({ [where]: value }))).rejects.toMatchObject({
      code: "run-option",
      where,
      message: expect.stringMatching(new RegExp(`^${where}: expected .+, got ${got.replace(/[[\]]/g, "\\$&")}$`)),
    });
});

describe("what is no prompt", () => {
  it.each([
    [undefined, "prompt: expected text, or messages"],
    [null, "got null"],
    [5, "got 5"],
    [[], "expected at least one"],
    [[{ role: "boss", content: "x" }], "messages[0]"],
    [[{ role: "user", content: [{ type: "image", data: "x" }] }], "messages[0].content[0]"],
    [[{ role: "user", content: [{ type: "text" }] }], "messages[0].content[0]"],
    [[{ role: "tool", content: "x" }], "messages[0].content[0]"],
    [[{ role: "tool", content: [{ type: "tool-result", id: "", result: 1 }] }], "messages[0].content[0]"],
    [[{ role: "tool", content: [{ type: "tool-result", id: "1" }] }], "messages[0].content[0]"],
    [[{ role: "user", content: [{ type: "tool-call", id: "1", name: "a", input: {} }] }], "messages[0].content[0]"],
    [[{ role: "user", content: "x", nam: "Ann" }], "messages[0] has no key nam"],
    [[{ role: "user", content: "x", contents: "y" }], "messages[0] has no key contents; did you mean content?"],
    [[{ role: "user", content: [{ type: "text", text: "x", cache: true }] }], "messages[0].content[0] has no key cache"],
  ])("%j", async (prompt, text) => {
    const { spell } = open();
    const model = await spell.load("/models/a b.gguf");
    await expect(textOf(model.stream(untyped(prompt)))).rejects.toMatchObject({
      code: "run-option",
      message: expect.stringContaining(text),
    });
    await model.dispose();
  });
});

it("parts of a message are joined to its text", async () => {
  const { spell } = open();
  const model = await spell.load("/models/a b.gguf");
  const content = [
    { type: "text", text: "on" },
    { type: "text", text: "ce" },
  ] as const;
  expect((await model.generate([{ role: "user", content }])).text).toBe((await model.generate("once")).text);
  await model.dispose();
});

it("a conversation with calls of tools becomes one message for each result", () => {
  const call = { type: "tool-call", id: "1", name: "add", input: { a: 1 } } as const;
  const messages = checkPrompt([
    { role: "user", content: "1 + 1?" },
    { role: "assistant", content: [{ type: "reasoning", text: "hm" }, { type: "text", text: "I add." }, call] },
    {
      role: "tool",
      content: [
        { type: "tool-result", id: "1", result: { sum: 2 } },
        { type: "tool-result", id: "x", result: "two" },
      ],
    },
  ]);
  expect(messages).toEqual([
    { role: "user", content: "1 + 1?" },
    { role: "assistant", content: "I add.", reasoning: "hm", toolCalls: [call] },
    { role: "tool", content: '{"sum":2}', toolCallId: "1", toolName: "add" },
    { role: "tool", content: "two", toolCallId: "x", toolName: undefined },
  ]);
});

describe("what is no model", () => {
  it.each([[5], [null], [{}], [["model.gguf"]], [() => "x"]])("%j", async (source) => {
    const { spell } = open();
    await expect(spell.load(untyped(source))).rejects.toMatchObject({ code: "run-option", where: "source" });
  });

  it("an empty list of files is shown as one", async () => {
    const { spell } = open();
    await expect(spell.load([])).rejects.toMatchObject({
      code: "run-option",
      where: "source",
      message: "source: expected the name of a model, a path, an address, a File or Blob, or the files of a folder, got []",
    });
  });

  it("takes the address of a local file, as import.meta.url makes it", async () => {
    const { spell } = open();
    const model = await spell.load(new URL("file:///models/a%20b.gguf"));
    expect([model.id, await textOf(model.stream("x"))]).toEqual(["/models/a b.gguf", " ok"]);
    await model.dispose();
    await expect(spell.load(new URL("file:///C:/none.gguf"))).rejects.toMatchObject({
      code: "model-unknown",
      message: "C:/none.gguf: no such file or folder",
    });
    await expect(spell.load(new URL("file:///a%ff"))).rejects.toMatchObject({ code: "run-option" });
    await expect(spell.load(new URL("https://example.org/m.gguf"))).rejects.toMatchObject({ code: "model-not-installed" });
  });
});

it("a number that is none is no result of a tool: JSON would make null of it", () => {
  const said = (result: unknown) =>
    untyped([
      { role: "user", content: "x" },
      { role: "assistant", content: [{ type: "tool-call", id: "a", name: "add", input: {} }] },
      { role: "tool", content: [{ type: "tool-result", id: "a", result }] },
    ]);
  for (const result of [Number.NaN, { sum: [Number.POSITIVE_INFINITY] }]) expect(() => checkPrompt(said(result))).toThrow(/messages\[2\]/);
  for (const result of [null, { sum: [1] }, "NaN"]) expect(checkPrompt(said(result))).toHaveLength(3);
});

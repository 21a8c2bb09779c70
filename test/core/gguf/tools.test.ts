/** Tools of decoders, on a runtime that continues a text of ours. */
import { describe, expect, it } from "vitest";
import type { GenerateOptions, GenerateResult, Prompt, Tool } from "../../../src/core/spec/generate.ts";
import type { GgufRuntime } from "../../../src/core/spec/runtime.ts";
import { type ScriptedModelOptions, scriptedModel, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { continuing } from "../../support/continuing.ts";

const plain = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}<|assistant|>";
const hermes = `{% for tool in tools %}{{ tool | tojson }}{% endfor %}${plain}{# <tool_call> #}`;
const tools: readonly Tool[] = [
  {
    name: "get_weather",
    description: "Weather of a city",
    inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
  { name: "add" },
];
const rome = '<tool_call>\n{"name": "get_weather", "arguments": {"city": "Rome"}}\n</tool_call>';

async function ask(
  text: string,
  options: GenerateOptions = { tools },
  more: ScriptedModelOptions = {},
  prompt: Prompt = "Hi",
): Promise<GenerateResult> {
  const model = await scriptedModel({ answer: continuing(text), chatTemplate: hermes, ...more });
  return model.generate(prompt, options);
}
const echo = (chatTemplate = hermes): ScriptedModelOptions => ({
  chatTemplate,
  answer: (prompt: string): Iterable<string> => [`>${prompt}`],
});

describe("a model with tools", () => {
  it("asks for a call, and ends with tool-calls", async () => {
    expect(await ask(`I look.\n${rome}`)).toMatchObject({
      text: "I look.\n",
      toolCalls: [{ type: "tool-call", id: expect.stringMatching(/^\w{9}$/), name: "get_weather", input: { city: "Rome" } }],
      finishReason: "tool-calls",
    });
  });

  it("that has to call is given the beginning of a call", async () => {
    const prompts: string[] = [];
    const answer = (prompt: string): Iterable<string> => {
      prompts.push(prompt);
      return continuing(rome)(prompt);
    };
    for (const toolChoice of ["required", { name: "get_weather" }] as const) {
      const result = await ask("", { tools, toolChoice }, { answer });
      expect(result).toMatchObject({ text: "", toolCalls: [{ name: "get_weather", input: { city: "Rome" } }], finishReason: "tool-calls" });
    }
    expect(prompts.map((prompt) => prompt.slice(-20))).toEqual(Array.from({ length: 2 }, () => "Hi<|assistant|><tool_call>".slice(-20)));
  });

  it("that has to call thinks first", async () => {
    const thinks = { chatTemplate: `${hermes}{# <think> #}` };
    expect(await ask(`<think>hm</think>\n\n${rome}`, { tools, toolChoice: "required" }, thinks)).toMatchObject({
      reasoning: "hm",
      text: "",
      toolCalls: [{ input: { city: "Rome" } }],
    });
  });

  it("writes a call in a run of its own, under its form, from the trigger on", async () => {
    const runtime = scriptedRuntime({ answer: continuing(`I look. ${rome}`) });
    const held: unknown[] = [];
    const watched: GgufRuntime = {
      ...runtime,
      async open(files, options) {
        const handle = await runtime.open(files, options);
        return {
          ...handle,
          generate(prompt, call) {
            held.push([prompt.slice(-13), call.stop, call.constraint?.kind, call.sampling.penalties === undefined]);
            return handle.generate(prompt, call);
          },
        };
      },
    };
    const model = await scriptedModel({ chatTemplate: hermes, runtime: watched });
    expect(await model.generate("Hi", { tools, stop: "###" })).toMatchObject({
      text: "I look. ",
      toolCalls: [{ input: { city: "Rome" } }],
      usage: { completionTokens: 9 },
    });
    expect(held).toEqual([
      ["<|assistant|>", ["###", "<tool_call>"], undefined, false],
      ["k. <tool_call>".slice(-13), [], "tools", true],
    ]);
  });

  it("that is cut within a call gives its text", async () => {
    expect(await ask(rome, { tools, maxTokens: 3 })).toMatchObject({
      text: '<tool_call>\n{"name": "get_weather",',
      toolCalls: [],
      finishReason: "length",
    });
  });

  it("that does not call answers as ever", async () => {
    expect(await ask("It is <b>warm</b>.")).toMatchObject({ text: "It is <b>warm</b>.", toolCalls: [], finishReason: "stop" });
  });

  it("calls after a thought; what it only thinks of calling is not called", async () => {
    const thinks = { chatTemplate: `${hermes}{# <think> #}` };
    expect(await ask(`<think>maybe ${rome}</think>\n\n${rome}`, { tools }, thinks)).toMatchObject({
      reasoning: `maybe ${rome}`,
      text: "",
      toolCalls: [{ name: "get_weather" }],
    });
  });

  it("sees them as its template reads them, none included", async () => {
    const told =
      '{"type": "function", "function": {"name": "get_weather", "description": "Weather of a city", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}}{"type": "function", "function": {"name": "add", "description": "", "parameters": {"type": "object", "properties": {}}}}';
    expect((await ask("", { tools }, echo())).text).toBe(`>${told}<|user|>Hi<|assistant|>`);
    expect(await ask(rome, { tools, toolChoice: "none" })).toMatchObject({ text: rome, toolCalls: [], finishReason: "stop" });
  });

  it("whose template has no word of tools is told in the system message", async () => {
    expect((await ask("", { tools, system: "Be brief." }, echo(plain))).text).toMatch(
      /^><\|system\|>Be brief\.\n\nYou may call these functions:\n<tools>\n\{.*get_weather/,
    );
    expect(await ask(rome, { tools }, { chatTemplate: plain })).toMatchObject({
      toolCalls: [{ name: "get_weather", input: { city: "Rome" } }],
    });
  });

  it("reads its calls and their results again", async () => {
    const said: Prompt = [
      { role: "user", content: "Weather?" },
      { role: "assistant", content: [{ type: "tool-call", id: "a", name: "get_weather", input: { city: "Rome" } }] },
      { role: "tool", content: [{ type: "tool-result", id: "a", result: { temp: 21 } }] },
    ];
    expect((await ask("", {}, echo(plain), said)).text).toBe(
      '><|user|>Weather?<|assistant|><tool_call>\n{"name":"get_weather","arguments":{"city":"Rome"}}\n</tool_call><|user|><tool_response>\n{"temp":21}\n</tool_response><|assistant|>',
    );
  });
});

describe("a model of gpt-oss", () => {
  // the constructs of its template, written anew
  const harmony = `{% for tool in tools %}// type {{ tool.function.name }} in functions.{% endfor %}{% for m in messages %}{% if m.tool_calls %}<|start|>assistant to=functions.{{ m.tool_calls[0].function.name }}<|channel|>commentary json<|message|>{{ m.tool_calls[0].function.arguments | tojson }}<|call|>{% elif m.role == "tool" %}<|start|>functions.{{ m.name }} to=assistant<|channel|>commentary<|message|>{{ m.content }}<|end|>{% else %}<|start|>{{ m.role }}<|message|>{{ m.content }}<|end|>{% endif %}{% endfor %}<|start|>assistant{# <|channel|>analysis #}`;
  const model = { chatTemplate: harmony };
  const input = '{"city": "Rome"}';
  const call = { type: "tool-call", name: "get_weather", input: { city: "Rome" } };

  it.each([
    [
      "after a thought",
      `<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>${input}`,
      "hm",
      "",
    ],
    ["at once, the recipient behind the role", ` to=functions.get_weather<|channel|>commentary json<|message|>${input}<|call|>`, "", ""],
    [
      "after a word to the user",
      `<|channel|>commentary<|message|>I look.<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather<|message|>${input}`,
      "",
      "I look.",
    ],
  ])("calls %s", async (_, written, reasoning, text) => {
    const result = await ask(written, { tools }, model);
    expect(result).toMatchObject({ text, toolCalls: [call], finishReason: "tool-calls" });
    expect(result.reasoning ?? "").toBe(reasoning);
  });

  it("that has to call thinks, and then begins the message to a function", async () => {
    const prompts: string[] = [];
    const written = `<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.get_weather <|constrain|>json<|message|>${input}`;
    const answer = (prompt: string): Iterable<string> => {
      prompts.push(prompt);
      return continuing(written)(prompt);
    };
    expect(await ask("", { tools, toolChoice: "required" }, { ...model, answer })).toMatchObject({
      reasoning: "hm",
      text: "",
      toolCalls: [call],
    });
    expect(prompts.at(-1)).toMatch(/hm<\|end\|><\|start\|>assistant<\|channel\|>commentary to=functions\.$/);
  });

  it("answers without a call", async () => {
    const written = "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>It is warm.";
    expect(await ask(written, { tools }, model)).toMatchObject({
      reasoning: "hm",
      text: "It is warm.",
      toolCalls: [],
      finishReason: "stop",
    });
  });
});

describe.each([
  [
    "V3",
    "'function' + '<｜tool▁sep｜>' + c.function.name + '\\n```json\\n' + c.function.arguments + '\\n```'",
    'function<｜tool▁sep｜>get_weather\n```json\n{"city":"Rome"}\n```',
  ],
  ["V3.1", "c.function.name + '<｜tool▁sep｜>' + c.function.arguments", 'get_weather<｜tool▁sep｜>{"city":"Rome"}'],
])("a model of DeepSeek %s", (_, template, written) => {
  const deepseek = `{% for tool in tools %}{{ tool.function.name }}{% endfor %}{% for m in messages %}<｜{{ m.role }}｜>{{ m.content }}{% if m.tool_calls %}<｜tool▁calls▁begin｜>{% for c in m.tool_calls %}{{ '<｜tool▁call▁begin｜>' + ${template} + '<｜tool▁call▁end｜>' }}{% endfor %}<｜tool▁calls▁end｜>{% endif %}{% endfor %}<｜Assistant｜>`;
  const call = `<｜tool▁call▁begin｜>${written}<｜tool▁call▁end｜>`;
  const said = { type: "tool-call", name: "get_weather", input: { city: "Rome" } };

  it("calls twice in an answer", async () => {
    const result = await ask(`I look.<｜tool▁calls▁begin｜>${call}\n${call}<｜tool▁calls▁end｜>`, { tools }, { chatTemplate: deepseek });
    expect(result).toMatchObject({ text: "I look.", toolCalls: [said, said], finishReason: "tool-calls" });
  });

  it("reads its calls as it wrote them", async () => {
    const prompt: Prompt = [
      { role: "user", content: "Weather?" },
      { role: "assistant", content: [{ type: "tool-call", id: "a", name: "get_weather", input: { city: "Rome" } }] },
      { role: "tool", content: [{ type: "tool-result", id: "a", result: { temp: 21 } }] },
    ];
    const asked: string[] = [];
    const answer = (text: string): Iterable<string> => {
      asked.push(text);
      return ["It is warm."];
    };
    await ask("", { tools }, { chatTemplate: deepseek, answer }, prompt);
    expect(asked[0]).toContain(`<｜tool▁calls▁begin｜>${call}<｜tool▁calls▁end｜>`);
  });
});

it.each<[string, ScriptedModelOptions]>([
  ["without a chat template", { chatTemplate: undefined }],
  ["whose calls have a form that is not known here", { chatTemplate: "{{ tools }}<|channel|>" }],
])("a model %s takes tools that may not be called", async (_, model) => {
  expect(await ask("It is warm.", { tools, toolChoice: "none" }, model)).toMatchObject({ text: "It is warm.", finishReason: "stop" });
});

describe("tools are refused by name", () => {
  it.each<[string, GenerateOptions, ScriptedModelOptions, string]>([
    [
      "without a chat template",
      { tools },
      { chatTemplate: undefined },
      "tools: expected none, got 2; this model has no chat template, so it knows no tools",
    ],
    ["beside a raw prompt", { tools, raw: true }, {}, "tools: expected none, got 2; a raw prompt says by itself what a model may call"],
    [
      "where the form of calls is not known",
      { tools },
      { chatTemplate: "{{ tools }}<|channel|>" },
      "tools: expected none, got 2; calls of this model have a form that is not known here",
    ],
    ["that are no list", { tools: {} as never }, {}, "tools: expected a list of { name, description, inputSchema }, got {}"],
    ["of one name", { tools: [{ name: "a" }, { name: "a" }] }, {}, 'tools[1].name: expected a name of its own, got "a"'],
    ["with a name of other letters", { tools: [{ name: "a b" }] }, {}, 'tools[0].name: expected 1–64 letters, digits, _ and -, got "a b"'],
    [
      "with a member of another name",
      { tools: [{ name: "a", parameters: {} } as never] },
      {},
      'tools[0]: expected name, description, inputSchema, got "parameters"',
    ],
    [
      "that are too many",
      { tools: Array.from({ length: 129 }, (_, i) => ({ name: `t${i}` })) },
      {},
      "tools: expected at most 128, got 129",
    ],
    [
      "beside a form of the answer",
      { tools, jsonSchema: true },
      {},
      "jsonSchema: expected none beside tools that may be called; ask for it in a call of its own",
    ],
    [
      "with a schema that is none",
      { tools: [{ name: "a", inputSchema: 5 as never }] },
      {},
      "tools[0].inputSchema: expected a JSON Schema, got number",
    ],
    ["a choice without tools", { toolChoice: "required" }, {}, 'tools: expected at least one beside toolChoice, got "none"'],
    ["a choice of another name", { tools, toolChoice: { name: "b" } }, {}, 'toolChoice: expected get_weather, add, got "b"'],
    [
      "another choice",
      { tools, toolChoice: "some" as never },
      {},
      'toolChoice: expected auto, none, required, or { name: "…" }, got "some"',
    ],
  ])("%s", async (_, options, more, message) => {
    await expect(ask("", options, more)).rejects.toMatchObject({ code: "run-option", message });
  });
});

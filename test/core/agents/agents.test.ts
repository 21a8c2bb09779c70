import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, it } from "vitest";
import type { Agent } from "../../../src/core/agents/agent.ts";
import { type AgentHost, createAgents, createRemoved } from "../../../src/core/agents/agents.ts";
import { agentOptionNames } from "../../../src/core/agents/options.ts";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { TokenSampling } from "../../../src/core/spec/sampling.ts";
import { memoryPlatform, type ScriptedRuntimeOptions, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { parameterRules } from "../../../src/core/text/parameters.ts";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { failure } from "../../support/failure.ts";

const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";

/** Agents whose model says what it was asked. */
async function agentsOf(config: ConfigInput = {}, scripted: ScriptedRuntimeOptions = {}, host: Partial<AgentHost> = {}) {
  const prompts: string[] = [];
  const samplings: TokenSampling[] = [];
  const opened: number[] = [];
  const runtime = scriptedRuntime({
    answer(prompt, sampling) {
      prompts.push(prompt);
      samplings.push(sampling);
      return [" one", " two", " three"];
    },
    ...scripted,
  });
  const gguf: typeof runtime = {
    name: "counted",
    open(files, options) {
      opened.push(options.contextLength);
      return runtime.open(files, options);
    },
  };
  const bytes = writeGguf(tinyLlama({ chatTemplate: template }));
  const log: string[] = [];
  const files = { "tiny-stories/tiny-stories.gguf": bytes, "./own.gguf": bytes };
  const platform = memoryPlatform({ files, gguf, fetch, log: ({ message }) => log.push(message) });
  const spell = createSpell({ platform, config, env: {} });
  const agents = createAgents({ spell, config: await spell.config(), ...host });
  return { agents, spell, prompts, samplings, opened, log };
}

const caught = (work: () => unknown): SpellError => {
  try {
    work();
  } catch (error) {
    if (error instanceof SpellError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
};

describe("agents", () => {
  it("send the conversation as messages through the model's own template, and tell what it cost", async () => {
    const { agents, prompts } = await agentsOf();
    const agent = agents.builder().set("name", "tom").set("model", "tiny-stories").set("system_prompt", "Be brief.").set("seed", 7).build();
    const first = await agent.execute("Who are you?");
    expect(first).toMatchObject({
      text: " one two three",
      data: undefined,
      metadata: { model: "tiny-stories", provider: "candle", backend: "candle", finishReason: "stop", completionTokens: 3, seed: 7 },
    });
    const { promptTokens = 0, tokenCount, device } = first.metadata;
    expect(tokenCount).toBe(promptTokens + 3);
    expect(device?.chosen).toBeTypeOf("string");
    await agent.execute({ text: "And then?", messages: [{ role: "user", content: "It rains." }] });
    expect(prompts).toEqual([
      "<system>Be brief.<user>Who are you?<assistant>",
      "<system>Be brief.<user>Who are you?<assistant> one two three<user>It rains.<user>And then?<assistant>",
    ]);
    expect(agent.history.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user", "user", "assistant"]);
    expect(agent.metrics).toMatchObject({ calls: 2, failures: 0, completionTokens: 6 });
    agent.reset();
    expect(agent.history).toEqual([{ role: "system", content: "Be brief." }]);
  });

  it("keep the newest messages, beginning with one of the user", async () => {
    const { agents, prompts } = await agentsOf();
    const agent = agents.builder().set("model", "tiny-stories").set("max_conversation_length", 3).build();
    for (const text of ["a", "b", "c"]) await agent.execute(text);
    expect(agent.history.map(({ content }) => content)).toEqual(["c", " one two three"]);
    expect(prompts[2]).toBe("<user>b<assistant> one two three<user>c<assistant>");
  });

  it("take the last answer back, and no other", async () => {
    const { agents } = await agentsOf();
    const agent = agents.builder().set("model", "tiny-stories").build();
    const first = await agent.execute("a");
    const second = await agent.execute("b");
    agent.takeBack(first);
    expect(agent.history).toHaveLength(4);
    agent.replaceText(first, "x");
    agent.replaceText(second, "[removed]");
    expect(agent.history.map(({ content }) => content)).toEqual(["a", " one two three", "b", "[removed]"]);
    agent.takeBack(second);
    agent.takeBack(first);
    expect(agent.history.map(({ content }) => content)).toEqual(["a", " one two three"]);
  });

  it("take parameters: of the call before those of the builder, those before the provider's", async () => {
    const { agents, samplings } = await agentsOf({
      providers: { candle: { provider_type: "candle", seed: 5, temperature: 0.1, top_k: 9, default_model: "tiny-stories" } },
    });
    const agent = agents
      .builder()
      .set("provider", "local")
      .set("temperature", 0.2)
      .set("parameters", { top_p: 0.5, min_p: 0.2 })
      .set("custom_config", { min_p: 0.3, description: "d" })
      .build();
    const answer = await agent.execute({ text: "x", parameters: { temperature: 0.3 } });
    expect(answer.metadata.seed).toBe(5);
    expect(samplings[0]).toMatchObject({ kind: "random", seed: 5, temperature: 0.3, topK: 9, topP: 0.5, minP: 0.3 });
    await agent.execute({ text: "x", parameters: { preset: "greedy", seed: 8 } });
    expect(samplings[1]).toMatchObject({ kind: "greedy", seed: 8 });
    expect(agent.description).toBe("d");
  });

  it("hand out the text as it comes, wait for the reader, and stop where it says so", async () => {
    const seen: string[] = [];
    const { agents } = await agentsOf({}, {}, { onText: (text) => seen.push(text) });
    const agent = agents.builder().set("model", "tiny-stories").build();
    const chunks: unknown[] = [];
    const whole = await agent.execute("go", async (chunk) => {
      await new Promise((resolve) => setTimeout(resolve, 5));
      chunks.push(chunk);
    });
    expect(chunks).toEqual([
      { text: " one", index: 0, done: false },
      { text: " two", index: 1, done: false },
      { text: " three", index: 2, done: false },
      { text: "", index: 3, done: true },
    ]);
    expect(whole.chunksReceived).toBe(4);
    const stopped = await agent.execute("go", ({ index }) => index < 1);
    expect(stopped).toMatchObject({ text: " one two", chunksReceived: 2, metadata: { finishReason: "aborted" } });
    expect(stopped.metadata).not.toHaveProperty("completionTokens");
    expect(agent.history.at(-1)).toEqual({ role: "assistant", content: " one two" });
    expect(seen.join("")).toBe(" one two three one two");
    await expect(
      agent.execute("go", () => {
        throw new RangeError("mine");
      }),
    ).rejects.toThrow("mine");
    expect(agent.history).toHaveLength(4);
    expect(agent.metrics).toMatchObject({ calls: 2, failures: 1 });
  });

  it("answer calls that overlap one after the other, and end at their limit of time with the text so far", async () => {
    const { agents, prompts } = await agentsOf({}, { stepMs: 30 });
    const agent = agents.builder().set("model", "tiny-stories").set("resource_limits", { max_execution_time_secs: 60 }).build();
    const both = Promise.all([agent.execute("a"), agent.execute("b")]);
    expect(agent.state).toBe("running");
    await both;
    expect(agent.state).toBe("ready");
    expect(prompts[1]).toContain("<user>a<assistant> one two three<user>b");
    const slow = await agentsOf({}, { stepMs: 100, answer: () => Array<string>(50).fill(" w") });
    const hasty = slow.agents.builder().set("model", "tiny-stories").set("max_execution_time", 0.45).build();
    const error = await failure(hasty.execute("go"));
    expect(error).toMatchObject({ code: "agent-timeout", where: "max_execution_time" });
    expect(error.message).toContain("0.45 s");
    expect(hasty.history).toEqual([]);
  });

  it("end with their host, as run-aborted", async () => {
    const stop = new AbortController();
    const { agents } = await agentsOf({}, { stepMs: 50, answer: () => Array<string>(50).fill(" w") }, { signal: stop.signal });
    const answer = agents.builder().set("model", "tiny-stories").build().execute("go");
    setTimeout(() => stop.abort(), 100);
    expect((await failure(answer)).code).toBe("run-aborted");
  });

  it("share one engine, and need neither provider nor model where there are defaults", async () => {
    const { agents, opened, spell } = await agentsOf();
    const plain = agents.builder().build();
    expect(plain.name).toMatch(/^agent_[0-9a-f]{8}$/);
    expect(plain.description).toBe("LLM-powered agent");
    expect(opened).toEqual([]);
    await plain.execute("x");
    await agents.builder().set("provider", "candle").build().execute("x");
    await spell.generate("tiny-stories", "x");
    expect(opened).toHaveLength(1);
    await agents.builder().set("model", "candle/tiny-stories").set("context_size", 200).build().execute("x");
    await agents.builder().set("model", "./own.gguf").set("provider", "local").build().execute("x");
    expect(opened).toHaveLength(3);
  });

  it("give the value of a text that is JSON", async () => {
    const { agents } = await agentsOf({}, { answer: () => ['{"a": [1, ', '"x"]}'] });
    const agent = agents.builder().set("model", "tiny-stories").build();
    expect(await agent.execute("x")).toMatchObject({ text: '{"a": [1, "x"]}', data: { a: [1, "x"] } });
    const deep = await agentsOf({}, { answer: () => ["[".repeat(40), "]".repeat(40)] });
    expect((await deep.agents.builder().set("model", "tiny-stories").build().execute("x")).data).toBeUndefined();
  });

  it("have names: taken ones are refused, destroyed ones are free", async () => {
    const { agents } = await agentsOf();
    const build = (): Agent => agents.builder().set("name", "a").set("model", "tiny-stories").build();
    const agent = build();
    expect(agents.get("a")).toBe(agent);
    expect(caught(build)).toMatchObject({ code: "agent-duplicate", where: "a" });
    agent.destroy();
    expect(agents.get("a")).toBeUndefined();
    expect(agent.state).toBe("destroyed");
    expect(await failure(agent.execute("x"))).toMatchObject({ code: "run-closed" });
    expect(build()).not.toBe(agent);
    expect(agents.list().map(({ name }) => name)).toEqual(["a"]);
    await agents.dispose();
    expect(agents.list()).toEqual([]);
  });
});

describe("build()", () => {
  const openai = { provider_type: "openai" } as const;
  it.each([
    [{ provider: "nobody" }, "backend-unknown", undefined],
    [{ provider: "anthropic" }, "backend-not-configured", "anthropic"],
    [{ model: "anthropic/claude" }, "backend-not-configured", "anthropic"],
    [{ model: "x@ollama" }, "backend-not-configured", "ollama"],
    [{ provider: "candle" }, "agent-model-required", "candle"],
    [{}, "usage-no-model", undefined],
    [{ model: "a:b:c" }, "spec-syntax", undefined],
    [{ model: "tiny-stories", provider: "candle", base_url: "http://127.0.0.1:9" }, "agent-option", "base_url"],
    [{ model: "tiny-stories", base_url: "http://127.0.0.1:9" }, "agent-option", "base_url"],
    [{ model: "tiny-stories", provider: "candle", api_key: "k" }, "agent-option", "api_key"],
  ])("refuses %j: %s", async (options, code, where) => {
    const { agents } = await agentsOf({ providers: { candle: { provider_type: "candle" }, far: openai } });
    const builder = agents.builder();
    for (const [name, value] of Object.entries(options)) builder.set(name, value);
    const error = caught(() => builder.build());
    expect(error.code).toBe(code);
    if (where !== undefined) expect(error.where).toBe(where);
  });
});

describe("Agent.create", () => {
  it("leads to the builder, in the language of the script", () => {
    expect(createRemoved("lua")).toMatchObject({ code: "agent-create-removed", exitCode: 1 });
    expect(createRemoved("lua").message).toContain(':model("tiny-stories"):build()');
    expect(createRemoved("javascript").message).toContain('.model("tiny-stories").build()');
  });
});

describe("options of a builder", () => {
  it("are every parameter of an answer, and what agents have of their own", () => {
    expect(agentOptionNames).toEqual(expect.arrayContaining(parameterRules.map(({ snakeName }) => snakeName)));
    expect(agentOptionNames).toEqual(
      expect.arrayContaining("name description provider model device system_prompt base_url api_key stop preset context_size".split(" ")),
    );
  });

  it.each([
    ["temperature", 3, "temperature: expected 0 … 2, got 3"],
    ["temperature", "hot", 'temperature: expected 0 … 2, got "hot"'],
    ["max_tokens", 1.5, "max_tokens: expected an integer, 1 … 131072, got 1.5"],
    ["stop", [""], 'stop: expected strings of 1–256 characters, got ""'],
    ["preset", "wild", 'preset: expected greedy, balanced, conservative, creative, got "wild"'],
    ["device", "gpu", 'device: expected auto, webgpu, metal, vulkan, cuda, cpu, wasm, got "gpu"'],
    ["name", "", 'name: expected text of 1–100 characters, got ""'],
    [
      "base_url",
      "http://me:secret@host/",
      'base_url: expected an address that begins with http:// or https://, without user and password, ? and #, got "http://********@host/"',
    ],
    [
      "base_url",
      "https://host/v1?key=secret",
      'base_url: expected an address that begins with http:// or https://, without user and password, ? and #, got "https://host/v1?********"',
    ],
    ["base_url", "https://host/v1#x", 'got "https://host/v1#********"'],
    ["api_key", 5, "api_key: expected a key of 1–1000 characters"],
    ["max_execution_time", 0, "max_execution_time: expected seconds"],
    ["parameters", { temprature: 1 }, "parameters has no temprature; did you mean temperature?"],
    ["custom_config", { modell: "x" }, "custom_config has no modell; did you mean model?"],
    ["resource_limits", { max: 1 }, "resource_limits has no max"],
    ["parameters", 5, "parameters: expected a table, got 5"],
    ["allow_tool", true, "allow_tool: expected the name of a tool, got true"],
  ])("%s refuses %j", async (name, value, message) => {
    const { agents } = await agentsOf();
    const error = caught(() => agents.builder().set(name, value));
    expect(error.code).toBe("agent-option");
    expect(error.message).toContain(message);
  });

  it("take an empty table of Lua for an empty list", async () => {
    const { agents } = await agentsOf();
    expect(agents.builder().set("stop", {}).set("model", "tiny-stories").build().settings.parameters.stop).toEqual([]);
  });
});

describe("input of an agent", () => {
  it.each([
    [5, "agent-option", "input: expected text"],
    [{}, "agent-option", "input: expected text or messages"],
    [{ text: 5 }, "agent-option", "input.text: expected text, got 5"],
    [{ txt: "x" }, "agent-option", "input has no txt; did you mean text?"],
    [{ text: "x", images: ["a.png"] }, "agent-modality", "input.images"],
    [{ messages: "x" }, "agent-option", "input.messages: expected a list"],
    [{ messages: [{ role: "robot", content: "x" }] }, "agent-option", "input.messages[0]"],
    [{ messages: [{ role: "user", content: [{ type: "image_url", url: "x" }] }] }, "agent-modality", "image_url"],
    [{ text: "x", parameters: { top_p: 2 } }, "agent-option", "top_p: expected"],
    [{ text: "x", device: "gpu" }, "agent-option", "device: expected auto"],
  ])("%j is refused: %s", async (input, code, message) => {
    const { agents } = await agentsOf();
    const agent = agents.builder().set("model", "tiny-stories").build();
    const error = await failure(agent.execute(input));
    expect(error.code).toBe(code);
    expect(error.message).toContain(message);
  });
});

describe("an agent with an address of its own", () => {
  it("asks there, and leaves the configured server alone", async () => {
    const asked: string[] = [];
    const server = createServer((request, response) => {
      asked.push(String(request.url));
      const lines = [
        { message: { role: "assistant", content: "hi" } },
        { done: true, done_reason: "stop", prompt_eval_count: 4, eval_count: 1 },
      ];
      const shown = { details: { family: "llama" }, model_info: {}, models: [{ name: "m:latest" }] };
      response.end(request.url === "/api/chat" ? lines.map((line) => `${JSON.stringify(line)}\n`).join("") : JSON.stringify(shown));
    }).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port } = server.address() as AddressInfo;
    const { agents } = await agentsOf({ providers: { ollama: { provider_type: "ollama", base_url: "http://127.0.0.1:9" } } });
    const agent = agents.builder().set("provider", "ollama").set("model", "m").set("base_url", `http://127.0.0.1:${port}/`).build();
    expect(asked).toEqual([]);
    expect(await agent.execute("x")).toMatchObject({
      text: "hi",
      metadata: { backend: "ollama", device: null, promptTokens: 4, completionTokens: 1 },
    });
    expect(asked).toContain("/api/chat");
    const error = caught(() => agents.builder().set("provider", "ollama").set("model", "m").set("device", "cpu").build());
    expect(error).toMatchObject({ code: "agent-option", where: "device" });
    await agents.dispose();
    server.close();
  });
});

/** The globals over a host without an engine: exactly the documented names, and each one answers. */
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { LogEntry, ScriptFiles } from "../../../src/core/platform.ts";
import { KeptFunction } from "../../../src/core/scripts/arguments.ts";
import { bind, spellings } from "../../../src/core/scripts/bind.ts";
import { permittedFiles, type ScriptHost } from "../../../src/core/scripts/globals/host.ts";
import { scriptGlobals } from "../../../src/core/scripts/globals/index.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { documented } from "../../../tools/script-globals.mjs";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { failure } from "../../support/failure.ts";

/** A run of a script that calls as its engine would. */
async function runOf(config: ConfigInput = {}, host: Partial<ScriptHost> = {}, stepMs = 0) {
  const log: LogEntry[] = [];
  const gguf = scriptedRuntime({ stepMs, answer: () => [" one", " two", " three"] });
  const platform = memoryPlatform({
    files: { "tiny-stories/tiny-stories.gguf": writeGguf(tinyLlama()) },
    gguf,
    log: (entry) => log.push(entry),
  });
  const spell = createSpell({ platform, config, env: {} });
  const over = new AbortController();
  const open = scriptGlobals({
    spell,
    config: await spell.config(),
    language: "lua",
    signal: over.signal,
    log: (entry) => log.push(entry),
    ...host,
  });
  const bound = bind(open);
  const call = async (name: string, ...given: unknown[]): Promise<unknown> => bound.call(name, given);
  return { bound, call, log, over, open, spell };
}
const kept: ScriptFiles = {
  permit(path) {
    if (path !== "/models/a.gguf") throw new SpellError("script-denied", "outside");
  },
  module: async () => "",
  read: async (path) => (path === "a.txt" ? "A" : undefined),
  bytes: async (path) => (path === "a.txt" ? new TextEncoder().encode("A") : undefined),
  write: async () => undefined,
  exists: async (path) => path === "a.txt",
  list: async () => ["a.txt"],
};
const withFiles: ConfigInput = { runtime: { security: { allow_file_access: true, allowed_env: ["LANG"] } } };

describe("the globals", () => {
  it("have exactly the names that are documented, in both spellings", async () => {
    const { bound } = await runOf();
    const { globals, classes } = bound.manifest;
    const all = [...Object.values(globals), ...Object.values(classes)];
    expect([...new Set(all.flatMap((members) => Object.values(members)))].sort()).toEqual(Object.keys(documented).sort());
    expect(Object.keys(globals)).toEqual([
      "LocalLLM",
      "Agent",
      "Provider",
      "Config",
      "Logger",
      "Debug",
      "Utils",
      "State",
      "Session",
      "Artifact",
      "RAG",
      "Event",
      "Hook",
      "Replay",
      "Tool",
      "Workflow",
    ]);
    for (const members of all) {
      const names = new Set(Object.values(members).map((full) => full.split(/[.:]/)[1] ?? ""));
      expect(Object.keys(members).sort()).toEqual([...new Set([...names].flatMap(spellings))].sort());
    }
  });

  it("wait in JavaScript where the design says so", async () => {
    const { bound } = await runOf();
    const waiting = bound.manifest.waits.map((name) => name.replace(/^.*[.:]/, "")).sort();
    const agents = "complete execute execute execute invoke_stream invoke_tool stream";
    const models = "available embed generate info list pull remove rerank status unload verify";
    const retrieval = "cleanup_scope collections context documents export get_stats ingest remove save search stats";
    expect(waiting).toEqual(
      `${agents} ${models} ${retrieval} connect file_exists is_available list_dir read_file read_stdin receive replay sleep store_file write_file`
        .split(" ")
        .sort(),
    );
    expect(bound.find("LocalLLM.pull")?.isUntimed).toBe(true);
  });

  it.each([
    ["State.save", ["s"], "State.save: key: expected text, got nothing"],
    ["State.save", ["s", "k"], "State.save: value: expected any data, got nothing"],
    ["State.save", ["s", "k", () => 1], "State.save: value: expected plain data, got a function"],
    ["State.save", ["s", "k", { list: [{ deep: () => 1 }] }], "State.save: value: expected plain data, got a function"],
    ["State.load", [1, "k"], "State.load: scope: expected text, got 1"],
    ["LocalLLM.generate", ["tiny-stories", 5], "LocalLLM.generate: prompt: expected text or a list of any data, got 5"],
    ["LocalLLM.generate", ["tiny-stories", "x", { temprature: 1 }], "did you mean temperature?"],
    ["LocalLLM.generate", ["tiny-stories", "x", { top_p: 2 }], "options.top_p: expected a number from 0 to 1, got 2"],
    ["LocalLLM.pull", ["x", { on_progress: 5 }], "options.on_progress: expected a function"],
    ["Utils.sleep", [-1], "seconds: expected a number from 0 to 86400, got -1"],
    ["Utils.split", ["a", ""], "separator"],
    ["Utils.base64_decode", ["*"], "base64 of text"],
    ["Logger.set_level", ["loud"], "expected trace, debug, info, warn, error, off"],
    ["Config.restore_snapshot", ["x"], "what Config.snapshot() gave"],
    ["Agent:execute", [{}, "x"], "Agent:execute: agent: expected an object of Agent"],
  ])("%s refuses %j", async (name, given, message) => {
    const { call } = await runOf();
    const error = await failure(call(name, ...given));
    expect(error.code).toBe("script-argument");
    expect(error.message).toContain(message);
  });
});

describe("LocalLLM", () => {
  it("tells of models in snake_case, without what is unknown", async () => {
    const { call } = await runOf();
    expect(await call("LocalLLM.status", "candle")).toMatchObject({ ready: true, configured: true });
    expect(Object.keys((await call("LocalLLM.status")) as object)).toEqual(["candle", "ollama"]);
    const [model] = (await call("LocalLLM.list", "candle")) as [Record<string, unknown>];
    expect(model).toMatchObject({ id: "tiny-stories", bundled: true });
    expect(model["size_bytes"]).toBeTypeOf("number");
    expect(JSON.stringify(await call("LocalLLM.available"))).not.toContain("null");
    expect(await call("LocalLLM.info", "tiny-stories")).toMatchObject({ architecture: "llama" });
    expect(await failure(call("LocalLLM.list", "nobody"))).toMatchObject({ code: "backend-unknown" });
    expect(await failure(call("LocalLLM.remove", "tiny-stories"))).toMatchObject({ code: "model-bundled" });
    expect(await call("LocalLLM.verify", "tiny-stories")).toBeInstanceOf(Array);
  });

  it("generates, waits for on_token, stops where it says so, and lets its failure through unchanged", async () => {
    const devices: unknown[] = [];
    const { call } = await runOf({}, { onDevice: (device) => devices.push(device?.chosen) });
    const heard: unknown[] = [];
    const slow = async (text: unknown) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      heard.push(text);
    };
    const answer = await call("LocalLLM.generate", "tiny-stories", "x", { max_tokens: 2, seed: 3, on_token: slow });
    expect(answer).toMatchObject({ text: " one two", finish_reason: "length", completion_tokens: 2, seed: 3, backend: "candle" });
    expect(heard).toEqual([" one", " two"]);
    expect(devices).toEqual([expect.any(String)]);
    const stopped = await call("LocalLLM.generate", "tiny-stories", [{ role: "user", content: "x" }], { on_token: async () => false });
    expect(stopped).toMatchObject({ text: " one", finish_reason: "aborted" });
    expect(stopped).not.toHaveProperty("completion_tokens");
    const mine = new RangeError("mine");
    const raising = async () => {
      throw mine;
    };
    await expect(call("LocalLLM.generate", "tiny-stories", "x", { on_token: raising })).rejects.toBe(mine);
    expect(await call("LocalLLM.unload")).toBe(1);
  });

  it("publishes plain data alone, as State keeps it", async () => {
    const { call } = await runOf();
    const fn = (): undefined => undefined;
    for (const data of [fn, { a: [fn] }, new Uint8Array(2)]) {
      const error = await failure(call("Event.publish", "x.y", data));
      expect([error.code, error.message]).toEqual(["script-argument", expect.stringContaining("Event.publish: data: expected plain data")]);
    }
    expect(await call("Event.publish", "x.y")).toBe(true);
    expect(await call("Event.publish", "x.y", { a: [1] })).toBe(true);
  });

  it("ends with the run", async () => {
    const { call, over } = await runOf({}, {}, 50);
    const answer = call("LocalLLM.generate", "tiny-stories", "x");
    setTimeout(() => over.abort(), 60);
    expect((await failure(answer as Promise<unknown>)).code).toBe("run-aborted");
  });

  it("without network access pulls nothing, and reaches nothing but this machine", async () => {
    const asked: string[] = [];
    const config: ConfigInput = {
      providers: { candle: { provider_type: "candle" }, ollama: { provider_type: "ollama", base_url: "http://ollama.example:11434" } },
      runtime: { security: { allow_network_access: false } },
    };
    const platform = memoryPlatform({
      fetch: async (input) => {
        asked.push(String(input));
        return new Response("{}");
      },
    });
    const spell = createSpell({ platform, config, env: {} });
    const { call } = await runOf(config, { spell, config: await spell.config() });
    expect(await failure(call("LocalLLM.pull", "tinyllama"))).toMatchObject({
      code: "script-denied",
      where: "runtime.security.allow_network_access",
    });
    expect(await call("LocalLLM.status", "ollama")).toMatchObject({ running: false });
    const builder = await call("Agent.builder");
    await call("AgentBuilder:model", builder, "m@ollama");
    await call("AgentBuilder:base_url", builder, "http://elsewhere.example");
    await call("AgentBuilder:provider", builder, "ollama");
    expect((await failure(call("Agent:execute", await call("AgentBuilder:build", builder), "x"))).message).toContain(
      "script may not reach",
    );
    expect(asked).toEqual([]);
  });
});

describe("Agent", () => {
  it("is built and asked through objects that keep their identity", async () => {
    const { call } = await runOf();
    const builder = await call("Agent.builder");
    expect(await call("AgentBuilder:name", builder, "tom")).toBe(builder);
    await call("AgentBuilder:model", builder, "tiny-stories");
    await call("AgentBuilder:api_key", await call("Agent.builder"), "key-of-mine");
    const agent = await call("AgentBuilder:build", builder);
    expect(await call("Agent.get", "tom")).toBe(agent);
    expect(await call("Agent.list")).toEqual([{ name: "tom", model: "tiny-stories", provider: undefined }]);
    expect(await call("Agent.get_info", "tom")).toMatchObject({ name: "tom", model: "tiny-stories", parameters: {} });
    expect(await call("Agent.get_info", "nobody")).toBeUndefined();
    expect(await call("Agent:execute", agent, { text: "x" })).toMatchObject({
      text: " one two three",
      metadata: { finish_reason: "stop", completion_tokens: 3, provider: "candle" },
    });
    const chunks: unknown[] = [];
    const streamed = await call("Agent:stream", agent, "x", async (chunk: unknown) => void chunks.push(chunk));
    expect(streamed).toMatchObject({ chunks_received: 4 });
    expect(chunks).toHaveLength(4);
    expect(await call("Agent:complete", agent, "x")).toBe(" one two three");
    expect(await call("Agent:history", agent)).toHaveLength(6);
    expect(await call("Agent:get_metrics", agent)).toMatchObject({ calls: 3, completion_tokens: 9 });
    await call("Agent:destroy", agent);
    expect(await call("Agent:get_state", agent)).toBe("destroyed");
  });

  it("keeps names of the model's own data", async () => {
    const { call } = await runOf();
    const agent = await call("AgentBuilder:build", await call("AgentBuilder:model", await call("Agent.builder"), "tiny-stories"));
    expect(await call("Agent:get_config", agent)).toMatchObject({ max_conversation_length: 100, max_execution_time: 300 });
  });

  it("leads from create() to the builder, in the script's language", async () => {
    const { call } = await runOf({}, { language: "javascript" });
    const error = await failure(call("Agent.create", { model: "x" }));
    expect(error).toMatchObject({ code: "agent-create-removed" });
    expect(error.message).toContain("Agent.builder().provider(");
  });
});

describe("Session, Artifact, Event and Hook", () => {
  const on: ConfigInput = { runtime: { sessions: { enabled: true } }, hooks: { enabled: true } };
  const build = async (call: Awaited<ReturnType<typeof runOf>>["call"], name: string) => {
    const builder = await call("Agent.builder");
    await call("AgentBuilder:name", builder, name);
    await call("AgentBuilder:model", builder, "tiny-stories");
    await call("AgentBuilder:seed", builder, 7);
    return call("AgentBuilder:build", builder);
  };

  it("keep what agents did in the current session, and do it again", async () => {
    const { call } = await runOf(on);
    const id = await call("Session.create", { name: "s", custom_metadata: { someName: 1 } });
    expect(await call("Session.get", id)).toMatchObject({ name: "s", status: "active", custom_metadata: { someName: 1 } });
    await call("Session.set_current", id);
    await call("Agent:execute", await build(call, "tom"), { text: "x" });
    await call("Session.set_current");
    expect(await call("Session.get_replay_metadata", id)).toMatchObject({ calls: 1, agents: ["tom"], tools: [], models: ["tiny-stories"] });
    expect(await call("Session.list_replayable")).toEqual([id]);
    const replayed = (await call("Session.replay", id)) as { steps: readonly Record<string, unknown>[] };
    expect(replayed).toMatchObject({ mode: "exact", calls: 1, same: 1, different: 0, failed: 0, is_stopped: false });
    expect(replayed.steps[0]).toMatchObject({
      kind: "agent",
      name: "tom",
      input: { text: "x" },
      is_same: true,
      conditions: [],
      is_stored: false,
    });
    const told: unknown[] = [];
    await call("Session.replay", id, { mode: "debug" }, async (step: unknown) => told.push(step));
    expect(told).toHaveLength(1);
    expect(await call("Session.complete", id)).toMatchObject({ status: "completed" });
  });

  it("end a replay with its time, agents too", async () => {
    const { call } = await runOf(on, {}, 50);
    const id = await call("Session.create", { name: "s" });
    await call("Session.set_current", id);
    await call("Agent:execute", await build(call, "slow"), { text: "x" });
    await call("Session.set_current");
    expect(await call("Session.replay", id, { timeout_seconds: 0.01 })).toMatchObject({
      is_stopped: true,
      steps: [{ error: { code: "run-aborted", message: "expected a replay of at most 0.01 s, got a longer one" } }],
    });
  });

  it("store artifacts, of files too where the script may read them", async () => {
    const { call } = await runOf({ ...on, runtime: { ...on.runtime, ...withFiles.runtime } }, { files: kept });
    const builder = await call("Session.builder");
    for (const [name, value] of [
      ["name", "b"],
      ["description", "d"],
      ["tags", ["x"]],
      ["custom_metadata", { a: 1 }],
    ] as const)
      expect(await call(`SessionBuilder:${name}`, builder, value)).toBe(builder);
    const id = await call("SessionBuilder:build", builder);
    const stored = await call("Artifact.store", id, "note", "n", { a: [1] }, { tags: ["x"], mine: true });
    expect(await call("Artifact.get", id, stored)).toMatchObject({
      content: { a: [1] },
      tags: ["x"],
      metadata: { mine: true },
      sequence: 1,
    });
    await call("Artifact.store_file", id, "a.txt", "file");
    expect(await call("Artifact.query", { session_id: id, name_pattern: "a.*" })).toMatchObject([{ name: "a.txt", type: "file", size: 1 }]);
    expect((await failure(call("Artifact.store_file", id, "b.txt", "file"))).code).toBe("script-error");
    const none = await runOf(on);
    expect((await failure(none.call("Artifact.store_file", await none.call("Session.create"), "a.txt", "file"))).code).toBe(
      "script-denied",
    );
    expect((await failure(call("Artifact.store", id, "t", "n", "x", { tags: "x" }))).message).toContain("metadata.tags");
    expect((await failure(call("Artifact.query", { created_after: "yesterday" }))).message).toMatch(/^created_after: expected a time/);
  });

  it.each([
    ["emit_timing_events", "agent.completed"],
    ["emit_state_events", "state.saved"],
    ["emit_debug_events", "debug.warn"],
  ] as const)("events.%s publishes %s, and not without it", async (key, type) => {
    for (const value of [false, true]) {
      const events = { emit_timing_events: false, emit_state_events: false, emit_debug_events: false, [key]: value };
      const { call } = await runOf({ ...on, events });
      const id = await call("Event.subscribe", "**");
      await call("State.save", "a", "k", 1);
      await call("Debug.warn", "w", "main");
      await call("Agent:execute", await build(call, "tom"), "x");
      const event = await call("Event.receive", id, 0);
      if (value) expect(event).toMatchObject({ type });
      else expect(event).toBeUndefined();
    }
  });

  it("are switched off with their keys, each by its own", async () => {
    const { call } = await runOf({ events: { enabled: false } });
    for (const name of ["Session.list", "Artifact.query"]) expect((await failure(call(name))).code).toBe("session-disabled");
    expect((await failure(call("Hook.list"))).code).toBe("hook-disabled");
    expect((await failure(call("Event.get_stats"))).code).toBe("event-disabled");
    await call("State.save", "a", "k", 1);
  });
});

describe("Workflow", () => {
  it.each([
    [new KeptFunction(1), "a function"],
    [null, "nothing"],
    ["x", '"x"'],
  ])("is made of a table, not of %j", async (given, got) => {
    const { call } = await runOf();
    for (const name of ["Workflow.sequential", "Workflow.loop"])
      expect(await failure(call(name, given))).toMatchObject({
        code: "workflow-option",
        message: `workflow: expected a table, got ${got}`,
      });
  });
});

describe("RAG", () => {
  const on: ConfigInput = { ...withFiles, rag: { enabled: true } };

  it("answers in snake_case, with content and text alike, and reads files that the script may read", async () => {
    const { call, open } = await runOf(on, { files: kept });
    const documents = [{ id: "bread", text: "# Oven\n\nBake it at 230 degrees.", metadata: { kind: "food" } }, { file: "a.txt" }];
    expect(await call("RAG.ingest", documents, { chunking: { chunk_size: 50, overlap: 0 } })).toMatchObject({
      success: true,
      documents_processed: 2,
      vectors_created: 2,
    });
    const found = await call("RAG.search", "how hot is the oven", { k: 1, filters: { kind: "food" } });
    expect(found).toMatchObject({ success: true, total: 1, results: [{ id: "bread", source: "bread", heading: "Oven", start: 8 }] });
    const [{ content, text }] = (found as { results: [{ content: string; text: string }] }).results;
    expect([content, text]).toEqual(["Bake it at 230 degrees.", "Bake it at 230 degrees."]);
    expect(await call("RAG.context", "oven", { max_tokens: 20 })).toContain("[1] bread > Oven\n");
    const mine = await call("RAG.create_session_collection", "s", 60);
    expect(mine).toEqual({ scope: "session", scope_id: "s" });
    await call("RAG.ingest", { content: "secret" }, mine);
    await call("RAG.configure_session", "s", { top_k: 1 });
    expect(await call("RAG.cleanup_scope", "session", "s")).toBe(1);
    await call("RAG.configure", { top_k: 1 });
    expect(await call("RAG.search", "oven", { top_k: 5, threshold: -1 })).toMatchObject({ total: 1 });
    expect(await call("RAG.search", "oven", { topK: 5, threshold: -1, metadataFilter: { kind: "food" } })).toMatchObject({ total: 1 });
    expect((await failure(call("RAG.search", "oven", { topK: 5, top_k: 5 }))).message).toContain("expected one value");
    expect((await failure(call("RAG.search", "oven", { topk: 5 }))).message).toContain("did you mean top_k");
    expect(await call("RAG.get_stats")).toMatchObject({ documents: 2, dead_chunks: 0, embedder: "lexical", place: "memory" });
    expect(await call("RAG.stats")).toEqual(await call("RAG.get_stats"));
    expect(await call("RAG.collections")).toEqual(["default"]);
    expect(await call("RAG.documents")).toEqual(["a.txt", "bread"]);
    expect(await call("RAG.export")).toContainEqual(
      expect.objectContaining({ id: "bread", heading: "Oven", content: "Bake it at 230 degrees.", start: 8 }),
    );
    expect(await call("RAG.list_providers")).toContainEqual({ name: "lexical", model: "", is_default: true });
    expect((await failure(call("RAG.ingest", { file: "b.txt" }))).code).toBe("script-error");
    expect(await failure(call("RAG.ingest", [{ text: "x" }, { id: "x" }]))).toMatchObject({
      code: "rag-input",
      message: "documents[1]: expected text, content or file, got none of them",
    });
    expect(await call("RAG.remove", ["a.txt", "nothing"])).toBe(1);
    expect(await call("RAG.remove", "bread")).toBe(1);
    expect(await call("RAG.documents")).toEqual([]);
    await call("RAG.save");
    await open.close();
  });

  it("is switched off with its key, and says which profile switches it on", async () => {
    const { call } = await runOf();
    expect(await failure(call("RAG.search", "x"))).toMatchObject({
      code: "rag-disabled",
      where: "rag.enabled",
      actions: [
        { kind: "use-profile", profile: "rag-dev" },
        { kind: "set-variable", name: "LLMSPELL_RAG_ENABLED", value: "true" },
      ],
    });
    const locked = await runOf({ rag: { enabled: true } });
    expect((await failure(locked.call("RAG.ingest", { file: "a.txt" }))).code).toBe("script-denied");
    expect(await locked.call("RAG.get_stats")).not.toHaveProperty("place");
  });
});

describe("Config and Provider", () => {
  const secret: ConfigInput = {
    providers: {
      candle: { provider_type: "candle", default_model: "tiny-stories" },
      far: { provider_type: "openai", api_key: "sk-very-secret", base_url: "https://far.example/v1" },
      off: { provider_type: "ollama", enabled: false, base_url: "https://me:pass-word@far.example" },
    },
  };

  it("show everything but secrets, at every depth", async () => {
    const { call, log } = await runOf(secret);
    for (const name of ["Config.get", "Config.to_json", "Provider.list"])
      expect(JSON.stringify(await call(name)), name).not.toMatch(/very-secret|pass-word/);
    expect(await call("Config.get_provider", "far")).toMatchObject({ api_key: "<REDACTED>" });
    expect(await call("Config.get_section", "providers")).toMatchObject({ far: { api_key: "<REDACTED>" } });
    expect(await call("Config.get_section", "nothing")).toBeUndefined();
    expect(await call("Debug.dump", { deep: [{ password: "x", note: "sk-very-secret" }] })).not.toMatch(/"x"|very-secret/);
    await call("Logger.error", "the key is sk-very-secret", { token: "t0k3n" });
    expect(log.at(-1)?.message).toBe('the key is <REDACTED> {"token":"<REDACTED>"}');
    expect(await call("Config.list_providers")).toEqual(["candle", "far", "off"]);
    expect(await call("Provider.list")).toMatchObject([
      { name: "candle", enabled: true },
      { name: "far" },
      { name: "off", enabled: false },
    ]);
    expect(await Promise.all(["candle", "far", "off", "nobody"].map((name) => call("Provider.is_available", name)))).toEqual([
      true,
      false,
      false,
      false,
    ]);
    expect(await call("Provider.get_capabilities", "nobody")).toBeUndefined();
  });

  it("a script adds providers for itself, changes model and sampling of others, and nothing else", async () => {
    const { call, spell, open } = await runOf(secret);
    const id = await call("Config.snapshot");
    await call("Config.set_provider", "candle", { temperature: 0, seed: 11 });
    const build = async () => call("AgentBuilder:build", await call("AgentBuilder:provider", await call("Agent.builder"), "candle"));
    expect(await call("Agent:execute", await build(), "x")).toMatchObject({ metadata: { seed: 11 } });
    await call("Config.set_provider", "near", { provider_type: "ollama", base_url: "http://127.0.0.1:9" });
    expect(await call("Provider.get", "near")).toMatchObject({ provider_type: "ollama" });
    expect((await spell.config()).config.providers["near"]).toBeUndefined();
    for (const [name, given] of [
      ["far", { base_url: "https://evil.example" }],
      ["candle", { model_directory: "/tmp" }],
      ["evil", { provider_type: "openai", api_key_env: "AWS_SECRET" }],
    ] as const)
      expect((await failure(call("Config.set_provider", name, given))).code).toBe("script-denied");
    expect((await failure(call("Config.set_provider", "candle", { temperature: 9 }))).code).toBe("config-value");
    await call("Config.restore_snapshot", id);
    expect(await call("Provider.get", "near")).toBeUndefined();
    for (const name of ["Config.set_security", "Config.add_allowed_path"])
      expect((await failure(call(name, {}))).code).toBe("script-denied");
    await open.close();
  });
});

describe("Logger and Debug", () => {
  it("write at their levels, and keep what was written", async () => {
    const { call, log } = await runOf({ debug: { max_entries: 2, level: "info" } }, { logLevel: "info" });
    await call("Logger.debug", "no");
    await call("Logger.info", "yes", { n: 1 });
    expect([await call("Logger.get_level"), await call("Logger.is_enabled", "debug")]).toEqual(["info", false]);
    await call("Logger.set_level", "off");
    await call("Logger.error", "no");
    expect(log.map(({ message }) => message)).toEqual(['yes {"n":1}']);
    await call("Debug.debug", "below");
    for (const n of [1, 2, 3]) await call("Debug.log_with_data", "warn", `entry ${n}`, { n }, "main");
    expect(await call("Debug.get_captured_entries")).toMatchObject([
      { message: "entry 2" },
      { message: "entry 3", module: "main", data: { n: 3 } },
    ]);
    expect(await call("Debug.get_captured_entries", 1)).toHaveLength(1);
    expect(await call("Debug.get_captured_entries", 0)).toEqual([]);
    await call("Debug.set_enabled", false);
    await call("Debug.error", "no");
    await call("Debug.clear_captured");
    expect(await call("Debug.get_captured_entries")).toEqual([]);
    const timer = await call("Debug.timer", "t");
    const total = await call("DebugTimer:stop", timer);
    expect(await call("DebugTimer:elapsed", timer)).toBe(total);
    expect(await call("Debug.dump_verbose", [1])).toBe("list of 1: [\n    1\n]");
  });

  it("are told of functions as what they are", async () => {
    const { call, log } = await runOf();
    const own = () => undefined;
    expect(await call("Debug.dump", own)).toBe('"a function"');
    expect(await call("Debug.dump_verbose", own)).toBe('function: "a function"');
    await call("Logger.error", "odd", own);
    expect(log.at(-1)?.message).toBe('odd "a function"');
  });
});

describe("Utils", () => {
  it("have one answer in both languages", async () => {
    const { call } = await runOf();
    expect(await call("Utils.sha256", "abc")).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect(await call("Utils.base64_decode", await call("Utils.base64_encode", "é😀\0"))).toBe("é😀\0");
    expect(await call("Utils.split", "a,,b", ",")).toEqual(["a", "", "b"]);
    expect(await call("Utils.trim", " \n a ")).toBe("a");
    expect(await call("Utils.read_stdin")).toBe("");
    expect(await call("Utils.timestamp")).toMatch(/^\d{4}-.*Z$/);
  });

  it("reach files and variables where the configuration allows it, and say which key does", async () => {
    const locked = await runOf();
    const none = await runOf({}, { files: permittedFiles(kept, await locked.spell.config()) });
    for (const [name, ...given] of [
      ["read_file", "a"],
      ["write_file", "a", "b"],
      ["file_exists", "a"],
      ["list_dir", "a"],
    ] as const)
      expect(await failure(none.call(`Utils.${name}`, ...given))).toMatchObject({
        code: "script-denied",
        where: "runtime.security.allow_file_access",
      });
    expect(await failure(none.call("Utils.env", "HOME"))).toMatchObject({ code: "script-denied", where: "runtime.security.allowed_env" });
    const { call } = await runOf(withFiles, { files: kept, env: { LANG: "C", HOME: "/root" } });
    expect(await call("Utils.read_file", "a.txt")).toBe("A");
    expect(await failure(call("Utils.read_file", "b.txt"))).toMatchObject({ code: "script-error" });
    expect(await call("Utils.env", "LANG")).toBe("C");
    expect((await failure(call("Utils.env", "HOME"))).code).toBe("script-denied");
    const nowhere = await runOf(withFiles);
    expect((await failure(nowhere.call("Utils.read_file", "a.txt"))).code).toBe("script-denied");
  });

  it("end a sleep with the run", async () => {
    const { call, over } = await runOf();
    const started = performance.now();
    setTimeout(() => over.abort(), 20);
    await call("Utils.sleep", 30);
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe("State", () => {
  it("keeps values of one run, and says how it is switched on", async () => {
    const { call } = await runOf();
    await call("State.save", "s", "k", { a: [null] });
    expect(await call("State.load", "s", "k")).toEqual({ a: [null] });
    expect([
      await call("State.list_scopes"),
      await call("State.list_keys", "s"),
      await call("State.delete", "s", "k"),
      await call("State.clear", "s"),
    ]).toEqual([["s"], ["k"], true, 0]);
    const off = await runOf({ runtime: { state_persistence: { enabled: false } } });
    expect(await failure(off.call("State.load", "s", "k"))).toMatchObject({ code: "state-disabled" });
  });
});

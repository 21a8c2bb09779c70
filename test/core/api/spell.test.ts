import { describe, expect, it } from "vitest";
import { resolveConfig } from "../../../src/core/api/configuration.ts";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { GgufOpenOptions, GgufRuntime } from "../../../src/core/spec/runtime.ts";
import { memoryPlatform, memoryStore, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { nanoLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { failure } from "../../support/failure.ts";
import { textOf } from "../../support/text-of.ts";

/** A spell whose runtime keeps what it was opened with. */
function spellOf(options: Omit<Parameters<typeof createSpell>[0], "platform">) {
  const opened: GgufOpenOptions[] = [];
  const scripted = scriptedRuntime();
  const runtime: GgufRuntime = {
    name: "kept",
    open(files, given) {
      opened.push(given);
      return scripted.open(files, given);
    },
  };
  const files = { "tiny-stories/tiny-stories.gguf": writeGguf(nanoLlama()), "./own.gguf": writeGguf(nanoLlama()) };
  return { spell: createSpell({ platform: memoryPlatform({ files, gguf: runtime }), ...options }), opened };
}

describe("createSpell", () => {
  it("loads the default model with the settings of the configuration; options of the call win", async () => {
    const { spell, opened } = spellOf({
      config: { providers: { candle: { default_model: "./own.gguf", device: "wasm", cpu_threads: 3, batch_size: 7, context_size: 200 } } },
    });
    const model = await spell.load();
    await spell.load("tiny-stories", { device: "cpu", threads: 1, batchSize: 9 });
    expect(model.id).toBe("./own.gguf");
    expect(opened).toMatchObject([
      { device: "wasm", threads: 3, batchSize: 7, contextLength: 64 },
      { device: "cpu", threads: 1, batchSize: 9, contextLength: 64 },
    ]);
  });

  it("takes a profile by name, TOML text, an object, and what resolveConfig gave", async () => {
    const toml = "[providers.candle]\nbatch_size = 33\n";
    const first = spellOf({ config: toml });
    await first.spell.load("tiny-stories");
    const second = spellOf({ config: await first.spell.config() });
    await second.spell.load("tiny-stories");
    expect([first.opened[0]?.batchSize, second.opened[0]?.batchSize]).toEqual([33, 33]);
    expect((await first.spell.config()).get("providers.candle.batch_size")).toEqual({ value: 33, origin: "text:2" });
    expect((await spellOf({ profile: "rag-dev" }).spell.config()).source).toBe("profile:rag-development");
    expect(
      (await spellOf({ env: { LLMSPELL_PROVIDERS_CANDLE_BATCH_SIZE: "8" } }).spell.config()).get("providers.candle.batch_size"),
    ).toEqual({
      value: 8,
      origin: "env:LLMSPELL_PROVIDERS_CANDLE_BATCH_SIZE",
    });
  });

  it("refuses both at once, unknown names, and paths where there are no files", async () => {
    await expect(spellOf({ profile: "candle", config: "" }).spell.config()).rejects.toMatchObject({ code: "config-conflict" });
    await expect(spellOf({ profile: "candel" }).spell.load("tiny-stories")).rejects.toMatchObject({ code: "profile-unknown" });
    await expect(spellOf({ config: "my.toml" }).spell.config()).rejects.toMatchObject({ code: "config-not-found" });
    await expect(spellOf({ profile: "ollama" }).spell.load("tiny-stories@candle")).rejects.toMatchObject({
      code: "backend-not-configured",
    });
    await expect(spellOf({ profile: "ollama" }).spell.load(new Blob(["x"]))).rejects.toMatchObject({ code: "backend-not-configured" });
  });

  it("says of a path where there are no files what to hand in, not to give a path", async () => {
    const files = { available: false, reason: "a page has no file system" } as const;
    const { load } = createSpell({ platform: { ...memoryPlatform(), files } });
    await expect(load("./own.gguf")).rejects.toMatchObject({
      code: "model-unknown",
      message: `./own.gguf is a path, and ${files.reason}`,
      hint: "Pass a File or Blob, or give an address.",
    });
  });

  it("a provider of any name has its own engine settings, and stands for the backend where it is the only one", async () => {
    const config = `[providers]
default_provider = "fast"
[providers.fast]
provider_type = "candle"
default_model = "tiny-stories"
batch_size = 7
[providers.careful]
provider_type = "candle"
default_model = "./own.gguf"
device = "wasm"
batch_size = 9
`;
    const { spell, opened } = spellOf({ config });
    for (const spec of [undefined, "tiny-stories", "tiny-stories@candle", "./own.gguf", "tiny-stories@careful", "careful/./own.gguf"])
      await spell.load(spec);
    // the first three are one model
    expect(opened.map(({ batchSize }) => batchSize)).toEqual([7, 7, 9, 9]);
    expect(opened.at(-1)?.device).toBe("wasm");
    expect((await (await spell.localLLM()).list()).map(({ id }) => id)).toContain("tiny-stories");
    await expect(spell.load("tiny-stories@ollama")).rejects.toMatchObject({ code: "backend-not-configured" });
  });

  it("a provider of any name has its own store and usual variant, and its pull command leads there", async () => {
    const config = `[providers.candle]
model_directory = "/usual"
[providers.big]
provider_type = "candle"
model_directory = "/big"
default_quantization = "Q8_0"
`;
    const storeAt = (place: string) => ({ ...memoryStore(), place });
    const spell = createSpell({ platform: { ...memoryPlatform(), storeAt }, config });
    const missing = async (spec: string) => failure(spell.load(spec));
    expect(await missing("qwen2.5-0.5b")).toMatchObject({
      code: "model-not-installed",
      message: expect.stringContaining("/usual"),
      actions: [{ kind: "pull", model: "qwen2.5-0.5b@candle" }],
    });
    expect(await missing("qwen2.5-0.5b@big")).toMatchObject({
      code: "model-not-installed",
      message: expect.stringContaining("/big"),
      actions: [{ kind: "pull", model: "qwen2.5-0.5b@big" }],
    });
    expect((await missing("hf:o/r:Q8_0@big")).message).toContain("/big");
    expect((await missing("hf:o/r:Q8_0")).message).toContain("/usual");
    expect(await missing("hf:o/r@small")).toMatchObject({ code: "spec-syntax" });
  });

  it("a provider of any name has its own Ollama server, with the user of its address", async () => {
    const asked: string[] = [];
    const server: typeof fetch = async (input, init) => {
      const url = new URL(String(input));
      const body = typeof init?.body === "string" ? JSON.parse(init.body) : {};
      const secret = new Headers(init?.headers).get("authorization");
      asked.push([url.host, url.pathname, body.keep_alive, body.options?.num_ctx, secret].join(" "));
      if (url.pathname === "/api/show") return new Response("{}");
      if (url.pathname === "/api/ps" || url.pathname === "/api/tags") return new Response('{"models":[{"name":"a:1b"}]}');
      return new Response('{"message":{"content":"hi"},"done":true,"done_reason":"stop"}\n');
    };
    const two = `[providers.ollama]
base_url = "http://127.0.0.1:1001"
[providers.office]
provider_type = "ollama"
base_url = "http://me:p%40ss@127.0.0.1:1002"
keep_alive_seconds = 7
context_size = 333
`;
    const answer = async (config: string, spec: string | undefined) => {
      asked.length = 0;
      const spell = createSpell({ platform: memoryPlatform({ fetch: server }), config });
      const model = await spell.load(spec);
      const text = await textOf(model.stream("x"));
      return { id: model.id, text, last: asked.at(-1) };
    };
    const own = { id: "a:1b@office", text: "hi", last: "127.0.0.1:1002 /api/chat 7 333 Basic bWU6cEBzcw==" };
    expect(await answer(two, "a:1b@office")).toEqual(own);
    expect(await answer(two, "office/a:1b")).toEqual(own);
    // a lone % is a character of the password
    expect((await answer(two.replace("p%40ss", "p%zz"), "a:1b@office")).last).toContain(`Basic ${btoa("me:p%zz")}`);
    expect(await answer(two, "a:1b@ollama")).toMatchObject({ id: "a:1b@ollama", last: "127.0.0.1:1001 /api/chat 300  " });
    // the only one stands for the backend
    const alone = two.slice(two.indexOf("[providers.office]"));
    for (const spec of ["a:1b", "a:1b@ollama", "a:1b@office", undefined])
      expect(await answer(`${alone}default_model = "a:1b"\n`, spec)).toEqual(own);
    const llm = await createSpell({ platform: memoryPlatform({ fetch: server }), config: alone }).localLLM();
    expect((await llm.list("ollama")).map(({ id }) => id)).toEqual(["a:1b@office"]);
    expect(await llm.status("ollama")).toMatchObject({ url: "http://127.0.0.1:1002" });
  });

  it("takes undefined as unset, and nothing that is no configuration", async () => {
    const unset = { rag: { enabled: undefined }, providers: { candle: { device: undefined } } } as unknown as ConfigInput;
    const { get } = await spellOf({ config: unset }).spell.config();
    expect([get("rag.enabled")?.origin, get("providers.candle.device")?.value, get("providers.ollama.enabled")]).toEqual([
      "default",
      "auto",
      undefined,
    ]);
    for (const config of [[], 5, null, new Map(), new (class Own {})(), Object.create({ rag: {} })])
      await expect(spellOf({ config: config as never }).spell.config()).rejects.toMatchObject({ code: "run-option", where: "config" });
    for (const profile of [5, null, ["candle"]])
      await expect(spellOf({ profile: profile as never }).spell.config()).rejects.toMatchObject({ code: "run-option", where: "profile" });
    await expect(resolveConfig({ profil: "candle" } as never, memoryPlatform())).rejects.toMatchObject({
      code: "run-option",
      message: expect.stringContaining("did you mean profile?"),
    });
    expect((await resolveConfig({ config: Object.create(null) }, memoryPlatform())).source).toBe("object");
  });

  it("disposing it ends its models and refuses further ones; questions are still answered", async () => {
    const { spell } = spellOf({});
    const model = await spell.load("tiny-stories");
    await spell.dispose();
    await expect(textOf(model.stream("x"))).rejects.toMatchObject({ code: "run-closed" });
    await expect(spell.load("tiny-stories")).rejects.toMatchObject({ code: "run-closed" });
    await expect(spell.generate("tiny-stories", "x")).rejects.toMatchObject({ code: "run-closed" });
    expect((await spell.models.info("tiny-stories")).id).toBe("tiny-stories");
    await spell[Symbol.asyncDispose]();
  });

  it("a name that is unknown says which", async () => {
    await expect(spellOf({}).spell.load("nowhere@candle")).rejects.toMatchObject({ code: "model-unknown", where: "nowhere" });
  });

  it("creating it reads and checks nothing", async () => {
    const { spell } = spellOf({ config: "this is = no [toml" });
    await expect(spell.load("m")).rejects.toMatchObject({ code: "config-syntax" });
  });
});

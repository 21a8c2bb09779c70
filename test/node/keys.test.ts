/** Every key outside `rag` acts: two values of each, two results. Those of `rag` are in test/core/rag/keys.test.ts. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, vi } from "vitest";
import { createSpell } from "../../src/core/api/spell.ts";
import { builtinProfiles, providerTypes } from "../../src/core/config/compiled.generated.ts";
import type { ConfigInput } from "../../src/core/config/config.generated.ts";
import { keysByPath, keysOfType } from "../../src/core/config/keys.ts";
import { realClock } from "../../src/core/download/clock.ts";
import { abortedError, SpellError } from "../../src/core/errors.ts";
import { isObject } from "../../src/core/json.ts";
import type { LogEntry, ToolHop } from "../../src/core/platform.ts";
import { bind } from "../../src/core/scripts/bind.ts";
import { scriptGlobals } from "../../src/core/scripts/globals/index.ts";
import { lazyScripts } from "../../src/core/scripts/lazy.ts";
import type { GgufGenerateOptions, GgufOpenOptions } from "../../src/core/spec/runtime.ts";
import { memoryRecords } from "../../src/core/store/memory-records.ts";
import { memoryPlatform, memoryStore, scriptedRuntime } from "../../src/core/testing/index.ts";
import { nodePlatform } from "../../src/node/platform.ts";
import { nodeForeignModels } from "../../src/node/store/foreign-models.ts";
import { tinyLlama } from "../fixtures/gguf/models.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { isLong } from "../support.ts";
import { writeHubCache } from "./support/hub-cache.ts";
import { sha256 } from "./support/local-llm.ts";

const home = mkdtempSync(join(tmpdir(), "llmspell-keys-"));
writeFileSync(join(home, "beside.txt"), "beside");
afterAll(() => rmSync(home, { recursive: true }));
const gguf = writeGguf(tinyLlama());
writeHubCache(join(home, "hub"), "owner/gguf", { "tiny.Q8_0.gguf": gguf });
mkdirSync(join(home, "ollama/blobs"), { recursive: true });
mkdirSync(join(home, "ollama/manifests/registry.ollama.ai/library/tiny"), { recursive: true });
writeFileSync(join(home, "ollama/blobs", `sha256-${sha256(gguf)}`), gguf);
writeFileSync(
  join(home, "ollama/manifests/registry.ollama.ai/library/tiny/latest"),
  JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.docker.distribution.manifest.v2+json",
    config: { mediaType: "application/vnd.docker.container.image.v1+json", digest: `sha256:${"0".repeat(64)}`, size: 2 },
    layers: [{ mediaType: "application/vnd.ollama.image.model", digest: `sha256:${sha256(gguf)}`, size: gguf.length }],
  }),
);
for (const name of ["mine", "yours"])
  writeFileSync(
    join(home, `${name}.toml`),
    `[[model]]\nname = "${name}"\ndescription = "of this test"\nkind = "chat"\nsource = "hf:owner/${name}"\nfile = "m.{Q}.gguf"\nquants = ["Q8_0"]\ndefault_quant = "Q8_0"\nsize_bytes = 1000\nparameter_count = 1000\ncontext_length = 1000\nlicense = "MIT"\n`,
  );
const wallTime = Date.now;
let folders = 0;
/** A folder of files, some of them below others. */
function newFolder(): string {
  folders += 1;
  const folder = join(home, String(folders));
  mkdirSync(join(folder, "a/b"), { recursive: true });
  for (const path of ["top.txt", "a/middle.txt", "a/b/deep.txt"]) writeFileSync(join(folder, path), "some text");
  return folder;
}

interface Asked {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

const lines = (all: readonly object[], before = "", after = "\n") => all.map((each) => `${before}${JSON.stringify(each)}${after}`).join("");
/** What servers answer: in the words of each protocol, one word. */
function answerTo(url: string): Response {
  if (url.includes("/api/show")) return Response.json({ capabilities: ["completion"], details: {}, model_info: {} });
  if (url.includes("/api/tags")) return Response.json({ models: [] });
  if (url.includes("/api/"))
    return new Response(
      lines([
        { message: { content: "Hello" }, response: "Hello" },
        { done: true, done_reason: "stop" },
      ]),
    );
  const events = url.includes("/messages")
    ? [
        { type: "message_start", message: { usage: { input_tokens: 1 } } },
        { type: "content_block_start", index: 0, content_block: { type: "text", text: "Hello" } },
        { type: "message_delta", delta: { stop_reason: "end_turn" } },
        { type: "message_stop" },
      ]
    : [{ choices: [{ delta: { content: "Hello" } }] }, { choices: [{ delta: {}, finish_reason: "stop" }] }];
  return new Response(lines(events, "data: ", "\n\n"), { headers: { "content-type": "text/event-stream" } });
}

const ended = (signal: AbortSignal | null | undefined): Promise<never> =>
  new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason), { once: true }));

/** A spell over real scripts, files and records and scripted models and servers, and everything that can be seen of it from outside. */
async function open(config: ConfigInput) {
  const seen = {
    log: [] as LogEntry[],
    asked: [] as Asked[],
    hops: [] as ToolHop[],
    opened: [] as Omit<GgufOpenOptions, "signal" | "onProgress">[],
    calls: [] as Omit<GgufGenerateOptions, "signal">[],
    /** addresses of databases */
    databases: [] as string[],
    stores: [] as string[],
    /** how long was waited between tries */
    waited: [] as number[],
    running: 0,
    most: 0,
    ms: 0,
  };
  const set = { answer: (url: string, _count: number): Response | Promise<Response> => answerTo(url), isSilent: false };
  const env = { KEY_A: "key-a", KEY_B: "key-b", URL_A: "postgres://a.invalid/x", URL_B: "postgres://b.invalid/x" };
  const node = nodePlatform({ log: (entry) => seen.log.push(entry) });
  const dates = vi.spyOn(Date, "now").mockImplementation(() => wallTime() + seen.ms);
  const scripted = scriptedRuntime({ stepMs: 5 });
  const model = gguf;
  const folder = newFolder();
  const platform = {
    ...memoryPlatform({
      files: { "./one.gguf": model, "./two.gguf": model },
      log: (entry) => seen.log.push(entry),
      fetch: async (input, init) => {
        init?.signal?.throwIfAborted();
        const body = typeof init?.body === "string" ? (JSON.parse(init.body) as unknown) : undefined;
        seen.asked.push({ url: String(input), headers: Object.fromEntries(new Headers(init?.headers)), body });
        const answer = set.answer(String(input), seen.asked.length);
        return Promise.race([answer, ended(init?.signal)]);
      },
      gguf: {
        name: "scripted",
        async open(files, { signal, onProgress, ...options }) {
          seen.opened.push(options);
          const handle = await scripted.open(files, { signal, onProgress, ...options });
          return {
            ...handle,
            get alive() {
              return handle.alive;
            },
            async *generate(prompt, call) {
              const { signal: own, ...asked } = call;
              seen.calls.push(asked);
              seen.running += 1;
              seen.most = Math.max(seen.most, seen.running);
              try {
                if (set.isSilent) await ended(own).catch(() => Promise.reject(abortedError()));
                yield* handle.generate(prompt, call);
              } finally {
                seen.running -= 1;
              }
            },
          };
        },
      },
    }),
    now: () => performance.now() + seen.ms,
    scripts: node.scripts,
    toolFiles: node.toolFiles,
    records: node.records,
    sharedRecords: async (url: string) => {
      seen.databases.push(url);
      return memoryRecords();
    },
    foreign: nodeForeignModels({ HF_HUB_CACHE: join(home, "hub"), OLLAMA_MODELS: join(home, "ollama") }),
    mcp: { sdk: async () => (await import("../../src/node/tools/mcp.ts")).sdk() },
    config: { ...node.config, env },
    storeAt(place: string) {
      seen.stores.push(place);
      return { ...memoryStore(), place };
    },
    request: async (hop: ToolHop) => {
      seen.hops.push(hop);
      const { status, headers, body } = await Promise.race([set.answer(hop.url.href, seen.hops.length), ended(hop.signal)]);
      return { status, headers: Object.fromEntries(headers), body: new Uint8Array(await new Response(body).arrayBuffer()) };
    },
  };
  const real = realClock(platform.now);
  /** Time passes two hundred times as fast, but where a test of its own moves it. */
  const sleep = async (ms: number, signal?: AbortSignal): Promise<boolean> => {
    if (set.isSilent) return real.sleep(ms, signal);
    if (!(await real.sleep(ms / 200, signal))) return false;
    seen.waited.push(Math.round(ms));
    seen.ms += ms;
    return true;
  };
  const clock = { ...real, random: () => 0.5, sleep };
  const spell = createSpell({ platform, config, env, scripts: lazyScripts, network: { fetch: platform.fetch, clock } });
  const over = new AbortController();
  const log = platform.log;
  const globals = scriptGlobals({ spell, config: await spell.config(), language: "lua", signal: over.signal, folder, env, log });
  const bound = bind(globals);
  return {
    spell,
    seen,
    set,
    folder,
    call: async (name: string, ...given: readonly unknown[]): Promise<unknown> => bound.call(name, given),
    tool: (name: string, input: object) => code(Promise.resolve(bound.call("Tool.execute", [name, input]))),
    async close() {
      over.abort();
      await globals.close();
      await spell.dispose();
      dates.mockRestore();
    },
  };
}

type Host = Awaited<ReturnType<typeof open>>;
type Look = (host: Host) => Promise<unknown>;

/** What it gives, or by which code it fails. */
const code = async (work: Promise<unknown>): Promise<unknown> =>
  work.catch((error: unknown) => (error instanceof SpellError ? error.code : Promise.reject(error)));
/** As code(), without what it gives: that is new each time. */
const ends = async (work: Promise<unknown>): Promise<unknown> => code(work.then(() => "ok"));

const ask: Look = async ({ spell, seen }) => {
  const result = await code(spell.generate(undefined, "Once"));
  return [seen.asked, seen.calls, isObject(result) ? [result["warnings"], result["text"]] : result];
};
const opened: Look = async ({ spell, seen }) => {
  const model = await spell.load();
  return [model.contextLength, seen.opened];
};
const listed: Look = async ({ spell }) => (await spell.models.list("candle")).map(({ id }) => id);
const idOf: Look = async ({ spell }) => (await spell.load()).id;
/** How something stands after five seconds in which nobody answers. */
const afterSilence =
  (work: (host: Host) => Promise<unknown>): Look =>
  async (host) => {
    host.set.answer = () => new Promise<never>(() => undefined);
    host.set.isSilent = true;
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    try {
      let end: unknown = "waits";
      const all = ends(work(host)).then((got) => {
        end = got;
      });
      // what is imported first is on the disk, which no clock moves
      for (let i = 0; i < 50; i += 1) {
        await vi.advanceTimersByTimeAsync(100);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const seen = end;
      host.seen.ms += 100_000;
      for (let i = 0; i < 1000 && end === "waits"; i += 1) {
        await vi.advanceTimersByTimeAsync(1000);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await all;
      return seen;
    } finally {
      vi.useRealTimers();
    }
  };
const script =
  (engine: "lua" | "javascript", source: string): Look =>
  async ({ spell }) => {
    try {
      return (await spell.scripts.run(source, { engine })).result;
    } catch (error) {
      const { code: own, details } = error as SpellError;
      return [own, details?.["trace"]];
    }
  };
/** One that fails two calls deep. */
const failing = {
  lua: script("lua", "local function deep() error('oh') end\nlocal function less() deep() end\nless()"),
  javascript: script("javascript", "function deep() { throw new Error('oh'); }\nfunction less() { deep(); }\nless();"),
};
const tool =
  (name: string, input: object): Look =>
  ({ call }) =>
    code(call("Tool.execute", name, input));
const http =
  (input: object = {}, hops = 0): Look =>
  async (host) => {
    host.set.answer = (_, count) =>
      count <= hops ? new Response(null, { status: 302, headers: { location: "/again" } }) : new Response("here");
    return [await ends(host.call("Tool.execute", "http-request", { url: "https://a.example/x", ...input })), host.seen.hops.length];
  };
const entries: Look = async ({ call }) => {
  for (const said of ["a", "b", "c"]) await call("Debug.info", said);
  return ((await call("Debug.get_captured_entries")) as unknown[]).length;
};
/** Events that wait for a subscriber to all. */
const waiting =
  (work: Look): Look =>
  async (host) => {
    await host.call("Event.subscribe", "**");
    await work(host);
    return (await host.call("Event.list_subscriptions")) as object[];
  };
const publish =
  (times: number): Look =>
  async ({ call }) => {
    const all = [];
    for (let i = 0; i < times; i += 1) all.push(await call("Event.publish", "news", { i }));
    return all;
  };
const save: Look = ({ call }) => ends(call("State.save", "notes", "day", "x".repeat(100)));
const session: Look = async ({ call, seen }) => {
  const id = await code(call("Session.create", {}));
  if (id === "session-disabled") return id;
  const stored = [];
  for (const name of ["a", "b"]) stored.push(await ends(call("Artifact.store", id, "text", name, "x".repeat(500))));
  const kept = (await call("Artifact.list", id)) as { readonly is_compressed: boolean }[];
  return [await ends(call("Session.create", {})), stored, kept.map((each) => each.is_compressed), seen.databases];
};
/** What a folder has when somebody else looks. */
const foundIn =
  (folder: string, work: Look): Look =>
  async (host) => {
    const path = join(folder, "records.sqlite");
    rmSync(folder, { recursive: true, force: true });
    await work(host);
    return existsSync(path);
  };
const repeated =
  (name: string, input: object): Look =>
  async ({ call }) => [await ends(call("Tool.execute", name, input)), await ends(call("Tool.execute", name, input))];
/** Refused three times, then answered. */
const refused: Look = async ({ spell, seen, set }) => {
  set.answer = (url, count) => (count <= 3 ? new Response("busy", { status: 503 }) : answerTo(url));
  return [await ends(spell.generate(undefined, "Once")), seen.waited];
};
const offer =
  (spec: string): Look =>
  async ({ spell, seen, set }) => {
    const files = ["m.Q4_K_M.gguf", "m.Q8_0.gguf"].map((path) => ({ type: "file", path, rfilename: path, size: 100, oid: "0".repeat(40) }));
    set.answer = (url) => Response.json(url.includes("/tree/") ? files : { id: "o/m", sha: "a".repeat(40), siblings: files });
    const found = (await code(spell.models.offer(spec))) as { readonly id?: string } | string;
    return [typeof found === "string" ? found : found.id, seen.asked.map(({ url }) => url)];
  };

const candle: ConfigInput = { providers: { candle: { default_model: "./one.gguf", max_tokens: 3, seed: 1 } } };
/** A provider under a name that says no type, and its way in the configuration. */
const office = "providers.office";
const addresses = {
  openai: "https://a.example/v1",
  "openai-compatible": "https://a.example/v1",
  anthropic: "https://a.example",
  ollama: "https://a.example",
};
type Server = keyof typeof addresses;
const server = (provider_type: Server, more: object = {}): ConfigInput =>
  ({
    providers: {
      default_provider: "office",
      office: { provider_type, base_url: addresses[provider_type], default_model: "m", seed: 1, api_key: "key-of-mine", ...more },
    },
  }) as ConfigInput;
const permitted: ConfigInput = { runtime: { security: { allow_file_access: true } } };
const keptSessions: ConfigInput = { runtime: { sessions: { enabled: true } } };

/** Of which no other key speaks. */
const serverAlone = (type: Server): ConfigInput => ({
  providers: { office: { provider_type: type, base_url: addresses[type], api_key: "key-of-mine" } },
});

/** outside `rag`: "providers.candle.device" */
const profileKeys = new Set(builtinProfiles.flatMap(({ values }) => pathsIn(values).filter((path) => !path.startsWith("rag."))));
function pathsIn(value: unknown, path = ""): readonly string[] {
  if (!isObject(value)) return [path];
  return Object.entries(value).flatMap(([name, inner]) => pathsIn(inner, path === "" ? name : `${path}.${name}`));
}

type Row = readonly [key: string, first: unknown, second: unknown, look: Look, also?: ConfigInput];

/** Sampling as all providers have it. */
const sampling: readonly (readonly [key: string, first: unknown, second: unknown])[] = [
  ["temperature", 0.2, 0.9],
  ["top_p", 0.2, 0.9],
  ["top_k", 2, 9],
  ["min_p", 0.1, 0.2],
  ["repeat_penalty", 1.1, 1.5],
  ["repeat_last_n", 16, 32],
  ["max_tokens", 2, 3],
  ["seed", 1, 2],
  ["stop", ["x"], ["y"]],
  ["preset", "greedy", "creative"],
];

const serverRows = (type: Server): readonly Row[] => {
  const also = server(type);
  const row = (key: string, first: unknown, second: unknown, look: Look = ask, more: object = {}): Row => [
    `${office}.${key}`,
    first,
    second,
    look,
    server(type, more),
  ];
  const keyless = { api_key: undefined };
  return [
    // one that is not there is told in a warning
    ...sampling.map(([key, first, second]) => row(key, leftOut[type].includes(key) ? undefined : first, second, ask, beside[key])),
    [`${office}.enabled`, true, false, ({ spell }) => ends(spell.load(type === "ollama" ? "m@office" : "office/m")), serverAlone(type)],
    row("default_model", "m", "n"),
    row("base_url", addresses[type], addresses[type].replace("a.example", "b.example")),
    row("api_key", "key-1-of-mine", "key-2-of-mine"),
    row("api_key_env", "KEY_A", "KEY_B", ask, keyless),
    row(
      "timeout_seconds",
      2,
      20,
      afterSilence(({ spell }) => spell.generate(undefined, "Once")),
      { max_retries: 0 },
    ),
    row("max_retries", 1, 3, refused),
    row("retry.initial_delay_ms", 100, 200, refused),
    row("retry.max_delay_ms", 100, 200, refused, { retry: { initial_delay_ms: 300 } }),
    row("retry.backoff_multiplier", 1, 3, refused),
    row("rate_limit.requests_per_minute", 1, 9, async ({ spell, seen }) => {
      for (const text of ["Once", "Twice"]) await spell.generate(undefined, text);
      return seen.waited.length;
    }),
    [`${office}.provider_type`, type, type === "openai-compatible" ? "anthropic" : "openai-compatible", ask, also],
  ];
};
/** What a key needs beside it to mean something; a seed that is there already would hide the other. */
const beside: Readonly<Record<string, object>> = { repeat_last_n: { repeat_penalty: 1.3 }, seed: { seed: undefined } };
/** Sampling that a protocol does not have. */
const leftOut: Readonly<Record<Server, readonly string[]>> = {
  ollama: [],
  openai: ["top_k", "min_p", "repeat_penalty", "repeat_last_n"],
  "openai-compatible": ["repeat_penalty", "repeat_last_n"],
  anthropic: ["min_p", "repeat_penalty", "repeat_last_n", "seed"],
};

const rows: Readonly<Record<string, readonly Row[]>> = {
  general: [
    ["default_model", "./one.gguf", "./two.gguf", idOf, candle],
    [
      "runtime.log_level",
      "warn",
      "info",
      async ({ call, seen }) => {
        await call("Logger.info", "told");
        return seen.log.length;
      },
    ],
    [
      "providers.default_provider",
      "a",
      "b",
      ask,
      {
        providers: Object.fromEntries(
          ["a", "b"].map((name) => [
            name,
            { provider_type: "openai-compatible", base_url: `https://${name}.example/v1`, default_model: "m" },
          ]),
        ) as ConfigInput["providers"],
      },
    ],
    ["models.offline", false, true, offer("hf:o/m"), candle],
    ["models.hf_endpoint", "https://a.example", "https://b.example", offer("hf:o/m"), candle],
    ["models.allow_hosts", [], ["10.0.0.1"], offer("http://10.0.0.1/m.gguf"), candle],
    ["models.reuse_hf_cache", true, false, listed, candle],
    ["models.reuse_ollama_store", true, false, listed, candle],
    [
      "models.catalogue",
      join(home, "mine.toml"),
      join(home, "yours.toml"),
      async ({ spell }) => (await spell.models.available({ search: "of this test" })).map(({ name }) => name),
      candle,
    ],
    [
      "models.max_parallel",
      1,
      3,
      async ({ spell, seen, set }) => {
        // pieces of a large file, none of which ends
        const [size, oid] = [500_000_000, "0".repeat(64)];
        const files = [{ type: "file", path: "m.gguf", rfilename: "m.gguf", size, oid, lfs: { oid, sha256: oid, size } }];
        set.answer = (url) => {
          if (!url.includes("/resolve/"))
            return Response.json(url.includes("/tree/") ? files : { id: "o/m", sha: "a".repeat(40), siblings: files });
          const range = seen.asked.at(-1)?.headers["range"]?.replace(/^bytes=/, "");
          const headers = { "content-range": `bytes ${range}/${size}`, etag: '"e"' };
          return range === undefined
            ? new Response(new ReadableStream(), { headers: { "content-length": `${size}` } })
            : new Response(new ReadableStream(), { status: 206, headers });
        };
        const stop = new AbortController();
        set.isSilent = true;
        const pulling = ends(spell.models.pull("hf:o/m", { signal: stop.signal }));
        const pieces = () => seen.asked.filter(({ url }) => url.includes("/resolve/"));
        await vi.waitFor(() => expect(pieces().length).toBeGreaterThan(0), 10_000);
        await new Promise((resolve) => setTimeout(resolve, 100));
        stop.abort();
        return [await pulling, pieces().map(({ headers }) => headers["range"])];
      },
      candle,
    ],
    ["debug.enabled", true, false, entries],
    ["debug.level", "debug", "error", entries],
    ["debug.max_entries", 1, 2, entries],
  ],
  candle: [
    ["provider_type", "candle", "ollama", ask, { providers: { candle: { default_model: "tiny", seed: 1 } } } as Row[4]],
    ["enabled", true, false, ({ spell }: Host) => ends(spell.load("./one.gguf")), candle],
    ["default_model", "./one.gguf", "./two.gguf", idOf, candle],
    ...sampling.map(([key, first, second]) => [key, first, second, ask, candle] as const),
    [
      "model_directory",
      "/a",
      "/b",
      async ({ spell, seen }: Host) => {
        await spell.models.list();
        return seen.stores;
      },
      candle,
    ],
    ["device", "cpu", "wasm", opened, candle],
    ["default_quantization", "Q4_K_M", "Q8_0", offer("hf:o/m"), candle],
    ["context_size", 128, 256, opened, candle],
    ["batch_size", 8, 16, opened, candle],
    ["cpu_threads", 1, 2, opened, candle],
    ["kept_states_mb", 1, 2, opened, candle],
    [
      "max_concurrent",
      1,
      2,
      async ({ spell, seen }: Host) => {
        await Promise.all(["./one.gguf", "./two.gguf"].map((model) => spell.generate(model, "Once")));
        return seen.most;
      },
      candle,
    ],
    [
      "keep_alive_seconds",
      0,
      300,
      async ({ spell }: Host) => {
        await spell.generate(undefined, "Once");
        return spell.models.loaded().length;
      },
      candle,
    ],
    ["timeout_seconds", 2, 20, afterSilence(({ spell }) => spell.generate(undefined, "Once")), candle],
  ].map(([key, ...rest]) => [`providers.candle.${key}`, ...rest] as unknown as Row),
  ollama: [
    ...serverRows("ollama"),
    [`${office}.context_size`, 256, 512, ask, server("ollama")],
    [`${office}.keep_alive_seconds`, 5, 50, ask, server("ollama")],
  ],
  openai: serverRows("openai"),
  anthropic: serverRows("anthropic"),
  "openai-compatible": serverRows("openai-compatible"),
  "what scripts may do and keep": [
    ["runtime.security.allow_file_access", false, true, tool("file-operations", { operation: "read", path: "top.txt" })],
    [
      "runtime.security.allowed_paths",
      [],
      [home],
      tool("file-operations", { operation: "read", path: join(home, "beside.txt") }),
      permitted,
    ],
    ["runtime.security.allow_network_access", true, false, http()],
    ["runtime.security.allowed_env", [], ["KEY_A"], ({ call }) => code(call("Utils.env", "KEY_A"))],
    ["runtime.state_persistence.enabled", true, false, save],
    [
      "runtime.state_persistence.backend_type",
      "memory",
      "file",
      foundIn(join(home, "state"), save),
      { runtime: { state_persistence: { directory: join(home, "state") } } },
    ],
    [
      "runtime.state_persistence.directory",
      join(home, "state"),
      join(home, "other"),
      foundIn(join(home, "state"), save),
      { runtime: { state_persistence: { backend_type: "file" } } },
    ],
    ["runtime.state_persistence.max_state_size_bytes", 50, 500, save],
    ["runtime.sessions.enabled", false, true, session],
    ["runtime.sessions.max_sessions", 1, 2, session, keptSessions],
    ["runtime.sessions.max_artifacts_per_session", 1, 2, session, keptSessions],
    ["runtime.sessions.artifact_compression_threshold", 100, 1000, session, keptSessions],
    [
      "runtime.sessions.session_timeout_seconds",
      10,
      100,
      async ({ call, seen }) => {
        const id = await call("Session.create", {});
        seen.ms += 50_000;
        return ((await call("Session.get", id)) as { readonly status: string }).status;
      },
      keptSessions,
    ],
    [
      "runtime.sessions.storage_backend",
      "memory",
      "file",
      foundIn(join(home, "sessions"), session),
      { runtime: { sessions: { enabled: true, directory: join(home, "sessions") } } },
    ],
    [
      "runtime.sessions.directory",
      join(home, "sessions"),
      join(home, "other-sessions"),
      foundIn(join(home, "sessions"), session),
      { runtime: { sessions: { enabled: true, storage_backend: "file" } } },
    ],
    [
      "storage.postgres_url",
      "postgres://a.invalid/x",
      "postgres://b.invalid/x",
      session,
      { runtime: { sessions: { enabled: true, storage_backend: "postgres" } } },
    ],
    ["storage.postgres_url_env", "URL_A", "URL_B", session, { runtime: { sessions: { enabled: true, storage_backend: "postgres" } } }],
  ],
  events: [
    ["events.enabled", true, false, ({ call }) => ends(call("Event.subscribe", "**"))],
    ["events.buffer_size", 1, 2, waiting(publish(3)), { events: { emit_timing_events: false } }],
    ["events.max_events_per_second", 1, 2, publish(3)],
    ["events.emit_timing_events", true, false, waiting(tool("calculator", { expression: "1" }))],
    ["events.emit_state_events", true, false, waiting(save)],
    ["events.emit_debug_events", true, false, waiting(entries)],
  ],
  tools: [
    ["tools.file_operations.enabled", true, false, tool("file-operations", { operation: "read", path: "top.txt" }), permitted],
    ["tools.file_operations.max_file_size", 5, 500, tool("file-operations", { operation: "read", path: "top.txt" }), permitted],
    [
      "tools.file_operations.max_depth",
      1,
      2,
      async ({ call }) => {
        const { result } = (await call("Tool.execute", "file-operations", { operation: "search", path: ".", pattern: "*.txt" })) as {
          readonly result: { readonly path: string }[];
        };
        return result.map(({ path }) => path).sort();
      },
      permitted,
    ],
    ["tools.file_operations.blocked_extensions", [], ["txt"], tool("file-operations", { operation: "read", path: "top.txt" }), permitted],
    ["tools.http_request.enabled", true, false, http()],
    ["tools.http_request.allowed_hosts", [], ["b.example"], http()],
    ["tools.http_request.blocked_hosts", [], ["a.example"], http()],
    [
      "tools.http_request.timeout_seconds",
      2,
      20,
      afterSilence(({ call }) => call("Tool.execute", "http-request", { url: "https://a.example/x" })),
    ],
    ["tools.http_request.max_request_size", 5, 500, http({ method: "POST", body: "more than five" })],
    ["tools.http_request.max_redirects", 1, 5, http({}, 3)],
    [
      "tools.mcp.servers",
      [],
      ["garden = https://garden.example/mcp"],
      ({ call, set }) => {
        set.answer = () => new Response("no such page", { status: 404 });
        return ends(call("Tool.connect", "garden"));
      },
    ],
    [
      "tools.mcp.timeout_seconds",
      2,
      20,
      afterSilence(({ call }) => call("Tool.connect", "garden")),
      { tools: { mcp: { servers: ["garden = https://garden.example/mcp"] } } },
    ],
    ["tools.rate_limit_per_minute", 1, 2, repeated("calculator", { expression: "1" })],
  ],
  engines: [
    ["default_engine", "lua", "javascript", async ({ spell }) => (await spell.scripts.run("", {})).engine],
    ["engines.lua.stdlib", "None", "All", script("lua", "return type(string)")],
    ["engines.javascript.stdlib", "None", "All", script("javascript", "export default typeof setTimeout")],
    ["engines.lua.enable_debug", false, true, failing.lua],
    ["engines.javascript.enable_debug", false, true, failing.javascript],
    ["engines.javascript.enable_console", false, true, script("javascript", "export default typeof console")],
    ["engines.lua.max_memory_bytes", 17_825_792, 268_435_456, script("lua", "return #('x'):rep(3e7)")],
    [
      "engines.javascript.max_heap_size_bytes",
      2_097_152,
      134_217_728,
      script("javascript", "export default new ArrayBuffer(4e6).byteLength"),
    ],
    ["engines.lua.timeout_ms", 50, 30_000, script("lua", "local from = os.clock() while os.clock() - from < 0.4 do end return 1")],
    [
      "engines.javascript.timeout_ms",
      50,
      30_000,
      script("javascript", "const from = Date.now(); while (Date.now() - from < 400); export default 1"),
    ],
    ["engines.lua.max_output_bytes", 100, 10_000, script("lua", "print(('x'):rep(1000)) return 1")],
    ["engines.javascript.max_output_bytes", 100, 10_000, script("javascript", "print('x'.repeat(1000)); export default 1")],
    ["hooks.enabled", false, true, script("lua", "return (pcall(Hook.register, 'BeforeToolExecution', function() end))")],
    [
      "hooks.rate_limit_per_minute",
      1,
      100,
      script(
        "lua",
        `
      local count = 0
      Hook.register("BeforeToolExecution", function() count = count + 1 end)
      for i = 1, 3 do Tool.execute("calculator", {expression = "1"}) end
      return count`,
      ),
      { hooks: { enabled: true } },
    ],
    [
      "hooks.timeout_ms",
      200,
      10_000,
      script(
        "lua",
        `
      Hook.register("BeforeToolExecution", function() Utils.sleep(1) return "no" end)
      return (pcall(Tool.execute, "calculator", {expression = "1"}))`,
      ),
      { hooks: { enabled: true } },
    ],
    ["runtime.script_timeout_seconds", 1, 0, script("lua", "Utils.sleep(1.5) return 1")],
  ],
};

/** @param path "runtime.sessions.enabled" */
function withKey(config: ConfigInput, path: string, value: unknown): ConfigInput {
  const [first = "", ...rest] = path.split(".");
  const inner = (config as Readonly<Record<string, unknown>>)[first];
  return { ...config, [first]: rest.length === 0 ? value : withKey((inner ?? {}) as ConfigInput, rest.join("."), value) };
}

/** The path of a row without the name that its provider has here. */
const pathOf = (group: string, key: string): string => key.replace(office, `providers.${group}`);

/** What takes an engine of scripts takes long, and services differ in how they are spoken to: but for keys of profiles that is for the long run. */
const isQuick = (group: string, key: string): boolean =>
  isLong ||
  !["engines", "ollama", "openai", "anthropic"].includes(group) ||
  profileKeys.has(pathOf(group, key)) ||
  /\.(enabled|base_url|api_key|context_size)$/.test(key);

describe.each(Object.entries(rows))("%s", (group, all) => {
  for (const [key, first, second, look, also = {}] of all.filter(([path]) => isQuick(group, path)))
    it(`${pathOf(group, key)}: ${first} is not ${second}`, async () => {
      const results = [];
      for (const value of isLong ? [first, second, first] : [first, second]) {
        const host = await open(value === undefined ? also : withKey(also, key, value));
        try {
          results.push(await look(host));
        } finally {
          await host.close();
        }
      }
      expect(results[0]).not.toEqual(results[1]);
      // what differs is the key's doing
      if (isLong) expect(results[2]).toEqual(results[0]);
    });
});

describe("the table above", () => {
  const here = new Set(Object.entries(rows).flatMap(([group, all]) => all.map(([key]) => pathOf(group, key))));

  it("has every key that a profile sets", () => {
    expect(profileKeys.size).toBeGreaterThan(40);
    expect([...profileKeys].filter((path) => !here.has(path))).toEqual([]);
  });

  it("has every other key that is read", () => {
    const types = providerTypes.flatMap((type) =>
      [...keysOfType(type).values()].map((key) => ({ ...key, path: `providers.${type}.${key.path}` })),
    );
    const all = [...[...keysByPath().values()].filter(({ path }) => !path.startsWith("rag.")), ...types];
    const missing = all.filter(({ path, reader }) => !reader.startsWith("later") && !here.has(path)).map(({ path }) => path);
    expect(missing).toEqual([]);
  });
});

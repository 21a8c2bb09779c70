/** What a browser gives core. Web globals that workers have too; never the page. */
import { fromBase64 } from "../core/base64.ts";
import { SpellError, toSpellError } from "../core/errors.ts";
import { blobSource, bytesSource } from "../core/formats/byte-source.ts";
import type { LogEntry, McpHost, Platform } from "../core/platform.ts";
import type { CommonOpenOptions } from "../core/remote/caller.ts";
import type { RemoteRuntime } from "../core/remote/runtime.ts";
import { bundledFiles } from "./addresses.ts";
import { exportedRuntime, ggufRuntime, t5Runtime } from "./engines/devices.ts";
import { type EngineFiles, engineFiles } from "./engines/engine-files.ts";
import type { TransformersLoader } from "./engines/transformers-engine.ts";
import type { EngineName, WorkerRuntimeOptions } from "./engines/worker-runtime.ts";
import { workerIsolate } from "./isolate.ts";
import { browserStore } from "./store/store.ts";

/** `wllama`, `onnx`: where the engines' files are served, for pages that have neither a bundler nor an import map. */
export interface BrowserPlatformOptions extends EngineFiles {
  /** `() => import("@huggingface/transformers")`, for models exported to ONNX. The package is optional, so the page imports it. */
  readonly transformers?: TransformersLoader | undefined;
  /**
   * The official SDK of the Model Context Protocol, for tools of servers. The package is optional, so the page imports it:
   * `async () => ({ ...(await import("@modelcontextprotocol/sdk/client/index.js")), ...(await import("@modelcontextprotocol/sdk/client/streamableHttp.js")) })`
   */
  readonly mcp?: (() => Promise<{ readonly Client: unknown; readonly StreamableHTTPClientTransport: unknown }>) | undefined;
  /** Token of the Hugging Face Hub, or a function that gives the present one; sent to the hub only. */
  readonly hubToken?: string | (() => string | undefined) | undefined;
  /** Address of the folder of the bundled models, with a slash at its end; default: inside this package. */
  readonly models?: string | undefined;
  readonly log?: ((entry: LogEntry) => void) | undefined;
}

export function browserPlatform(options: BrowserPlatformOptions = {}): Platform {
  const files = engineFiles(options);
  const log = options.log ?? (() => undefined);
  const bundled: Platform["bundled"] = async (model, file) => {
    const address = options.models === undefined ? packaged(model, file) : new URL(`${model}/${file}`, options.models);
    // Bundlers inline small files; a content security policy that lists origins forbids fetching such addresses.
    if (address.protocol === "data:") return bytesSource(file, dataBytes(address));
    const noAnswer = (cause: unknown): never => {
      throw new SpellError("net-offline", `${model} cannot be fetched: no answer from ${address.host}`, {
        where: address.href,
        hint: "Check the network. A bundled model is fetched from the page's own host when it is first used.",
        cause,
      });
    };
    const response = await fetchPlainly(address).catch(noAnswer);
    if (!response.ok) throw notServed(address, `status ${response.status}`);
    // servers of single pages answer with the page for whatever they do not have
    if (response.headers.get("content-type")?.startsWith("text/html") === true) throw notServed(address, "an HTML page");
    return blobSource(file, await response.blob().catch(noAnswer));
  };
  return {
    name: "browser",
    isPage: true,
    ownOrigin: location.origin, // "null" of a page from a file, which no address has
    fetch: fetchPlainly,
    gguf: { available: true, value: ggufRuntime(lazyRuntime("wllama", { files }), { bundled }) },
    seq2seq: { available: true, value: t5Runtime(lazyRuntime("onnxruntime-web", { files }), { bundled }) },
    exported:
      options.transformers === undefined
        ? { available: false, reason: 'pass browserPlatform({ transformers: () => import("@huggingface/transformers") })' }
        : { available: true, value: exportedRuntime(options.transformers, files.onnx, { bundled }) },
    files: { available: false, reason: "a page has no file system" },
    scripts: {
      available: true,
      value: { start: async (engine, memoryBytes) => (await import("./scripts/host.ts")).workerScripts().start(engine, memoryBytes) },
    },
    config: { hubToken: () => (typeof options.hubToken === "function" ? options.hubToken() : options.hubToken) },
    store: browserStore(log),
    searchFolder: async (place) => (await import("./store/search-folder.ts")).opfsSearchFolder(place),
    records: async (folder) => (await import("./store/indexed-records.ts")).indexedRecords(folder),
    isolate: workerIsolate(),
    mcp: options.mcp === undefined ? undefined : { sdk: options.mcp as McpHost["sdk"] },
    bundled,
    now: () => performance.now(),
    log,
  };
}

/** What talks to workers comes with the first model. @returns a GgufRuntime or a Seq2SeqRuntime, by its options */
function lazyRuntime<OpenOptions extends CommonOpenOptions, CallOptions extends { readonly signal?: AbortSignal | undefined }>(
  engine: EngineName,
  options: WorkerRuntimeOptions,
): RemoteRuntime<OpenOptions, CallOptions> {
  let loading: Promise<RemoteRuntime<OpenOptions, CallOptions>> | undefined;
  const load = async (): Promise<RemoteRuntime<OpenOptions, CallOptions>> => {
    try {
      const { workerRuntime } = await import("./engines/worker-runtime.ts");
      return workerRuntime(engine, options);
    } catch (error) {
      loading = undefined; // the next model asks again
      throw toSpellError(error, "device-unavailable", "a part of this package cannot be fetched");
    }
  };
  const runtime = (): Promise<RemoteRuntime<OpenOptions, CallOptions>> => (loading ??= load());
  return {
    name: engine,
    prepare: (device) =>
      void runtime().then(
        (ready) => ready.prepare(device),
        () => undefined, // open() says why
      ),
    probe: async (device) => (await runtime()).probe(device),
    open: async (files, choice) => (await runtime()).open(files, choice),
  };
}

/** The model is in this package, so it is the bundler that did not bring it. */
function notServed({ href }: URL, got: string): SpellError {
  const hint = href.includes("/.vite/deps/")
    ? 'In the configuration of Vite: optimizeDeps: { exclude: ["llmspell"] }.'
    : 'The page is served without the files of this package. Add the plugin for its bundler from llmspell/bundlers, or name the folder: browserPlatform({ models: "https://…/" }); docs/browser.md, Bundlers.';
  return new SpellError("net-status", `expected a file of this package, got ${got} from ${href}`, { where: href, hint });
}

/**
 * Hosts of large files refuse CORS preflights, which a browser sends for most headers. A single range needs none, `If-Range` does; what it
 * guards is checked again in the answer.
 */
function fetchPlainly(input: RequestInfo | URL, init?: RequestInit): Promise<Response> {
  if (init?.headers === undefined) return globalThis.fetch(input, init);
  const headers = new Headers(init.headers);
  headers.delete("if-range");
  return globalThis.fetch(input, { ...init, headers });
}

function dataBytes({ href }: URL): Uint8Array {
  const comma = href.indexOf(",");
  const data = href.slice(comma + 1);
  if (!href.slice(0, comma).endsWith(";base64")) return new TextEncoder().encode(decodeURIComponent(data));
  return fromBase64(data);
}

function packaged(model: string, file: string): URL {
  const address = bundledFiles[`${model}/${file}`];
  if (address === undefined) throw new SpellError("internal-error", `${model}/${file} is not in this package`);
  return address();
}

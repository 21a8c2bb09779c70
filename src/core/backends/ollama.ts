/**
 * A running Ollama server, over its HTTP API: lists, pulls with its own progress, and its models as LanguageModel.
 * It is asked at the first call that needs it, never before. What it says is data of a stranger: bounded, and checked where it is used.
 * Source: docs/api.md of ollama.
 */
import type { Clock } from "../download/clock.ts";
import { type Network, type RequestOptions, readBody, request } from "../download/request.ts";
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { GenerateOptions, Message, Prompt } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { ModelSettings } from "../spec/model-settings.ts";
import type { DeviceReport } from "../spec/runtime.ts";
import type { ManyPart, StreamPart } from "../spec/stream-part.ts";
import { checkPrompt } from "../text/check-call.ts";
import { parameterRules, presets, resolveDecoderParameters } from "../text/parameters.ts";
import { createTurns } from "../text/turns.ts";

export interface OllamaModel {
  /** `name:tag` */
  readonly name: string;
  readonly sizeBytes: number;
  /** seconds since the epoch */
  readonly modifiedAt?: number | undefined;
  readonly digest?: string | undefined;
  readonly family?: string | undefined;
  readonly quantization?: string | undefined;
  readonly parameterCount?: number | undefined;
}

export interface OllamaDetails {
  readonly architecture?: string | undefined;
  readonly quantization?: string | undefined;
  readonly parameterCount?: number | undefined;
  readonly contextLength?: number | undefined;
  readonly embeddingLength?: number | undefined;
  readonly blockCount?: number | undefined;
  readonly license?: string | undefined;
  readonly template?: string | undefined;
  readonly capabilities: readonly string[];
}

export interface RunningModel {
  readonly name: string;
  readonly sizeBytes: number;
  readonly gpuBytes: number;
  readonly contextSize?: number | undefined;
  /** seconds since the epoch */
  readonly expiresAt?: number | undefined;
}

export interface OllamaPullProgress {
  /** the server's words */
  readonly status: string;
  /** of all layers told so far */
  readonly bytes: number;
  readonly totalBytes: number | undefined;
  /** layer it speaks of, */
  readonly layer?: string | undefined;
}

/** What the server is told with each call; what is left out it decides. */
export interface OllamaLoadOptions {
  readonly contextSize?: number | undefined;
  /** CPU threads; 0 = the server's choice */
  readonly threads?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface OllamaClient {
  readonly url: string;
  /** What a model of this server is called here: `llama3.2:1b@ollama`. */
  idOf(name: string): string;
  /** @throws SpellError ollama-unreachable */
  version(signal?: AbortSignal): Promise<string>;
  list(signal?: AbortSignal): Promise<readonly OllamaModel[]>;
  /** @throws SpellError model-not-installed */
  show(name: string, signal?: AbortSignal): Promise<OllamaDetails>;
  /** @throws SpellError ollama-error with the server's words */
  pull(name: string, onProgress: (progress: OllamaPullProgress) => void, signal?: AbortSignal): Promise<void>;
  remove(name: string, signal?: AbortSignal): Promise<void>;
  running(signal?: AbortSignal): Promise<readonly RunningModel[]>;
  /** Asks the server to forget a loaded model. */
  unload(name: string, signal?: AbortSignal): Promise<void>;
  /** @throws SpellError model-not-installed, ollama-unreachable */
  open(name: string, options?: OllamaLoadOptions): Promise<LanguageModel>;
}

/** Bytes of one line of a stream; a token has some hundred, a long context list some hundred thousand. */
const lineBytes = 4 * 1024 * 1024;

export function createOllamaClient(outer: Network, settings: ModelSettings): OllamaClient {
  const { url, fetch } = serverAt(settings.ollamaBaseUrl, outer.fetch);
  const network: Network = { ...outer, fetch };
  const idOf = (name: string): string => `${name}@${settings.ollamaProvider}`;

  async function call(path: string, body: unknown, method: "GET" | "POST" | "DELETE", signal: AbortSignal | undefined) {
    const options: RequestOptions = { what: "Ollama", isTrusted: true, signal };
    try {
      const answer = await request(`${url}${path}`, withBody(network, method, body), { ...options, firstByteMs: settings.ollamaTimeoutMs });
      return answer;
    } catch (error) {
      throw unreachable(error, url);
    }
  }

  async function* lines(path: string, body: unknown, method: "GET" | "POST" | "DELETE", signal: AbortSignal | undefined, name?: string) {
    const answer = await call(path, body, method, signal);
    const { status } = answer.response;
    const decoder = new TextDecoder();
    let pending = "";
    const read = (line: string): Readonly<Record<string, unknown>> => {
      let value: unknown;
      try {
        value = JSON.parse(line);
      } catch {
        throw new SpellError(
          "ollama-error",
          `${url} answered ${status} with something that is no JSON: ${JSON.stringify(line.slice(0, 80))}`,
          {
            where: url,
            hint: "Is it an Ollama server that listens there?",
          },
        );
      }
      if (!isObject(value)) throw new SpellError("ollama-error", `${url} answered with no object`, { where: url });
      if (typeof value["error"] === "string" || status >= 400)
        throw serverError(String(value["error"] ?? status), status, url, name && idOf(name));
      return value;
    };
    try {
      const body = readBody(answer, {
        what: "Ollama",
        clock: network.clock,
        stallMs: settings.ollamaTimeoutMs,
        signal,
      });
      for await (const chunk of body) {
        pending += decoder.decode(chunk, { stream: true });
        if (pending.length > lineBytes) throw new SpellError("ollama-error", `${url} sends a line without end`, { where: url });
        for (let at = pending.indexOf("\n"); at >= 0; at = pending.indexOf("\n")) {
          const line = pending.slice(0, at).trim();
          pending = pending.slice(at + 1);
          if (line !== "") yield read(line);
        }
      }
    } catch (error) {
      throw unreachable(error, url);
    }
    if (pending.trim() !== "") yield read(pending);
    else if (status >= 400) throw serverError(String(status), status, url, name && idOf(name));
  }

  async function one(path: string, body: unknown, method: "GET" | "POST" | "DELETE", signal: AbortSignal | undefined, name?: string) {
    let last: Readonly<Record<string, unknown>> = {};
    for await (const value of lines(path, body, method, signal, name)) last = value;
    return last;
  }

  const client: OllamaClient = {
    url,
    idOf,
    async version(signal) {
      const { version } = await one("/api/version", undefined, "GET", signal);
      if (typeof version !== "string") throw new SpellError("ollama-error", `${url} does not answer like an Ollama server`, { where: url });
      return version.slice(0, 40);
    },
    async list(signal) {
      const { models } = await one("/api/tags", undefined, "GET", signal);
      return objects(models).flatMap((model): readonly OllamaModel[] => {
        const name = textOf(model["name"]) ?? textOf(model["model"]);
        if (name === undefined) return [];
        const details = isObject(model["details"]) ? model["details"] : {};
        const time = Date.parse(textOf(model["modified_at"]) ?? "");
        return [
          {
            name,
            sizeBytes: numberOf(model["size"]) ?? 0,
            modifiedAt: Number.isNaN(time) ? undefined : Math.floor(time / 1000),
            ...given("digest", textOf(model["digest"])),
            ...given("family", textOf(details["family"])),
            ...given("quantization", textOf(details["quantization_level"])),
            ...given("parameterCount", parseParameters(textOf(details["parameter_size"]))),
          },
        ];
      });
    },
    async show(name, signal) {
      const value = await one("/api/show", { model: name }, "POST", signal, name);
      const info = isObject(value["model_info"]) ? value["model_info"] : {};
      const details = isObject(value["details"]) ? value["details"] : {};
      const architecture = textOf(info["general.architecture"]) ?? textOf(details["family"]);
      const capabilities = Array.isArray(value["capabilities"])
        ? value["capabilities"].filter((each): each is string => typeof each === "string")
        : [];
      return {
        ...given("architecture", architecture),
        ...given("quantization", textOf(details["quantization_level"])),
        ...given("parameterCount", numberOf(info["general.parameter_count"])),
        ...given("contextLength", numberOf(info[`${architecture}.context_length`])),
        ...given("embeddingLength", numberOf(info[`${architecture}.embedding_length`])),
        ...given("blockCount", numberOf(info[`${architecture}.block_count`])),
        ...given("license", textOf(value["license"])?.split("\n", 1)[0]?.trim().slice(0, 120)),
        ...given("template", textOf(value["template"])),
        capabilities,
      };
    },
    async pull(name, onProgress, signal) {
      const layers = new Map<string, { readonly bytes: number; readonly total: number }>();
      let isDone = false;
      for await (const value of lines("/api/pull", { model: name, stream: true }, "POST", signal, undefined)) {
        const status = (textOf(value["status"]) ?? "").slice(0, 200);
        const layer = textOf(value["digest"]);
        const total = numberOf(value["total"]);
        if (layer !== undefined && total !== undefined) layers.set(layer, { bytes: numberOf(value["completed"]) ?? 0, total });
        isDone = status === "success";
        const all = [...layers.values()];
        onProgress({
          status,
          bytes: all.reduce((sum, each) => sum + each.bytes, 0),
          totalBytes: all.length === 0 ? undefined : all.reduce((sum, each) => sum + each.total, 0),
          ...given("layer", layer),
        });
      }
      if (!isDone) throw new SpellError("ollama-error", `${url} ended the pull of ${name} without success`, { where: url });
    },
    async remove(name, signal) {
      await one("/api/delete", { model: name }, "DELETE", signal, name);
    },
    async running(signal) {
      const { models } = await one("/api/ps", undefined, "GET", signal);
      return objects(models).flatMap((model): readonly RunningModel[] => {
        const name = textOf(model["name"]);
        const time = Date.parse(textOf(model["expires_at"]) ?? "");
        if (name === undefined) return [];
        return [
          {
            name,
            sizeBytes: numberOf(model["size"]) ?? 0,
            gpuBytes: numberOf(model["size_vram"]) ?? 0,
            ...given("contextSize", numberOf(model["context_length"])),
            ...(Number.isNaN(time) ? {} : { expiresAt: Math.floor(time / 1000) }),
          },
        ];
      });
    },
    async unload(name, signal) {
      await one("/api/generate", { model: name, keep_alive: 0, stream: false }, "POST", signal, name);
    },
    async open(name, { contextSize, threads = 0, signal } = {}) {
      const details = await client.show(name, signal);
      const running = await client.running(signal).catch((): readonly RunningModel[] => []);
      const chat = (path: string, body: unknown, abort: AbortSignal | undefined) => lines(path, body, "POST", abort, name);
      return createOllamaModel(name, idOf(name), details, running, chat, network.clock, settings, {
        contextSize: contextSize ?? settings.ollamaContextSize,
        threads,
      });
    },
  };
  return client;
}

/** A user and password in the address go into a header, to this server alone: `fetch` refuses such addresses. */
export function serverAt(address: string, fetch: Network["fetch"]): { readonly url: string; readonly fetch: Network["fetch"] } {
  const { username, password, origin } = new URL(address);
  const url = address.replace(/\/+$/, "");
  if (username === "" && password === "") return { url, fetch };
  const bytes = new TextEncoder().encode(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`);
  const authorization = `Basic ${btoa(String.fromCharCode(...bytes))}`;
  return {
    url: url.replace(/^([a-z]+:\/\/)[^/]*@/i, "$1"),
    fetch: (input, init) => {
      const isServer = new URL(input instanceof Request ? input.url : input).origin === origin;
      return fetch(input, isServer ? { ...init, headers: { ...headersOf(init), authorization } } : init);
    },
  };
}

function headersOf(init: RequestInit | undefined): Record<string, string> {
  return Object.fromEntries(new Headers(init?.headers));
}

type Ask = (path: string, body: unknown, signal: AbortSignal | undefined) => AsyncIterable<Readonly<Record<string, unknown>>>;

function createOllamaModel(
  name: string,
  id: string,
  details: OllamaDetails,
  running: readonly RunningModel[],
  ask: Ask,
  clock: Clock,
  settings: ModelSettings,
  load: { readonly contextSize: number; readonly threads: number },
): LanguageModel {
  const context = load.contextSize;
  const turns = createTurns(limits.waitingGenerations);
  const closing = new AbortController();
  const gpu = running.find((model) => model.name === name || model.name === `${name}:latest`);
  const share = gpu === undefined || gpu.sizeBytes === 0 ? undefined : Math.round((100 * gpu.gpuBytes) / gpu.sizeBytes);
  // The server decides by itself; what kind of GPU it has it does not say.
  const hint = share === undefined || share === 0 ? {} : { hint: `the server holds ${share} % of the weights on its GPU` };
  const device: DeviceReport = {
    chosen: "cpu",
    runtime: "ollama",
    tried: [{ device: "cpu", ok: true, reason: "ok", runtime: "ollama", ...hint }],
  };

  async function* stream(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<StreamPart, void, undefined> {
    const called = clock.now();
    if (closing.signal.aborted) throw new SpellError("run-closed", `${name} was closed`);
    const { body, seed, ignored, path } = writeCall(name, prompt, options, load, settings);
    const signal = options.signal === undefined ? closing.signal : AbortSignal.any([options.signal, closing.signal]);
    const endTurn = await turns.take(options.signal);
    let text = "";
    let firstTokenMs = 0;
    try {
      yield { type: "stream-start", model: id, device };
      for (const option of ignored)
        yield { type: "warning", code: "option-ignored", message: `${option} is not known to Ollama; it was not sent` };
      for await (const value of ask(path, body, signal)) {
        const message = value["message"];
        const piece = textOf(isObject(message) ? message["content"] : value["response"]) ?? "";
        if (piece !== "") {
          if (firstTokenMs === 0) firstTokenMs = clock.now() - called;
          text += piece;
          yield { type: "text-delta", text: piece };
        }
        if (value["done"] !== true) continue;
        yield endOf(value, seed, firstTokenMs);
        return;
      }
      throw new SpellError("ollama-error", "the server ended the answer without its end", { where: settings.ollamaBaseUrl });
    } catch (error) {
      if (closing.signal.aborted) throw new SpellError("run-closed", `${name} was closed`, { cause: error });
      if (!(error instanceof SpellError)) throw error;
      throw new SpellError(error.code, error.message, {
        hint: error.hint,
        commands: error.commands,
        where: error.where,
        details: { ...error.details, partialText: text },
        cause: error,
      });
    } finally {
      endTurn();
    }
  }

  return {
    id,
    architecture: details.architecture ?? "unknown",
    sizeBytes: undefined,
    contextLength: context > 0 ? context : (details.contextLength ?? 0),
    hasChatTemplate: details.template !== undefined && details.template !== "" && details.template !== "{{ .Prompt }}",
    isSeq2Seq: false,
    device,
    stream,
    async *streamMany(prompts, options = {}): AsyncGenerator<ManyPart, void, undefined> {
      for (const [index, prompt] of prompts.entries()) for await (const part of stream(prompt, options)) yield { index, part };
    },
    async dispose() {
      closing.abort();
      turns.close();
    },
    [Symbol.asyncDispose]() {
      return this.dispose();
    },
  };
}

/** Only what was asked for is sent, so that the model's own defaults on the server count; but for the seed, which is reported, and the length. */
function writeCall(
  name: string,
  prompt: Prompt,
  options: GenerateOptions,
  load: { readonly contextSize: number; readonly threads: number },
  settings: ModelSettings,
) {
  checkPrompt(prompt);
  const resolved = resolveDecoderParameters(options, {}, () => Math.floor(Math.random() * 2 ** 32));
  const { seed } = resolved.options.sampling;
  const preset: Partial<Record<string, number>> = options.preset === undefined ? {} : presets[options.preset];
  const given: Record<string, unknown> = { num_predict: resolved.options.maxTokens, seed };
  for (const { name: parameter, snakeName, decoderDefault } of parameterRules) {
    const value = options[parameter] ?? preset[parameter];
    if (value !== undefined && decoderDefault !== undefined && parameter !== "maxTokens") given[snakeName] = value;
  }
  if (resolved.options.stop.length > 0) given["stop"] = resolved.options.stop;
  if (load.contextSize > 0) given["num_ctx"] = load.contextSize;
  if (load.threads > 0) given["num_thread"] = load.threads;
  const keepAlive = settings.ollamaKeepAliveSeconds;
  const shared = { model: name, stream: true, options: given, keep_alive: keepAlive };
  if (options.raw === true) {
    if (typeof prompt !== "string") throw new SpellError("run-option", "raw: wanted a text; got messages", { where: "raw" });
    return { path: "/api/generate", body: { ...shared, prompt, raw: true }, seed, ignored: resolved.ignored };
  }
  const messages: readonly Message[] = typeof prompt === "string" ? [{ role: "user", content: prompt }] : prompt;
  const system: readonly Message[] = options.system === undefined ? [] : [{ role: "system", content: options.system }];
  return { path: "/api/chat", body: { ...shared, messages: [...system, ...messages] }, seed, ignored: resolved.ignored };
}

function endOf(value: Readonly<Record<string, unknown>>, seed: number, firstTokenMs: number): StreamPart {
  const ms = (key: string): number => (numberOf(value[key]) ?? 0) / 1e6;
  const promptTokens = numberOf(value["prompt_eval_count"]) ?? 0;
  const completionTokens = numberOf(value["eval_count"]) ?? 0;
  const [prefillMs, decodeMs] = [ms("prompt_eval_duration"), ms("eval_duration")];
  return {
    type: "stream-end",
    finishReason: value["done_reason"] === "length" ? "length" : "stop",
    seed,
    usage: { promptTokens, cachedPromptTokens: 0, completionTokens, totalTokens: promptTokens + completionTokens },
    timing: {
      loadMs: ms("load_duration"),
      firstTokenMs,
      prefillMs,
      decodeMs,
      prefillRate: prefillMs > 0 ? (promptTokens * 1000) / prefillMs : 0,
      decodeRate: decodeMs > 0 ? (completionTokens * 1000) / decodeMs : 0,
    },
  };
}

/** The same network, with a body on each request. */
function withBody(network: Network, method: string, body: unknown): Network {
  return {
    ...network,
    fetch: (input, init) =>
      network.fetch(input, {
        ...init,
        method,
        ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
      }),
  };
}

function unreachable(error: unknown, url: string): unknown {
  if (!(error instanceof SpellError) || !error.code.startsWith("net-")) return error;
  const why = error.message.replace(/^Ollama: (\S+ cannot be reached: )?/, "");
  return new SpellError("ollama-unreachable", `Ollama cannot be reached at ${url}: ${why}`, {
    where: url,
    hint: "Start it, or set OLLAMA_HOST to where it listens. It is installed from https://ollama.com/download",
    commands: ["ollama serve"],
    cause: error,
  });
}

function serverError(text: string, status: number, url: string, id: string | undefined): SpellError {
  const said = text.slice(0, 500);
  if (id !== undefined && (status === 404 || /not found/i.test(said))) {
    return new SpellError("model-not-installed", `the Ollama server at ${url} has no model ${id.slice(0, id.lastIndexOf("@"))}`, {
      where: url,
      commands: [`llmspell model pull ${id}`],
    });
  }
  return new SpellError("ollama-error", `Ollama answered ${status}: ${said}`, { where: url, details: { status } });
}

function given<K extends string, V>(key: K, value: V | undefined): { readonly [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]: V });
}

function objects(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** "1.2B", "134.52M" */
function parseParameters(text: string | undefined): number | undefined {
  const [, digits, unit] = /^([\d.]+)([KMB])$/.exec(text ?? "") ?? [];
  const factor = { K: 1e3, M: 1e6, B: 1e9 }[unit ?? ""];
  return factor === undefined ? undefined : Math.round(Number(digits) * factor);
}

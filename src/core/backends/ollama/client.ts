/**
 * A running Ollama server, over its HTTP API. It is asked with the first call that needs it, never before. Its answers are untrusted: bounded, and checked where
 * they are used. Source: docs/api.md of ollama.
 */
import { type Network, type RequestOptions, readBody, request } from "../../download/request.ts";
import { SpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import type { OllamaSettings } from "./settings.ts";

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

export interface LoadedModel {
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
  running(signal?: AbortSignal): Promise<readonly LoadedModel[]>;
  /** One call of the chat or generate interface, line by line. */
  ask(path: string, body: unknown, signal: AbortSignal, name: string): AsyncIterable<Readonly<Record<string, unknown>>>;
}

/** Bytes of one line of a stream; a token has some hundred, a long context list some hundred thousand. */
const lineBytes = 4 * 1024 * 1024;

/** @param provider ids of its models end in it */
export function createOllamaClient(outer: Network, settings: OllamaSettings, provider: string): OllamaClient {
  const { url, fetch } = serverAt(settings.baseUrl, outer.fetch);
  const network: Network = { ...outer, fetch };
  const idOf = (name: string): string => `${name}@${provider}`;

  async function call(path: string, body: unknown, method: "GET" | "POST" | "DELETE", signal: AbortSignal | undefined) {
    const options: RequestOptions = { what: "Ollama", isTrusted: true, signal };
    try {
      const answer = await request(`${url}${path}`, withBody(network, method, body), { ...options, firstByteMs: settings.timeoutMs });
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
        stallMs: settings.timeoutMs,
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

  return {
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
      return objects(models).flatMap((model): readonly LoadedModel[] => {
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
    ask: (path, body, signal, name) => lines(path, body, "POST", signal, name),
  };
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
    actions: [{ kind: "start-server", server: "ollama" }],
    cause: error,
  });
}

function serverError(text: string, status: number, url: string, id: string | undefined): SpellError {
  const said = text.slice(0, 500);
  if (id !== undefined && (status === 404 || /not found/i.test(said))) {
    return new SpellError("model-not-installed", `the Ollama server at ${url} has no model ${id.slice(0, id.lastIndexOf("@"))}`, {
      where: url,
      actions: [{ kind: "pull", model: id }],
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

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** "1.2B", "134.52M" */
function parseParameters(text: string | undefined): number | undefined {
  const [, digits, unit] = /^([\d.]+)([KMB])$/.exec(text ?? "") ?? [];
  const factor = { K: 1e3, M: 1e6, B: 1e9 }[unit ?? ""];
  return factor === undefined ? undefined : Math.round(Number(digits) * factor);
}

/**
 * A running Ollama server, over its HTTP API. It is asked with the first call that needs it, never before. Its answers are untrusted: bounded, and checked where
 * they are used. Source: docs/api.md of ollama.
 */
import { type Network, type RequestOptions, readBody, request } from "../../download/request.ts";
import { SpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { decodeUri } from "../../values.ts";
import type { OllamaSettings } from "./settings.ts";

export type Json = Readonly<Record<string, unknown>>;

/** What a request carries. */
interface Asked {
  readonly method?: "GET" | "POST" | "DELETE" | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** the model it is about */
  readonly name?: string | undefined;
}

export interface OllamaClient {
  readonly url: string;
  /** What a model of this server is called here: `llama3.2:1b@ollama`. */
  idOf(name: string): string;
  /** The last line of an answer. @throws SpellError ollama-unreachable, ollama-error, model-not-installed */
  ask(path: string, asked?: Asked): Promise<Json>;
  /** Each line of an answer, as it comes. @throws SpellError as ask() */
  lines(path: string, asked: Asked): AsyncIterable<Json>;
}

/** Bytes of one line of a stream; a token has some hundred, a long context list some hundred thousand. */
const lineBytes = 4 * 1024 * 1024;

export function createOllamaClient(outer: Network, settings: OllamaSettings, idOf: OllamaClient["idOf"]): OllamaClient {
  const { url, fetch } = serverAt(settings.baseUrl, outer.fetch);
  const network: Network = { ...outer, fetch };

  async function* lines(path: string, { method = "POST", body, signal, name }: Asked): AsyncGenerator<Json, void, undefined> {
    const decoder = new TextDecoder();
    let pending = "";
    let status = 0;
    const read = (line: string): Json => {
      const value = parsed(line);
      if (!isObject(value)) {
        throw new SpellError(
          "ollama-error",
          `${url} answered ${status} with something other than a JSON object: ${JSON.stringify(line.slice(0, 80))}`,
          {
            where: url,
            hint: "Check that an Ollama server listens there.",
          },
        );
      }
      const { error } = value;
      const hasError = error !== undefined && error !== null && error !== false;
      if (status === 404 && hasError && name !== undefined) throw missingModel(name, url, idOf(name));
      if (hasError || status >= 400) throw serverError(wordsOf(error ?? value), status, url);
      return value;
    };
    try {
      const options: RequestOptions = { what: "Ollama", isTrusted: true, signal, firstByteMs: settings.timeoutMs };
      const answer = await request(`${url}${path}`, withBody(network, method, body), options);
      ({ status } = answer.response);
      for await (const chunk of readBody(answer, { what: "Ollama", clock: network.clock, stallMs: settings.timeoutMs, signal })) {
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
    else if (status >= 400) throw serverError("nothing more", status, url);
  }

  return {
    url,
    idOf,
    lines,
    async ask(path, asked = { method: "GET" }) {
      let last: Json = {};
      for await (const value of lines(path, asked)) last = value;
      return last;
    },
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** A user and password in the address go into a header, to this server alone: `fetch` refuses such addresses. */
export function serverAt(address: string, fetch: Network["fetch"]): { readonly url: string; readonly fetch: Network["fetch"] } {
  const { username, password, origin } = new URL(address);
  const url = address.replace(/\/+$/, "");
  if (username === "" && password === "") return { url, fetch };
  const bytes = new TextEncoder().encode(`${decodeUri(username)}:${decodeUri(password)}`);
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

function missingModel(name: string, url: string, id: string): SpellError {
  return new SpellError("model-not-installed", `the Ollama server at ${url} has no model ${name}`, {
    where: url,
    actions: [{ kind: "pull", model: id }],
  });
}

/** @param said its words, which are shown and never read */
function serverError(said: string, status: number, url: string): SpellError {
  if (/does not support tools/.test(said))
    return new SpellError("run-option", `tools: expected none, got some; ${said}`, { where: "tools" });
  const what = status >= 400 ? `answered ${status}` : "reports an error";
  const hint = statusHints.get(status);
  return new SpellError("ollama-error", `the Ollama server at ${url} ${what}: ${said || "nothing more"}`, {
    where: url,
    hint,
    details: { status },
  });
}

const login = "The server, or a proxy before it, asks for a login; it goes into the address: http://USER:PASSWORD@HOST.";
const busy = "The server is busy. Try again later.";
const statusHints: ReadonlyMap<number, string> = new Map([
  [401, login],
  [403, login],
  [429, busy],
  [503, busy],
]);

/** The words in an error, which is a text or, of other servers and of proxies, an object or a list of them. */
function wordsOf(value: unknown, depth = 0): string {
  if (typeof value === "string") return value.slice(0, 500);
  if (Array.isArray(value) && depth < 3)
    return value
      .slice(0, 3)
      .map((each) => wordsOf(each, depth + 1))
      .join("; ");
  const known = isObject(value) && depth < 3 ? (value["message"] ?? value["error"] ?? value["detail"] ?? value["msg"]) : undefined;
  return known === undefined || known === null ? String(JSON.stringify(value)).slice(0, 500) : wordsOf(known, depth + 1);
}

/** The objects of a list; anything else in it is left out. */
export function objects(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** A text that is not empty. */
export function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** A number that is not negative. */
export function numberOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** A number above zero: of a length 0 says that the server does not know it. */
export function positiveOf(value: unknown): number | undefined {
  return numberOf(value) || undefined;
}

/** @returns seconds since the epoch */
export function timeOf(value: unknown): number | undefined {
  const time = Date.parse(textOf(value) ?? "");
  return Number.isNaN(time) ? undefined : Math.floor(time / 1000);
}

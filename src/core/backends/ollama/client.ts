/**
 * A running Ollama server, over its HTTP API. It is asked with the first call that needs it, never before. Its answers are untrusted: bounded, and checked where
 * they are used. Source: docs/api.md of ollama.
 */
import type { Network } from "../../download/request.ts";
import { SpellError, toSpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { limits } from "../../limits.ts";
import { type Json, parsed, wordsOf } from "../answer-values.ts";
import { createSender, type Refusal } from "../server/send.ts";
import type { OllamaSettings } from "./settings.ts";

/** What a request carries. */
interface Asked {
  readonly method?: "GET" | "POST" | "DELETE" | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** the model it is about */
  readonly name?: string | undefined;
  /** bytes of a line; default: of an event of a stream */
  readonly mostBytes?: number | undefined;
  /** default: those of the settings */
  readonly retries?: number | undefined;
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

/** Of 5xx those that a moment changes: 500 is also how it says that a model does not fit. */
const passing: ReadonlySet<number> = new Set([408, 429, 502, 503, 504]);

/** @param key sent as a bearer token: for servers behind a proxy */
export function createOllamaClient(
  network: Network,
  settings: OllamaSettings,
  key: () => string | undefined,
  idOf: OllamaClient["idOf"],
): OllamaClient {
  const bearer = () => {
    const secret = key();
    return { secret: secret === undefined ? undefined : `Bearer ${secret}` };
  };
  const sender = createSender({ what: "Ollama", network, settings, secret: bearer, passes: (status) => passing.has(status) });
  const { url } = sender;

  async function* lines(
    path: string,
    { method = "POST", body, signal, name, retries, mostBytes = limits.serverEventBytes }: Asked,
  ): AsyncGenerator<Json, void, undefined> {
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
    const refused = (refusal: Refusal): SpellError => {
      ({ status } = refusal);
      try {
        for (const line of refusal.text.split("\n")) if (line.trim() !== "") read(line.trim());
      } catch (error) {
        return toSpellError(error);
      }
      return serverError("nothing more", status, url);
    };
    try {
      const isCall = path === "/api/chat" || path === "/api/generate" || path === "/api/embed";
      const answer = await sender.send(path, { method, body, signal, isCall, retries }, refused);
      ({ status } = answer.response);
      for await (const chunk of sender.read(answer, signal)) {
        pending += decoder.decode(chunk, { stream: true });
        if (pending.length > mostBytes) throw new SpellError("ollama-error", `${url} sends a line without end`, { where: url });
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

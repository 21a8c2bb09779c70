/** Requests to the server of a provider: its key, its pace, its retries. Nothing is asked before the first call. */
import { toBase64 } from "../../base64.ts";
import { type Answer, type Network, readBody, request } from "../../download/request.ts";
import { createRetries, parseRetryAfter } from "../../download/retry.ts";
import { SpellError, throwIfAborted } from "../../errors.ts";
import { limits } from "../../limits.ts";
import { decodeUri } from "../../values.ts";
import type { ServerSettings } from "./settings.ts";

export interface Sent {
  readonly method?: "GET" | "POST" | "DELETE" | undefined;
  readonly body?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** It counts for the pace. */
  readonly isCall?: boolean | undefined;
  /** default: those of the settings */
  readonly retries?: number | undefined;
}

/** A refusal: its status, what its body says, and the wait it asks for. */
export interface Refusal {
  readonly status: number;
  readonly text: string;
  readonly retryAfterMs: number | undefined;
}

export interface Sender {
  /** for messages: the address without user and password */
  readonly url: string;
  /** The header that user and password of the address become, which no message shows. */
  readonly login: string | undefined;
  /** @returns a body to be read. @throws SpellError net-*, run-aborted, and what `fail` makes */
  send(path: string, sent: Sent, fail: (refusal: Refusal) => SpellError): Promise<Answer>;
  /** Bytes of an answer as they come. */
  read(answer: Answer, signal: AbortSignal | undefined): AsyncIterable<Uint8Array>;
}

export interface SenderOptions {
  /** for messages: "Ollama", the name of a provider */
  readonly what: string;
  readonly network: Network;
  readonly settings: Pick<ServerSettings, "baseUrl" | "timeoutMs" | "retry" | "callsPerMinute">;
  /** The header of the key, looked up with the first request. */
  readonly secret: () => { readonly secret: string | undefined; readonly secretHeader?: string | undefined };
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Statuses after which another try may help. */
  readonly passes: (status: number) => boolean;
}

export function createSender({ what, network, settings, secret, headers, passes }: SenderOptions): Sender {
  const { clock } = network;
  const { url, basic } = splitLogin(settings.baseUrl);
  const pace = createPace(settings.callsPerMinute, network);
  const mayPass = ({ code, details }: SpellError): boolean =>
    code === "net-reset" || (passes(Number(details?.["status"])) && details?.["isFinal"] !== true);

  return {
    url,
    login: basic,
    async send(path, { method, body, signal, isCall = false, retries: most }, fail) {
      const plan = most === undefined ? settings.retry : { ...settings.retry, tries: most + 1 };
      const retries = createRetries({ clock, signal, plan, mayPass });
      for (;;) {
        if (isCall) await pace(signal);
        try {
          const options = { what, method, body, headers, signal, isTrusted: true, staysAtOrigin: true, firstByteMs: settings.timeoutMs };
          const own = secret();
          const answer = await request(`${url}${path}`, network, { ...options, ...(own.secret === undefined ? { secret: basic } : own) });
          const { response } = answer;
          if (response.status < 400) return answer;
          const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), clock.wallTime());
          const error = fail({ status: response.status, text: await readError(answer, clock, signal), retryAfterMs });
          throw error.with({ details: { status: response.status, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } });
        } catch (error) {
          throwIfAborted(signal);
          if (!(error instanceof SpellError)) throw error;
          await retries.wait(error).catch((final: unknown) => {
            // the wait that a server asks for may be too long: its own error says more
            throw final instanceof SpellError && final.code === "net-rate" && final.cause === error
              ? error.with({ message: error.code === "provider-rate-limit" ? error.message : final.message, details: final.details })
              : final;
          });
        }
      }
    },
    read: (answer, signal) => readBody(answer, { what, clock, stallMs: settings.timeoutMs, signal }),
  };
}

/** The beginning of an error's body; whatever goes wrong with it, its status says enough. */
async function readError(answer: Answer, clock: Network["clock"], signal: AbortSignal | undefined): Promise<string> {
  const decoder = new TextDecoder();
  let [text, size] = ["", 0];
  try {
    for await (const chunk of readBody(answer, { what: "error", clock, signal })) {
      text += decoder.decode(chunk.subarray(0, limits.serverErrorBytes - size), { stream: true });
      size += chunk.byteLength;
      if (size >= limits.serverErrorBytes) break;
    }
  } catch {
    throwIfAborted(signal);
  }
  return text;
}

/** A user and password in an address go into a header: `fetch` refuses such addresses. */
export function splitLogin(address: string): { readonly url: string; readonly basic: string | undefined } {
  const { username, password } = new URL(address);
  const url = address.replace(/\/+$/, "");
  if (username === "" && password === "") return { url, basic: undefined };
  const bytes = new TextEncoder().encode(`${decodeUri(username)}:${decodeUri(password)}`);
  return { url: url.replace(/^([a-z]+:\/\/)[^/]*@/i, "$1"), basic: `Basic ${toBase64(bytes)}` };
}

const minute = 60_000;

/** Waits until the minute before holds fewer calls than are allowed; callers go in order. */
function createPace(perMinute: number, { clock }: Pick<Network, "clock">): (signal: AbortSignal | undefined) => Promise<void> {
  if (perMinute === 0) return () => Promise.resolve();
  const begun: number[] = [];
  let line: Promise<unknown> = Promise.resolve();
  const wait = async (signal: AbortSignal | undefined): Promise<void> => {
    throwIfAborted(signal);
    const oldest = begun.length < perMinute ? undefined : begun[begun.length - perMinute];
    const left = oldest === undefined ? 0 : oldest + minute - clock.now();
    if (left > 0) await clock.sleep(left, signal);
    throwIfAborted(signal);
    begun.push(clock.now());
    begun.splice(0, begun.length - perMinute);
  };
  return (signal) => {
    const own = line.then(() => wait(signal));
    line = own.catch(() => undefined);
    return own;
  };
}

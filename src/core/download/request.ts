/**
 * One request to a host that may lie, hang or send us elsewhere: redirects by hand, secrets only to their own host, no encoding but identity,
 * every failure a typed one. It does not retry; transfer.ts and json-request.ts decide about that.
 */
import { abortedError, SpellError } from "../errors.ts";
import { checkHost, hostProblem } from "../spec/model-spec.ts";
import type { Clock } from "./clock.ts";

/** Times of one request, in milliseconds. */
export const requestTimes = { firstByte: 30_000, stall: 30_000, slowWindow: 60_000, slowBytesPerSecond: 1024 } as const;
const mostRedirects = 5;

/** How core reaches the network for downloads. */
export interface Network {
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  /** Addresses behind a name, where the host can look them up. */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
}

export interface RequestOptions {
  readonly method?: "GET" | "HEAD" | "POST" | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent as Authorization, to this address' origin only and only over https or to loopback. */
  readonly secret?: string | undefined;
  /** The user configured this host: it may be private. Hosts it redirects to may not, unless they are the same. */
  readonly isTrusted?: boolean | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** for messages: the file or list that is asked for */
  readonly what: string;
  /** milliseconds until headers must have come; default requestTimes.firstByte */
  readonly firstByteMs?: number | undefined;
}

export interface Answer {
  readonly response: Response;
  /** address that answered, after redirects */
  readonly url: URL;
  /** what the first answer of a chain said; hubs tell size and hash there */
  readonly firstHeaders: Headers;
}

/**
 * @returns an answer with any status that is no redirect. Its body is unread; whoever does not read it cancels it.
 * @throws SpellError net-offline, net-tls, net-timeout, net-reset, net-size, net-status, net-redirect, spec-host, run-aborted
 */
export async function request(address: string, network: Network, options: RequestOptions): Promise<Answer> {
  const { what } = options;
  const origin = new URL(address).origin;
  let url = new URL(address);
  let firstHeaders: Headers | undefined;
  for (let hops = 0; ; hops += 1) {
    await checkTarget(url, origin, network, options);
    const mayHoldSecret = options.secret !== undefined && url.origin === origin && isSafeForSecrets(url);
    const response = await ask(
      url,
      network,
      {
        method: options.method ?? "GET",
        redirect: "manual",
        credentials: "omit",
        cache: "no-store",
        headers: {
          "accept-encoding": "identity",
          ...options.headers,
          ...(mayHoldSecret ? { authorization: options.secret ?? "" } : {}),
        },
      },
      options,
    );
    if (response.type === "opaqueredirect") return followBlind(url, network, options, mayHoldSecret);
    firstHeaders ??= response.headers;
    if (response.status < 300 || response.status >= 400 || response.status === 304) return { response, url, firstHeaders };
    await discard(response);
    const location = response.headers.get("location");
    if (location === null) throw redirectError(what, url, "it names no address");
    if (hops >= mostRedirects) throw redirectError(what, url, `more than ${mostRedirects} redirects`);
    let next: URL;
    try {
      next = new URL(location, url);
    } catch {
      throw redirectError(what, url, "its address cannot be read");
    }
    if (next.protocol !== "https:" && next.protocol !== "http:") throw redirectError(what, url, `it leads to ${next.protocol}`);
    if (url.protocol === "https:" && next.protocol === "http:") throw redirectError(what, url, "it leads from https to http");
    url = next;
  }
}

/** Pages cannot see where a redirect leads; the browser follows it, takes secrets off at another origin, and refuses http after https itself. */
async function followBlind(url: URL, network: Network, options: RequestOptions, mayHoldSecret: boolean): Promise<Answer> {
  const response = await ask(
    url,
    network,
    {
      method: options.method ?? "GET",
      credentials: "omit",
      cache: "no-store",
      headers: { ...options.headers, ...(mayHoldSecret ? { authorization: options.secret ?? "" } : {}) },
    },
    options,
  );
  const end = new URL(response.url === "" ? url : response.url);
  if (url.protocol === "https:" && end.protocol !== "https:") {
    await discard(response);
    throw redirectError(options.what, url, "it leads from https to http");
  }
  return { response, url: end, firstHeaders: response.headers };
}

async function checkTarget(url: URL, origin: string, network: Network, options: RequestOptions): Promise<void> {
  // Another port of the machine the user named is as trusted as the first.
  if (options.isTrusted === true && url.hostname === new URL(origin).hostname) return;
  const allowed = options.allowHosts ?? [];
  const isFirst = url.origin === origin;
  try {
    checkHost(url, allowed);
    const host = url.hostname.replace(/^\[|\]$/g, "");
    if (allowed.includes(host) || allowed.includes(url.host) || network.lookup === undefined) return;
    // Names may point inside the network; what is asked for right after is what the system answers now.
    const addresses = await network.lookup(host).catch((): readonly string[] => []);
    const inside = addresses.find((address) => hostProblem(address) !== undefined);
    if (inside !== undefined) {
      throw new SpellError("spec-host", `${url.host} is not asked: its name leads to ${inside}, a private or local address`, {
        where: url.host,
      });
    }
  } catch (error) {
    if (isFirst || !(error instanceof SpellError)) throw error;
    throw new SpellError("net-redirect", `${options.what}: the redirect is not followed: ${error.message}`, {
      where: url.host,
      cause: error,
    });
  }
}

async function ask(
  url: URL,
  { fetch, clock }: Network,
  init: RequestInit,
  { what, signal, firstByteMs = requestTimes.firstByte }: RequestOptions,
): Promise<Response> {
  throwIfAborted(signal);
  const patience = new AbortController();
  const timer = new AbortController();
  let isLate = false;
  void clock.sleep(firstByteMs, timer.signal).then((isOver) => {
    if (!isOver) return;
    isLate = true;
    patience.abort();
  });
  try {
    // The body goes on after this; an abort of the caller reaches it too.
    const either = signal === undefined ? patience.signal : AbortSignal.any([patience.signal, signal]);
    return await fetch(url, { ...init, signal: either });
  } catch (cause) {
    throwIfAborted(signal);
    if (isLate) {
      throw new SpellError("net-stall", `${what}: ${url.host} did not answer within ${firstByteMs / 1000} s`, {
        where: url.host,
        cause,
      });
    }
    throw connectionError(cause, what, url);
  } finally {
    timer.abort();
  }
}

export interface BodyOptions {
  readonly what: string;
  readonly clock: Clock;
  /** milliseconds without a byte; default requestTimes.stall. Given, slowness is no stall: answers of a model come as they come. */
  readonly stallMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of a body as they come.
 * @throws SpellError net-stall after 30 s without a byte or a minute under 1 KiB/s; net-reset, run-aborted
 */
export async function* readBody(
  answer: Answer,
  { what, clock, signal, stallMs }: BodyOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { response, url } = answer;
  const reader = response.body?.getReader();
  if (reader === undefined) return;
  let windowStart = clock.now();
  let windowBytes = 0;
  try {
    for (;;) {
      const timer = new AbortController();
      const onAbort = (): void => timer.abort();
      signal?.addEventListener("abort", onAbort, { once: true });
      const late = clock.sleep(stallMs ?? requestTimes.stall, timer.signal);
      let chunk: ReadableStreamReadResult<Uint8Array> | "late";
      try {
        chunk = await Promise.race([reader.read(), late.then(() => "late" as const)]);
      } catch (cause) {
        throwIfAborted(signal);
        throw connectionError(cause, what, url, "net-reset");
      } finally {
        timer.abort();
        signal?.removeEventListener("abort", onAbort);
      }
      throwIfAborted(signal);
      if (chunk === "late") {
        throw new SpellError("net-stall", `${what}: ${url.host} sent nothing for ${(stallMs ?? requestTimes.stall) / 1000} s`, {
          where: url.host,
        });
      }
      if (chunk.done) return;
      windowBytes += chunk.value.byteLength;
      const spanMs = clock.now() - windowStart;
      if (stallMs === undefined && spanMs >= requestTimes.slowWindow) {
        if (windowBytes / (spanMs / 1000) < requestTimes.slowBytesPerSecond) {
          throw new SpellError("net-stall", `${what}: ${url.host} sent under 1 KiB/s for a minute`, { where: url.host });
        }
        windowStart = clock.now();
        windowBytes = 0;
      }
      yield chunk.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** Unread bodies hold their connection. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortedError();
}

/** https, or this machine. */
function isSafeForSecrets(url: URL): boolean {
  return url.protocol === "https:" || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(url.hostname);
}

function redirectError(what: string, from: URL, problem: string): SpellError {
  return new SpellError("net-redirect", `${what}: the redirect of ${from.host} is not followed: ${problem}`, { where: from.host });
}

const offlineCodes = /^(ENOTFOUND|EAI_AGAIN|EAI_FAIL|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN|EADDRNOTAVAIL|ENONET)$/;
const tlsCodes = /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO|HOSTNAME_MISMATCH|UNSUPPORTED_CERTIFICATE|INVALID_CA)/;

/** @param otherwise where the cause says nothing: before the first byte most likely there is no network */
function connectionError(cause: unknown, what: string, url: URL, otherwise: "net-offline" | "net-reset" = "net-offline"): SpellError {
  const { code, text } = innermost(cause);
  const options = { where: url.host, cause, details: { host: url.host, cause: code === "" ? text : code } };
  const told = code === "" || text.includes(code) ? text : `${text} (${code})`;
  if (tlsCodes.test(code)) return new SpellError("net-tls", `${what}: ${url.host} has no certificate that holds: ${told}`, options);
  if (code === "UND_ERR_CONNECT_TIMEOUT" || code === "ETIMEDOUT") {
    return new SpellError("net-timeout", `${what}: no connection to ${url.host} in time`, options);
  }
  if (offlineCodes.test(code)) return new SpellError("net-offline", `${what}: ${url.host} cannot be reached: ${told}`, options);
  if (/CONTENT_LENGTH/.test(code)) return new SpellError("net-size", `${what}: ${url.host} states no usable length: ${told}`, options);
  if (/^HPE_|UND_ERR_HEADERS|UND_ERR_INVALID/.test(code)) {
    return new SpellError("net-status", `${what}: ${url.host} does not speak HTTP as it should: ${told}`, options);
  }
  if (/^(ECONNRESET|EPIPE|UND_ERR_|ABORT_ERR)/.test(code)) {
    // An orderly end before the end of the body: the length was wrong, or the server gave up.
    const isShort = otherwise === "net-reset" && code === "UND_ERR_SOCKET";
    const details = isShort ? { ...options.details, got: "less" } : options.details;
    return new SpellError("net-reset", `${what}: the connection to ${url.host} broke: ${told}`, { ...options, details });
  }
  const says = otherwise === "net-reset" ? "the connection broke" : "it cannot be reached";
  return new SpellError(otherwise, `${what}: ${url.host}: ${says}: ${told}`, options);
}

/** fetch wraps what happened, several names of one host once more. */
function innermost(error: unknown): { readonly code: string; readonly text: string } {
  let at: unknown = error;
  let code = "";
  let text = "unknown";
  for (let depth = 0; depth < 6 && at instanceof Error; depth += 1) {
    text = at.message === "" ? text : at.message;
    if ("code" in at && typeof at.code === "string") code = at.code;
    const errors: unknown = "errors" in at ? at.errors : undefined;
    at = at.cause ?? (Array.isArray(errors) ? errors[0] : undefined);
  }
  return { code, text: text.slice(0, 200) };
}

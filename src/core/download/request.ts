/**
 * One request to a host that may lie, hang or redirect: redirects by hand, secrets only to their own host, no encoding but identity, a typed error
 * for every failure. It does not retry; transfer.ts and json-request.ts do.
 */
import { type ErrorCode, SpellError, throwIfAborted } from "../errors.ts";
import { discard } from "../formats/byte-source.ts";
import { checkHost, hostProblem, isAllowed, isFakeAddress, isLoopback } from "../spec/model-spec.ts";
import { definedOnly } from "../values.ts";
import type { Clock } from "./clock.ts";

/** Times of one request, in milliseconds. */
export const requestTimes = { firstByte: 30_000, stall: 30_000, slowWindow: 60_000, slowBytesPerSecond: 1024 } as const;
const mostRedirects = 5;

/** What downloads need of the network. */
export interface Network {
  readonly fetch: typeof globalThis.fetch;
  readonly clock: Clock;
  /** Addresses behind a name, where the host can look them up. */
  readonly lookup?: ((host: string) => Promise<readonly string[]>) | undefined;
}

export interface RequestOptions {
  /** default: POST with a body, else GET */
  readonly method?: "GET" | "HEAD" | "POST" | "DELETE" | undefined;
  /** sent as JSON */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Sent only to the origin of the address, only over https or to loopback. */
  readonly secret?: string | undefined;
  /** the header of the secret; default Authorization */
  readonly secretHeader?: string | undefined;
  /** A redirect to another origin is refused: what is sent is meant for this one. */
  readonly staysAtOrigin?: boolean | undefined;
  /** The user configured this host: it may be private. Hosts it redirects to may not, unless they are the same. */
  readonly isTrusted?: boolean | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  /** for messages: the file or list that is asked for */
  readonly what: string;
  /** Page of a hub where a person accepts the terms of a repository. */
  readonly gatePage?: string | undefined;
  /** milliseconds until headers must have come; default requestTimes.firstByte */
  readonly firstByteMs?: number | undefined;
}

export interface Answer {
  readonly response: Response;
  /** address after redirects */
  readonly url: URL;
  /** headers of the first answer of a chain; hubs state size and hash there */
  readonly firstHeaders: Headers;
}

/**
 * @returns an answer with any status but a redirect. Its body is unread; the caller reads or cancels it.
 * @throws SpellError net-offline, net-tls, net-timeout, net-reset, net-size, net-status, net-redirect, spec-host, run-aborted
 */
export async function request(address: string, network: Network, options: RequestOptions): Promise<Answer> {
  const { what } = options;
  const origin = new URL(address).origin;
  let url = new URL(address);
  let firstHeaders: Headers | undefined;
  for (let hops = 0; ; hops += 1) {
    await checkTarget(url, origin, network, options);
    const secret = url.origin === origin && isSafeForSecrets(url) ? options.secret : undefined;
    const response = await ask(url, network, options, secret, "manual");
    if (response.type === "opaqueredirect") {
      if (options.staysAtOrigin === true) throw redirectError(what, url, "where a page cannot see to");
      return followBlind(url, network, options, secret);
    }
    firstHeaders ??= response.headers;
    if (response.status < 300 || response.status >= 400 || response.status === 304) return { response, url, firstHeaders };
    await discard(response);
    const location = response.headers.get("location");
    if (location === null) throw redirectError(what, url, "without an address");
    if (hops >= mostRedirects) throw redirectError(what, url, `more than ${mostRedirects} redirects`);
    if (!URL.canParse(location, url)) throw redirectError(what, url, "to an address that cannot be read");
    const next = new URL(location, url);
    if (next.protocol !== "https:" && next.protocol !== "http:") throw redirectError(what, url, `to ${next.protocol}`);
    if (next.username !== "" || next.password !== "") throw redirectError(what, url, "to an address with a user name or password");
    if (url.protocol === "https:" && next.protocol === "http:") throw redirectError(what, url, fromHttps);
    if (options.staysAtOrigin === true && next.origin !== origin) throw redirectError(what, url, `to ${next.origin}`);
    url = next;
  }
}

const fromHttps = "from https to http";

/** Pages cannot see the target of a redirect; the browser follows it, drops secrets at another origin, and refuses http after https itself. */
async function followBlind(url: URL, network: Network, options: RequestOptions, secret: string | undefined): Promise<Answer> {
  const response = await ask(url, network, options, secret, "follow");
  const end = new URL(response.url === "" ? url : response.url);
  if (url.protocol === "https:" && end.protocol !== "https:") {
    await discard(response);
    throw redirectError(options.what, url, fromHttps);
  }
  return { response, url: end, firstHeaders: response.headers };
}

const allowingHint = "Where you trust this host, allow it. For good, models.allow_hosts allows hosts.";

async function checkTarget(url: URL, origin: string, network: Network, options: RequestOptions): Promise<void> {
  // Another port of the machine the user named is as trusted as the first.
  if (options.isTrusted === true && url.hostname === new URL(origin).hostname) return;
  const allowed = options.allowHosts ?? [];
  try {
    checkHost(url, allowed);
    if (network.lookup === undefined || isAllowed(url, allowed)) return;
    const host = url.hostname.replace(/^\[|\]$/g, "");
    // Names may lead inside the network; the request right after gets the same answer from the system.
    const addresses = await network.lookup(host).catch((): readonly string[] => []);
    const inside = addresses.find((address) => hostProblem(address) !== undefined);
    if (inside !== undefined) throw insideError(url, inside);
  } catch (error) {
    if (url.origin === origin || !(error instanceof SpellError)) throw error;
    const { hint, details, message, actions } = error;
    const [inside] = actions.flatMap((action) => (action.kind === "pull" ? (action.allowHosts ?? []) : []));
    const allowing = inside === undefined ? {} : { hint: allowingHint, details: { allowHost: inside } };
    throw new SpellError("net-redirect", `${options.what}: the redirect is not followed: ${message}`, {
      where: url.host,
      ...(details === undefined ? allowing : { hint, details }),
      cause: error,
    });
  }
}

/** A name that leads inside the network: an attack, or a network whose resolver answers so for every name. */
function insideError({ host, hostname }: URL, address: string): SpellError {
  const [what, why] = isFakeAddress(address)
    ? ["an address that a resolver made up", "A program here stands in for the resolver (fake-IP mode)."]
    : ["a private or local address", "Where your network has this host inside, allow it."];
  return new SpellError("spec-host", `${host} is not asked: its name leads to ${address}, ${what}`, {
    where: host,
    hint: `${why} For good, models.allow_hosts allows hosts; "*.example.org" stands for all names below it.`,
    details: { allowHost: hostname, address },
  });
}

async function ask(
  url: URL,
  { fetch, clock }: Network,
  {
    what,
    body,
    method = body === undefined ? "GET" : "POST",
    headers,
    signal,
    firstByteMs = requestTimes.firstByte,
    secretHeader = "authorization",
  }: RequestOptions,
  secret: string | undefined,
  redirect: RequestRedirect,
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
    return await fetch(url, {
      method,
      redirect,
      credentials: "omit",
      cache: "no-store",
      headers: definedOnly({
        "accept-encoding": "identity",
        "content-type": body === undefined ? undefined : "application/json",
        ...headers,
        [secretHeader]: secret,
      }),
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      // The body is read after this; an abort of the caller reaches it too.
      signal: signal === undefined ? patience.signal : AbortSignal.any([patience.signal, signal]),
    });
  } catch (cause) {
    throwIfAborted(signal);
    // a host that refuses says why itself
    if (cause instanceof SpellError) throw cause;
    if (!isLate) throw connectionError(cause, what, url);
    const message = `${what}: ${url.host} did not answer within ${firstByteMs / 1000} s`;
    throw new SpellError("net-stall", message, { where: url.host, cause });
  } finally {
    timer.abort();
  }
}

export interface BodyOptions {
  readonly what: string;
  readonly clock: Clock;
  /** milliseconds without a byte; default requestTimes.stall. When set, a slow body is not an error: a model answers at its own speed. */
  readonly stallMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The bytes of a body as they come.
 * @throws SpellError net-stall after 30 s without a byte or a minute under 1 KiB/s; net-reset, run-aborted
 */
export async function* readBody(answer: Answer, options: BodyOptions): AsyncGenerator<Uint8Array, void, undefined> {
  const { response, url } = answer;
  const { what, clock, signal, stallMs } = options;
  const stalled = (how: string): SpellError => new SpellError("net-stall", `${what}: ${url.host} ${how}`, { where: url.host });
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
      if (chunk === "late") throw stalled(`sent nothing for ${(stallMs ?? requestTimes.stall) / 1000} s`);
      if (chunk.done) return;
      windowBytes += chunk.value.byteLength;
      const spanMs = clock.now() - windowStart;
      if (stallMs === undefined && spanMs >= requestTimes.slowWindow) {
        if (windowBytes / (spanMs / 1000) < requestTimes.slowBytesPerSecond) throw stalled("sent under 1 KiB/s for a minute");
        windowStart = clock.now();
        windowBytes = 0;
      }
      yield chunk.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

/** https, or this machine. */
export function isSafeForSecrets(url: URL): boolean {
  return url.protocol === "https:" || isLoopback(url.hostname);
}

function redirectError(what: string, from: URL, problem: string): SpellError {
  return new SpellError("net-redirect", `${what}: ${from.host} redirects ${problem}; not followed`, { where: from.host });
}

/** Error codes of runtimes; the first that matches counts. */
const causes: readonly (readonly [RegExp, ErrorCode, string])[] = [
  [
    /^(CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|EPROTO|HOSTNAME_MISMATCH|UNSUPPORTED_CERTIFICATE|INVALID_CA)/,
    "net-tls",
    "has no valid certificate",
  ],
  [/^(UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT)$/, "net-timeout", "accepted no connection in time"],
  [
    /^(ENOTFOUND|EAI_AGAIN|EAI_FAIL|ECONNREFUSED|ENETUNREACH|EHOSTUNREACH|ENETDOWN|EADDRNOTAVAIL|ENONET|ERR_PROXY)$/,
    "net-offline",
    "cannot be reached",
  ],
  [/CONTENT_LENGTH/, "net-size", "states no usable length"],
  [/^(Z_|ERR__ERROR|ZSTD_)/, "net-status", "packs its answer in a way that cannot be unpacked"],
  [/^HPE_|UND_ERR_HEADERS|UND_ERR_INVALID/, "net-status", "does not answer in valid HTTP"],
  [/^(ECONNRESET|EPIPE|UND_ERR_|ABORT_ERR)/, "net-reset", "broke the connection"],
];

/** @param otherwise where the cause says nothing: before the first byte a missing network is most likely */
function connectionError(cause: unknown, what: string, url: URL, otherwise: "net-offline" | "net-reset" = "net-offline"): SpellError {
  const { code: own, text } = innermost(cause);
  const told = own === "" || text.includes(own) ? text : `${text} (${own})`;
  const unknownCause = [undefined, otherwise, otherwise === "net-reset" ? "broke the connection" : "cannot be reached"] as const;
  const [, code, says] = causes.find(([pattern]) => pattern.test(own)) ?? unknownCause;
  // An orderly end before the end of the body: the length was wrong, or the server gave up.
  const got = otherwise === "net-reset" && own === "UND_ERR_SOCKET" ? "less" : undefined;
  const details = definedOnly({ host: url.host, cause: own === "" ? text : own, got });
  return new SpellError(code, `${what}: ${url.host} ${says}: ${told}`, { where: url.host, cause, details });
}

/** fetch wraps the cause once, and once more where a host has several addresses. */
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

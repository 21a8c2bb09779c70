/**
 * Who may ask a server that listens on a machine of a person: decided from the head of a request alone, before a body is read. A page of a stranger
 * reaches the loopback address too, by its own name (DNS rebinding), by a form, or by fetch; so Host comes first, then Origin, then the rest.
 */

import { SpellError } from "../errors.ts";

/** The head of a request as it arrived; header names are lower case, one entry for each line. */
export interface RequestHead {
  readonly method: string;
  /** the target as written, such as /v1/models?x=1 */
  readonly target: string;
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface GuardOptions {
  /** What Host may be, exactly: hostsOf(). */
  readonly hosts: ReadonlySet<string>;
  /** Origins of pages that may call, exactly; there is no word for all. */
  readonly origins: ReadonlySet<string>;
  /** `Authorization: Bearer TOKEN`, or `x-api-key: TOKEN`, has to be there; undefined: nobody is asked. */
  readonly token?: string | undefined;
  /** bytes of a body */
  readonly bodyBytes: number;
}

/** `pass`: go on. `preflight`: 204 is the whole answer. `headers` are added to the answer in each case. */
export type Verdict =
  | { readonly kind: "pass" | "preflight"; readonly headers: Headers }
  | { readonly kind: "refused"; readonly headers: Headers; readonly error: SpellError };

type Headers = Readonly<Record<string, string>>;

const loopback: readonly string[] = ["127.0.0.1", "localhost", "[::1]"];

/**
 * Host headers that are answered: those of loopback and of the address listened on, with the port where it is not 80, and the names given: with any port, which
 * is that of a proxy, or with their own.
 * @param host that is listened on
 */
export function hostsOf(port: number, host: string, allowed: readonly string[]): ReadonlySet<string> {
  const isAny = host === "0.0.0.0" || host === "::";
  const own = isAny ? [] : [host.includes(":") ? `[${host}]` : host];
  return new Set(
    [...loopback, ...own]
      .flatMap((name) => [`${name}:${port}`, ...(port === 80 ? [name] : [])])
      .concat(allowed.flatMap((name) => (portOf.test(name) ? [name] : [name, `${name}${anyPort}`]))),
  );
}

const portOf = /:\d{1,5}$/;
/** Behind a name, for every port; no Host is so. */
const anyPort = ":*";

/** In the order of what a stranger could learn: Host, Origin, preflight, method, token, size. What is in a body is not looked at. */
export function guard({ method, target, headers }: RequestHead, { hosts, origins, token, bodyBytes }: GuardOptions): Verdict {
  const valuesOf = (name: string): readonly string[] => headers.flatMap(([key, value]) => (key === name ? [value] : []));
  let answered: Headers = {};
  const refused = (error: SpellError): Verdict => ({ kind: "refused", error, headers: answered });

  const [host, ...otherHosts] = valuesOf("host");
  if (host === undefined || otherHosts.length > 0 || !isOwn(host, hosts) || !target.startsWith("/"))
    return refused(new SpellError("http-host", "expected the address of this server as Host, got another name"));

  const [origin, ...otherOrigins] = valuesOf("origin");
  const isKnown = origin !== undefined && otherOrigins.length === 0 && origins.has(origin);
  const isCross = valuesOf("sec-fetch-site").some((site) => site !== "none" && site !== "same-origin");
  if ((origin !== undefined || isCross) && !isKnown)
    return refused(new SpellError("http-origin", "expected a program, or a page of an allowed origin; got a page of another one"));
  if (isKnown) answered = { "access-control-allow-origin": origin, vary: "origin" };
  if (method === "OPTIONS" && isKnown) return { kind: "preflight", headers: { ...answered, ...preflight(valuesOf) } };

  // before new Request(), which throws at TRACE and CONNECT; what others are for is the path's own matter
  if (!methods.has(method))
    return refused(
      new SpellError("http-method", `expected GET, HEAD or POST, got ${method.slice(0, 20)}`, { details: { allow: "GET, HEAD, POST" } }),
    );

  if (token !== undefined) {
    const [bearer = ""] = valuesOf("authorization");
    const [key = /^bearer (.*)$/i.exec(bearer)?.[1] ?? ""] = valuesOf("x-api-key");
    if (!sameSecret(key, token)) return refused(new SpellError("http-token", "expected the server's token, got none or another one"));
  }

  if (Number(valuesOf("content-length")[0] ?? 0) > bodyBytes)
    return refused(new SpellError("http-size", `expected a body of at most ${bodyBytes} bytes, got more`));
  return { kind: "pass", headers: answered };
}

const methods: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

function isOwn(host: string, hosts: ReadonlySet<string>): boolean {
  return (hosts.has(host) && !host.endsWith(anyPort)) || (portOf.test(host) && hosts.has(host.replace(portOf, anyPort)));
}

/** Clients in pages send headers of their own, such as x-stainless-lang: what is asked for is allowed, as far as it is a name. */
function preflight(valuesOf: (name: string) => readonly string[]): Headers {
  const asked = valuesOf("access-control-request-headers").join(",").split(",");
  const names = asked.map((name) => name.trim().toLowerCase()).filter((name) => /^[a-z0-9-]{1,64}$/.test(name));
  return {
    "access-control-allow-methods": "GET, HEAD, POST",
    "access-control-allow-headers": (names.length > 0 ? names.slice(0, 64) : ["authorization", "content-type"]).join(", "),
    "access-control-max-age": "600",
    ...(valuesOf("access-control-request-private-network").includes("true") && { "access-control-allow-private-network": "true" }),
  };
}

/** Takes the same time for every text of a length, right or wrong. */
function sameSecret(given: string, wanted: string): boolean {
  let difference = given.length ^ wanted.length;
  for (let i = 0; i < wanted.length; i++) difference |= wanted.charCodeAt(i) ^ (i < given.length ? given.charCodeAt(i) : 0);
  return difference === 0;
}

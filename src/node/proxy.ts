/**
 * Requests through the proxy that variables name, as curl and Python read them: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, of which the
 * lower case wins. This machine is never asked through one. Only newer Nodes know these variables, and only where NODE_USE_ENV_PROXY is set:
 * so every request goes through undici once a proxy is named, and through Node's own fetch otherwise.
 */
import { BlockList, isIP } from "node:net";
import { SpellError } from "../core/errors.ts";
import type { Environment } from "../core/platform.ts";
import { isLoopback } from "../core/spec/model-spec.ts";

type Fetch = typeof globalThis.fetch;

export const proxyVariables = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] as const;

export interface Proxy {
  readonly url: URL;
  /** that names it */
  readonly variable: string;
}

const schemes: ReadonlySet<string> = new Set(["http:", "https:", "socks5:", "socks:"]);

/** @returns undefined where the address is asked directly @throws SpellError env-value */
export function proxyOf({ protocol, hostname, port }: URL, env: Environment): Proxy | undefined {
  const names = [protocol.replace(":", "_proxy"), "all_proxy"].flatMap((name) => [name, name.toUpperCase()]);
  const variable = names.find((name) => env[name]?.trim());
  if (variable === undefined || isLoopback(hostname)) return undefined;
  const host = hostname.replace(/^\[|\]$|\.$/g, "");
  if (isExcepted(host, port || (protocol === "https:" ? "443" : "80"), env["no_proxy"] || env["NO_PROXY"] || "")) return undefined;
  return { url: proxyUrl(env[variable]?.trim() ?? "", variable), variable };
}

function proxyUrl(text: string, variable: string): URL {
  const address = (text.includes("://") ? text : `http://${text}`).replace(/^socks5h:/i, "socks5:");
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url !== undefined && url.hostname !== "" && schemes.has(url.protocol)) return url;
  throw new SpellError("env-value", `${variable}: expected the address of an http, https or socks5 proxy, got ${withoutPassword(text)}`, {
    where: variable,
    actions: [{ kind: "unset-variables", names: [variable] }],
  });
}

function withoutPassword(text: string): string {
  return text.slice(text.lastIndexOf("@") + 1).slice(0, 60);
}

/** @returns the password in an address of a proxy; empty where there is none */
export function passwordOf(text: string): string {
  return /^(?:[a-z\d+.-]+:\/\/)?[^/@:]*:(.*)@/i.exec(text)?.[1] ?? "";
}

/** NO_PROXY: names with all names below them, a port behind them or not, `*`, addresses and ranges of addresses. */
function isExcepted(host: string, port: string, list: string): boolean {
  return list.split(/[,\s]+/).some((entry) => {
    if (entry === "*") return true;
    const [, name = "", only] = /^(?:\*?\.)?(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry.toLowerCase()) ?? [];
    if (name === "" || (only !== undefined && only !== port)) return false;
    const plain = name.replace(/^\[|\]$/g, "");
    return host === plain || host.endsWith(`.${plain}`) || isInRange(host, plain);
  });
}

function isInRange(host: string, range: string): boolean {
  const [address = "", bits = ""] = range.split("/");
  const [kind, wanted] = [isIP(address), isIP(host)];
  if (kind === 0 || kind !== wanted || !/^\d{1,3}$/.test(bits) || Number(bits) > (kind === 4 ? 32 : 128)) return false;
  const family = kind === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, family);
}

/** fetch as the variables say; they are looked at once, the library of proxies is imported with the first request. */
export function nodeFetch(env: Environment): Fetch {
  if (!proxyVariables.some((name) => env[name]?.trim())) return globalThis.fetch;
  let opened: Promise<ReturnType<typeof proxyFetch>> | undefined;
  return async (input, init) => {
    opened ??= import("undici").then((library) => proxyFetch(library, env));
    return (await opened)(input, init);
  };
}

function proxyFetch(undici: typeof import("undici"), env: Environment): Fetch {
  const direct = new undici.Agent();
  const agents = new Map<string, InstanceType<typeof undici.Dispatcher>>();
  const agentOf = ({ href, protocol }: URL): InstanceType<typeof undici.Dispatcher> => {
    const made = (): InstanceType<typeof undici.Dispatcher> =>
      protocol.startsWith("socks")
        ? withoutWarning(() => new undici.Socks5ProxyAgent(href))
        : // A tunnel to a port without TLS is what many proxies refuse.
          new undici.ProxyAgent({ uri: href, proxyTunnel: false });
    const agent = agents.get(href) ?? made();
    agents.set(href, agent);
    return agent;
  };
  const fetchBy = undici.fetch as unknown as (input: unknown, init: object) => Promise<Response>;
  return async (input, init) => {
    const proxy = proxyOf(new URL(input instanceof Request ? input.url : input), env);
    const dispatcher = proxy === undefined ? direct : agentOf(proxy.url);
    try {
      return await fetchBy(input, { ...init, dispatcher });
    } catch (error) {
      throw proxy === undefined ? error : new TypeError("fetch failed", { cause: proxyError(error, proxy) });
    }
  };
}

/** undici calls its SOCKS experimental, to whoever reads standard error of a program that only asked for a model. */
function withoutWarning<T>(make: () => T): T {
  const { emitWarning } = process;
  process.emitWarning = () => undefined;
  try {
    return make();
  } finally {
    process.emitWarning = emitWarning;
  }
}

/** The innermost cause, with the proxy named: what failed may be either side of it. */
function proxyError(error: unknown, { url, variable }: Proxy): Error {
  let at = error instanceof Error ? error : new Error(String(error));
  while (at.cause instanceof Error) at = at.cause;
  const code = "code" in at && typeof at.code === "string" ? at.code : "";
  const refused = /^Proxy response \((\d+)\)/.exec(at.message)?.[1];
  const why = refused === "407" ? "it needs a password" : refused === undefined ? at.message || code : `it answered ${refused}`;
  const text = `through the proxy ${url.host} of ${variable}: ${why}`;
  return Object.assign(new Error(text), { code: refused === undefined ? code : "ERR_PROXY" });
}

/**
 * HTTP for tools that cannot be led into this machine or its network: names are judged, so are the addresses behind them where the host can connect to what was
 * judged, and redirects are followed by hand, each judged anew.
 */
import type { ToolsConfig } from "../config/config.generated.ts";
import { SpellError, throwIfAborted, toSpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { Platform, ToolHop } from "../platform.ts";
import { hostProblem, isAllowed } from "../spec/model-spec.ts";
import type { ToolAnswer, ToolQuestion } from "./types.ts";

type Rules = ToolsConfig["http_request"];

const secretHeaders = new Set(["authorization", "cookie", "proxy-authorization", "x-api-key", "api-key", "x-auth-token"]);

/** @throws SpellError tool-denied (a host, a scheme), tool-limit (too long, too late), net-redirect, net-offline, net-reset, run-aborted */
export async function askServer(
  question: ToolQuestion,
  rules: Rules,
  platform: Pick<Platform, "fetch" | "request" | "isPage">,
  signal: AbortSignal,
): Promise<ToolAnswer> {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), rules.timeout_seconds * 1000);
  try {
    return await follow(question, rules, platform, AbortSignal.any([signal, late.signal]));
  } catch (error) {
    throwIfAborted(signal);
    if (!late.signal.aborted) throw toSpellError(error, "net-offline", `${hostOf(question.url)} does not answer`);
    const message = `${hostOf(question.url)}: expected an answer within ${rules.timeout_seconds} s (tools.http_request.timeout_seconds), got none`;
    throw new SpellError("tool-limit", message, { where: "tools.http_request.timeout_seconds", cause: error });
  } finally {
    clearTimeout(timer);
  }
}

async function follow(question: ToolQuestion, rules: Rules, platform: Pick<Platform, "fetch" | "request" | "isPage">, signal: AbortSignal) {
  let { method, headers, body } = question;
  let url = readAddress(question.url);
  for (let hops = 0; ; hops += 1) {
    checkAddress(url, rules);
    const isListed = isAllowed(url, rules.allowed_hosts);
    const problemOf = (address: string): string | undefined => (isListed ? undefined : hostProblem(address));
    const hop: ToolHop = { url, method, headers, body, mostBytes: limits.toolAnswerBytes, problemOf, signal };
    const answer =
      platform.request === undefined ? await byFetch(hop, rules, platform) : { ...(await platform.request(hop)), url: url.href };
    const to = answer.status >= 300 && answer.status < 400 && answer.status !== 304 ? answer.headers["location"] : undefined;
    if (to === undefined || rules.max_redirects === 0) return answer;
    if (hops >= rules.max_redirects) throw redirected(url, `more than ${rules.max_redirects} redirects`);
    if (!URL.canParse(to, url)) throw redirected(url, "to an address that cannot be read");
    const next = new URL(to, url);
    if (url.protocol === "https:" && next.protocol === "http:") throw redirected(url, "from https to http");
    if (next.origin !== url.origin) headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !secretHeaders.has(name)));
    if (answer.status === 303 ? method !== "HEAD" : answer.status <= 302 && method === "POST") {
      method = "GET";
      body = undefined;
      headers = Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith("content-")));
    }
    url = next;
  }
}

/** A page cannot see where a redirect leads: the browser follows it, by its own rules. */
async function byFetch(hop: ToolHop, rules: Rules, { fetch, isPage = false }: Pick<Platform, "fetch" | "isPage">): Promise<ToolAnswer> {
  const { url, method, headers, body, signal, mostBytes } = hop;
  const redirect = isPage ? (rules.max_redirects === 0 ? "error" : "follow") : "manual";
  const given = body === undefined ? {} : { body: Uint8Array.from(body) };
  const response = await fetch(url, { method, headers, ...given, redirect, credentials: "omit", cache: "no-store", signal });
  if (isPage && response.url !== "") checkAddress(new URL(response.url), rules);
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = response.body?.getReader();
  for (let piece = await reader?.read(); piece?.value !== undefined; piece = await reader?.read()) {
    size += piece.value.byteLength;
    if (size > mostBytes) {
      await reader?.cancel();
      throw tooLong(url, mostBytes);
    }
    parts.push(piece.value);
  }
  const all = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.byteLength;
  }
  const { status } = response;
  return { status, headers: Object.fromEntries(response.headers), body: all, url: response.url === "" ? url.href : response.url };
}

export function tooLong({ host }: URL, most: number): SpellError {
  return new SpellError("tool-limit", `${host}: expected an answer of at most ${most} bytes, got a longer one`, { where: host });
}

function readAddress(text: string): URL {
  if (text.length > 8192 || !URL.canParse(text)) {
    const message = `http-request: expected an address with http:// or https://, got ${JSON.stringify(text.slice(0, 100))}`;
    throw new SpellError("tool-failed", message, { where: "url" });
  }
  return new URL(text);
}

/** @throws SpellError tool-denied */
function checkAddress(url: URL, rules: Rules): void {
  if (url.protocol !== "http:" && url.protocol !== "https:") throw deniedHost(url.protocol, "only http and https are asked");
  if (url.username !== "" || url.password !== "") throw deniedHost(url.host, "an address must not hold a user name or password");
  const host = url.hostname.replace(/^\[|\]$/g, "").replace(/\.$/, "");
  if (isAllowed(url, rules.blocked_hosts)) throw deniedHost(host, "tools.http_request.blocked_hosts has it", "blocked_hosts");
  if (isAllowed(url, rules.allowed_hosts)) return;
  if (rules.allowed_hosts.length > 0) throw deniedHost(host, "tools.http_request.allowed_hosts has others", "allowed_hosts");
  const problem = hostProblem(host);
  if (problem !== undefined) throw deniedHost(host, problem, "allowed_hosts");
}

/** @param key of `tools.http_request` that decides */
export function deniedHost(what: string, why: string, key?: string): SpellError {
  return new SpellError("tool-denied", `http-request: ${what.slice(0, 200)} is not asked: ${why}`, {
    where: key === undefined ? what.slice(0, 200) : `tools.http_request.${key}`,
    actions: [{ kind: "show-config", section: "tools" }],
  });
}

function redirected({ host }: URL, what: string): SpellError {
  return new SpellError("net-redirect", `http-request: a redirect of ${host} is not followed: ${what}`, { where: host });
}

function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : "the server";
}

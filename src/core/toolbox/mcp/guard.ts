/** What a server's address may be asked, and how much it may answer: fetch for the SDK, by the rules that `http-request` has. */
import type { ToolsConfig } from "../../config/config.generated.ts";
import { SpellError } from "../../errors.ts";
import { limits } from "../../limits.ts";
import type { Platform } from "../../platform.ts";
import { hostProblem, isAllowed, isLoopback } from "../../spec/model-spec.ts";
import type { ServerLine } from "../../spec/server-line.ts";
import { toolLimit } from "../failure.ts";

/**
 * @param token sent with each request
 * @param fail what ends the connection: the SDK would try again
 * @throws SpellError tool-denied
 */
export async function guardedFetch(
  { name, url: own }: ServerLine,
  { http_request: rules }: ToolsConfig,
  { fetch, isPage = false, mcp }: Pick<Platform, "fetch" | "isPage" | "mcp">,
  token: string | undefined,
  fail: (error: SpellError) => void,
): Promise<typeof globalThis.fetch> {
  const url = own as URL;
  const denied = (why: string): SpellError =>
    new SpellError("tool-denied", `${name}: ${url.host} is not asked: ${why}`, { where: url.host });
  if (isAllowed(url, rules.blocked_hosts)) throw denied("tools.http_request.blocked_hosts has it");
  if (token !== undefined && url.protocol === "http:" && !isLoopback(url.hostname))
    throw denied("a token goes by https, or stays on this machine");
  // whoever lists a private host means it; a public name must not lead there, unless it is listed for that
  const isOpen = hostProblem(url.hostname.replace(/^\[|\]$|\.$/g, "")) !== undefined || isAllowed(url, rules.allowed_hosts);
  const ask = (await mcp?.fetch?.((address) => (isOpen ? undefined : hostProblem(address)))) ?? fetch;

  return async (input, init) => {
    // a stream of news that nobody asked for: 405 says that there is none
    if (init?.method === "GET") return new Response(null, { status: 405 });
    const headers = new Headers(init?.headers);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    const redirect = isPage ? "error" : "manual";
    const response = await ask(input, { ...init, headers, redirect, credentials: "omit", cache: "no-store" });
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      const error = new SpellError("net-redirect", `${name}: a redirect of ${url.host} is not followed`, { where: url.host });
      fail(error);
      throw error;
    }
    return response.body === null ? response : bounded(response, name, fail);
  };
}

function bounded(response: Response, name: string, fail: (error: SpellError) => void): Response {
  let size = 0;
  const count = new TransformStream<Uint8Array, Uint8Array>({
    transform(part, control) {
      size += part.byteLength;
      if (size <= limits.toolAnswerBytes) return control.enqueue(part);
      const error = toolLimit(name, `expected an answer of at most ${limits.toolAnswerBytes} bytes, got a longer one`);
      fail(error);
      return control.error(error);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body?.pipeThrough(count) ?? null, { status, statusText, headers });
}

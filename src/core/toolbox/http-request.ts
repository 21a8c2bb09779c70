/** `http-request`: asks a server, by `runtime.security` and `tools.http_request`. */
import { toBase64 } from "../base64.ts";
import { bytesOfBase64, toText } from "./bytes.ts";
import { toolFailed, toolLimit } from "./failure.ts";
import { any, flag, integer, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly url: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly json?: unknown;
  readonly body_is_base64?: boolean;
}

/** What a connection and its length are made of is not for callers. */
const ownHeaders = new Set(
  "connection content-length expect host keep-alive proxy-connection te trailer transfer-encoding upgrade".split(" "),
);

export const httpRequest: ToolDefinition = {
  name: "http-request",
  description: "Asks a web server and gives status, headers and body. Hosts of this machine and its network are refused.",
  category: "network",
  version: "1.0.0",
  tags: ["web", "api", "fetch"],
  parameters: object(
    {
      url: text("address with http:// or https://"),
      method: oneOf("[GET, with a body POST]", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
      headers: { type: "object", description: "by name", additionalProperties: { type: "string" } },
      body: text("what is sent, as UTF-8"),
      json: any("what is sent, as JSON"),
      body_is_base64: flag("the body is base64 of bytes [false]"),
    },
    ["url"],
  ),
  output: object(
    {
      result: any("the body: a value where it is JSON, else text; base64 where it is no text"),
      status: integer("of HTTP", 100, 999),
      ok: flag("status 200 to 299"),
      headers: { type: "object", additionalProperties: { type: "string" } },
      url: text("where it came from, redirects followed"),
      bytes: integer("of the body", 0, Number.MAX_SAFE_INTEGER),
      is_base64: flag("whether the result is base64"),
    },
    ["result", "status", "ok", "headers", "url", "bytes"],
  ),
  async run({ url, method, headers = {}, body, json, body_is_base64 = false }: Input, { request, settings }) {
    if (body !== undefined && json !== undefined) throw toolFailed("http-request", "expected body or json, got both");
    const given = json === undefined ? body : JSON.stringify(json);
    const bytes = given === undefined ? undefined : body_is_base64 ? bytesOfBase64("http-request", given) : new TextEncoder().encode(given);
    const most = settings.http_request.max_request_size;
    if (bytes !== undefined && bytes.length > most)
      throw toolLimit(
        "http-request",
        `expected a body of at most ${most} bytes (tools.http_request.max_request_size), got ${bytes.length}`,
      );
    const sent = headersOf(headers, json !== undefined);
    const answer = await request({ url, method: method ?? (bytes === undefined ? "GET" : "POST"), headers: sent, body: bytes });
    const { status, body: received } = answer;
    const about = { status, ok: status >= 200 && status < 300, headers: answer.headers, url: answer.url, bytes: received.length };
    const said = toText(received);
    if (said === undefined) return { result: toBase64(received), ...about, is_base64: true };
    return { result: isJson(answer.headers["content-type"]) ? parsed(said) : said, ...about };
  },
};

/** @throws SpellError tool-failed */
function headersOf(given: Readonly<Record<string, string>>, isJsonBody: boolean): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {
    accept: "*/*",
    "accept-encoding": "identity",
    ...(isJsonBody && { "content-type": "application/json" }),
  };
  for (const [name, value] of Object.entries(given)) {
    const own = name.toLowerCase();
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]{1,100}$/.test(own) || !/^[\t\x20-\x7e\x80-\xff]{0,8192}$/.test(value))
      throw toolFailed("http-request", `expected a header of HTTP, got ${JSON.stringify(name.slice(0, 60))}`);
    if (ownHeaders.has(own)) throw toolFailed("http-request", `expected headers without ${own}, which the request makes itself`);
    headers[own] = value;
  }
  return headers;
}

function isJson(type = ""): boolean {
  return /^[\w.+/-]*[/+]json\b/i.test(type);
}

function parsed(said: string): unknown {
  try {
    return JSON.parse(said) as unknown;
  } catch {
    return said;
  }
}

/** Requests that Node's own parser refuses, or that do not come to their end: told in JSON, as all others are. */
import { type ServerResponse, STATUS_CODES } from "node:http";
import type { Duplex } from "node:stream";
import { SpellError } from "../../core/errors.ts";
import { errorBody, safeHeaders, told } from "../../core/serve/refusals.ts";

/** Limits that are told. */
export const headBytes = 16_384;
export const headSeconds = 10;
export const requestSeconds = 60;

/** Milliseconds that who is still sending has to read the answer. */
const lastWordsMs = 500;

export interface ParserRefusal {
  readonly status: number;
  readonly error: SpellError;
}

export function parserRefusal({ code }: NodeJS.ErrnoException): ParserRefusal {
  if (code === "HPE_HEADER_OVERFLOW")
    return { status: 431, error: new SpellError("http-size", `the head: expected at most ${headBytes} bytes, got more`) };
  if (code === "ERR_HTTP_REQUEST_TIMEOUT") {
    const message = `expected a head within ${headSeconds} s and the whole request within ${requestSeconds} s, got a part`;
    return { status: 408, error: new SpellError("http-body", message) };
  }
  if (code === "HPE_INVALID_EOF_STATE") return { status: 400, error: new SpellError("http-body", "expected a whole request, got a part") };
  return { status: 400, error: new SpellError("http-body", "expected a request of HTTP/1.1, got something else") };
}

/** @param response of the request, where its head was read; its answer has not begun */
export function answerParser({ status, error }: ParserRefusal, id: string, socket: Duplex, response: ServerResponse | undefined): void {
  const text = JSON.stringify(errorBody({ ...told(error, ""), status }, response?.req.url ?? ""));
  const headers = {
    "content-type": "application/json",
    "x-request-id": id,
    ...safeHeaders,
    "content-length": String(Buffer.byteLength(text)),
    connection: "close",
  };
  if (response !== undefined) return void response.writeHead(status, headers).end(text);
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join("")}\r\n${text}`);
  // what still comes is thrown away for a while, or the answer is lost with the connection
  socket.resume();
  setTimeout(() => socket.destroy(), lastWordsMs).unref();
}

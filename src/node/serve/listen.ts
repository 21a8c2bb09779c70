/** A server of node:http: its limits, its address, its end. What a request meets is in adapt.ts. */
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { SpellError } from "../../core/errors.ts";
import { hostsOf } from "../../core/serve/guards.ts";
import { requestId } from "../../core/serve/record.ts";
import { type Adapted, type AdaptOptions, adapt } from "./adapt.ts";
import { listenError } from "./listen-error.ts";
import { answerParser, headBytes, headSeconds, parserRefusal, requestSeconds } from "./parser-error.ts";

export interface ListenOptions extends Partial<Pick<AdaptOptions, "stallMs" | "onRefusal">> {
  /** default 127.0.0.1 */
  readonly host?: string | undefined;
  /** 0 takes a free one */
  readonly port: number;
  /** Names besides loopback and `host` that the Host of a request may have. */
  readonly allowHosts?: readonly string[] | undefined;
  readonly allowOrigins?: readonly string[] | undefined;
  readonly token?: string | undefined;
  /** Milliseconds that answers under way have when the server closes; default 10,000. */
  readonly drainMs?: number | undefined;
}

/** Milliseconds for an answer that is ended to say so, and for a request to come whole that has begun when the server closes. */
const lastWordsMs = 500;

const mostConnections = 128;

export interface Listening {
  /** such as http://127.0.0.1:8088 */
  readonly url: string;
  readonly server: Server;
  /** Takes no more, waits for answers under way, ends those that take too long. */
  close(): Promise<void>;
}

/** @throws SpellError usage-value: the address is in use, not allowed, or not of this machine */
export async function listen(answer: AdaptOptions["answer"], options: ListenOptions): Promise<Listening> {
  const { host = "127.0.0.1", port, allowHosts = [], allowOrigins = [], token, drainMs = 10_000 } = options;
  const { stallMs = 30_000, onRefusal } = options;
  const server = createServer({
    headersTimeout: headSeconds * 1000,
    requestTimeout: requestSeconds * 1000,
    connectionsCheckingInterval: 1_000,
    keepAliveTimeout: 5_000,
    maxHeaderSize: headBytes,
    requireHostHeader: false, // ours is asked of HTTP/1.0 too
  });
  // beyond mostConnections one that asks nothing makes room; room for those that are about to close
  server.maxConnections = 2 * mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) => reject(listenError(error, host, port)));
    server.listen(port, host, resolve);
  });
  const { port: real } = server.address() as AddressInfo;
  const guards = { hosts: hostsOf(real, host, allowHosts), origins: new Set(allowOrigins), token };
  let isClosing = false;
  /** ends of answers under way */
  const open = new Set<(why: SpellError) => void>();
  /** the newest answer of a connection */
  const answers = new WeakMap<object, ServerResponse>();
  const work = new WeakMap<ServerResponse, Adapted>();
  /** when the latest request of a connection began, or could begin */
  const began = new WeakMap<object, number>();
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    if (sockets.size >= mostConnections) {
      // the oldest first: it had the most time to ask
      const idle = [...sockets].find((each) => answers.get(each)?.writableFinished !== false) ?? socket;
      sockets.delete(idle);
      idle.destroy();
      if (idle === socket) return;
    }
    sockets.add(socket);
    began.set(socket, performance.now());
    socket.once("close", () => sockets.delete(socket));
  });
  /** Ends connections that no answer is under way on. */
  const endHalfSent = (): void => {
    for (const socket of sockets) {
      const response = answers.get(socket);
      const isWhole = response !== undefined && !response.writableFinished && (response.headersSent || response.req.complete);
      if (!isWhole) socket.destroy();
    }
  };
  server.on("clientError", (error, socket) => {
    const response = answers.get(socket);
    const isOpen = response !== undefined && !response.writableFinished;
    if (!socket.writable || (isOpen && response.headersSent)) return void socket.destroy();
    const refused = parserRefusal(error);
    const id = requestId();
    answerParser(refused, id, socket, isOpen ? response : undefined);
    // what was begun is over with its own record
    if (isOpen) return void work.get(response)?.cut(refused.error);
    const started = began.get(socket) ?? performance.now();
    onRefusal?.({ id, method: "?", target: "", ...refused, durationMs: performance.now() - started });
  });
  server.on("request", (request, response) => {
    answers.set(request.socket, response);
    if (isClosing) response.shouldKeepAlive = false;
    const adapted = adapt(request, response, { answer, guards, stallMs, onRefusal });
    const { end } = adapted;
    work.set(response, adapted);
    open.add(end);
    response.once("close", () => {
      open.delete(end);
      began.set(request.socket, performance.now());
      // a kept connection would hold the end back
      if (isClosing) setImmediate(() => server.closeIdleConnections());
    });
  });
  return {
    url: `http://${host.includes(":") ? `[${host}]` : host}:${real}`,
    server,
    async close() {
      isClosing = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      const told = setTimeout(() => {
        const why = new SpellError("run-closed", "the server ends");
        for (const end of open) end(why);
      }, drainMs);
      const halfSent = setTimeout(endHalfSent, Math.min(drainMs, lastWordsMs));
      const timer = setTimeout(() => server.closeAllConnections(), drainMs + lastWordsMs);
      await closed;
      clearTimeout(halfSent);
      clearTimeout(told);
      clearTimeout(timer);
    },
  };
}

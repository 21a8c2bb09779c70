/** One request of node:http through a function `(Request) => Promise<Response>`: guards first, an abort when the client leaves, nothing asked of the model while it does not read. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { SpellError } from "../../core/errors.ts";
import { bodyBytes } from "../../core/serve/body.ts";
import { type GuardOptions, guard } from "../../core/serve/guards.ts";
import { requestId } from "../../core/serve/record.ts";
import { refusal } from "../../core/serve/refusals.ts";
import type { RefusedRequest } from "../../core/serve/serve.ts";

export interface AdaptOptions {
  /** ends with `signal` */
  readonly answer: (request: Request, context: { readonly signal: AbortSignal }) => Promise<Response>;
  readonly guards: Pick<GuardOptions, "hosts" | "origins" | "token">;
  /** Milliseconds that a reader may stop. */
  readonly stallMs: number;
  /** Told of what is refused here, and never reaches the function; internal-error: the function failed, with what it threw as the cause. */
  readonly onRefusal: ((refused: RefusedRequest) => void) | undefined;
}

/** A request under way. */
export interface Adapted {
  /** Ends the work, and tells its reader why. */
  readonly end: (why: SpellError) => void;
  /** Nothing more comes of its body. */
  readonly cut: (why: SpellError) => void;
}

export function adapt(request: IncomingMessage, response: ServerResponse, options: AdaptOptions): Adapted {
  const { answer, guards, stallMs, onRefusal } = options;
  const { method = "", url: target = "", rawHeaders } = request;
  const started = performance.now();
  const [left, cut] = [new AbortController(), new AbortController()];
  // of the answer: that of the request comes when its body was read
  response.once("close", () => response.writableFinished || left.abort());
  const lines = Array.from({ length: rawHeaders.length / 2 }, (_, i): [string, string] => [
    (rawHeaders[2 * i] ?? "").toLowerCase(),
    rawHeaders[2 * i + 1] ?? "",
  ]);
  const verdict = guard({ method, target, headers: lines }, { ...guards, bodyBytes });
  const refuse = (error: SpellError): Promise<void> => {
    const answered = refusal(error, target);
    const id = requestId();
    answered.headers.set("x-request-id", id);
    onRefusal?.({ id, method, target, status: answered.status, durationMs: performance.now() - started, error });
    return send(answered);
  };

  async function respond(): Promise<void> {
    if (verdict.kind === "refused") return refuse(verdict.error);
    if (verdict.kind === "preflight") return send(new Response(null, { status: 204 }));
    const headers = lines.filter(([name]) => !ownHeaders.has(name));
    const init = method === "POST" ? { body: bodyOf(request, cut.signal), duplex: "half" as const } : {};
    // the signal goes beside it: a Request makes one of its own from it, which costs
    await send(await answer(new Request(`http://${request.headers.host}${target}`, { method, headers, ...init }), { signal: left.signal }));
  }

  async function send({ status, headers, body }: Response): Promise<void> {
    if (response.headersSent) return; // it was refused on its way: listen.ts
    // what is left of a request is not read
    const isRead = request.complete || method === "GET" || method === "HEAD";
    response.writeHead(status, { ...Object.fromEntries(headers), ...verdict.headers, ...(!isRead && { connection: "close" }) });
    if (body === null) return end(isRead);
    const reader = body.getReader();
    response.once("close", () => void reader.cancel().catch(() => undefined));
    for (;;) {
      const { done, value } = await reader.read();
      if (done || response.destroyed) break;
      // nothing more is asked of the model while the reader does not read
      if (!response.write(value) && !(await drained(response, stallMs))) return void response.destroy();
    }
    return end(isRead);
  }

  /** Who is still sending reads the answer only then: what comes is thrown away for a while. */
  async function end(isRead: boolean): Promise<void> {
    if (!isRead) await thrownAway(request);
    response.end();
  }

  respond().catch((cause) => {
    if (response.destroyed) return;
    if (response.headersSent) response.destroy();
    else void refuse(new SpellError("internal-error", "the server failed", { cause }));
  });
  return { end: (why) => left.abort(why), cut: (why) => cut.abort(why) };
}

/** Of the connection, and secrets of this server: not of what is asked. */
const ownHeaders: ReadonlySet<string> = new Set(
  "host connection keep-alive transfer-encoding content-length expect upgrade authorization x-api-key cookie".split(" "),
);

/** Leaving it does not end the connection, which is still needed for the answer. @param cut breaks it off */
function bodyOf(request: IncomingMessage, cut: AbortSignal): ReadableStream<Uint8Array> {
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Uint8Array>;
  return new ReadableStream(
    {
      start(controller) {
        cut.addEventListener("abort", () => controller.error(cut.reason));
      },
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done === true) controller.close();
        else controller.enqueue(value);
      },
    },
    { highWaterMark: 0 },
  );
}

/** @returns false when the reader has left, or has not read for `stallMs` */
function drained(response: ServerResponse, stallMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const finish = (isReading: boolean): void => {
      clearTimeout(timer);
      response.off("drain", onDrain);
      response.off("close", onClose); // both go, or they pile up
      resolve(isReading);
    };
    const onDrain = (): void => finish(true);
    const onClose = (): void => finish(false);
    const timer = setTimeout(onClose, stallMs);
    response.on("drain", onDrain);
    response.on("close", onClose);
  });
}

/** bytes and milliseconds of a request that are thrown away at most */
const [mostThrown, longestThrow] = [32 * 1024 * 1024, 2000];

function thrownAway(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    let bytes = 0;
    const timer = setTimeout(resolve, longestThrow);
    request.on("data", (chunk: Uint8Array) => {
      bytes += chunk.byteLength;
      if (bytes > mostThrown) resolve();
    });
    for (const over of ["end", "close", "error"]) request.once(over, () => resolve());
    request.once("close", () => clearTimeout(timer));
    request.resume();
  });
}

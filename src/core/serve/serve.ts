/**
 * Models behind an HTTP API, as one function from a Request to a Response: over sockets, in a page, in a test.
 *
 * Who checks what: this function answers for path, method, media type, JSON, its size once it is read, fields and models. What only a socket has (Host, Origin,
 * token, preflight, connections, time, Content-Length) is checked by whoever owns it, before it makes a Request: guards.ts has these checks, and
 * `refusal()` of refusals.ts their answers. A body is pulled: one that nobody reads holds the model, and `cancel()` or the signal frees it.
 */
import type { Spell } from "../api/spell.ts";
import { abortedError, SpellError } from "../errors.ts";
import { checkOptionNames } from "../text/check-call.ts";
import type { Call } from "./call.ts";
import { createAnswers, otherPath, requestId } from "./record.ts";
import { endOf, refusal } from "./refusals.ts";
import { ollamaRoutes, type Route, routes } from "./routes.ts";
import type { ServeOptions } from "./serve-options.ts";
import { createServed } from "./served.ts";

/** What is known of a request beside itself. */
export interface ServeContext {
  /** the header `x-request-id` of the answer, and `id` of its record; default: a random one */
  readonly id?: string | undefined;
  /** ends the work; default: that of the request */
  readonly signal?: AbortSignal | undefined;
}

/** A request that whoever owns the socket refused. */
export interface RefusedRequest {
  /** the header `x-request-id` of the answer */
  readonly id: string;
  readonly method: string;
  /** as it was asked for, with its query */
  readonly target: string;
  readonly status: number;
  readonly durationMs: number;
  readonly error: SpellError;
}

export interface Serve {
  /** Never rejects: what fails is an answer with the status of its failure, also one that nobody waits for any more (499). */
  (request: Request, context?: ServeContext): Promise<Response>;
  /** Counts a request that never comes here, as those that do: in the figures, and for `onRequest`. */
  readonly refused: (request: RefusedRequest) => void;
}

/**
 * @param spell its models are loaded at their first request, stay loaded as the keep-alive of their providers says, and end with it
 * @throws SpellError run-option for unknown options
 */
export function createServe(spell: Spell, options: ServeOptions = {}): Serve {
  checkOptionNames(options, ["models", "only", "pull", "strict", "load", "onRequest", "ollamaApi"], "serve");
  const served = createServed(spell, options);
  const answers = createAnswers(spell.platform, options.onRequest);

  const paths = options.ollamaApi === true ? [...routes, ...ollamaRoutes] : routes;

  const handle = async (call: Call): Promise<Response> => {
    const { handler, path } = route(call, paths);
    call.record.path = path;
    return handler(call);
  };

  const serve = async (request: Request, { id = requestId(), signal: asked = request.signal }: ServeContext = {}): Promise<Response> => {
    const { pathname } = new URL(request.url);
    const record = answers.begin(id, request.method);
    const left = new AbortController();
    const signal = AbortSignal.any([asked, left.signal]);
    const own = { pathname, signal, leave: () => left.abort(), record };
    const call: Call = { request, ...own, spell, served, isStrict: options.strict === true, metrics: answers.metrics };
    let response: Response;
    try {
      response = await handle(call);
    } catch (error) {
      const end = endOf(signal);
      const hasLeft = signal.aborted && end === undefined;
      response = refusal(end ?? error, pathname, hasLeft);
      // whatever broke on its way: that is why
      record.fail(hasLeft ? abortedError() : (end ?? error));
    }
    response.headers.set("x-request-id", id);
    return record.follow(request.method === "HEAD" ? new Response(null, response) : response);
  };
  const refused = ({ target, error, ...request }: RefusedRequest): void =>
    answers.note({ ...request, path: find(target.split("?", 1)[0] ?? "", paths)?.path ?? otherPath, error: error.code });
  return Object.assign(serve, { refused });
}

function find(pathname: string, routes: readonly Route[]): Route | undefined {
  return routes.find(({ path }) =>
    path.endsWith("/") && path !== "/" ? pathname.startsWith(path) && pathname !== path : pathname === path,
  );
}

/** @throws SpellError http-path, http-method */
function route({ request, pathname }: Pick<Call, "request" | "pathname">, routes: readonly Route[]): Route {
  const found = find(pathname, routes);
  if (found === undefined) {
    const known = routes.map(({ path }) => path);
    throw new SpellError("http-path", `expected one of ${known.join(", ")}, got another path`, { details: { paths: known } });
  }
  const isAllowed = request.method === found.method || (request.method === "HEAD" && found.method === "GET");
  if (isAllowed) return found;
  throw new SpellError("http-method", `expected ${found.method} for ${found.path}, got ${request.method.slice(0, 20)}`, {
    details: { allow: found.method === "GET" ? "GET, HEAD" : found.method },
  });
}

/**
 * Models behind an HTTP API, as one function from a Request to a Response: over sockets, in a page, in a test.
 *
 * Who checks what: this function answers for path, method, media type, JSON, its size once it is read, fields and models. What only a socket has (Host, Origin,
 * token, preflight, connections, time, Content-Length) is checked by whoever owns it, before it makes a Request: guards.ts has these checks, and
 * `refusal()` of refusals.ts their answers. A body is pulled: one that nobody reads holds the model, and `cancel()` or the signal frees it.
 */
import type { ModelSource, Spell, SpellLoadOptions } from "../api/spell.ts";
import { SpellError } from "../errors.ts";
import { checkOptionNames } from "../text/check-call.ts";
import { createAnswers, type RequestRecord } from "./record.ts";
import { refusal } from "./refusals.ts";
import { type Call, type Handler, routes } from "./routes.ts";
import { createServed } from "./served.ts";

export type { RequestRecord } from "./record.ts";

export interface ServeOptions {
  /**
   * Models by the names that requests have for them, or a list of model specs, which are their own names; they come first in the list of models. Only a
   * model named here may be a path, an address or a file. Default: none.
   */
  readonly models?: readonly string[] | Readonly<Record<string, ModelSource>> | undefined;
  /** No model but these. Default false: any other name that the library knows is answered too. */
  readonly only?: boolean | undefined;
  /** A model that is missing is fetched by the request that names it. Default false: it does not exist. */
  readonly pull?: boolean | undefined;
  /** A field that is not known is refused. Default false: it is named in `warnings` of the answer. */
  readonly strict?: boolean | undefined;
  /** How models are loaded. */
  readonly load?: Pick<SpellLoadOptions, "device" | "contextSize" | "threads" | "batchSize"> | undefined;
  /** Each request once it is over: its stream has ended, or its reader has left. */
  readonly onRequest?: ((record: RequestRecord) => void) | undefined;
}

/** What is known of a request beside itself. */
export interface ServeContext {
  /** the header `x-request-id` of the answer, and `id` of its record; default: a random one */
  readonly id?: string | undefined;
  /** ends the work; default: that of the request */
  readonly signal?: AbortSignal | undefined;
}

/** Never rejects: what fails is an answer with the status of its failure, also one that nobody waits for any more (499). */
export type Serve = (request: Request, context?: ServeContext) => Promise<Response>;

/**
 * @param spell its models are loaded at their first request, stay loaded as the keep-alive of their providers says, and end with it
 * @throws SpellError run-option for unknown options
 */
export function createServe(spell: Spell, options: ServeOptions = {}): Serve {
  checkOptionNames(options, ["models", "only", "pull", "strict", "load", "onRequest"], "serve");
  const served = createServed(spell, options);
  const answers = createAnswers(spell.platform, options.onRequest);

  const handle = async (call: Call): Promise<Response> => {
    const { handler, path } = route(call);
    call.record.path = path;
    return handler(call);
  };

  return async (request, { id = `req_${crypto.randomUUID().replaceAll("-", "")}`, signal = request.signal } = {}) => {
    const { pathname } = new URL(request.url);
    const record = answers.begin(id, request.method);
    const call: Call = { request, pathname, signal, spell, served, isStrict: options.strict === true, record, metrics: answers.metrics };
    let response: Response;
    try {
      response = await handle(call);
    } catch (error) {
      response = refusal(error, pathname, signal.aborted);
      record.fail(error);
    }
    response.headers.set("x-request-id", id);
    return record.follow(request.method === "HEAD" ? new Response(null, response) : response);
  };
}

/** @throws SpellError http-path, http-method */
function route({ request, pathname }: Pick<Call, "request" | "pathname">): { readonly handler: Handler; readonly path: string } {
  const found = routes.find(({ path }) => (path.endsWith("/") ? pathname.startsWith(path) && pathname !== path : pathname === path));
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

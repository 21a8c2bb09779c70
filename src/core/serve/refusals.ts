/**
 * Errors as answers: the status, and the body that clients of OpenAI and of Anthropic read. Clients choose their error class by the status alone.
 * What the caller can mend is said in the error's own words; of what fails here only its code and the usual hint are told: messages may hold paths.
 */
import { type ErrorCode, errorTable, SpellError, toSpellError } from "../errors.ts";

const statusOf: Readonly<Partial<Record<ErrorCode, number>>> = {
  "http-body": 400,
  "http-field": 400,
  "http-token": 401,
  "http-host": 403,
  "http-origin": 403,
  "http-path": 404,
  "http-method": 405,
  "http-size": 413,
  "http-type": 415,
  "http-busy": 429,
  "run-busy": 429,
  "provider-rate-limit": 429,
  "run-context": 400,
  "run-option": 400,
  "model-architecture": 400,
  "usage-not-available": 400,
  "template-parse": 400,
  "template-limit": 400,
  "model-unknown": 404,
  "model-not-installed": 404,
  "model-variant-unknown": 404,
  "model-ambiguous": 404,
  "backend-unknown": 404,
  "backend-not-configured": 404,
  "spec-syntax": 404,
  "spec-host": 404,
  "provider-error": 502,
  "run-form": 502,
  "provider-unauthorized": 502,
  "config-api-key-missing": 502,
  "ollama-unreachable": 502,
  "ollama-error": 502,
  "run-crash": 503,
  "run-closed": 503,
  "run-nan": 503,
  "device-lost": 503,
  "device-memory": 503,
  "device-unavailable": 503,
  "device-self-test": 503,
  // the client has left; nobody reads it
  "run-aborted": 499,
};

/** Types of OpenAI and of Anthropic. */
const types: Readonly<Partial<Record<number, readonly [openai: string, anthropic: string]>>> = {
  400: ["invalid_request_error", "invalid_request_error"],
  401: ["authentication_error", "authentication_error"],
  403: ["permission_error", "permission_error"],
  404: ["not_found_error", "not_found_error"],
  405: ["invalid_request_error", "invalid_request_error"],
  408: ["invalid_request_error", "invalid_request_error"],
  413: ["invalid_request_error", "request_too_large"],
  415: ["invalid_request_error", "invalid_request_error"],
  429: ["rate_limit_error", "rate_limit_error"],
  431: ["invalid_request_error", "invalid_request_error"],
};

/** Codes that clients know by OpenAI's names. */
const codes: Readonly<Partial<Record<ErrorCode, string>>> = { "run-busy": "http-busy", "run-context": "context_length_exceeded" };

/** Where the schemas of answers and tools, and the most tokens, are in the bodies of a path; other options have their own names in the writing of fields. */
interface Shape {
  /** what has the form of an answer */
  readonly form: string;
  readonly jsonSchema: string;
  readonly inputSchema: string;
  readonly maxTokens: string;
  readonly continueLast: string;
}
const chatShape: Shape = {
  form: "response_format",
  jsonSchema: "response_format.json_schema.schema",
  inputSchema: "function.parameters",
  maxTokens: "max_tokens",
  continueLast: "continue_final_message",
};
const shapes: readonly (readonly [path: string, shape: Shape])[] = [
  [
    "/v1/messages",
    {
      ...chatShape,
      form: "output_config.format",
      jsonSchema: "output_config.format.schema",
      inputSchema: "input_schema",
      continueLast: "messages",
    },
  ],
  [
    "/v1/responses",
    { ...chatShape, form: "text.format", jsonSchema: "text.format.schema", inputSchema: "parameters", maxTokens: "max_output_tokens" },
  ],
  ["/api/", { ...chatShape, form: "format", jsonSchema: "format", maxTokens: "options.num_predict" }],
];

function shapeOf(pathname: string): Shape {
  return shapes.find(([path]) => pathname.startsWith(path))?.[1] ?? chatShape;
}

/** What a refusal says behind its option: other options are named there too, and none between quotation marks. */
function inFields(words: string, pathname: string): string {
  return words.replaceAll(/"(?:[^"\\]|\\.)*"|\b(?:jsonSchema|maxTokens|numBeams|noRepeatNgramSize|toolChoice)\b/g, (name) => {
    if (name.startsWith('"')) return name;
    return name === "jsonSchema" ? shapeOf(pathname).form : fieldOf(name, pathname);
  });
}

/** An option of core as the caller wrote it; a JSON pointer may follow it. */
function fieldOf(where: string, pathname: string): string {
  const shape = shapeOf(pathname);
  const [, option = "", pointer = ""] = /^([^/]*)(.*)$/s.exec(where) ?? [];
  return (
    option
      .replaceAll(/jsonSchema|inputSchema|maxTokens|continueLast/g, (name) => shape[name as keyof Shape])
      .replaceAll(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter.toLowerCase()}`) + pointer
  );
}

/** What failed here, where the usual hint is for whoever runs the server. */
const ownWords: Readonly<Partial<Record<ErrorCode, string>>> = {
  "run-closed": "the server ends, or closed this model: ask again later",
  "run-crash": "the server failed: the engine of the model ended; a later request loads it again",
};

/** An error as an answer tells it. */
export interface Told {
  readonly status: number;
  readonly message: string;
  readonly code: string;
  readonly param: string | null;
  readonly error: SpellError;
}

/** @param pathname whose clients read it */
export function told(thrown: unknown, pathname: string): Told {
  const given = toSpellError(thrown);
  const { where } = given;
  const field = where !== undefined && given.code === "run-option" ? fieldOf(where, pathname) : where;
  const isNamed = where !== undefined && field !== undefined && given.code === "run-option" && given.message.startsWith(where);
  const error = isNamed ? given.with({ message: `${field}${inFields(given.message.slice(where.length), pathname)}` }) : given;
  // a model that a service does not have is told by it with a status
  const status = statusOf[error.code] ?? (error.code.startsWith("net-") ? 502 : 500);
  const isCallers = status < 500 || status === 502;
  const usual = errorTable().find(({ code }) => code === error.code)?.hint ?? "";
  // it names no path, and says why a later request does not help at once
  const isResting = error.code === "run-crash" && error.details?.["retryAfterMs"] !== undefined;
  const failed = isResting ? `the server failed: ${error.message}` : (ownWords[error.code] ?? `the server failed: ${usual}`);
  const message = status === 404 && error.code !== "http-path" ? unknownModel(error, pathname) : isCallers ? error.message : failed;
  const param = error.code === "http-field" || error.code === "run-option" ? (field ?? null) : null;
  return {
    status,
    message,
    code: status === 404 && error.code !== "http-path" ? "model_not_found" : (codes[error.code] ?? error.code),
    param: status === 404 && error.code !== "http-path" ? "model" : param,
    error,
  };
}

/** The name of the model that a request asked for, where an error is about it. */
export const askedModel = "askedModel";

/** A path, or what is on this machine, is nobody's business; the name is what the request said. */
function unknownModel(error: SpellError, pathname: string): string {
  const given = error.details?.[askedModel];
  const name = typeof given === "string" ? `'${given.slice(0, 100)}' ` : "";
  // programs look for these words of Ollama
  return isOllama(pathname) ? `model ${name}not found` : `The model ${name}does not exist`;
}

export function openaiError({ status, message, code, param }: Told): object {
  return { error: { message, type: types[status]?.[0] ?? "server_error", param, code } };
}

export function anthropicError({ status, message, error }: Told): object {
  // programs look for these words, and shorten the conversation
  const words = error.code === "run-context" ? `prompt is too long: ${message}` : message;
  return { type: "error", error: { type: types[status]?.[1] ?? "api_error", message: words } };
}

/** Whether clients of Anthropic ask there. */
export function isAnthropic(pathname: string): boolean {
  return pathname.startsWith("/v1/messages");
}

function isOllama(pathname: string): boolean {
  return pathname.startsWith("/api/");
}

/** Why the server itself gave the work up, where that is so: its reader is still there. */
export function endOf({ reason }: AbortSignal): SpellError | undefined {
  return reason instanceof SpellError && reason.code === "run-closed" ? reason : undefined;
}

/** @param pathname whose clients read it @param hasLeft the client has: whatever failed, that is why */
export function refusal(thrown: unknown, pathname: string, hasLeft = false): Response {
  const failed = told(thrown, pathname);
  const status = hasLeft ? 499 : failed.status;
  const { allow, retryAfterMs } = failed.error.details ?? {};
  // what a service asked for, when an engine is started again, or a turn of our own queue
  const wait = typeof retryAfterMs === "number" && retryAfterMs < 86_400_000 ? retryAfterMs : 1000;
  return json(errorBody(failed, pathname), status, {
    ...((status === 429 || (status === 503 && retryAfterMs !== undefined)) && {
      "retry-after": String(Math.max(1, Math.ceil(wait / 1000))),
    }),
    ...(status === 401 && { "www-authenticate": "Bearer" }),
    ...(status === 405 && typeof allow === "string" && { allow }),
  });
}

/** As the clients of a path read it. */
export function errorBody(failed: Told, pathname: string): object {
  if (isOllama(pathname)) return { error: failed.message };
  return isAnthropic(pathname) ? anthropicError(failed) : openaiError(failed);
}

/** Of every answer. */
export const safeHeaders = { "x-content-type-options": "nosniff", "cache-control": "no-store" };

export function json(value: unknown, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(value), { status, headers: { "content-type": "application/json", ...safeHeaders, ...headers } });
}

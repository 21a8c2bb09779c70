/** Small documents of hubs and registries: bounded, checked, tried again where that may help. */
import { SpellError } from "../errors.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import { type Answer, discard, type Network, type RequestOptions, readBody, request } from "./request.ts";
import { createRetries, isRetryStatus, parseRetryAfter } from "./retry.ts";
import { type StatusContext, statusError } from "./status.ts";

export interface JsonRequestOptions extends RequestOptions {
  readonly gatePage?: string | undefined;
  readonly onRetry?: ((error: SpellError, waitMs: number) => void) | undefined;
}

/**
 * @returns an object; its members are unknown and to be checked by the caller
 * @throws SpellError net-*: net-status for what is no JSON object, net-too-big
 */
export async function requestJson(
  address: string,
  network: Network,
  options: JsonRequestOptions,
): Promise<{ readonly value: Readonly<Record<string, unknown>>; readonly headers: Headers }> {
  const { what, signal } = options;
  const retries = createRetries({
    clock: network.clock,
    signal,
    onRetry: options.onRetry,
  });
  for (;;) {
    try {
      const answer = await request(address, network, options);
      if (answer.response.status !== 200) throw await failed(answer, options, network);
      const bytes = await readAll(answer, network, options);
      const value = readJson(bytes, { bytes: limits.listingBytes, depth: limits.jsonDepth }, ({ message }) => {
        return new SpellError("net-status", `${what}: ${answer.url.host} did not answer with a list it should have: ${message}`, {
          where: answer.url.host,
        });
      });
      if (!isObject(value))
        throw new SpellError("net-status", `${what}: ${answer.url.host} answered with no object`, { where: answer.url.host });
      return { value, headers: answer.response.headers };
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      const asked = error.details?.["retryAfterMs"];
      await retries.wait(error, typeof asked === "number" ? asked : undefined);
    }
  }
}

/** The error of an answer, with the pause it asks for. */
export async function failed(answer: Answer, options: StatusContextOf, { clock }: Pick<Network, "clock">): Promise<SpellError> {
  await discard(answer.response);
  const context: StatusContext = {
    what: options.what,
    hasSecret: options.secret !== undefined,
    gatePage: options.gatePage,
  };
  const error = statusError(answer, context);
  const asked = isRetryStatus(answer.response.status)
    ? parseRetryAfter(answer.response.headers.get("retry-after"), clock.wallTime())
    : undefined;
  if (asked === undefined) return error;
  return new SpellError(error.code, error.message, {
    hint: error.hint,
    commands: error.commands,
    where: error.where,
    details: { ...error.details, retryAfterMs: asked },
  });
}

export interface StatusContextOf {
  readonly what: string;
  readonly secret?: string | undefined;
  readonly gatePage?: string | undefined;
}

async function readAll(answer: Answer, { clock }: Network, { what, signal }: JsonRequestOptions): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of readBody(answer, { what, clock, signal })) {
    size += chunk.byteLength;
    if (size > limits.listingBytes) {
      throw new SpellError("net-too-big", `${what}: ${answer.url.host} sends more than ${limits.listingBytes} bytes`, {
        where: answer.url.host,
      });
    }
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
}

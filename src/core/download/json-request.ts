/** Small JSON documents of hubs and registries: bounded, checked, with retries. */
import { SpellError } from "../errors.ts";
import { discard } from "../formats/byte-source.ts";
import { isObject, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import { type Answer, type Network, type RequestOptions, readBody, request } from "./request.ts";
import { createRetries, parseRetryAfter, type RetryOptions } from "./retry.ts";
import { statusError } from "./status.ts";

export interface JsonRequestOptions extends RequestOptions, Pick<RetryOptions, "onRetry"> {}

/**
 * @returns an object, whose members the caller checks
 * @throws SpellError net-*: net-status for anything but a JSON object, net-too-big
 */
export async function requestJson(
  address: string,
  network: Network,
  options: JsonRequestOptions,
): Promise<{ readonly value: Readonly<Record<string, unknown>>; readonly headers: Headers }> {
  const { signal, onRetry } = options;
  const retries = createRetries({ clock: network.clock, signal, onRetry });
  for (;;) {
    try {
      const { value, headers, fail } = await askJson(address, network, options);
      if (!isObject(value)) throw fail("expected an object");
      return { value, headers };
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      await retries.wait(error);
    }
  }
}

/**
 * One try: for what a person waits for.
 * @returns any JSON, and what makes the error of a value that the caller did not expect
 * @throws SpellError net-*
 */
export async function askJson(
  address: string,
  network: Network,
  options: RequestOptions,
): Promise<{ readonly value: unknown; readonly headers: Headers; readonly fail: (problem: string) => SpellError }> {
  const answer = await request(address, network, options);
  if (answer.response.status !== 200) throw await failed(answer, options, network);
  const where = answer.url.host;
  const fail = (problem: string): SpellError => new SpellError("net-status", `${options.what}: ${where} answered: ${problem}`, { where });
  const bytes = await readAll(answer, network, options);
  const value = readJson(bytes, { bytes: limits.listingBytes, depth: limits.jsonDepth }, ({ message }) => fail(message));
  return { value, headers: answer.response.headers, fail };
}

/** The error of an answer, with the pause the server asks for. */
export async function failed(answer: Answer, options: RequestOptions, { clock }: Pick<Network, "clock">): Promise<SpellError> {
  await discard(answer.response);
  const error = statusError(answer, options);
  const asked = answer.response.headers.get("retry-after");
  const retryAfterMs = error.retryable ? parseRetryAfter(asked, clock.wallTime()) : undefined;
  return retryAfterMs === undefined ? error : error.with({ details: { retryAfterMs } });
}

async function readAll(answer: Answer, { clock }: Network, { what, signal }: RequestOptions): Promise<Uint8Array> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const chunk of readBody(answer, { what, clock, signal })) {
    size += chunk.byteLength;
    if (size > limits.listingBytes) {
      const where = answer.url.host;
      throw new SpellError("net-too-big", `${what}: ${where} sends more than ${limits.listingBytes} bytes`, { where });
    }
    chunks.push(chunk as Uint8Array<ArrayBuffer>);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

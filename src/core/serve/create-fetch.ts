/** The HTTP API without a server. Its code is imported with the first request. */
import type { Spell } from "../api/spell.ts";
import { once } from "../values.ts";
import type { ServeOptions } from "./serve-options.ts";

/** Requests for a path alone, which pages resolve by themselves. */
const base = "http://llmspell.invalid";

/**
 * A `fetch` that models of a spell answer: hand it to the client of OpenAI, of Anthropic or of the AI SDK, in a page, a test or an edge function. It has no network
 * of its own; every address is answered by its path, such as `/v1/chat/completions`.
 *
 * ```ts
 * const client = new OpenAI({ fetch: createFetch(createSpell()), baseURL: "http://localhost/v1", apiKey: "none" });
 * const answer = await client.chat.completions.create({ model: "tiny-stories", messages: [{ role: "user", content: "Once upon a time" }] });
 * ```
 * @returns rejects as fetch does, with the reason of the signal; everything else that fails is a response with its status
 */
export function createFetch(spell: Spell, options: ServeOptions = {}): typeof globalThis.fetch {
  const serve = once(async () => (await import("./serve.ts")).createServe(spell, options));
  return async (input, init) => {
    const { signal: own, ...rest } = init ?? {};
    const signal = own ?? (input instanceof Request ? input.signal : undefined);
    signal?.throwIfAborted();
    const answer = await serve();
    const response = await answer(new Request(typeof input === "string" && input.startsWith("/") ? base + input : input, rest), { signal });
    // an answer that was given up is none
    if (response.status === 499) signal?.throwIfAborted();
    return response;
  };
}

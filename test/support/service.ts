/** A service that answers with recorded streams, in pieces of any size; it is no server, so every cut can be tried. */
import { createSpell, type Spell } from "../../src/core/api/spell.ts";
import type { ConfigInput } from "../../src/core/config/config.generated.ts";
import type { GenerateOptions, GenerateResult, Prompt } from "../../src/core/spec/generate.ts";
import { memoryPlatform } from "../../src/core/testing/index.ts";

export interface Heard {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: Readonly<Record<string, unknown>>;
}

/** @param step bytes of one piece */
export function streamed(text: string, step = 1_000_000, status = 200, headers: Record<string, string> = {}): Response {
  const bytes = new TextEncoder().encode(text);
  let at = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at + step));
      at += step;
    },
  });
  return new Response(body, { status, headers: { "content-type": "text/event-stream", ...headers } });
}

export interface Service {
  readonly spell: Spell;
  readonly heard: readonly Heard[];
  ask(prompt: Prompt, options?: GenerateOptions): Promise<GenerateResult>;
}

/** @param answer of each request, by its number from 0 */
export function serviceOf(
  model: string,
  config: ConfigInput["providers"],
  answer: (heard: Heard, count: number) => Response | Promise<Response>,
  env: Record<string, string> = {},
): Service {
  const heard: Heard[] = [];
  const platform = memoryPlatform({
    fetch: async (input, init) => {
      const body = typeof init?.body === "string" ? (JSON.parse(init.body) as Record<string, unknown>) : {};
      const one = { url: String(input), method: init?.method ?? "GET", headers: new Headers(init?.headers), body };
      heard.push(one);
      return answer(one, heard.length - 1);
    },
  });
  const spell = createSpell({ platform, config: { providers: { ...config } }, env });
  return { spell, heard, ask: async (prompt, options = {}) => (await spell.load(model)).generate(prompt, options) };
}

/** The events of a stream as they are sent. @param end of each line */
export function wireOf(events: readonly object[], end = "\n", named = false): string {
  const one = (event: object): string =>
    `${named ? `event: ${(event as { type: string }).type}${end}` : ""}data: ${JSON.stringify(event)}${end}${end}`;
  return events.map(one).join("");
}

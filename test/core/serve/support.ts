/** A spell whose models answer from a script, and its API as a fetch. */
import { createSpell, type Spell } from "../../../src/core/api/spell.ts";
import { createFetch } from "../../../src/core/serve/create-fetch.ts";
import type { RequestRecord } from "../../../src/core/serve/record.ts";
import type { ServeOptions } from "../../../src/core/serve/serve-options.ts";
import type { GgufRuntime } from "../../../src/core/spec/runtime.ts";
import type { TokenSampling } from "../../../src/core/spec/sampling.ts";
import { memoryPlatform, type ScriptedRuntimeOptions, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { tinyLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";

export const template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}<assistant>";

export interface Asked {
  readonly prompt: string;
  readonly sampling: TokenSampling;
}

export interface ServedOptions extends Omit<ScriptedRuntimeOptions, "answer">, ServeOptions {
  readonly answer?: (prompt: string, sampling: TokenSampling) => Iterable<string>;
  readonly chatTemplate?: string;
  readonly fetch?: typeof globalThis.fetch;
  readonly config?: object;
}

export interface Here {
  readonly spell: Spell;
  readonly fetch: typeof globalThis.fetch;
  /** what the model was asked */
  readonly asked: readonly Asked[];
  readonly records: readonly RequestRecord[];
  readonly log: readonly string[];
}

/** Serves `tiny`, which answers with words, as the script says. */
export function here({ answer, stepMs, crashAt, chatTemplate = template, fetch, config = {}, ...options }: ServedOptions = {}): Here {
  const asked: Asked[] = [];
  const records: RequestRecord[] = [];
  const log: string[] = [];
  const script = answer ?? (() => ["Hello", " Anna", "!"]);
  const scripted = scriptedRuntime({
    stepMs,
    crashAt,
    answer(prompt, sampling) {
      asked.push({ prompt, sampling });
      return script(prompt, sampling);
    },
  });
  // of each text its length and the number of its words, as models opened for vectors give them
  const gguf: GgufRuntime = {
    name: "scripted",
    async open(files, given) {
      const handle = await scripted.open(files, given);
      if (given.embed === undefined) return handle;
      const embed = async function* (texts: readonly string[]) {
        for (const [index, text] of texts.entries()) {
          const words = text.split(" ").length;
          const length = Math.hypot(text.length, words);
          yield { index, vector: Float32Array.of(text.length / length, words / length), tokens: words };
        }
      };
      return { ...handle, dimensions: 2, embed };
    },
  };
  const files = { "./own.gguf": writeGguf(tinyLlama({ chatTemplate })) };
  const platform = memoryPlatform({ files, gguf, fetch, log: ({ message }) => log.push(message) });
  const spell = createSpell({ platform, config, env: {} });
  const serve = createFetch(spell, { models: { tiny: "./own.gguf" }, onRequest: (record) => records.push(record), ...options });
  return { spell, fetch: serve, asked, records, log };
}

/** Sends JSON, gets JSON; the text of a stream as it is. */
export async function post(
  fetch: typeof globalThis.fetch,
  path: string,
  body: unknown,
): Promise<{ readonly status: number; readonly json: unknown }> {
  const response = await fetch(`http://here${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  const text = await response.text();
  return { status: response.status, json: text.startsWith("{") ? JSON.parse(text) : text };
}

/** A spell whose models answer from a script, and its API as a fetch. */
import { createSpell, type Spell } from "../../../src/core/api/spell.ts";
import { createFetch } from "../../../src/core/serve/create-fetch.ts";
import type { RequestRecord } from "../../../src/core/serve/record.ts";
import type { ServeOptions } from "../../../src/core/serve/serve-options.ts";
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
  const gguf = scriptedRuntime({
    stepMs,
    crashAt,
    answer(prompt, sampling) {
      asked.push({ prompt, sampling });
      return script(prompt, sampling);
    },
  });
  const files = { "./own.gguf": writeGguf(tinyLlama({ chatTemplate })) };
  const platform = memoryPlatform({ files, gguf, fetch, log: ({ message }) => log.push(message) });
  const spell = createSpell({ platform, config, env: {} });
  const serve = createFetch(spell, { models: { tiny: "./own.gguf" }, onRequest: (record) => records.push(record), ...options });
  return { spell, fetch: serve, asked, records, log };
}

/** Sends JSON, gets JSON. */
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
  return { status: response.status, json: await response.json() };
}

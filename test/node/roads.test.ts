/** Every road to a model gives the same answer, under the same limits, over the same engine. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createSpell, type Spell } from "../../src/core/api/spell.ts";
import type { GgufRuntime } from "../../src/core/spec/runtime.ts";
import { memoryPlatform, scriptedRuntime } from "../../src/core/testing/index.ts";
import { chat } from "../../src/node/cli/chat.ts";
import { generate } from "../../src/node/cli/generate.ts";
import { textOf } from "../support/text-of.ts";
import { root } from "../support.ts";
import { chunks, keptScreen, scriptedContext } from "./cli/support.ts";

const name = "tiny-stories";
const files = { "tiny-stories/tiny-stories.gguf": readFileSync(`${root}/builtins/models/tiny-stories/tiny-stories.gguf`) };
const prompt = "Once upon";

/** A spell under `[providers.candle]`, and what its runtime was asked. */
function open(candle: Readonly<Record<string, unknown>>, script: Parameters<typeof scriptedRuntime>[0] = {}) {
  const seen = { opens: 0, running: 0, most: 0, disposed: 0 };
  const inner = scriptedRuntime(script);
  const gguf: GgufRuntime = {
    name: "counting",
    async open(sources, options) {
      seen.opens += 1;
      const handle = await inner.open(sources, options);
      return {
        ...handle,
        get alive() {
          return handle.alive;
        },
        async *generate(text, call) {
          seen.running += 1;
          seen.most = Math.max(seen.most, seen.running);
          try {
            yield* handle.generate(text, call);
          } finally {
            seen.running -= 1;
          }
        },
        async dispose() {
          seen.disposed += 1;
          await handle.dispose();
        },
      };
    },
  };
  const config = { providers: { candle: { provider_type: "candle", default_model: name, ...candle } } } as const;
  return { spell: createSpell({ platform: memoryPlatform({ files, gguf }), config, env: {} }), seen };
}

const command = async (run: typeof generate, spell: Spell, more: Parameters<typeof scriptedContext>[1]): Promise<string> => {
  const shown = keptScreen({ quiet: true });
  await run({ ...scriptedContext(shown, more), config: () => spell.config(), openSpell: async () => spell });
  return shown.out().replace(/\n$/, "");
};

const roads: Readonly<Record<string, (spell: Spell) => Promise<string>>> = {
  "load().stream()": async (spell) => textOf((await spell.load(name)).stream(prompt)),
  "load().stream().textStream": async (spell) => {
    let text = "";
    for await (const piece of (await spell.load()).stream(prompt).textStream) text += piece;
    return text;
  },
  "load().generate()": async (spell) => (await (await spell.load(name)).generate(prompt)).text,
  "spell.generate()": async (spell) => (await spell.generate(name, prompt)).text,
  "LocalLLM.generate()": async (spell) => (await (await spell.localLLM()).generate(name, prompt)).text,
  "llmspell generate": (spell) => command(generate, spell, { files, operands: [prompt] }),
  "llmspell chat": (spell) => command(chat, spell, { files, stdin: chunks(`${prompt}\n`) }),
};

describe.each(Object.entries(roads))("%s", (_, road) => {
  it("obeys max_tokens, seed and stop of the provider", async () => {
    const { spell } = open({ max_tokens: 5, seed: 7 });
    const text = await road(spell);
    expect(text.trim().split(/\s+/)).toHaveLength(5);
    expect(text).toBe(await roads["load().stream()"]!(open({ max_tokens: 5, seed: 7 }).spell));
    const stop = text.trim().split(/\s+/)[3]!;
    expect(await road(open({ max_tokens: 5, seed: 7, stop: [stop] }).spell)).toBe(text.slice(0, text.indexOf(stop)));
  });

  it("ends without progress after timeout_seconds", async () => {
    const slow = { answer: () => [" one", " two"], stepMs: 60_000 };
    await expect(road(open({ timeout_seconds: 1 }, slow).spell)).rejects.toMatchObject({
      code: "run-crash",
      message: expect.stringContaining("progress for 1 s"),
    });
  });

  it("unloads as keep_alive_seconds = 0 says, and loads again", async () => {
    const { spell, seen } = open({ max_tokens: 2, keep_alive_seconds: 0 });
    const holder = await spell.load(name);
    expect(seen).toMatchObject({ opens: 1, disposed: 1 });
    await road(spell);
    expect(seen.disposed).toBe(seen.opens);
    expect((await holder.generate(prompt)).usage.completionTokens).toBe(2);
    expect(seen.disposed).toBe(seen.opens);
  });
});

describe("all roads at once", () => {
  it("share one engine and one queue, and unload() frees it for all", async () => {
    const { spell, seen } = open({ max_tokens: 5, seed: 7, keep_alive_seconds: -1 }, { stepMs: 2 });
    const keeper = await spell.load(name);
    const texts = await Promise.all(Object.values(roads).map((road) => road(spell)));
    expect(new Set(texts)).toHaveProperty("size", 1);
    expect(seen).toMatchObject({ opens: 1, most: 1, disposed: 0 });
    expect((await spell.models.list()).find(({ id }) => id === name)?.loaded).toBe(true);
    expect(await (await spell.localLLM()).unload()).toBe(1);
    expect(seen).toMatchObject({ opens: 1, disposed: 1 });
    expect((await keeper.generate(prompt)).text).toBe(texts[0]);
    expect(seen.opens).toBe(2);
  });

  it("count together against max_concurrent, and the seventeenth in the line is refused", async () => {
    const { spell } = open({ max_tokens: 5, max_concurrent: 1 }, { stepMs: 5 });
    const model = await spell.load(name);
    const library = Array.from({ length: 9 }, () => model.generate(prompt));
    const scripts = Array.from({ length: 9 }, () => spell.localLLM().then((llm) => llm.generate(name, prompt)));
    const ended = await Promise.allSettled([...library, ...scripts]);
    const refused = ended.filter((result) => result.status === "rejected");
    expect(refused).toMatchObject([{ reason: { code: "run-busy" } }]);
  });
});

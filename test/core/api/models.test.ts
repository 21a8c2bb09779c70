import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/core/api/spell.ts";
import type { ConfigInput } from "../../../src/core/config/config.generated.ts";
import type { LogEntry } from "../../../src/core/platform.ts";
import { memoryPlatform, memoryStore, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { nanoLlama } from "../../fixtures/gguf/models.ts";
import { writeGguf } from "../../fixtures/gguf-writer.ts";
import { failure } from "../../support/failure.ts";
import { quickClock } from "../../support/quick-clock.ts";

/** A spell over a store with one unfinished download. */
async function spellWithPart() {
  const store = memoryStore();
  const part = await store.openPart("a".repeat(64));
  await part.write(0, new Uint8Array(8));
  await part.release();
  const files = { "tiny-stories/tiny-stories.gguf": writeGguf(nanoLlama()) };
  return { spell: createSpell({ platform: memoryPlatform({ files, gguf: scriptedRuntime(), store }) }), store };
}

describe("models", () => {
  it("of servers that run: one that nothing configures is left out, one that is configured is an error", async () => {
    const network = { fetch: () => Promise.reject(new TypeError("fetch failed")), clock: quickClock() };
    const logged: LogEntry[] = [];
    const open = (config: ConfigInput) =>
      createSpell({ platform: memoryPlatform({ log: (entry) => logged.push(entry) }), network, config });
    expect(await open({}).models.running()).toEqual([]);
    expect(logged).toMatchObject([{ level: "info", message: expect.stringContaining("ollama is left out") }]);
    const configured = open({ providers: { ollama: { provider_type: "ollama" } } });
    expect(await failure(configured.models.running())).toMatchObject({ code: "ollama-unreachable" });
    expect(await failure(open({}).models.running(AbortSignal.abort()))).toMatchObject({ code: "run-aborted" });
  });

  it("prune takes no wrong option, and deletes nothing then", async () => {
    const { spell, store } = await spellWithPart();
    const { prune } = spell.models as { readonly prune: (options?: unknown) => Promise<readonly unknown[]> };
    for (const [options, message] of [
      [{ dryrun: true }, "prune has no option dryrun; did you mean dryRun?"],
      [{ olderThanDays: 5 }, "prune has no option olderThanDays"],
      [{ olderThanMs: -5 }, "olderThanMs: expected a number of milliseconds, 0 or more, got -5"],
      [{ olderThanMs: Number.NaN }, "olderThanMs: expected a number of milliseconds, 0 or more, got NaN"],
      [{ olderThanMs: "5" }, 'olderThanMs: expected a number of milliseconds, 0 or more, got "5"'],
      [{ dryRun: 1 }, "dryRun: expected true or false, got 1"],
      [5, "options: expected an object, got 5"],
      [null, "options: expected an object, got null"],
    ] as const) {
      expect(await failure(prune(options))).toMatchObject({ code: "run-option", message: expect.stringContaining(message) });
      expect(await store.listParts(), message).toHaveLength(1);
    }
    expect(await prune({ dryRun: true, olderThanMs: undefined })).toHaveLength(1);
    expect(await prune()).toHaveLength(1);
    expect(await store.listParts()).toEqual([]);
  });

  it("no call takes an option it has not, or a wrong value", async () => {
    const { spell } = await spellWithPart();
    const models = spell.models as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    for (const [call, ...given] of [
      ["info", "tiny-stories", { foo: 1 }],
      ["info", new Blob([]), { foo: 1 }],
      ["verify", "tiny-stories", { foo: 1 }],
      ["verify", undefined, { foo: 1 }],
      ["available", { foo: 1 }],
    ] as const)
      expect(await failure(models[call]?.(...given) as never)).toMatchObject({ code: "run-option", message: `${call} has no option foo` });
    for (const [call, where, ...given] of [
      ["info", "remote", "tiny-stories", { remote: "yes" }],
      ["verify", "onFile", "tiny-stories", { onFile: "x" }],
      ["available", "search", { search: 5 }],
      ["pull", "quantization", "tiny-stories", { quantization: 5 }],
      ["pull", "allowHosts", "tiny-stories", { allowHosts: "localhost" }],
      ["pull", "as", "tiny-stories", { as: 5 }],
    ] as const)
      expect(await failure(models[call]?.(...given) as never)).toMatchObject({ code: "run-option", where });
    expect(await models["available"]?.({ search: "tiny", kind: undefined })).not.toEqual([]);
  });

  it("what is no name is refused as such", async () => {
    const { spell } = await spellWithPart();
    const models = spell.models as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
    for (const call of ["pull", "remove", "offer", "isLocal"])
      for (const name of [undefined, 5, ["x"], null])
        expect(await failure(models[call]?.(name) as never), call).toMatchObject({ code: "run-option", where: "name" });
    for (const [call, name] of [
      ["verify", ["x"]],
      ["verify", null],
      ["unload", null],
      ["unload", 5],
    ] as const)
      expect(await failure(models[call]?.(name) as never), call).toMatchObject({ code: "run-option", where: "name" });
    expect((await failure(models["pull"]?.(5) as never)).message).toBe("name: expected the name of a model, a path or an address, got 5");
  });
});

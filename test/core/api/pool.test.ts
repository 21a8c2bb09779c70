import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createPool } from "../../../src/core/api/pool.ts";
import type { CallSettings, FoundModelEntry, LoadOptions, OpenedModel } from "../../../src/core/backends/backend.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { GenerateOptions } from "../../../src/core/spec/generate.ts";
import type { LanguageModel } from "../../../src/core/spec/language-model.ts";
import type { StreamPart } from "../../../src/core/spec/stream-part.ts";

const device = { chosen: "cpu", tried: [] } as const;

/** An engine that keeps the options it was called with; `hang` never says anything. */
function plainModel(options: { readonly hang?: boolean; readonly ms?: number } = {}) {
  const calls: GenerateOptions[] = [];
  let disposed = 0;
  let running = 0;
  let mostRunning = 0;
  const model: OpenedModel = {
    id: "m",
    architecture: "llama",
    sizeBytes: 1000,
    contextLength: 128,
    hasChatTemplate: false,
    isSeq2Seq: false,
    device,
    async *streamMany(_, call) {
      calls.push(call);
      running += 1;
      mostRunning = Math.max(mostRunning, running);
      try {
        if (options.hang === true)
          await new Promise((_resolve, reject) =>
            call.signal?.addEventListener("abort", () => reject(new SpellError("run-aborted", "aborted"))),
          );
        if (options.ms !== undefined) await new Promise((resolve) => setTimeout(resolve, options.ms));
        yield { index: 0, part: { type: "text-delta", text: "hello" } };
      } finally {
        running -= 1;
      }
    },
    async dispose() {
      disposed += 1;
    },
  };
  return { model, calls, disposed: () => disposed, mostRunning: () => mostRunning };
}

const usual: CallSettings = { generate: {}, timeoutMs: 60_000, maxConcurrent: 1, maxPerModel: 1, keepAliveMs: undefined };

/** A provider whose models are opened by name. */
function providerOf(open: (name: string, options: LoadOptions) => OpenedModel | Promise<OpenedModel>, more: Partial<CallSettings> = {}) {
  const pool = createPool();
  let finds = 0;
  const backend = {
    name: "box",
    type: "candle",
    calls: { ...usual, ...more },
    find: async (source: unknown): Promise<FoundModelEntry> => {
      finds += 1;
      const id = (source as { readonly name: string }).name.toLowerCase();
      return { id, key: id, open: async (options) => open(id, options) };
    },
  };
  const load = (name = "m", options: LoadOptions = {}, keeps = false): Promise<LanguageModel> =>
    pool.load(backend, { kind: "name", name }, options, keeps);
  return { pool, load, finds: () => finds };
}

/** One holder of one model; later loads give the engines that follow. */
const wrap = async (engines: OpenedModel | readonly OpenedModel[], more: Partial<CallSettings> = {}) => {
  const all = Array.isArray(engines) ? [...engines] : [engines];
  const open = vi.fn(() => (all.length > 1 ? all.shift() : all[0]) as OpenedModel);
  return { model: await providerOf(open, more).load(), open };
};

async function text(stream: AsyncIterable<StreamPart>): Promise<string> {
  let all = "";
  for await (const part of stream) if (part.type === "text-delta") all += part.text;
  return all;
}

it("finds a model anew whose files were replaced, and leaves the old one to those who hold it", async () => {
  const engines = { old: plainModel(), new: plainModel() };
  const pool = createPool();
  let version: "old" | "new" = "old";
  const backend = {
    name: "box",
    type: "candle",
    calls: usual,
    async find(): Promise<FoundModelEntry> {
      const found = version;
      return { id: "m", key: found, isCurrent: async () => found === version, open: async () => engines[found].model };
    },
  };
  const load = () => pool.load(backend, { kind: "name", name: "m" }, {});
  const first = await load();
  version = "new";
  const second = await load();
  await text(second.stream("x"));
  expect([engines.old.calls.length, engines.new.calls.length]).toEqual([0, 1]);
  await text(first.stream("x"));
  expect(engines.old.calls).toHaveLength(1);
  await pool.close();
  expect([engines.old.disposed(), engines.new.disposed()]).toEqual([1, 1]);
});

describe("a model under the settings of its provider", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("gives the defaults of its provider below the options of a call", async () => {
    const { model, calls } = plainModel();
    const { model: configured } = await wrap(model, { generate: { temperature: 0.2, maxTokens: 9, preset: "creative", stop: ["x"] } });
    await text(configured.stream("a", { maxTokens: 3 }));
    await text(configured.stream("a", { preset: "greedy" }));
    await text(configured.stream("a", { numBeams: 4 }));
    expect(calls[0]).toMatchObject({ temperature: 0.2, topP: 0.95, topK: 50, maxTokens: 3, stop: ["x"] });
    expect(calls[1]).toMatchObject({ temperature: 0, topK: 0, maxTokens: 9 });
    expect(calls[2]).not.toHaveProperty("temperature");
  });

  it("unloads after the keep-alive, opens again with the next call, and never while it works", async () => {
    const first = plainModel();
    const second = plainModel({ ms: 20_000 });
    const { model: configured, open } = await wrap([first.model, second.model], { keepAliveMs: 10_000 });
    await text(configured.stream("a"));
    await vi.advanceTimersByTimeAsync(9_999);
    expect(first.disposed()).toBe(0);
    await text(configured.stream("a"));
    await vi.advanceTimersByTimeAsync(10_000);
    expect(first.disposed()).toBe(1);
    expect([configured.id, configured.contextLength, configured.device]).toEqual(["m", 128, device]);
    const answer = text(configured.stream("a"));
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await answer).toBe("hello");
    expect(open).toHaveBeenCalledTimes(2);
    expect(second.disposed()).toBe(0);
    await configured.dispose();
    expect(second.disposed()).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([first.disposed(), second.disposed()]).toEqual([1, 1]);
  });

  it("tells until when a model stays: from its last call, from now while it works, for ever without a keep-alive", async () => {
    const { pool, load } = providerOf(() => plainModel({ ms: 20_000 }).model, { keepAliveMs: 10_000 });
    const model = await load("m");
    await vi.advanceTimersByTimeAsync(4_000);
    const began = Date.now() / 1000;
    expect(pool.loaded()).toEqual([{ modelId: "m", provider: "box", expiresAt: expect.closeTo(began + 6, 3) }]);
    const answer = text(model.stream("a"));
    await vi.advanceTimersByTimeAsync(12_000);
    expect(pool.loaded()).toMatchObject([{ expiresAt: expect.closeTo(began + 22, 3) }]);
    await vi.advanceTimersByTimeAsync(8_000);
    await answer;
    expect(pool.loaded()).toMatchObject([{ expiresAt: expect.closeTo(began + 30, 3) }]);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(pool.loaded()).toEqual([]);
    const kept = providerOf(() => plainModel().model);
    await kept.load("m");
    expect(kept.pool.loaded()).toEqual([{ modelId: "m", provider: "box", expiresAt: undefined }]);
  });

  it("unloads a model that works once its calls are over, where it may take that long", async () => {
    const first = plainModel({ ms: 20_000 });
    const { pool, load } = providerOf(() => first.model);
    const model = await load("m", {}, true);
    const answer = text(model.stream("a"));
    await vi.advanceTimersByTimeAsync(1_000);
    expect(await pool.unload({ provider: "box", id: "m" }, true)).toBe(1);
    expect([first.disposed(), pool.loaded().length]).toEqual([0, 1]);
    await vi.advanceTimersByTimeAsync(20_000);
    expect(await answer).toBe("hello");
    expect([first.disposed(), pool.loaded().length]).toEqual([1, 0]);
    // an idle one goes at once
    const again = text(model.stream("a"));
    await vi.advanceTimersByTimeAsync(20_000);
    await again;
    expect(await pool.unload({ provider: "box", id: "m" }, true)).toBe(1);
    expect(pool.loaded()).toEqual([]);
  });

  it("keep-alive 0 unloads after each call, none never", async () => {
    const [first, again] = [plainModel(), plainModel()];
    const { model: configured } = await wrap([first.model, again.model], { keepAliveMs: 0 });
    await vi.advanceTimersByTimeAsync(1);
    expect(first.disposed()).toBe(1);
    await text(configured.stream("a"));
    expect(again.disposed()).toBe(1);
    await text(configured.stream("a"));
    expect(again.disposed()).toBe(2);
    const kept = plainModel();
    await text((await wrap(kept.model)).model.stream("a"));
    await vi.advanceTimersByTimeAsync(2 ** 32);
    expect(kept.disposed()).toBe(0);
  });

  it("keep-alive 0 opens a model once for a load and the call that follows it", async () => {
    const engines = [plainModel(), plainModel(), plainModel()];
    let opened = 0;
    const { pool, load } = providerOf(() => engines[opened++]?.model as OpenedModel, { keepAliveMs: 0 });
    const [model, other] = await Promise.all([load("m", {}, true), load("m", {}, true)]);
    await text(model.stream("a"));
    await model.dispose();
    expect([opened, pool.loaded().length]).toEqual([1, 1]);
    await text(other.stream("a"));
    expect([opened, pool.loaded().length]).toEqual([1, 0]);
    await other.dispose();
    // a load that no call follows
    const unused = await load("m", {}, true);
    expect([opened, pool.loaded().length]).toEqual([2, 1]);
    await unused.dispose();
    expect([pool.loaded(), engines[1]?.disposed()]).toEqual([[], 1]);
  });

  it("ends a call without progress, and opens the model anew for the next one", async () => {
    const hanging = plainModel({ hang: true });
    const fresh = plainModel();
    const { model: configured } = await wrap([hanging.model, fresh.model], { timeoutMs: 5000 });
    const failed = expect(text(configured.stream("a"))).rejects.toMatchObject({
      code: "run-crash",
      message: expect.stringContaining("5 s"),
    });
    await vi.advanceTimersByTimeAsync(5000);
    await failed;
    expect(hanging.disposed()).toBe(1);
    expect(await text(configured.stream("a"))).toBe("hello");
  });

  it("does not count the time its reader takes", async () => {
    const { model } = plainModel();
    const parts = (await wrap(model, { timeoutMs: 1000 })).model.stream("a")[Symbol.asyncIterator]();
    expect((await parts.next()).done).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await parts.next()).done).toBe(true);
  });

  it("queues calls of all models of a provider beyond the limit; 16 may wait", async () => {
    const slow = plainModel({ ms: 100 });
    const { load } = providerOf(() => slow.model, { maxConcurrent: 2 });
    const models = [await load("a"), await load("b")];
    const calls = Array.from({ length: 18 }, (_, i) => text(models[i % 2]!.stream("a")));
    await vi.advanceTimersByTimeAsync(1);
    await expect(text(models[0]!.stream("a"))).rejects.toMatchObject({ code: "run-busy" });
    await vi.advanceTimersByTimeAsync(1000);
    expect(await Promise.all(calls)).toHaveLength(18);
    expect(slow.mostRunning()).toBe(2);
  });

  it("answers one call at a time on one model, whatever the limit over all", async () => {
    const slow = plainModel({ ms: 100 });
    const { model } = await wrap(slow.model, { maxConcurrent: 8 });
    const calls = [1, 2, 3].map(() => text(model.stream("a")));
    await vi.advanceTimersByTimeAsync(400);
    await Promise.all(calls);
    expect(slow.mostRunning()).toBe(1);
  });

  it("refuses a wrong option before it waits", async () => {
    const hanging = plainModel({ hang: true });
    const { model: configured } = await wrap(hanging.model);
    const abort = new AbortController();
    const running = text(configured.stream("a", { signal: abort.signal })).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1);
    await expect(text(configured.stream("a", { temperature: 9 }))).rejects.toMatchObject({ code: "run-option" });
    abort.abort();
    expect(await running).toMatchObject({ code: "run-aborted" });
  });

  it("refuses several prompts that are no list", async () => {
    const { model } = await wrap(plainModel().model);
    for (const prompts of ["abc", undefined, null, 5]) {
      const asked = model
        .streamMany(prompts as never)
        [Symbol.asyncIterator]()
        .next();
      await expect(asked).rejects.toMatchObject({
        code: "run-option",
        where: "prompts",
        message: expect.stringContaining("expected a list"),
      });
    }
  });
});

describe("the pool", () => {
  it("lets two holders share one engine; dispose of one leaves the other at work, the last one frees it", async () => {
    const engine = plainModel({ ms: 5 });
    const open = vi.fn(() => engine.model);
    const { load } = providerOf(open);
    const [mine, other] = await Promise.all([load("M"), load("m")]);
    expect(open).toHaveBeenCalledTimes(1);
    const answer = text(other.stream("a"));
    await mine.dispose();
    await mine.dispose();
    await expect(text(mine.stream("a"))).rejects.toMatchObject({ code: "run-closed" });
    expect([await answer, await text(other.stream("a")), engine.disposed()]).toEqual(["hello", "hello", 0]);
    await other.dispose();
    expect(engine.disposed()).toBe(1);
  });

  it("ends running and waiting calls of a holder with run-closed, and those of another go on", async () => {
    const engine = plainModel({ ms: 20 });
    const { load } = providerOf(() => engine.model);
    const [mine, other] = await Promise.all([load(), load()]);
    const theirs = text(other.stream("a"));
    const waiting = text(mine.stream("a")).catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 2));
    await mine.dispose();
    expect(await waiting).toMatchObject({ code: "run-closed" });
    expect(await theirs).toBe("hello");
  });

  it("looks a name up once while its model is there", async () => {
    const { load, finds } = providerOf(() => plainModel().model);
    const first = await load();
    await load();
    expect(finds()).toBe(1);
    await load("m", { device: "wasm" });
    expect(finds()).toBe(2);
    await first.dispose();
  });

  it("refuses a load that was given up before it began, whether the model is there or not", async () => {
    const { load } = providerOf(() => plainModel().model);
    const signal = AbortSignal.abort();
    await expect(load("m", { signal })).rejects.toMatchObject({ code: "run-aborted" });
    await load();
    await expect(load("m", { signal })).rejects.toMatchObject({ code: "run-aborted" });
  });

  it("unload() frees an engine at once, and its holder opens it again with the next call", async () => {
    const engine = plainModel();
    const open = vi.fn(() => engine.model);
    const { load, pool } = providerOf(open);
    const model = await load();
    expect([pool.isLoaded("box", "m"), pool.isLoaded("box", "x"), pool.isLoaded("other", "m")]).toEqual([true, false, false]);
    expect([await pool.unload({ provider: "box", id: "x" }), await pool.unload({ provider: "box", id: "m" }), await pool.unload()]).toEqual(
      [0, 1, 0],
    );
    expect([engine.disposed(), pool.isLoaded("box", "m")]).toEqual([1, false]);
    expect(await text(model.stream("a"))).toBe("hello");
    expect(open).toHaveBeenCalledTimes(2);
  });

  it("keeps an engine that a call without a holder used, until unload()", async () => {
    const engine = plainModel();
    const { load, pool } = providerOf(() => engine.model);
    const model = await load("m", {}, true);
    await text(model.stream("a"));
    await model.dispose();
    expect([engine.disposed(), pool.isLoaded("box", "m")]).toEqual([0, true]);
    expect(await pool.unload()).toBe(1);
    expect(engine.disposed()).toBe(1);
  });

  it("a load that one of two gives up goes on for the other, with the progress of both; given up by all it is ended", async () => {
    const abort = new AbortController();
    const [seen, theirs]: [number[], number[]] = [[], []];
    let finish: (model: OpenedModel) => void = () => undefined;
    let asked: LoadOptions = {};
    const engine = plainModel();
    const { load } = providerOf((_, options) => {
      asked = options;
      return new Promise((resolve, reject) => {
        finish = resolve;
        options.signal?.addEventListener("abort", () => reject(new SpellError("run-aborted", "aborted")));
      });
    });
    const mine = load("m", { signal: abort.signal, onProgress: (share) => seen.push(share) }).catch((error: unknown) => error);
    const other = load("m", { onProgress: (share) => theirs.push(share) });
    await vi.waitFor(() => expect(asked.onProgress).toBeTypeOf("function"));
    asked.onProgress?.(0.5);
    abort.abort();
    expect(await mine).toMatchObject({ code: "run-aborted" });
    asked.onProgress?.(0.9);
    finish(engine.model);
    expect(await text((await other).stream("a"))).toBe("hello");
    expect([seen, theirs]).toEqual([[0.5], [0.5, 0.9]]);
    const alone = new AbortController();
    const given = load("x", { signal: alone.signal }).catch((error: unknown) => error);
    await vi.waitFor(() => expect(asked.signal?.aborted).toBe(false));
    alone.abort();
    expect(await given).toMatchObject({ code: "run-aborted" });
    expect(asked.signal?.aborted).toBe(true);
  });

  it("a callback that throws fails the load it belongs to, and no other", async () => {
    let asked: LoadOptions = {};
    let finish: (model: OpenedModel) => void = () => undefined;
    const { load } = providerOf((_, options) => {
      asked = options;
      return new Promise((resolve, reject) => {
        finish = resolve;
        options.signal?.addEventListener("abort", () => reject(new SpellError("run-aborted", "aborted")));
      });
    });
    const fault = new Error("no bar");
    const onProgress = (): void => {
      throw fault;
    };
    const mine = load("m", { onProgress }).catch((error: unknown) => error);
    const other = load("m");
    await vi.waitFor(() => expect(asked.onProgress).toBeTypeOf("function"));
    await new Promise((resolve) => setTimeout(resolve, 1));
    asked.onProgress?.(0.5);
    expect(await mine).toBe(fault);
    finish(plainModel().model);
    expect(await text((await other).stream("a"))).toBe("hello");
    asked = {};
    const alone = load("x", { onProgress }).catch((error: unknown) => error);
    await vi.waitFor(() => expect(asked.onProgress).toBeTypeOf("function"));
    await new Promise((resolve) => setTimeout(resolve, 1));
    asked.onProgress?.(0.5);
    expect(await alone).toBe(fault);
    expect(asked.signal?.aborted).toBe(true);
  });

  it("a load that fails leaves nothing behind: the next one tries again", async () => {
    const engine = plainModel();
    let fails = true;
    const { load, pool } = providerOf(() => {
      if (fails) throw new SpellError("gguf-magic", "no model");
      return engine.model;
    });
    await expect(load()).rejects.toMatchObject({ code: "gguf-magic" });
    expect(await pool.unload()).toBe(0);
    fails = false;
    expect(await text((await load()).stream("a"))).toBe("hello");
  });

  it("unloads idle models where another one needs the memory, and tries once more", async () => {
    const idle = plainModel();
    let free = false;
    const { load } = providerOf((name) => {
      if (name === "big" && !free && idle.disposed() === 0) throw new SpellError("device-memory", "full");
      return name === "big" ? plainModel().model : idle.model;
    });
    await load("small");
    expect(await text((await load("big")).stream("a"))).toBe("hello");
    expect(idle.disposed()).toBe(1);
    free = true;
  });

  it("says the same as a whole as in pieces, counts and warnings included", async () => {
    const end = {
      type: "stream-end",
      finishReason: "stop",
      seed: 7,
      usage: { promptTokens: 1, completionTokens: 2, totalTokens: 3 },
      timing: { loadMs: 0, firstTokenMs: 1, prefillMs: 1, decodeMs: 1, prefillRate: 1, decodeRate: 1 },
    } as const;
    const parts: readonly StreamPart[] = [
      { type: "stream-start", model: "m", device },
      { type: "warning", code: "file-note", message: "old" },
      { type: "reasoning-delta", text: "hm" },
      { type: "text-delta", text: "a" },
      { type: "text-delta", text: "b" },
      end,
    ];
    const engine: OpenedModel = {
      ...plainModel().model,
      async *streamMany() {
        for (const part of parts) yield { index: 0, part };
      },
    };
    const { model } = await wrap(engine);
    const { type: _, ...facts } = end;
    const whole = {
      text: "ab",
      reasoning: "hm",
      toolCalls: [],
      warnings: [{ code: "file-note", message: "old" }],
      model: "m",
      device,
      ...facts,
    };
    expect(await model.generate("x")).toEqual(whole);
    const pieces: string[] = [];
    for await (const piece of model.stream("x").textStream) pieces.push(piece);
    expect(pieces).toEqual(["a", "b"]);
    expect([model.provider, model.backend]).toEqual(["box", "candle"]);
  });
});

describe("a stream that was read", () => {
  const second = { code: "run-option", where: "stream", message: expect.stringContaining("got a second") };

  it.each(["its parts", "its text"] as const)("refuses a second loop over %s, and gives it no silence", async (what) => {
    const { model: configured } = await wrap(plainModel().model);
    const stream = configured.stream("a");
    const loop = what === "its parts" ? stream : stream.textStream;
    for await (const _ of loop);
    await expect(text(stream)).rejects.toMatchObject(second);
    await expect(async () => {
      for await (const _ of loop);
    }).rejects.toMatchObject(second);
    await expect(async () => {
      for await (const _ of stream.textStream);
    }).rejects.toMatchObject(second);
  });
});

describe("close()", () => {
  it("ends calls and loads with run-closed, frees every engine, and refuses what comes later", async () => {
    const engine = plainModel({ hang: true });
    let began = (): void => undefined;
    const beginning = new Promise<void>((resolve) => {
      began = resolve;
    });
    const { load, pool } = providerOf((name, { signal }) => {
      if (name !== "slow") return engine.model;
      began();
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(new SpellError("run-aborted", "aborted"))));
    });
    const model = await load("quick");
    const closed = { code: "run-closed" };
    const running = expect(text(model.stream("a"))).rejects.toMatchObject(closed);
    const waiting = expect(text(model.stream("b"))).rejects.toMatchObject(closed);
    const loading = expect(load("slow")).rejects.toMatchObject(closed);
    await beginning;
    await pool.close();
    await Promise.all([running, waiting, loading]);
    expect(engine.disposed()).toBe(1);
    await expect(text(model.stream("c"))).rejects.toMatchObject(closed);
    await expect(load("quick")).rejects.toMatchObject({ ...closed, message: "the spell was disposed" });
    await pool.close();
  });
});

describe("leaving", () => {
  it("the loop frees the turn", async () => {
    const { model } = plainModel();
    const { model: configured } = await wrap(model);
    for await (const _ of configured.stream("a")) break;
    expect(await text(configured.stream("a"))).toBe("hello");
  });
});

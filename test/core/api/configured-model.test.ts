import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { configuredModel } from "../../../src/core/api/configured-model.ts";
import type { CandleSettings } from "../../../src/core/backends/candle-settings.ts";
import { SpellError } from "../../../src/core/errors.ts";
import type { GenerateOptions, Prompt } from "../../../src/core/spec/generate.ts";
import type { LanguageModel } from "../../../src/core/spec/language-model.ts";
import type { StreamPart } from "../../../src/core/spec/stream-part.ts";
import { createTurns } from "../../../src/core/text/turns.ts";

const device = { chosen: "cpu", tried: [] } as const;

/** A model that keeps the options it was called with; `hang` never says anything. */
function plainModel(options: { readonly hang?: boolean; readonly ms?: number } = {}) {
  const calls: GenerateOptions[] = [];
  let disposed = 0;
  let running = 0;
  let mostRunning = 0;
  async function* stream(_: Prompt, call: GenerateOptions = {}): AsyncGenerator<StreamPart, void, undefined> {
    calls.push(call);
    running += 1;
    mostRunning = Math.max(mostRunning, running);
    try {
      if (options.hang === true)
        await new Promise((_resolve, reject) =>
          call.signal?.addEventListener("abort", () => reject(new SpellError("run-aborted", "aborted"))),
        );
      if (options.ms !== undefined) await new Promise((resolve) => setTimeout(resolve, options.ms));
      yield { type: "text-delta", text: "hello" };
    } finally {
      running -= 1;
    }
  }
  const model: LanguageModel = {
    id: "m",
    architecture: "llama",
    sizeBytes: 1000,
    contextLength: 128,
    hasChatTemplate: false,
    isSeq2Seq: false,
    device,
    stream,
    async *streamMany(prompts, call) {
      for (const [index, prompt] of prompts.entries()) for await (const part of stream(prompt, call)) yield { index, part };
    },
    async dispose() {
      disposed += 1;
    },
    async [Symbol.asyncDispose]() {
      await this.dispose();
    },
  };
  return { model, calls, disposed: () => disposed, mostRunning: () => mostRunning };
}

const settings: CandleSettings = {
  modelFolder: "/models",
  load: { device: "auto", contextSize: 4096, threads: 0, batchSize: 512 },
  generate: {},
  timeoutMs: 60_000,
  maxConcurrent: 1,
  keepAliveMs: undefined,
};
const wrap = (
  first: LanguageModel,
  more: Partial<CandleSettings> = {},
  reload = async (): Promise<LanguageModel> => first,
  turns = createTurns(16),
) => configuredModel(first, { settings: { ...settings, ...more }, turns, reload });

async function text(stream: AsyncIterable<StreamPart>): Promise<string> {
  let all = "";
  for await (const part of stream) if (part.type === "text-delta") all += part.text;
  return all;
}

describe("a model under its configuration", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("gives the defaults of its provider below the options of a call", async () => {
    const { model, calls } = plainModel();
    const configured = wrap(model, { generate: { temperature: 0.2, maxTokens: 9, preset: "creative", stop: ["x"] } });
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
    const reload = vi.fn(async () => second.model);
    const configured = wrap(first.model, { keepAliveMs: 10_000 }, reload);
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
    expect(reload).toHaveBeenCalledTimes(1);
    expect(second.disposed()).toBe(0);
    await configured.dispose();
    expect(second.disposed()).toBe(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect([first.disposed(), second.disposed()]).toEqual([1, 1]);
  });

  it("keep-alive 0 unloads after each call, none never", async () => {
    const first = plainModel();
    const always = plainModel();
    const configured = wrap(first.model, { keepAliveMs: 0 }, async () => always.model);
    await text(configured.stream("a"));
    expect(first.disposed()).toBe(1);
    await text(configured.stream("a"));
    expect(always.disposed()).toBe(1);
    const kept = plainModel();
    await text(wrap(kept.model).stream("a"));
    await vi.advanceTimersByTimeAsync(2 ** 32);
    expect(kept.disposed()).toBe(0);
  });

  it("ends a call without progress, and opens the model anew for the next one", async () => {
    const hanging = plainModel({ hang: true });
    const fresh = plainModel();
    const configured = wrap(hanging.model, { timeoutMs: 5000 }, async () => fresh.model);
    const failed = expect(text(configured.stream("a"))).rejects.toMatchObject({
      code: "run-crash",
      message: expect.stringContaining("no progress for 5 s"),
    });
    await vi.advanceTimersByTimeAsync(5000);
    await failed;
    expect(hanging.disposed()).toBe(1);
    expect(await text(configured.stream("a"))).toBe("hello");
  });

  it("does not count the time its reader takes", async () => {
    const { model } = plainModel();
    const parts = wrap(model, { timeoutMs: 1000 }).stream("a")[Symbol.asyncIterator]();
    expect((await parts.next()).done).toBe(false);
    await vi.advanceTimersByTimeAsync(60_000);
    expect((await parts.next()).done).toBe(true);
  });

  it("queues calls of all models beyond the limit, in order; 16 may wait", async () => {
    const turns = createTurns(16, 2);
    const slow = plainModel({ ms: 100 });
    const models = [wrap(slow.model, {}, undefined, turns), wrap(slow.model, {}, undefined, turns)];
    const calls = Array.from({ length: 18 }, (_, i) => text(models[i % 2]!.stream("a")));
    await expect(text(models[0]!.stream("a"))).rejects.toMatchObject({ code: "run-busy" });
    await vi.advanceTimersByTimeAsync(900);
    expect(await Promise.all(calls)).toHaveLength(18);
    expect(slow.mostRunning()).toBe(2);
  });

  it("dispose ends calls that wait with run-closed, and those of other models go on", async () => {
    const turns = createTurns(16);
    const slow = plainModel({ ms: 100 });
    const [mine, other] = [wrap(slow.model, {}, undefined, turns), wrap(slow.model, {}, undefined, turns)];
    const running = text(other.stream("a"));
    const waiting = expect(text(mine.stream("a"))).rejects.toMatchObject({ code: "run-closed" });
    await vi.advanceTimersByTimeAsync(10);
    await mine.dispose();
    await waiting;
    await expect(text(mine.stream("a"))).rejects.toMatchObject({ code: "run-closed" });
    await vi.advanceTimersByTimeAsync(100);
    expect(await running).toBe("hello");
  });

  it("refuses a wrong option before it waits", async () => {
    const turns = createTurns(16);
    const hanging = plainModel({ hang: true });
    const configured = wrap(hanging.model, {}, undefined, turns);
    const abort = new AbortController();
    const running = text(configured.stream("a", { signal: abort.signal })).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(1);
    await expect(text(configured.stream("a", { temperature: 9 }))).rejects.toMatchObject({ code: "run-option" });
    abort.abort();
    expect(await running).toMatchObject({ code: "run-aborted" });
  });
});

describe("leaving", () => {
  it("the loop frees the turn", async () => {
    const { model } = plainModel();
    const turns = createTurns(0);
    const configured = wrap(model, {}, undefined, turns);
    for await (const _ of configured.stream("a")) break;
    expect(await text(configured.stream("a"))).toBe("hello");
  });
});

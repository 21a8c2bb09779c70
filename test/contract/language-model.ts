/** What every LanguageModel promises. One suite; it runs on the scripted runtime, on both runtimes of Node, and in Chromium. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions, Prompt } from "../../src/core/spec/generate.ts";
import type { LanguageModel } from "../../src/core/spec/language-model.ts";
import type { StreamPart } from "../../src/core/spec/stream-part.ts";
import { collect, collectMany } from "../../src/core/text/collect.ts";
import { failure } from "../support/failure.ts";
import { soonMs } from "../support/soon.ts";

export interface LanguageModelCase {
  readonly open: () => Promise<LanguageModel>;
  /** A text the model continues for at least 60 tokens without an end token when greedy. */
  readonly prompt: string;
  /** True where every option has a meaning: then none is warned of. */
  readonly knowsAllOptions?: boolean;
  /** False where a prompt that comes again is computed again. Default true. */
  readonly remembersPrompts?: boolean;
}

const greedy: GenerateOptions = { temperature: 0, repeatPenalty: 1, maxTokens: 24 };

async function parts(model: LanguageModel, prompt: Prompt, options?: GenerateOptions): Promise<StreamPart[]> {
  const list: StreamPart[] = [];
  for await (const part of model.stream(prompt, options)) list.push(part);
  return list;
}

async function end(model: LanguageModel, prompt: Prompt, options?: GenerateOptions): Promise<Extract<StreamPart, { type: "stream-end" }>> {
  const last = (await parts(model, prompt, options)).at(-1);
  if (last?.type !== "stream-end") throw new Error(`the stream ended with ${last?.type}`);
  return last;
}

export function languageModelContract(
  name: string,
  { open, prompt, knowsAllOptions = false, remembersPrompts = true }: LanguageModelCase,
): void {
  describe(`LanguageModel contract: ${name}`, () => {
    let model: LanguageModel;
    beforeAll(async () => {
      model = await open();
    });
    afterAll(() => model.dispose());

    it("reports a device that was tried and is usable", () => {
      expect(model.contextLength).toBeGreaterThanOrEqual(128);
      expect(model.sizeBytes).toBeGreaterThan(0);
      expect(model.device.tried).toContainEqual(expect.objectContaining({ device: model.device.chosen, ok: true, reason: "ok" }));
    });

    it("starts with stream-start, ends with stream-end, and collects to the same text", async () => {
      const list = await parts(model, prompt, greedy);
      expect(list[0]).toMatchObject({ type: "stream-start", model: model.id });
      expect(list.filter((part) => part.type === "stream-end")).toEqual([list.at(-1)]);
      const text = list.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
      expect(text.length).toBeGreaterThan(10);
      expect(text).not.toContain("\ufffd");
      expect(await collect(model.stream(prompt, greedy))).toBe(text);
    });

    it("stops at maxTokens with reason length and counts tokens", async () => {
      const { finishReason, usage, timing } = await end(model, prompt, { ...greedy, maxTokens: 7 });
      expect(finishReason).toBe("length");
      expect(usage.completionTokens).toBe(7);
      expect(usage.promptTokens).toBeGreaterThan(1);
      expect(usage.totalTokens).toBe(usage.promptTokens + 7);
      expect(timing.firstTokenMs).toBeGreaterThan(0);
    });

    it("computes a repeated prompt only once", async () => {
      const first = await end(model, `${prompt} and then something else happened`, greedy);
      const second = await end(model, `${prompt} and then something else happened`, greedy);
      expect(second.usage.promptTokens).toBe(first.usage.promptTokens);
      if (remembersPrompts) expect(second.usage.cachedPromptTokens).toBeGreaterThanOrEqual(first.usage.promptTokens - 2);
    });

    it("ends before a stop string, also one that spans pieces", async () => {
      const text = await collect(model.stream(prompt, greedy));
      const middle = Math.floor(text.length / 2);
      const stop = text.slice(middle - 3, middle + 3);
      const list = await parts(model, prompt, { ...greedy, stop });
      const cut = list.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
      expect(cut).toBe(text.slice(0, text.indexOf(stop)));
      expect(list.at(-1)).toMatchObject({ type: "stream-end", finishReason: "stop" });
    });

    it("repeats a sampled text with its seed, and reports the seed it drew", async () => {
      const sampled: GenerateOptions = { temperature: 1.5, topK: 0, topP: 1, maxTokens: 16 };
      const a = await collect(model.stream(prompt, { ...sampled, seed: 7 }));
      expect(await collect(model.stream(prompt, { ...sampled, seed: 7 }))).toBe(a);
      expect(await collect(model.stream(prompt, { ...sampled, seed: 8 }))).not.toBe(a);
      const drawn = await parts(model, prompt, sampled);
      const last = drawn.at(-1);
      if (last?.type !== "stream-end") throw new Error("no stream-end");
      const text = drawn.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
      expect(await collect(model.stream(prompt, { ...sampled, seed: last.seed }))).toBe(text);
    });

    it("R7 aborts before the start, mid-token and twice, keeps the text, and is usable at once", async () => {
      const before = await failure(parts(model, prompt, { ...greedy, signal: AbortSignal.abort() }));
      expect(before.code).toBe("run-aborted");
      const expected = await collect(model.stream(prompt, { ...greedy, maxTokens: 60 }));
      const controller = new AbortController();
      let shown = "";
      let asked = 0;
      const error = await failure(
        (async () => {
          for await (const part of model.stream(prompt, { ...greedy, maxTokens: 400, signal: controller.signal })) {
            if (part.type !== "text-delta") continue;
            shown += part.text;
            if (shown.length > 8 && asked === 0) {
              asked = performance.now();
              controller.abort();
              controller.abort();
            }
          }
        })(),
      );
      expect(performance.now() - asked).toBeLessThan(soonMs);
      expect(error.code).toBe("run-aborted");
      expect(error.details?.["partialText"]).toBe(shown);
      expect(expected.startsWith(shown)).toBe(true);
      expect(await collect(model.stream(prompt, { ...greedy, maxTokens: 60 }))).toBe(expected);
    });

    it("cancels the work when the loop is left", async () => {
      for await (const part of model.stream(prompt, { ...greedy, maxTokens: 400 })) if (part.type === "text-delta") break;
      const started = performance.now();
      await collect(model.stream(prompt, { ...greedy, maxTokens: 2 }));
      expect(performance.now() - started).toBeLessThan(soonMs);
    });

    it("R8 answers several calls in order and unmixed, and refuses the eighteenth", async () => {
      const prompts = [prompt, `${prompt} in a`, `${prompt} near the`];
      const alone: string[] = [];
      for (const text of prompts) alone.push(await collect(model.stream(text, greedy)));
      const order: number[] = [];
      const together = await Promise.all(
        prompts.map(async (text, i) => {
          const answer = await collect(model.stream(text, greedy));
          order.push(i);
          return answer;
        }),
      );
      expect(together).toEqual(alone);
      expect(order).toEqual([0, 1, 2]);
      const many = await Promise.allSettled(Array.from({ length: 18 }, () => collect(model.stream(prompt, { ...greedy, maxTokens: 1 }))));
      expect(many.filter((result) => result.status === "fulfilled")).toHaveLength(17);
      expect(many.find((result) => result.status === "rejected")?.reason).toMatchObject({ code: "run-busy", retryable: true });
    });

    it("R10 refuses a prompt that does not fit, with both counts, and ends with length when only the answer does not", async () => {
      const error = await failure(parts(model, `${prompt} `.repeat(model.contextLength), greedy));
      expect(error.code).toBe("run-context");
      expect(error.details?.["contextLength"]).toBe(model.contextLength);
      expect(error.details?.["promptTokens"]).toBeGreaterThan(model.contextLength);
    });

    it("R12 refuses options outside their range by name", async () => {
      for (const [option, value] of [
        ["temperature", -1],
        ["topP", 0],
        ["minP", 2],
        ["seed", -1],
        ["seed", 2 ** 53],
        ["maxTokens", 0],
        ["maxTokens", Number.NaN],
      ] as const) {
        const error = await failure(parts(model, prompt, { [option]: value }));
        expect(error.code).toBe("run-option");
        expect(error.message).toContain(option);
      }
    });

    it("warns once of an option it does not know, and of none that it knows", async () => {
      const list = await parts(model, prompt, { ...greedy, maxTokens: 1, noRepeatNgramSize: 3 });
      expect(list.filter((part) => part.type === "warning" && part.message.includes("no_repeat_ngram_size"))).toHaveLength(
        knowsAllOptions ? 0 : 1,
      );
    });

    it("R9 rejects running, waiting and later calls with run-closed after dispose", async () => {
      const other = await open();
      const running = failure(parts(other, prompt, { ...greedy, maxTokens: 400 }));
      const waiting = failure(parts(other, prompt, greedy));
      await new Promise((resolve) => setTimeout(resolve, 20));
      await other.dispose();
      expect((await running).code).toBe("run-closed");
      expect((await waiting).code).toBe("run-closed");
      expect((await failure(parts(other, prompt, greedy))).code).toBe("run-closed");
      await other.dispose();
    });

    it("answers several prompts at once as it would each alone, and mixes nothing up", async () => {
      const prompts = [prompt, `${prompt} in a`, `${prompt} near the`, prompt];
      const alone: string[] = [];
      for (const text of prompts) alone.push(await collect(model.stream(text, greedy)));
      expect(await collectMany(model.streamMany(prompts, greedy))).toEqual(alone);
      const ends: number[] = [];
      for await (const { index, part } of model.streamMany(prompts, { ...greedy, maxTokens: 3 }))
        if (part.type === "stream-end") ends.push(index);
      expect(ends.sort()).toEqual([0, 1, 2, 3]);
      expect(await collectMany(model.streamMany([], greedy))).toEqual([]);
    });

    it("R14 waits for a slow reader and loses nothing", async () => {
      const fast = await collect(model.stream(prompt, { ...greedy, maxTokens: 12 }));
      let slow = "";
      for await (const part of model.stream(prompt, { ...greedy, maxTokens: 12 })) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (part.type === "text-delta") slow += part.text;
      }
      expect(slow).toBe(fast);
    });
  });
}

/** What every LanguageModel promises. One suite; it runs on the scripted runtime, on both runtimes of Node, and in Chromium. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { GenerateOptions, Prompt } from "../../src/core/spec/generate.ts";
import type { LanguageModel } from "../../src/core/spec/language-model.ts";
import type { StreamPart } from "../../src/core/spec/stream-part.ts";
import { failure } from "../support/failure.ts";
import { soonMs } from "../support/soon.ts";
import { textOf, textsOf } from "../support/text-of.ts";

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

/** Models of this process tell their context. */
const contextOf = ({ contextLength }: LanguageModel): number => contextLength ?? Number.NaN;

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
      expect(model.device!.tried).toContainEqual(expect.objectContaining({ device: model.device!.chosen, ok: true, reason: "ok" }));
    });

    it("starts with stream-start, ends with stream-end, and collects to the same text", async () => {
      const list = await parts(model, prompt, greedy);
      expect(list[0]).toMatchObject({ type: "stream-start", model: model.id });
      expect(list.filter((part) => part.type === "stream-end")).toEqual([list.at(-1)]);
      const text = list.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
      expect(text.length).toBeGreaterThan(10);
      expect(text).not.toContain("\ufffd");
      expect(await textOf(model.stream(prompt, greedy))).toBe(text);
    });

    it("stops at maxTokens with reason length and counts tokens", async () => {
      const { finishReason, usage, timing } = await end(model, prompt, { ...greedy, maxTokens: 7 });
      expect(finishReason).toBe("length");
      expect(usage.completionTokens).toBe(7);
      expect(usage.promptTokens).toBeGreaterThan(1);
      expect(usage.totalTokens).toBe(usage.promptTokens + 7);
      expect(timing.firstTokenMs).toBeGreaterThan(0);
    });

    it(`computes a repeated prompt ${remembersPrompts ? "only once" : "again, and does not claim otherwise"}`, async () => {
      const first = await end(model, `${prompt} and then something else happened`, greedy);
      const second = await end(model, `${prompt} and then something else happened`, greedy);
      expect(second.usage.promptTokens).toBe(first.usage.promptTokens);
      if (remembersPrompts) expect(second.usage.cachedTokens).toBeGreaterThanOrEqual(first.usage.promptTokens - 2);
      else expect(second.usage.cachedTokens ?? 0).toBe(0);
    });

    it("ends before a stop string that spans pieces", async () => {
      const pieces = (await parts(model, prompt, greedy)).flatMap((part) => (part.type === "text-delta" ? [part.text] : []));
      const text = pieces.join("");
      const borders = pieces.map((_, i) => pieces.slice(0, i).join("").length).slice(2);
      const border = borders.find((at) => text.indexOf(text.slice(at - 2, at + 2)) === at - 2);
      if (border === undefined) throw new Error(`no border of "${pieces.join("|")}" has letters around it that come first there`);
      const list = await parts(model, prompt, { ...greedy, stop: text.slice(border - 2, border + 2) });
      const cut = list.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
      expect(cut).toBe(text.slice(0, border - 2));
      expect(list.at(-1)).toMatchObject({ type: "stream-end", finishReason: "stop", stoppedBy: text.slice(border - 2, border + 2) });
    });

    it("repeats a sampled text with its seed, and reports the seed it drew", async () => {
      const sampled: GenerateOptions = { temperature: 1.5, topK: 0, topP: 1, maxTokens: 16 };
      const a = await textOf(model.stream(prompt, { ...sampled, seed: 7 }));
      expect(await textOf(model.stream(prompt, { ...sampled, seed: 7 }))).toBe(a);
      expect(await textOf(model.stream(prompt, { ...sampled, seed: 8 }))).not.toBe(a);
      const drawn = await parts(model, prompt, sampled);
      const last = drawn.at(-1);
      if (last?.type !== "stream-end") throw new Error("no stream-end");
      const text = drawn.map((part) => (part.type === "text-delta" ? part.text : "")).join("");
      expect(await textOf(model.stream(prompt, { ...sampled, seed: last.seed }))).toBe(text);
    });

    it("R7 aborts before the start, mid-token and twice, keeps the text, and is usable at once", async () => {
      const before = await failure(parts(model, prompt, { ...greedy, signal: AbortSignal.abort() }));
      expect(before.code).toBe("run-aborted");
      const expected = await textOf(model.stream(prompt, { ...greedy, maxTokens: 60 }));
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
      expect(await textOf(model.stream(prompt, { ...greedy, maxTokens: 60 }))).toBe(expected);
    });

    it("answers the next call soon where the loop over a long answer was left", async () => {
      for await (const part of model.stream(prompt, { ...greedy, maxTokens: 400 })) if (part.type === "text-delta") break;
      const started = performance.now();
      expect(await textOf(model.stream(prompt, { ...greedy, maxTokens: 2 }))).not.toBe("");
      expect(performance.now() - started).toBeLessThan(soonMs);
    });

    it("answers a call inside the loop over its own answer, and beside an iterator that is read no further", async () => {
      const left = model.stream(prompt, { ...greedy, maxTokens: 60 })[Symbol.asyncIterator]();
      await left.next();
      const whole = await textOf(model.stream(prompt, greedy));
      let text = "";
      let inner = "";
      for await (const part of model.stream(prompt, greedy)) {
        if (part.type !== "text-delta") continue;
        if (inner === "") inner = (await model.generate(prompt, { ...greedy, maxTokens: 2 })).text;
        text += part.text;
      }
      expect([text, whole.startsWith(inner), inner === ""]).toEqual([whole, true, false]);
      expect((await left.next()).done).toBe(false);
      await left.return?.();
    });

    it("R8 answers several calls in order and unmixed, and refuses the eighteenth", async () => {
      const prompts = [prompt, `${prompt} in a`, `${prompt} near the`];
      const alone: string[] = [];
      for (const text of prompts) alone.push(await textOf(model.stream(text, greedy)));
      expect(new Set(alone).size).toBe(prompts.length);
      const order: number[] = [];
      const together = await Promise.all(
        prompts.map(async (text, i) => {
          const answer = await textOf(model.stream(text, greedy));
          order.push(i);
          return answer;
        }),
      );
      expect(together).toEqual(alone);
      expect(order).toEqual([0, 1, 2]);
      const many = await Promise.allSettled(Array.from({ length: 18 }, () => textOf(model.stream(prompt, { ...greedy, maxTokens: 1 }))));
      expect(many.slice(0, 17).map(({ status }) => status)).toEqual(Array(17).fill("fulfilled"));
      expect(many[17]).toMatchObject({ status: "rejected", reason: { code: "run-busy", retryable: true } });
    });

    it("R10 refuses a prompt that does not fit, with both counts", async () => {
      const error = await failure(parts(model, `${prompt} `.repeat(contextOf(model)), greedy));
      expect(error.code).toBe("run-context");
      expect(error.details?.["contextLength"]).toBe(model.contextLength);
      expect(error.details?.["promptTokens"]).toBeGreaterThan(contextOf(model));
    });

    it("R10 takes a prompt that just fits; where prompt and answer share the context, the answer ends with length when it is full", async () => {
      const tokensOf = async (times: number): Promise<number> =>
        (await end(model, `${prompt} `.repeat(times), { ...greedy, maxTokens: 1 })).usage.promptTokens;
      const each = (await tokensOf(3)) - (await tokensOf(2));
      const once = (await tokensOf(2)) - 2 * each;
      const times = Math.floor((contextOf(model) - once - 2) / each);
      const { finishReason, usage } = await end(model, `${prompt} `.repeat(times), { ...greedy, maxTokens: model.isSeq2Seq ? 5 : 400 });
      expect(finishReason).toBe("length");
      expect(usage.promptTokens).toBeLessThan(contextOf(model));
      expect(usage.promptTokens).toBeGreaterThan(contextOf(model) - each - 3);
      if (model.isSeq2Seq) return expect(usage.completionTokens).toBe(5);
      expect(usage.totalTokens).toBeLessThanOrEqual(contextOf(model) + 1); // the last token needs no place
      expect(usage.totalTokens).toBeGreaterThanOrEqual(contextOf(model) - 1);
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
        expect(error).toMatchObject({ code: "run-option", where: option });
      }
    });

    it("warns once of an option it does not know, and of none that it knows", async () => {
      const warned: string[] = [];
      for (const part of await parts(model, prompt, { ...greedy, topK: 5, maxTokens: 1, noRepeatNgramSize: 3 }))
        if (part.type === "warning" && part.code === "option-ignored") warned.push(part.message);
      expect(warned).toEqual(knowsAllOptions ? [] : [expect.stringMatching(/no_?repeat_?ngram_?size/i)]);
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
      for (const text of prompts) alone.push(await textOf(model.stream(text, greedy)));
      expect(new Set(alone).size).toBe(3);
      expect(await textsOf(model.streamMany(prompts, greedy))).toEqual(alone);
      const ends: number[] = [];
      for await (const { index, part } of model.streamMany(prompts, { ...greedy, maxTokens: 3 }))
        if (part.type === "stream-end") ends.push(index);
      expect(ends.sort()).toEqual([0, 1, 2, 3]);
      expect(await textsOf(model.streamMany([], greedy))).toEqual([]);
    });

    it("R14 loses nothing where the reader is slower than the model", async () => {
      const fast = await textOf(model.stream(prompt, { ...greedy, maxTokens: 100 }));
      let slow = "";
      for await (const part of model.stream(prompt, { ...greedy, maxTokens: 100 })) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        if (part.type === "text-delta") slow += part.text;
      }
      expect(slow).toBe(fast);
    });
  });
}

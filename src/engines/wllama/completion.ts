/** One request to the engine, and its answer as pieces. */
import { contextError, messageOf } from "../../core/errors.ts";
import { bytesNoText, gbnfOf } from "../../core/grammar/gbnf.ts";
import type { GgufGenerateOptions, ModelPiece } from "../../core/spec/runtime.ts";
import { createWatch } from "../../core/text/watch.ts";
import type { WllamaChunk, WllamaLike } from "./instance.ts";

/**
 * Sends one request with the whole set of options, by the names its server knows: what is left out there takes the server's own default,
 * and what is misspelt is ignored without a word.
 */
export function startCompletion(
  instance: WllamaLike,
  prompt: string,
  { maxTokens, sampling, stop, marks = [], constraint }: GgufGenerateOptions,
  contextLength: number,
  abortSignal: AbortSignal,
): { readonly pieces: AsyncGenerator<ModelPiece, void, undefined>; readonly done: Promise<unknown> } {
  const { penalties } = sampling;
  const chunks: WllamaChunk[] = [];
  let over = false;
  let failure: unknown;
  let wake: () => void = () => undefined;
  const request = instance.createCompletion({
    prompt,
    stream: true, // a whole answer is refused where it ends inside a character
    max_tokens: maxTokens,
    ...(sampling.kind === "greedy"
      ? { temperature: 0, top_k: 1, top_p: 1, min_p: 0 }
      : { temperature: sampling.temperature, top_k: sampling.topK ?? 0, top_p: sampling.topP ?? 1, min_p: sampling.minP ?? 0 }),
    repeat_penalty: penalties?.repeatPenalty ?? 1,
    repeat_last_n: penalties?.lastTokens === "all" ? -1 : (penalties?.lastTokens ?? 0),
    presence_penalty: penalties?.presencePenalty ?? 0,
    frequency_penalty: penalties?.frequencyPenalty ?? 0,
    // the largest 32-bit number means "draw a seed yourself" there
    seed: Math.min(sampling.seed, 0xffff_fffe),
    samplers: ["penalties", "top_k", "top_p", "min_p", "temperature"],
    typical_p: 1,
    dry_multiplier: 0,
    xtc_probability: 0,
    mirostat: 0,
    n_probs: 0,
    ignore_eos: false,
    cache_prompt: true,
    // Its server leaves out of the text what it stopped at, so that nobody knows at what; read() looks for them.
    stop: [],
    ...(constraint !== undefined && { grammar: gbnfOf(constraint) }),
    preserved_tokens: [...marks],
    timings_per_token: true,
    return_progress: true,
    // The package's own iterator leaves an unhandled rejection behind when it is not read to its end.
    onData: (chunk: WllamaChunk) => {
      chunks.push(chunk);
      wake();
    },
    abortSignal,
  });
  const done = request
    .catch((error: unknown) => {
      failure = error ?? new Error("unknown error");
    })
    .then(() => {
      over = true;
      wake();
    });
  return { done, pieces: read() };

  async function* read(): AsyncGenerator<ModelPiece, void, undefined> {
    let finishReason: "stop" | "length" = "stop";
    let timings: Timings = {};
    let characters = 0;
    const watch = createWatch(stop);
    let mostTokens = maxTokens;
    let prompt: { readonly total: number; readonly cache: number } | undefined;
    let note: string | undefined;
    for (;;) {
      const chunk = chunks.shift();
      if (chunk === undefined) {
        if (over) break;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      const [choice] = chunk.choices ?? [];
      if (choice?.finish_reason === "length") finishReason = "length";
      if (chunk.timings !== undefined) timings = chunk.timings;
      if (chunk.prompt_progress !== undefined && prompt === undefined) {
        prompt = chunk.prompt_progress;
        // The engine rounds its context up; what was asked for is what holds.
        if (prompt.total > contextLength) throw contextError(prompt.total, contextLength);
        mostTokens = Math.min(maxTokens, contextLength - prompt.total);
        if (mostTokens === 0) return yield* cut("length", { prompt_n: 0 });
      }
      const text = choice?.text ?? "";
      if (text === "") continue;
      characters += text.length;
      yield { type: "text", text };
      if (watch(text) !== undefined) return yield* cut("stop", timings);
      if (mostTokens < maxTokens && (timings.predicted_n ?? 0) >= mostTokens) return yield* cut("length", timings);
    }
    if (failure !== undefined) {
      // Bytes that are no text end the engine's answer; what came before is good.
      const text = messageOf(failure);
      const isAboutText = (characters > 0 && isBroken(text)) || (prompt !== undefined && text.includes(noReply));
      if (!isAboutText) throw failure;
      note = bytesNoText;
      // its form was not whole
      if (constraint !== undefined) finishReason = "length";
    }
    yield endPiece(finishReason, timings, note);

    /** A stop string is complete, or the context full: the request is ended by the caller's cleanup. */
    function* cut(reason: "stop" | "length", known: Timings): Generator<ModelPiece, void, undefined> {
      const { total = 0, cache = 0 } = prompt ?? {};
      const { promptTokens: _, ...counted } = endPiece(reason, known, undefined);
      yield { ...counted, promptTokens: total, cachedTokens: Math.min(cache, Math.max(0, total - 1)) };
    }
  }
}

/**
 * Where a byte begins no character (0xF8 … 0xFF) the engine throws as it writes the answer down and gives no reply; its glue then reads the
 * question's own first four bytes, "GLUE", as the length of one.
 */
const noReply = `array length: ${0x45554c47}`;

const isBroken = (text: string): boolean => /utf-?8|parse model output/i.test(text);

/** Whether the engine failed to write down bytes that are no text; it goes on. */
export function isNoText(error: unknown): boolean {
  const text = messageOf(error);
  return isBroken(text) || text.includes(noReply);
}

type Timings = NonNullable<WllamaChunk["timings"]>;

function endPiece(finishReason: "stop" | "length", timings: Timings, note: string | undefined): Extract<ModelPiece, { type: "end" }> {
  const { cache_n = 0, prompt_n = 0, prompt_ms = 0, predicted_n = 0, predicted_ms = 0 } = timings;
  return {
    type: "end",
    finishReason,
    promptTokens: cache_n + prompt_n,
    cachedTokens: cache_n,
    completionTokens: predicted_n,
    prefillMs: prompt_ms,
    decodeMs: predicted_ms,
    note,
  };
}

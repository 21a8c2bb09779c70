/**
 * A GgufRuntime without an engine: tokens are words, the text is scripted. It keeps every promise of the contract, slowly and obviously,
 * so that the real ones can be checked against it, and so that programs that use this library can be tested without a model.
 */
import { abortedError, closedError, contextError, SpellError } from "../errors.ts";
import type { GgufGenerateOptions, GgufHandle, GgufOpenOptions, GgufRuntime, ModelPiece } from "../spec/runtime.ts";
import type { TokenSampling } from "../spec/sampling.ts";

export interface ScriptedRuntimeOptions {
  /** Words of the answer, spaces included; endless seeded words by default. */
  readonly answer?: ((prompt: string, sampling: TokenSampling) => Iterable<string>) | undefined;
  /** Time of one word, default 0. */
  readonly stepMs?: number | undefined;
  /** The engine dies at this word (counted from 0) of each call while it returns true. */
  readonly crashAt?: ((word: number, call: number) => boolean) | undefined;
  readonly unsupported?: GgufHandle["unsupported"] | undefined;
}

const words = " once upon a time there was little cat who saw the big red sun and ran home to play with friends".match(/ \w+/g) ?? [];

/** @returns a runtime; every open() gives an independent handle */
export function scriptedRuntime(options: ScriptedRuntimeOptions = {}): GgufRuntime {
  return { name: "scripted", open: async (_files, openOptions) => openScripted(options, openOptions) };
}

function openScripted(script: ScriptedRuntimeOptions, { contextLength, signal, onProgress }: GgufOpenOptions): GgufHandle {
  if (signal?.aborted === true) throw abortedError();
  onProgress?.(1);
  let alive = true;
  let call = 0;
  let kept: readonly string[] = [];
  const ended = new Set<() => void>();

  async function* generate(prompt: string, options: GgufGenerateOptions): AsyncGenerator<ModelPiece, void, undefined> {
    if (!alive) throw closedError();
    if (options.signal?.aborted === true) throw abortedError();
    const tokens = ["<s>", ...(prompt.match(/\s*\S+|\s+$/g) ?? [])];
    if (tokens.length > contextLength) throw contextError(tokens.length, contextLength);
    const started = performance.now();
    const shared = sharedLength(kept, tokens);
    const cachedTokens = Math.min(shared, tokens.length - 1); // the last token is always computed: its logits are needed
    kept = tokens;
    call += 1;
    const answer = (script.answer ?? endlessWords)(prompt, options.sampling);
    const mostTokens = Math.min(options.maxTokens, contextLength - tokens.length);
    let text = "";
    let count = 0;
    let finishReason: "stop" | "length" = "length";
    const prefillMs = performance.now() - started;
    const iterator = answer[Symbol.iterator]();
    while (count < mostTokens) {
      const next = iterator.next();
      if (next.done === true) {
        finishReason = "stop";
        break;
      }
      await step(script.stepMs ?? 0, options.signal);
      if (!alive) throw closedError();
      if (script.crashAt?.(count, call) === true) {
        alive = false;
        throw new SpellError("run-crash", "the scripted engine died, as it was told to");
      }
      count += 1;
      text += next.value;
      kept = [...kept, next.value];
      yield { type: "text", text: next.value };
      if (options.stop.some((stop) => text.includes(stop))) {
        finishReason = "stop";
        break;
      }
    }
    yield {
      type: "end",
      finishReason,
      promptTokens: tokens.length,
      cachedTokens,
      completionTokens: count,
      prefillMs,
      decodeMs: performance.now() - started,
    };
  }

  /** One word's time; ends early on abort and dispose. */
  function step(ms: number, abort: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const finish = (error?: SpellError): void => {
        clearTimeout(timer);
        abort?.removeEventListener("abort", onAbort);
        ended.delete(onClose);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onAbort = (): void => finish(abortedError());
      const onClose = (): void => finish(closedError());
      const timer = setTimeout(finish, ms);
      if (abort?.aborted === true) return onAbort();
      abort?.addEventListener("abort", onAbort, { once: true });
      ended.add(onClose);
    });
  }

  return {
    get alive() {
      return alive;
    },
    device: { chosen: "cpu", runtime: "scripted", tried: [{ device: "cpu", ok: true, reason: "ok", runtime: "scripted" }] },
    contextLength,
    unsupported: script.unsupported ?? ["save"],
    notes: [],
    generate,
    async dispose() {
      alive = false;
      for (const close of [...ended]) close();
    },
  };
}

/** Endless words: the next one follows from the one before when greedy, from the seed otherwise. */
function* endlessWords(prompt: string, { kind, seed }: TokenSampling): Generator<string, void, undefined> {
  let state = kind === "greedy" ? prompt.length : seed;
  for (;;) {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
    yield words[state % words.length] ?? " the";
  }
}

function sharedLength(a: readonly string[], b: readonly string[]): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}

/**
 * A loaded model under the settings of the configuration: defaults of every call, a limit on generations at once, a wait that ends,
 * and memory that is given back while nobody asks. The model it wraps knows of none of this.
 */
import type { CandleSettings } from "../backends/candle-settings.ts";
import { SpellError } from "../errors.ts";
import type { GenerateOptions } from "../spec/generate.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import { checkGenerateOptions, withDefaults } from "../text/parameters.ts";
import { closedError, type Turns } from "../text/turns.ts";

export interface ConfiguredModelParts {
  readonly settings: Pick<CandleSettings, "generate" | "timeoutMs" | "keepAliveMs">;
  /** shared by all models of a spell */
  readonly turns: Turns;
  /** Opens the model again after it was unloaded. */
  readonly reload: (signal: AbortSignal | undefined) => Promise<LanguageModel>;
}

export function configuredModel(first: LanguageModel, { settings, turns, reload }: ConfiguredModelParts): LanguageModel {
  const { generate: defaults, timeoutMs, keepAliveMs } = settings;
  const closing = new AbortController();
  let loaded: LanguageModel | undefined = first;
  /** the last one that was there: its facts stay true while it is unloaded */
  let known = first;
  let opening: Promise<LanguageModel> | undefined;
  let unloading: Promise<void> = Promise.resolve();
  let calls = 0;
  let stopWaiting: (() => void) | undefined;

  const unload = (): void => {
    const model = loaded;
    loaded = undefined;
    if (model !== undefined) unloading = model.dispose().catch(() => undefined);
  };
  const live = async (signal: AbortSignal | undefined): Promise<LanguageModel> => {
    if (loaded !== undefined) return loaded;
    await unloading;
    opening ??= reload(signal).finally(() => {
      opening = undefined;
    });
    const model = await opening;
    if (closing.signal.aborted) {
      await model.dispose();
      throw closedError();
    }
    loaded = model;
    known = model;
    return model;
  };
  const enter = (): void => {
    calls += 1;
    stopWaiting?.();
    stopWaiting = undefined;
  };
  const leave = (): void => {
    calls -= 1;
    if (calls > 0 || keepAliveMs === undefined || closing.signal.aborted) return;
    if (keepAliveMs === 0) unload();
    else stopWaiting = after(keepAliveMs, unload);
  };

  async function* run<T>(
    options: GenerateOptions,
    start: (model: LanguageModel, options: GenerateOptions) => AsyncIterable<T>,
  ): AsyncGenerator<T, void, undefined> {
    const call = withDefaults(options, defaults);
    checkGenerateOptions(call);
    if (closing.signal.aborted) throw closedError();
    enter();
    let endTurn: (() => void) | undefined;
    const late = new AbortController();
    try {
      endTurn = await turns.take(anySignal(call.signal, closing.signal)).catch((error: unknown) => {
        throw closing.signal.aborted ? closedError() : error;
      });
      const model = await live(call.signal);
      for await (const part of watched(start(model, { ...call, signal: anySignal(call.signal, late.signal) }), timeoutMs)) yield part;
    } catch (error) {
      if (error === stalled) {
        late.abort();
        unload(); // whatever hangs in there must not meet the next call
        throw stalledError(timeoutMs);
      }
      throw error;
    } finally {
      endTurn?.();
      leave();
    }
  }

  return {
    id: first.id,
    architecture: first.architecture,
    sizeBytes: first.sizeBytes,
    hasChatTemplate: first.hasChatTemplate,
    isSeq2Seq: first.isSeq2Seq,
    get contextLength() {
      return known.contextLength;
    },
    get device() {
      return known.device;
    },
    stream: (prompt, options = {}) => run(options, (model, call) => model.stream(prompt, call)),
    streamMany: (prompts, options = {}) => run(options, (model, call) => model.streamMany(prompts, call)),
    async dispose() {
      closing.abort();
      stopWaiting?.();
      unload();
      await unloading;
    },
    [Symbol.asyncDispose]() {
      return this.dispose();
    },
  };
}

const stalled = Symbol("no progress");

function stalledError(timeoutMs: number): SpellError {
  return new SpellError("run-crash", `no progress for ${timeoutMs / 1000} s; the model is loaded anew for the next call`, {
    hint: "A long prompt on a slow machine may need more time: raise timeout_seconds of the provider.",
    commands: ["llmspell config show providers --origin"],
  });
}

/** Passes parts on, and throws `stalled` where the next one takes too long. Time in the hands of the reader does not count. */
async function* watched<T>(parts: AsyncIterable<T>, timeoutMs: number): AsyncGenerator<T, void, undefined> {
  const iterator = parts[Symbol.asyncIterator]();
  let isStalled = false;
  try {
    for (;;) {
      const next = await new Promise<IteratorResult<T>>((resolve, reject) => {
        const stop = after(timeoutMs, () => {
          isStalled = true;
          reject(stalled);
        });
        iterator.next().then(resolve, reject).finally(stop);
      });
      if (next.done === true) return;
      yield next.value;
    }
  } finally {
    const ended = iterator.return?.();
    if (isStalled) ended?.catch(() => undefined);
    else await ended;
  }
}

function anySignal(given: AbortSignal | undefined, own: AbortSignal): AbortSignal {
  return given === undefined ? own : AbortSignal.any([given, own]);
}

/** Runs later, and does not keep a process alive for it. @returns what calls it off */
function after(ms: number, work: () => void): () => void {
  // longer waits would overflow the timer and run at once
  const timer: unknown = setTimeout(work, Math.min(ms, 2 ** 31 - 1));
  if (typeof timer === "object" && timer !== null && "unref" in timer && typeof timer.unref === "function") timer.unref();
  return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
}

/**
 * GgufHandle over a wllama instance (llama.cpp as WebAssembly), the same in browsers and in Node. Imports no package: the host makes the
 * instance and hands it in. Here and beside it is everything that must be known about the engine: loads that resolve for broken files, calls that
 * never settle, aborts that must free a slot; completion.ts has the option names that work, engine-errors.ts what its words mean.
 */
import { reportOf } from "../../core/devices/report.ts";
import { abortedError, closedError, firstStepError, SpellError, throwIfAborted } from "../../core/errors.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import { chooseAmong } from "../../core/sampling.ts";
import type {
  EmbeddedText,
  GgufGenerateOptions,
  GgufHandle,
  GgufOpenOptions,
  ModelEmbedOptions,
  ModelPiece,
  ThreadChoice,
} from "../../core/spec/runtime.ts";
import { deferred } from "../../core/values.ts";
import { loadComplaint } from "../load-complaint.ts";
import { askAhead } from "./ask-ahead.ts";
import { byteBlob } from "./byte-blob.ts";
import { isNoText, startCompletion } from "./completion.ts";
import { cutText, embedText, readTooLong, textTooLong } from "./embedding.ts";
import { crash, generationError, loadError } from "./engine-errors.ts";
import { runtime, type WllamaChunk, type WllamaLike } from "./instance.ts";
import { rateChoices } from "./rate.ts";

/** What the host knows about the instance it makes. */
export interface WllamaHost {
  /**
   * A fresh instance per model: a second load on the same one fails. `onDeath` must be told when its worker dies without a word, `onLog` of the
   * lines the engine writes.
   */
  create(onDeath: (reason: string) => void, onLog: (line: string) => void): WllamaLike;
  /** "wllama 3.13.0, compat build" */
  readonly label: string;
  /** Where layers go. The engine falls back to the processor without a word; the handle reports what its log says. */
  readonly device: "webgpu" | "wasm";
  /** Largest file this build can load; offsets beyond never settle in 32-bit builds. */
  readonly maxFileBytes: number;
  readonly threads: ThreadChoice;
  /** Facts for the first stream's warnings. */
  readonly notes: readonly string[];
}

/**
 * What the engine writes. Its libraries tell what is of this weight and above, its server what is below: with 2, where layers lie, at each load; with 3,
 * warnings, and some lines of the server at each request.
 */
const logLevel = { webgpu: 2, wasm: 3 } as const;

/** In place of the model's own: prompts come rendered, and its server runs, at the load, whatever template it finds. */
const plainTemplate = "{% for message in messages %}{{ message['content'] }}{% endfor %}";

/** More than any model has. */
const mostLayers = 99_999;

/** How many layers the engine says it put on the graphics card. */
interface Placed {
  readonly layers: number;
  readonly total: number;
}

/** @returns undefined for lines about something else */
export function readPlaced(line: string): Placed | undefined {
  const counts = /offloaded (\d+)\/(\d+) layers to GPU/.exec(line);
  return counts === null ? undefined : { layers: Number(counts[1]), total: Number(counts[2]) };
}

/**
 * The engine computes on the processor where it finds no card it can use, and says so only in its log (E13).
 * @throws SpellError device-unavailable
 */
function checkPlaced(placed: Placed | undefined): void {
  if (placed !== undefined && placed.layers > 0) return;
  const found = placed === undefined ? "its log says nothing of layers" : `0 of ${placed.total} layers are there`;
  throw new SpellError("device-unavailable", `${runtime} does not compute on webgpu: ${found}`, {
    details: { reason: "missing-feature" },
  });
}

/**
 * The first step of a fresh model must give finite numbers that are not all the same: damaged weights, and some cards, give others. A token that
 * is no text by itself comes without numbers, and passes.
 * @throws SpellError run-nan
 */
async function checkNumbers(instance: WllamaLike): Promise<void> {
  const likely: number[] = [];
  const step = instance.createCompletion({
    prompt: " ",
    stream: true,
    max_tokens: 1,
    temperature: 0,
    n_probs: 2,
    cache_prompt: false,
    onData: ({ choices }: WllamaChunk) => {
      for (const { logprobs } of choices ?? []) {
        for (const { top_logprobs: top = [] } of logprobs?.content ?? []) likely.push(...top.map(({ logprob }) => logprob ?? Number.NaN));
      }
    },
  });
  await step.catch((error: unknown) => {
    if (!isNoText(error)) throw error;
  });
  const [first, second = Number.NaN] = likely;
  if (first === undefined || (Number.isFinite(first) && Number.isFinite(second) && first !== second)) return;
  throw firstStepError(Number.isFinite(first));
}

/** An abort is seen between two prompt batches; this many tokens keep that short on one WebAssembly thread. */
const maxBatch = 128;
/** Numbers of a head from which attention in one operation decodes as fast as products, softmax and products do: it costs per key and head. */
const wholeHead = 64;
/** Room for the scores of a batch, in bytes; attention in one operation needs none. */
const mostScores = 64 * 2 ** 20;
/** The engine's server aborts with a batch of one token; seen with wllama 3.8.1. */
const minBatch = 2;

/**
 * Loads a model and makes sure that it can generate.
 * @throws SpellError device-memory (file too large for this build, or no memory), gguf-metadata (the engine refuses the file), run-crash, run-aborted
 */
export async function openWllama(host: WllamaHost, files: readonly ByteSource[], options: GgufOpenOptions): Promise<GgufHandle> {
  const { signal, onProgress } = options;
  throwIfAborted(signal);
  const tooLarge = files.find(({ size }) => size > host.maxFileBytes);
  if (tooLarge !== undefined) {
    throw new SpellError(
      "device-memory",
      `${tooLarge.name} has ${tooLarge.size.toLocaleString("en-US")} bytes; ${host.label} loads files of at most ${host.maxFileBytes.toLocaleString("en-US")}`,
      { where: tooLarge.name, details: { neededBytes: tooLarge.size, availableBytes: host.maxFileBytes } },
    );
  }

  let dead: SpellError | undefined;
  const { promise: death, reject } = deferred<never>();
  death.catch(() => undefined); // heard only while a call is under way
  const fail = (error: SpellError): void => {
    dead ??= error;
    reject(error);
  };
  let placed: Placed | undefined;
  let complaint: string | undefined;
  const instance = host.create(
    (reason) => fail(crash(reason, host.device)),
    (line) => {
      placed = readPlaced(line) ?? placed;
      complaint = loadComplaint(line) ?? complaint;
    },
  );
  const kill = async (error: SpellError): Promise<void> => {
    fail(error);
    await instance.exit().catch(() => undefined);
  };

  // A text is read as a whole where vectors are made of it.
  const batch = options.embed === undefined ? Math.min(Math.max(options.batchSize, minBatch), maxBatch) : options.contextLength;
  const { heads } = options;
  const isPlain =
    host.device === "wasm" &&
    heads !== undefined &&
    heads.size > 0 &&
    heads.size < wholeHead &&
    heads.count * options.contextLength * batch * Float32Array.BYTES_PER_ELEMENT <= mostScores;
  const total = files.reduce((sum, { size }) => sum + size, 0);
  let before = 0;
  let shown = 0;
  const blobs = files.map((file) => {
    const offset = before;
    before += file.size;
    return byteBlob(file, (end) => {
      const share = Math.min(0.99, (offset + end) / total);
      if (share <= shown) return;
      shown = share;
      onProgress?.(share);
    });
  });
  let dimensions: number | undefined;
  const onAbort = (): void => void kill(abortedError()); // a load cannot be interrupted, only ended
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([
      death,
      instance.loadModel(blobs, {
        n_ctx: options.contextLength,
        n_batch: batch,
        n_ubatch: batch,
        n_threads: host.threads.decode,
        n_gpu_layers: host.device === "webgpu" ? mostLayers : 0,
        n_parallel: 1,
        kv_unified: true,
        ctx_shift: false,
        warmup: false,
        log_level: logLevel[host.device],
        chat_template: plainTemplate,
        ...(isPlain && { flash_attn: false }),
        ...(options.embed !== undefined && { embeddings: true, pooling_type: options.embed }),
      }),
    ]);
    askAhead(instance.proxy);
    const info = instance.getLoadedContextInfo();
    if (info.success !== true || !(info.n_vocab > 0)) throw new Error("the engine could not load it");
    if (options.embed === undefined) {
      if (host.device === "webgpu") checkPlaced(placed);
      await Promise.race([death, checkNumbers(instance)]);
    }
    // told after the load: before it the engine computes nothing
    if (host.threads.origin === "running" && instance.isMultithread()) await Promise.race([death, instance._getDebugInfo()]);
    if (options.embed !== undefined) dimensions = (await Promise.race([death, embedText(instance, "a")])).vector.length;
  } catch (error) {
    const typed = dead ?? loadError(error, files[0]?.name ?? "the model", host.device, complaint);
    await kill(typed);
    throw typed;
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
  onProgress?.(1);

  const info = instance.getLoadedContextInfo();
  const threads =
    instance.isMultithread() || host.threads.decode === 1 ? host.threads : { prompt: 1, decode: 1, origin: "default" as const };
  const label = placed === undefined ? host.label : `${host.label}, ${placed.layers} of ${placed.total} layers`;
  const device = reportOf(host.device, runtime, threads, label);
  const contextLength = Math.min(options.contextLength, info.n_ctx);
  const bos = options.bos === undefined || !info.add_bos_token ? undefined : options.bos;

  async function* generate(prompt: string, generateOptions: GgufGenerateOptions): AsyncGenerator<ModelPiece, void, undefined> {
    if (dead !== undefined) throw dead;
    throwIfAborted(generateOptions.signal);
    const left = new AbortController();
    const stop = generateOptions.signal === undefined ? left.signal : AbortSignal.any([left.signal, generateOptions.signal]);
    const ownPrompt = withoutBos(prompt, bos);
    const { constraint, sampling, maxTokens } = generateOptions;
    let done: Promise<unknown> = Promise.resolve();
    async function* written(): AsyncGenerator<ModelPiece, void, undefined> {
      const completion = startCompletion(instance, ownPrompt, generateOptions, contextLength, stop);
      done = completion.done;
      yield* completion.pieces;
    }
    /** The choice is made by what each is worth as a whole; where that cannot be told, it is written token by token. */
    async function* chosen(choices: readonly string[]): AsyncGenerator<ModelPiece, void, undefined> {
      const rating = rateChoices(instance, ownPrompt, choices, contextLength, stop);
      done = rating;
      const rated = await rating;
      const place = rated === undefined ? 0 : chooseAmong(rated.logprobs, sampling);
      const tokens = rated?.tokens[place];
      if (rated !== undefined && tokens !== undefined && tokens <= maxTokens) {
        yield { type: "text", text: choices[place] ?? "" };
        yield { type: "end", finishReason: "stop", completionTokens: tokens, choiceLogprobs: rated.logprobs, ...rated.counts };
        return;
      }
      for await (const piece of written()) yield piece.type === "end" ? { ...piece, choiceLogprobs: rated?.logprobs } : piece;
    }
    try {
      yield* endedBy(constraint?.kind === "choices" ? chosen(constraint.choices) : written(), death, stop);
    } catch (error) {
      throw dead ?? (stop.aborted ? abortedError() : generationError(error, contextLength, host.device, fail, constraint));
    } finally {
      left.abort();
      // Until the engine has given back its slot, a second request would hang for ever.
      await Promise.race([death, done]).catch(() => undefined);
    }
  }

  async function* embed(
    texts: readonly string[],
    { truncate, signal: stop }: ModelEmbedOptions,
  ): AsyncGenerator<EmbeddedText, void, undefined> {
    for (const [index, text] of texts.entries()) {
      if (dead !== undefined) throw dead;
      throwIfAborted(stop);
      try {
        yield { index, ...(await Promise.race([death, embedText(instance, text)])) };
      } catch (error) {
        const tooLong = dead === undefined ? readTooLong(error) : undefined;
        if (tooLong === undefined) throw dead ?? generationError(error, contextLength, host.device, fail);
        if (!truncate) throw textTooLong(index, tooLong, contextLength);
        yield { index, ...(await cutText(instance, text, tooLong, death)), wholeTokens: tooLong };
      }
    }
  }

  return {
    ...(dimensions !== undefined && { embed, dimensions }),
    get alive() {
      return dead === undefined;
    },
    device,
    contextLength,
    unsupported: ["save"],
    notes: host.notes,
    generate,
    dispose: () => kill(closedError()),
  };
}

/** The engine adds begin-of-sequence by itself and reads special tokens in the text: one of the two has to go. */
function withoutBos(prompt: string, bos: string | undefined): string {
  return bos !== undefined && bos !== "" && prompt.startsWith(bos) ? prompt.slice(bos.length) : prompt;
}

/** Pieces until the engine dies or the signal fires, whichever is first: the engine itself answers an abort only after its step. */
async function* endedBy(
  pieces: AsyncGenerator<ModelPiece, void, undefined>,
  death: Promise<never>,
  signal: AbortSignal,
): AsyncGenerator<ModelPiece, void, undefined> {
  const { promise: aborted, reject } = deferred<never>();
  aborted.catch(() => undefined);
  const onAbort = (): void => reject(abortedError());
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    for (;;) {
      const next = pieces.next();
      next.catch(() => undefined); // it may lose the race and fail later
      const result = await Promise.race([next, death, aborted]);
      if (result.done === true) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

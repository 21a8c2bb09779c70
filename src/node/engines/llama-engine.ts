/**
 * GgufRuntime over node-llama-cpp, as it is used inside the child process of engine-child.ts; never load it where a crash would hurt.
 * Raw tokens in, raw tokens out: templates, defusing, queueing and stop strings' cutting are core's.
 */
import { availableParallelism, freemem } from "node:os";
import { basename } from "node:path";
import { setTimeout } from "node:timers/promises";
import type { Llama, LlamaContext, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { reportOf } from "../../core/devices/report.ts";
import { closedError, firstStepError, messageOf, SpellError, throwIfAborted } from "../../core/errors.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import type {
  Device,
  DeviceChoice,
  DeviceProbe,
  GgufHandle,
  GgufOpenOptions,
  GgufRuntime,
  ModelPiece,
  ThreadChoice,
} from "../../core/spec/runtime.ts";
import { median, onceFor } from "../../core/values.ts";
import { openLlamaEmbeddings } from "./llama-embed.ts";
import { confidenceAfter, generate } from "./llama-generate.ts";
import type { GuessCosts } from "./llama-guess.ts";
import { reckonContexts, reckonModels } from "./llama-memory.ts";
import { threadPace } from "./llama-pace.ts";
import { sequencePool } from "./llama-sequences.ts";
import {
  engineName,
  engineVersion,
  type Gpu,
  gpuOf,
  importLlama,
  lookAtGpu,
  mayHaveGpu,
  startLlama,
  takeComplaint,
} from "./llama-start.ts";
import { llamaStates, type StateKeeper } from "./llama-states.ts";
import { watchOthers } from "./machine-load.ts";
import {
  clampThreads,
  type MeasuredThreads,
  measureThreads,
  readThreadCache,
  shouldMeasureAgain,
  type ThreadProbe,
  threadCandidates,
  threadKey,
  writeThreadCache,
} from "./threads.ts";

/** What finding the best threads may cost, once per machine and model size. */
const measureBudgetMs = 700;
/** Enough to tell one thread from two, little enough for two rounds within the budget (a model of 135M: 0.4 s a round on one core). */
const probePromptTokens = 32;
const probeSteps = 6;

/** One engine per process: its binding keeps one logger and one set of backends. */
export function llamaEngine(): GgufRuntime & { probe(device: Device): Promise<DeviceProbe> } {
  const start = onceFor(startLlama);
  return {
    name: engineName,
    prepare() {
      // Where a GPU may be there, it is looked at first.
      if (!mayHaveGpu()) start(false).catch(() => undefined); // open() reports it
    },
    async probe(device) {
      const gpu = gpuOf(device);
      if (gpu === false) return { ok: false, reason: "missing-feature", hint: `${engineName} has its own way to the processor` };
      return lookAtGpu(await start(gpu), gpu);
    },
    open: (files, options) => openModel(files, options, start),
  };
}

async function openModel(files: readonly ByteSource[], options: GgufOpenOptions, start: (gpu: Gpu) => Promise<Llama>): Promise<GgufHandle> {
  const { threads: askedThreads, note } = clampThreads(options.threads);
  const modelPath = files[0]?.path;
  if (modelPath === undefined) {
    throw new SpellError("device-unavailable", `${engineName} reads local files only; ${files[0]?.name ?? "the model"} is not one`);
  }
  const llama = await start(gpuOf(options.device));
  const others = watchOthers();
  options.onProgress?.(0);
  const cores = availableParallelism();
  // The splitter hands out at most this many; which of them compute is set before each step.
  llama.maxThreads = cores;
  const gpu = llama.gpu !== false;
  const model = await load(llama, modelPath, options, gpu);
  const device = deviceOf(llama, model, options.device);
  if (options.embed !== undefined) {
    const embedded = await openLlamaEmbeddings(model, options, askedThreads === 0 ? cores : askedThreads, (threads) =>
      reportOf(device, engineName, { prompt: threads, decode: threads, origin: askedThreads === 0 ? "default" : "asked" }),
    );
    options.onProgress?.(1);
    return note === undefined ? embedded : { ...embedded, notes: [note, ...embedded.notes] };
  }
  // The engine keeps one cell free, and rounds up; generate() holds to what was asked.
  const { contextLength, keep } = options;
  const isPlain = !gpu && hasPlainAttention(model, contextLength);
  const batchSize = isPlain ? Math.min(options.batchSize, plainBatch) : options.batchSize;
  const createContext = (): Promise<LlamaContext> =>
    model.createContext({
      contextSize: contextLength,
      batchSize,
      threads: { ideal: cores, min: 1 },
      ...(isPlain && { flashAttention: false }),
    });
  const context = await createContext().catch((cause: unknown) => {
    throw memoryError(`a context of ${contextLength} tokens`, cause);
  });
  const sequence = context.getSequence();
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  // Helpers that wait for a processor that others keep busy make seconds of the first step.
  if (!gpu) llama.maxThreads = askedThreads || (readThreadCache(keyOf(bytes))?.decode ?? cores);
  await checkNumbers(model, sequence);
  const { threads, oneMs, onePromptMs } = await chooseThreads(
    llama,
    sequence,
    askedThreads,
    bytes,
    { batchSize, contextLength },
    gpu,
    others(),
  );
  options.onProgress?.(1);

  const { gpuLayers } = model;
  const layers = model.fileInsights.totalLayers;
  const notes = [
    ...(note === undefined ? [] : [note]),
    ...(gpu && gpuLayers < layers ? [`${gpuLayers} of ${layers} layers fit on ${device}; the processor computes the others`] : []),
    ...(context.contextSize === contextLength
      ? []
      : [`a context of ${contextLength} tokens is kept; ${engineName} allocates ${context.contextSize}`]),
  ];
  // A context each: node-llama-cpp takes the memory of all sequences of one context when it is made.
  const sequences = sequencePool(sequence, async () => {
    const free = process.availableMemory?.() ?? freemem();
    return free < 2 * context.memoryUsage.ram ? undefined : (await createContext()).getSequence();
  });
  const paths = files.flatMap(({ path }) => path ?? []);
  const states = keep === undefined ? undefined : llamaStates({ llama, model, paths, contextLength, isPlain, keep });
  const guessCosts: GuessCosts = new Map();
  const pace = threadPace(threads.decode, oneMs);
  let alive = true;
  return {
    get alive() {
      return alive;
    },
    device: reportOf(device, engineName, threads),
    contextLength,
    unsupported: states === undefined ? ["save"] : [],
    notes,
    async *generate(prompt, generateOptions) {
      if (!alive) throw closedError();
      const { session, save } = generateOptions;
      const taken = await sequences.take(session);
      const keeper = save === undefined ? undefined : states?.(save);
      const pieces = generate(
        { llama, model, sequence: taken, threads, pace, oneMs, onePromptMs, contextLength, isPlain, batchSize, guessCosts, keeper },
        prompt,
        generateOptions,
      );
      if (keeper === undefined) yield* pieces;
      else yield* keptAtEnd(pieces, keeper, taken);
    },
    async dispose() {
      if (!alive) return;
      alive = false;
      for (const taken of sequences.all()) await taken.context.dispose();
      await model.dispose();
    },
  };
}

/** Numbers of a head from which flash attention decodes as fast as plain attention does: it costs per key and head, however few numbers a head has. */
const flashHead = 64;
/** Tokens of a batch in plain attention: with more of them their scores leave the processor's cache. */
const plainBatch = 128;
/** Room for the scores of a batch, in bytes; flash attention needs none. */
const mostScores = 64 * 2 ** 20;

/**
 * Whether attention is computed plainly. With 8 heads of 32 numbers and 450 tokens before it, a step takes 0.8 ms so, and 2.5 with flash attention
 * (least processor time, llama.cpp of node-llama-cpp 3.22.1); a prompt of 450 tokens 53 and 41.
 */
export function hasPlainAttention(model: Pick<LlamaModel, "fileInfo">, contextLength: number): boolean {
  const { embedding_length: width, attention } = model.fileInfo.architectureMetadata;
  const heads = attention?.head_count;
  if (typeof heads !== "number" || typeof width !== "number") return false;
  const head = attention?.key_length ?? width / heads;
  return head < flashHead && heads * contextLength * plainBatch * Float32Array.BYTES_PER_ELEMENT <= mostScores;
}

/** The answer is out when its state is kept. */
async function* keptAtEnd(
  pieces: AsyncIterable<ModelPiece>,
  keeper: StateKeeper,
  sequence: LlamaContextSequence,
): AsyncGenerator<ModelPiece, void, undefined> {
  for await (const piece of pieces) {
    if (piece.type === "end") await keeper.keepAnswer(sequence);
    yield piece.type === "end" ? { ...piece, stateNotes: keeper.notes } : piece;
  }
}

async function load(
  llama: Llama,
  modelPath: string,
  { onProgress, signal, mayDivide = false }: GgufOpenOptions,
  gpu: boolean,
): Promise<LlamaModel> {
  const mend = gpu ? undefined : reckonModels((await importLlama()).GgufInsights.prototype);
  try {
    const model = await llama.loadModel({
      modelPath,
      gpuLayers: !gpu ? 0 : mayDivide ? "auto" : "max",
      ...(signal && { loadSignal: signal }),
      // the last tenth is for the context and the first step
      onLoadProgress: (share: number) => void onProgress?.(share * 0.9),
    });
    if (!gpu) reckonContexts(model.fileInsights);
    return model;
  } catch (cause) {
    throwIfAborted(signal);
    // what it logged last may come behind the failure itself
    await setTimeout(20);
    const text = takeComplaint() ?? messageOf(cause);
    if (/insufficient|not enough|out of memory|alloc/i.test(text)) throw memoryError("the model", cause);
    throw new SpellError("gguf-metadata", `${basename(modelPath)}: ${engineName} cannot load the model: ${text}`, {
      where: modelPath,
      cause,
    });
  } finally {
    mend?.();
  }
}

function memoryError(what: string, cause: unknown): SpellError {
  return new SpellError("device-memory", `no memory for ${what}: ${messageOf(cause)}`, { cause });
}

/** @throws SpellError device-memory where a GPU was asked for, and no layer fits on it */
function deviceOf(llama: Llama, model: LlamaModel, choice: DeviceChoice): Device {
  const chosen: Device = llama.gpu !== false && model.gpuLayers > 0 ? llama.gpu : "cpu";
  if (choice === "auto" || choice === "cpu" || chosen !== "cpu") return chosen;
  throw new SpellError("device-memory", `${choice}: no layer of the model fits on the device`, { actions: [{ kind: "diagnose" }] });
}

/**
 * The first step of a fresh model: it must give finite numbers that are not all the same. It also brings the weights into memory,
 * which the threads' measurement would otherwise take for slowness.
 * @throws SpellError run-nan
 */
async function checkNumbers(model: LlamaModel, sequence: LlamaContextSequence): Promise<void> {
  const confidence = await confidenceAfter(sequence, model.tokens.bos ?? (0 as Token));
  await sequence.clearHistory();
  const vocabulary = model.fileInfo.metadata.tokenizer?.ggml?.tokens?.length ?? Number.POSITIVE_INFINITY;
  if (Number.isFinite(confidence) && confidence * vocabulary > 1.000001) return;
  throw firstStepError(Number.isFinite(confidence));
}

const keyOf = (modelBytes: number): string => threadKey(engineName, engineVersion(), modelBytes);

async function chooseThreads(
  llama: Llama,
  sequence: LlamaContextSequence,
  asked: number,
  modelBytes: number,
  { batchSize, contextLength }: Pick<GgufOpenOptions, "batchSize" | "contextLength">,
  gpu: boolean,
  others: number | undefined,
): Promise<Pick<MeasuredThreads, "oneMs" | "onePromptMs"> & { readonly threads: ThreadChoice }> {
  if (asked > 0) return { threads: { prompt: asked, decode: asked, origin: "asked" } };
  const candidates = threadCandidates();
  if (candidates.length === 1 || gpu) return { threads: { prompt: candidates.at(-1) ?? 1, decode: 1, origin: "default" } };
  const key = keyOf(modelBytes);
  const cached = readThreadCache(key);
  const found = ({ prompt, decode, oneMs, onePromptMs }: MeasuredThreads, origin: "cached" | "measured") => ({
    threads: { prompt, decode, origin },
    oneMs,
    onePromptMs,
  });
  if (cached !== undefined && !shouldMeasureAgain(cached, others)) return found(cached, "cached");
  const measured = await measureThreads(
    candidates,
    threadProbe(llama, sequence, Math.min(batchSize, contextLength - 1, probePromptTokens)),
    measureBudgetMs,
  );
  await sequence.clearHistory();
  writeThreadCache(key, measured);
  return found(measured, "measured");
}

/** Which tokens they are does not change what they cost. */
function threadProbe(llama: Llama, sequence: LlamaContextSequence, promptTokens: number): ThreadProbe {
  const token = 1 as Token;
  const clean = async (threads: number, work: () => Promise<number>): Promise<number> => {
    llama.maxThreads = threads;
    const ms = await work();
    await sequence.clearHistory();
    return ms;
  };
  return {
    promptTokens,
    prompt: (threads) =>
      clean(threads, async () => {
        const started = performance.now();
        await sequence.evaluateWithoutGeneratingNewTokens(Array<Token>(promptTokens).fill(token));
        return performance.now() - started;
      }),
    decode: (threads, limitMs) =>
      clean(threads, async () => {
        // The first step wakes the helpers, which an answer does once. The usual step counts: now and then one waits for another program.
        const steps: number[] = [];
        let last = performance.now();
        let all = 0;
        for await (const _ of sequence.evaluate([token], { temperature: 0, yieldEogToken: true })) {
          const now = performance.now();
          steps.push(now - last);
          all += now - last;
          last = now;
          if (steps.length > probeSteps || all > limitMs * (probeSteps + 1)) return median(steps.length === 1 ? steps : steps.slice(1));
        }
        return Number.POSITIVE_INFINITY;
      }),
  };
}

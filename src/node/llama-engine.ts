/**
 * GgufRuntime over node-llama-cpp, as it is used inside the child process of engine-child.ts; never load it where a crash would hurt.
 * Raw tokens in, raw tokens out: templates, defusing, queueing and stop strings' cutting are core's.
 */
import child_process, { type ChildProcess } from "node:child_process";
import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import { createRequire, syncBuiltinESMExports } from "node:module";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import type { Llama, LlamaContext, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { isSoftwareAdapter } from "../core/devices.ts";
import { abortedError, SpellError, toSpellError } from "../core/errors.ts";
import type { ByteSource } from "../core/formats/byte-source.ts";
import type {
  Device,
  DeviceAttempt,
  DeviceChoice,
  DeviceProbe,
  GgufGenerateOptions,
  GgufHandle,
  GgufOpenOptions,
  GgufRuntime,
  GgufSampling,
  ModelPiece,
  ThreadChoice,
} from "../core/spec/runtime.ts";
import { lookAtGraphics } from "./graphics.ts";
import {
  clampThreads,
  measureThreads,
  readThreadCache,
  type ThreadProbe,
  threadCandidates,
  threadKey,
  writeThreadCache,
} from "./threads.ts";

const engineName = "node-llama-cpp";
type Gpu = "cuda" | "vulkan" | "metal" | false;

/** What finding the best threads may cost, once per machine and model size. */
const measureBudgetMs = 700;
/** Enough to tell one thread from two, little enough for two rounds within the budget (a model of 135M: 0.4 s a round on one core). */
const probePromptTokens = 32;
const probeSteps = 4;
/** Tokens to compute below which a prompt takes the threads of decoding; with 16, two threads already won on the models looked at. */
const shortPrompt = 12;
/** A character is at most four byte tokens; what is still broken after twice that will not heal. */
const maxHeldTokens = 8;

/** One engine per process: its binding keeps one logger and one set of backends. */
export function createLlamaEngine(): GgufRuntime & { probe(device: Device): Promise<DeviceProbe> } {
  const started = new Map<Gpu, Promise<Llama>>();
  const start = (gpu: Gpu): Promise<Llama> => {
    const known = started.get(gpu);
    if (known !== undefined) return known;
    const starting = startLlama(gpu);
    started.set(gpu, starting);
    return starting;
  };
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
  options.onProgress?.(0);
  const cores = availableParallelism();
  // The splitter hands out at most this many; which of them compute is set before each step.
  llama.maxThreads = cores;
  const gpu = llama.gpu !== false;
  const model = await load(llama, modelPath, options, gpu);
  const device = reportDevice(llama, model, options.device);
  // The engine keeps one cell free, and rounds up; generate() holds to what was asked.
  const context = await model
    .createContext({ contextSize: options.contextLength, batchSize: options.batchSize, threads: { ideal: cores, min: 1 } })
    .catch((cause: unknown) => {
      throw memoryError(`a context of ${options.contextLength} tokens`, cause);
    });
  const sequence = context.getSequence();
  await checkNumbers(model, sequence);
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  const threads = await chooseThreads(llama, sequence, askedThreads, bytes, options, gpu);
  options.onProgress?.(1);

  const { gpuLayers } = model;
  const layers = model.fileInsights.totalLayers;
  const notes = [
    ...(note === undefined ? [] : [note]),
    ...(gpu && gpuLayers < layers ? [`${gpuLayers} of ${layers} layers fit on ${device.chosen}; the processor computes the others`] : []),
    ...(context.contextSize === options.contextLength
      ? []
      : [`a context of ${options.contextLength} tokens is kept; ${engineName} allocates ${context.contextSize}`]),
  ];
  let alive = true;
  return {
    get alive() {
      return alive;
    },
    device: { ...device, threads },
    contextLength: options.contextLength,
    unsupported: [],
    notes,
    async *generate(prompt, generateOptions) {
      if (!alive) throw new SpellError("run-closed", "the model was disposed");
      yield* generate(
        { llama, model, context, sequence, threads, contextLength: options.contextLength, batchSize: options.batchSize },
        prompt,
        generateOptions,
      );
    },
    async dispose() {
      if (!alive) return;
      alive = false;
      await context.dispose();
      await model.dispose();
    },
  };
}

// --- Start ---

/**
 * Starts the engine. It never compiles and never downloads (E18).
 * @throws SpellError device-unavailable
 */
async function startLlama(gpu: Gpu): Promise<Llama> {
  let mend: (() => void) | undefined;
  try {
    const { getLlama, LlamaLogLevel } = await import("node-llama-cpp");
    // A GPU's binary is tested the long way: where it fails, the next one is taken.
    if (gpu === false) mend = skipBinaryTest();
    return await getLlama({
      gpu,
      build: "never",
      skipDownload: true,
      progressLogs: false,
      logLevel: LlamaLogLevel.error,
      maxThreads: availableParallelism(),
      // stdout is nobody's here; what stderr gets travels with a crash
      logger: (_level, message) => process.stderr.write(`${message}\n`),
    });
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    const isMissing = /NoBinaryFound/.test(cause instanceof Error ? `${cause.name} ${cause.constructor.name} ${text}` : text);
    const binary = `@node-llama-cpp/${process.platform === "win32" ? "win" : process.platform}-${process.arch}-${gpu}`;
    if (isMissing && (gpu === "cuda" || gpu === "vulkan")) {
      throw new SpellError("device-unavailable", `${gpu} is not available: ${engineName} has no binary for it here`, {
        hint: "Install the binary, or take the CPU.",
        commands: [`npm install ${binary}`, "llmspell doctor"],
        details: { reason: "package-missing" },
        cause,
      });
    }
    throw new SpellError("device-unavailable", `${engineName} does not start${gpu === false ? "" : ` with ${gpu}`}: ${text}`, { cause });
  } finally {
    mend?.();
  }
}

/**
 * Before it loads its binary, node-llama-cpp tries it in a process of its own, which takes 0.36 s of each start. This process is such a one
 * already: should the binary crash, the parent sees it and says so. So the test is answered here, in its own words (ready, start, loaded, test,
 * done, exit); every other fork passes. If the test changes its name or its words, it simply runs again (or, at worst, answers "not compatible").
 * @returns puts the real fork back
 */
function skipBinaryTest(): () => void {
  const real = child_process.fork;
  const answerTest = (): ChildProcess => {
    const test = new EventEmitter();
    const send = (message: { readonly type: string }): boolean => {
      if (message.type === "start") queueMicrotask(() => test.emit("message", { type: "loaded" }));
      else if (message.type === "test") queueMicrotask(() => test.emit("message", { type: "done" }));
      else queueMicrotask(() => test.emit("exit", 0));
      return true;
    };
    setImmediate(() => test.emit("message", { type: "ready" }));
    return Object.assign(test, { send, kill: () => true, killed: false, exitCode: null }) as unknown as ChildProcess;
  };
  child_process.fork = ((file: string, ...rest: []) =>
    /[\\/]testBindingBinary\.js$/.test(String(file)) ? answerTest() : real(file, ...rest)) as typeof real;
  syncBuiltinESMExports();
  return () => {
    child_process.fork = real;
    syncBuiltinESMExports();
  };
}

/** Whether a binary for a GPU lies here at all: Metal comes with the one for Apple's processors, the others are packages of their own. */
function mayHaveGpu(): boolean {
  if (process.platform === "darwin") return process.arch === "arm64";
  const require = createRequire(join(engineFolder(), "index.js"));
  return ["cuda", "vulkan"].some((kind) => {
    try {
      require.resolve(`@node-llama-cpp/${process.platform === "win32" ? "win" : process.platform}-${process.arch}-${kind}/package.json`);
      return true;
    } catch (error) {
      // a package that does not export its package.json is there all the same
      return (error as NodeJS.ErrnoException).code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
    }
  });
}

function engineFolder(): string {
  return dirname(dirname(createRequire(import.meta.url).resolve(engineName)));
}

function engineVersion(): string {
  try {
    return String((JSON.parse(readFileSync(join(engineFolder(), "package.json"), "utf8")) as { version?: unknown }).version);
  } catch {
    return "unknown";
  }
}

/** @throws SpellError device-unavailable */
function gpuOf(device: DeviceChoice): Gpu {
  switch (device) {
    case "cuda":
    case "vulkan":
    case "metal":
      return device;
    case "cpu":
    case "auto":
      return false;
    case "webgpu":
    case "wasm":
      throw new SpellError("device-unavailable", `${engineName} cannot compute on ${device}`, { details: { reason: "missing-feature" } });
    default:
      device satisfies never;
      throw new SpellError("internal-error", `unknown device ${String(device)}`);
  }
}

/** What the engine says of its graphics cards. */
export interface LlamaGpu {
  readonly gpu: Llama["gpu"];
  getGpuDeviceNames(): Promise<readonly string[]>;
  getVramState(): Promise<{ readonly total: number; readonly free: number }>;
}

/** A GPU counts only with a device that has a name and memory: the name of the backend is no proof (E19). */
export async function lookAtGpu(llama: LlamaGpu, asked: Exclude<Gpu, false>): Promise<DeviceProbe> {
  const names = await llama.getGpuDeviceNames().catch((): readonly string[] => []);
  const memory = await llama.getVramState().catch(() => ({ total: 0, free: 0 }));
  if (llama.gpu !== asked || names.length === 0 || memory.total === 0) {
    return { ok: false, reason: "driver-missing", hint: `${engineName} has ${asked}, but found no device behind it` };
  }
  const label = names.join(", ");
  return {
    ok: true,
    label,
    isSoftware: isSoftwareAdapter(label),
    identity: `${engineName} ${engineVersion()}, ${label}, ${lookAtGraphics().identity}`,
    memoryBytes: memory.free,
  };
}

// --- Load ---

async function load(
  llama: Llama,
  modelPath: string,
  { onProgress, signal, mayDivide = false }: GgufOpenOptions,
  gpu: boolean,
): Promise<LlamaModel> {
  try {
    return await llama.loadModel({
      modelPath,
      gpuLayers: !gpu ? 0 : mayDivide ? "auto" : "max",
      ...(signal === undefined ? {} : { loadSignal: signal }),
      // the last tenth is for the context and the first step
      ...(onProgress === undefined ? {} : { onLoadProgress: (share: number) => onProgress(share * 0.9) }),
    });
  } catch (cause) {
    if (signal?.aborted === true) throw abortedError();
    const text = cause instanceof Error ? cause.message : String(cause);
    if (/insufficient|not enough|out of memory|alloc/i.test(text)) throw memoryError("the model", cause);
    throw new SpellError("gguf-metadata", `${engineName} cannot load the model: ${text}`, { where: modelPath, cause });
  }
}

function memoryError(what: string, cause: unknown): SpellError {
  return new SpellError("device-memory", `no memory for ${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
}

function reportDevice(
  llama: Llama,
  model: LlamaModel,
  choice: DeviceChoice,
): { readonly chosen: Device; readonly tried: readonly DeviceAttempt[]; readonly runtime: string } {
  const chosen: Device = llama.gpu !== false && model.gpuLayers > 0 ? llama.gpu : "cpu";
  if (choice !== "auto" && choice !== "cpu" && chosen === "cpu") {
    throw new SpellError("device-memory", `${choice}: no layer of the model fits on the device`, { commands: ["llmspell doctor"] });
  }
  return { chosen, tried: [{ device: chosen, ok: true, reason: "ok", runtime: engineName }], runtime: engineName };
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
  throw new SpellError(
    "run-nan",
    `the first step gave ${Number.isFinite(confidence) ? "the same number for every token" : "no finite numbers"}`,
  );
}

/** Probability of the likeliest token after this one; NaN where the numbers are broken. */
async function confidenceAfter(sequence: LlamaContextSequence, token: Token): Promise<number> {
  const [output] = await sequence.controlledEvaluate([
    [token, { generateNext: { token: true, confidence: true, options: { temperature: 0 } } }],
  ]);
  return output?.next.token == null ? Number.NaN : (output.next.confidence ?? Number.NaN);
}

async function chooseThreads(
  llama: Llama,
  sequence: LlamaContextSequence,
  asked: number,
  modelBytes: number,
  { batchSize, contextLength }: GgufOpenOptions,
  gpu: boolean,
): Promise<ThreadChoice> {
  if (asked > 0) return { prompt: asked, decode: asked, origin: "asked" };
  const candidates = threadCandidates();
  if (candidates.length === 1 || gpu) return { prompt: candidates.at(-1) ?? 1, decode: 1, origin: "default" };
  const key = threadKey(engineName, engineVersion(), modelBytes);
  const cached = readThreadCache(key);
  if (cached !== undefined) return { ...cached, origin: "cached" };
  const measured = await measureThreads(
    candidates,
    threadProbe(llama, sequence, Math.min(batchSize, contextLength - 1, probePromptTokens)),
    measureBudgetMs,
  );
  await sequence.clearHistory();
  writeThreadCache(key, measured);
  return { prompt: measured.prompt, decode: measured.decode, origin: "measured" };
}

/** Which tokens they are does not change what they cost. */
function threadProbe(llama: Llama, sequence: LlamaContextSequence, promptTokens: number): ThreadProbe {
  const token = 1 as Token;
  const time = async (threads: number, work: () => Promise<void>): Promise<number> => {
    llama.maxThreads = threads;
    const started = performance.now();
    await work();
    const ms = performance.now() - started;
    await sequence.clearHistory();
    return ms;
  };
  return {
    prompt: (threads) => time(threads, () => sequence.evaluateWithoutGeneratingNewTokens(Array<Token>(promptTokens).fill(token))),
    decode: (threads, limitMs) =>
      time(threads, async () => {
        const started = performance.now();
        let steps = 0;
        for await (const _ of sequence.evaluate([token], { temperature: 0, yieldEogToken: true })) {
          steps += 1;
          if (steps === probeSteps || performance.now() - started > limitMs) break;
        }
      }),
  };
}

// --- Generate ---

interface Engine {
  readonly llama: Llama;
  readonly model: LlamaModel;
  readonly context: LlamaContext;
  readonly sequence: LlamaContextSequence;
  readonly threads: ThreadChoice;
  readonly contextLength: number;
  readonly batchSize: number;
}

async function* generate(engine: Engine, prompt: string, options: GgufGenerateOptions): AsyncGenerator<ModelPiece, void, undefined> {
  const { llama, model, sequence, threads, contextLength, batchSize } = engine;
  const { signal, sampling } = options;
  const throwIfAborted = (): void => {
    if (signal?.aborted === true) throw abortedError();
  };
  throwIfAborted();
  const tokens = tokenizePrompt(model, prompt);
  const promptTokens = tokens.length;
  if (promptTokens > contextLength) {
    throw new SpellError("run-context", `the prompt has ${promptTokens} tokens; the context holds ${contextLength}`, {
      where: "prompt",
      details: { promptTokens, contextLength },
    });
  }
  const mostTokens = Math.min(options.maxTokens, contextLength - promptTokens);
  const started = performance.now();
  let completionTokens = 0;
  let firstAt = started;
  let cachedTokens = 0;
  const end = (finishReason: "stop" | "length"): ModelPiece => {
    const now = performance.now();
    const prefillMs = completionTokens === 0 ? now - started : firstAt - started;
    return {
      type: "end",
      finishReason,
      promptTokens,
      cachedTokens,
      completionTokens,
      prefillMs,
      decodeMs: completionTokens === 0 ? 0 : now - firstAt,
    };
  };
  if (mostTokens <= 0 || promptTokens === 0) {
    yield end("length");
    return;
  }

  try {
    cachedTokens = await keepPrefix(sequence, tokens);
    let next = cachedTokens;
    // A few tokens behave like a step of decoding: helpers cost per layer, not per token.
    llama.maxThreads = promptTokens - next < shortPrompt ? threads.decode : threads.prompt;
    // Batch by batch, so that an abort is seen between two of them; the last one goes into the loop below, which samples after it.
    for (; promptTokens - next > batchSize; next += batchSize) {
      await sequence.evaluateWithoutGeneratingNewTokens(tokens.slice(next, next + batchSize));
      throwIfAborted();
    }

    const history = [...tokens];
    const text = createDetokenizer(model, tokens.slice(-4));
    const stopped = createStopWatch(options.stop);
    let repeats = 0;
    for await (const token of sequence.evaluate(tokens.slice(next), {
      ...toEvaluateOptions(sampling, history, contextLength),
      yieldEogToken: true,
    })) {
      completionTokens += 1;
      if (completionTokens === 1) {
        firstAt = performance.now();
        // takes effect with the next step
        llama.maxThreads = threads.decode;
      }
      throwIfAborted();
      if (model.isEogToken(token)) {
        yield* toText(text.flush());
        yield end("stop");
        return;
      }
      repeats = token === history.at(-1) ? repeats + 1 : 0;
      if (repeats === suspiciousRepeats) await checkStep(sequence, token);
      history.push(token);
      const piece = text.push(token);
      yield* toText(piece);
      const isStopped = stopped(piece);
      if (isStopped || completionTokens >= mostTokens) {
        if (!isStopped) yield* toText(text.flush());
        yield end(isStopped ? "stop" : "length");
        return;
      }
    }
    throw new SpellError("run-crash", `${engineName} ended without an end token`);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    if (text === "Failed to sample next token")
      throw new SpellError("run-nan", "no token could be chosen from the model's numbers", { cause: error });
    throw toSpellError(error, "run-crash", engineName);
  }
}

function* toText(text: string): Generator<ModelPiece> {
  if (text !== "") yield { type: "text", text };
}

/** Special tokens in the text are read as such. Begin-of-sequence comes once: from the text, or else from here where the model wants one. */
function tokenizePrompt(model: LlamaModel, prompt: string): Token[] {
  const tokens = model.tokenize(prompt, true);
  const { bos, shouldPrependBosToken } = model.tokens;
  if (shouldPrependBosToken && bos !== null && tokens[0] !== bos) tokens.unshift(bos);
  return tokens;
}

/** Takes back whatever differs. @returns how many tokens of the prompt stay computed; the last one never does, since its numbers are needed */
async function keepPrefix(sequence: LlamaContextSequence, tokens: readonly Token[]): Promise<number> {
  await sequence.adaptStateToTokens(tokens.slice(0, -1), false);
  // Some families cannot take back a part; then the engine took back more.
  return sequence.nextTokenIndex;
}

/** So many equal tokens in a row are what broken numbers look like; they may be honest too, hence the look. */
const suspiciousRepeats = 16;

/** @throws SpellError run-nan where the step after this token gives no numbers */
async function checkStep(sequence: LlamaContextSequence, token: Token): Promise<void> {
  const start = sequence.nextTokenIndex;
  const confidence = await confidenceAfter(sequence, token);
  await sequence.eraseContextTokenRanges([{ start, end: start + 1 }]);
  if (!Number.isFinite(confidence)) throw new SpellError("run-nan", "the model gives no finite numbers any more");
}

/**
 * Options by their names there. The engine's own chain is penalties, top_k, top_p, min_p, temperature, draw.
 * The penalties look at the last tokens of prompt and answer together, as llama.cpp's server does.
 */
function toEvaluateOptions(
  sampling: GgufSampling,
  history: readonly Token[],
  contextLength: number,
): Parameters<LlamaContextSequence["evaluate"]>[1] {
  const { temperature, topK, topP, minP, repeatPenalty, repeatLastN, presencePenalty, frequencyPenalty, seed } = sampling;
  const window = repeatLastN < 0 ? contextLength : repeatLastN;
  const isPenalized = window > 0 && (repeatPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0);
  return {
    temperature,
    topK,
    topP,
    minP,
    // llama.cpp takes the largest 32-bit number for "draw a seed yourself"
    seed: Math.min(seed, 0xffff_fffe),
    ...(isPenalized
      ? {
          repeatPenalty: {
            penalty: repeatPenalty,
            presencePenalty,
            frequencyPenalty,
            maxPunishTokens: window,
            punishTokens: () => history.slice(-window),
          },
        }
      : {}),
  };
}

/** Tokens to text, holding back what is not yet a whole character. One call of the engine for most tokens. */
function createDetokenizer(
  model: LlamaModel,
  before: readonly Token[],
): { readonly push: (token: Token) => string; readonly flush: () => string } {
  // Tokens whose text is out, and that text: those before a token decide whether it begins with a space.
  let shown: Token[] = [...before];
  let shownText = model.detokenize(shown);
  let held: Token[] = [];
  const take = (text: string): void => {
    const all = [...shown, ...held];
    held = [];
    const isLong = all.length > 16;
    shown = isLong ? all.slice(-4) : all;
    shownText = isLong || !text.startsWith(shownText) ? model.detokenize(shown) : text;
  };
  const newPart = (text: string): string => (text.startsWith(shownText) ? text.slice(shownText.length) : model.detokenize(held));
  return {
    push(token) {
      held.push(token);
      const text = model.detokenize([...shown, ...held]);
      const piece = newPart(text);
      if (piece.endsWith("\ufffd") && held.length < maxHeldTokens) return "";
      take(text);
      return piece;
    },
    flush() {
      if (held.length === 0) return "";
      const text = model.detokenize([...shown, ...held]);
      const piece = newPart(text);
      take(text);
      return piece;
    },
  };
}

/** @returns tells, piece by piece, whether one of the strings has been completed */
function createStopWatch(stop: readonly string[]): (piece: string) => boolean {
  const longest = stop.reduce((length, text) => Math.max(length, text.length), 0);
  let tail = "";
  return (piece) => {
    if (longest === 0 || piece === "") return false;
    const seen = tail + piece;
    tail = seen.slice(-(longest - 1) || seen.length);
    return stop.some((text) => seen.includes(text));
  };
}

/**
 * OnnxRuntime over the interface that onnxruntime-node and onnxruntime-web share (onnxruntime-common). Imports neither: the host hands in the
 * module, and says how this build finds weights. Used in Node and in browsers.
 */
import { type ErrorCode, messageOf, SpellError, throwIfAborted } from "../../core/errors.ts";
import { OnnxGraphBuilder } from "../../core/onnx/graph-builder.ts";
import { isGpu } from "../../core/spec/devices.ts";
import type {
  ExternalLocation,
  OnnxData,
  OnnxDtype,
  OnnxGraph,
  OnnxModel,
  OnnxOpenOptions,
  OnnxRuntime,
  OnnxTensor,
  TensorMemory,
  WeightRange,
} from "../../core/spec/onnx.ts";
import type { Device } from "../../core/spec/runtime.ts";
import { onceFor } from "../../core/values.ts";
import { type LateRead, lateBytes, widen } from "./late-bytes.ts";

/** What is used of onnxruntime-common; the two packages each bring their own copy of its types. */
export interface OrtModule {
  readonly Tensor: {
    new (type: string, data: never, dims: readonly number[]): OrtTensor;
    fromGpuBuffer?(
      buffer: unknown,
      options: {
        readonly dataType: "float32";
        readonly dims: readonly number[];
        readonly download: () => Promise<Float32Array>;
        readonly dispose: () => void;
      },
    ): OrtTensor;
  };
  readonly InferenceSession: {
    create(model: Uint8Array, options: Readonly<Record<string, unknown>>): Promise<OrtSession>;
  };
}

/** onnxruntime-web, whose settings are the module's. */
export interface WebOrtModule extends OrtModule {
  readonly env: { readonly wasm: { numThreads?: number | undefined; wasmPaths?: unknown }; logLevel?: string | undefined };
}

export interface OrtTensor {
  readonly type: string;
  readonly dims: readonly number[];
  readonly location: string;
  readonly data: unknown;
  /** where the location is "gpu-buffer" */
  readonly gpuBuffer?: unknown;
  getData(): Promise<unknown>;
  dispose(): void;
}

export interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OrtTensor>>, outputs?: readonly string[]): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}

/** Where the weights of one graph are to be found: fits one session. */
export interface WeightPlacement {
  readonly locate: (weight: WeightRange) => ExternalLocation;
  /** Session options that make the engine find them. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** The engine on another thread. */
export interface ApartOrt {
  readonly ort: OrtModule;
  /** whether these weights need not be handed over */
  fits(weights: readonly WeightRange[]): boolean;
}

export interface OrtHost extends Pick<OnnxRuntime, "name" | "device" | "reads16Bit" | "widens" | "fastBlocks" | "columnLimit"> {
  readonly ort: OrtModule;
  readonly apart?: ApartOrt | undefined;
  /** As the engine calls it: "cpu", "wasm", "webgpu", "cuda"; or that with options of its own. */
  readonly executionProvider: string | { readonly name: string };
  /** Whether tensors may stay on the device between runs, under this name of a location. */
  readonly keptLocation?: "gpu-buffer" | undefined;
  /** How kept tensors are read: by themselves, or through a graph of one node, because asking them ends the process (onnxruntime-node 1.30.0). */
  readonly readsKept?: "by-graph" | undefined;
  /** Whether a pass must hand out all outputs where some are kept (onnxruntime-node 1.30.0 counts them). */
  readonly handsOutAll?: boolean | undefined;
  /** The device they are kept on, where the engine shares it. */
  readonly gpu?: GpuMemory | undefined;
  /** Resolves with the reason when the device is gone. Calls under way may then never answer, or answer with zeros. */
  readonly lost?: Promise<string> | undefined;
  /** @returns the number of threads a session gets */
  readonly clampThreads: (threads: number) => number;
  /** @throws SpellError onnx-external, device-memory, run-aborted */
  readonly place: (weights: readonly WeightRange[], signal: AbortSignal | undefined) => Promise<WeightPlacement>;
  /** Entries for `extra.session`. */
  readonly sessionEntries?: Readonly<Record<string, string>> | undefined;
  /** More of them, for a session that is opened while another one is. */
  readonly besideEntries?: Readonly<Record<string, string>> | undefined;
}

/** What is used of a GPUBuffer. */
interface GpuBuffer {
  mapAsync(mode: number): Promise<unknown>;
  getMappedRange(): ArrayBuffer;
  destroy(): void;
}

/** What is used of a GPUDevice. */
export interface GpuMemory {
  createBuffer(options: { readonly size: number; readonly usage: number }): GpuBuffer;
  createCommandEncoder(): {
    copyBufferToBuffer(from: GpuBuffer, fromOffset: number, to: GpuBuffer, toOffset: number, size: number): void;
    finish(): unknown;
  };
  readonly queue: { submit(commands: readonly unknown[]): void };
}

/** Of GPUBufferUsage and GPUMapMode. */
const gpuUse = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, storage: 0x80, readMode: 0x1 } as const;

/** Copies go through the queue of the engine's own device, between its passes. */
function gpuMemory(ort: OrtModule, gpu: GpuMemory, wrap: (tensor: OrtTensor) => Wrapped<"float32">): TensorMemory {
  const { fromGpuBuffer } = ort.Tensor;
  if (fromGpuBuffer === undefined) throw new SpellError("internal-error", "this build of ONNX Runtime takes no buffers of a device");
  const submit = (copy: (encoder: ReturnType<GpuMemory["createCommandEncoder"]>) => void): void => {
    const encoder = gpu.createCommandEncoder();
    copy(encoder);
    gpu.queue.submit([encoder.finish()]);
  };
  const download = async (from: GpuBuffer, bytes: number): Promise<Float32Array> => {
    const to = gpu.createBuffer({ size: bytes, usage: gpuUse.mapRead | gpuUse.copyTarget });
    submit((encoder) => encoder.copyBufferToBuffer(from, 0, to, 0, bytes));
    await to.mapAsync(gpuUse.readMode);
    const values = new Float32Array(to.getMappedRange().slice(0));
    to.destroy();
    return values;
  };
  return {
    zeros(shape) {
      const bytes = 4 * shape.reduce((product, length) => product * length, 1);
      const size = Math.max(16, Math.ceil(bytes / 16) * 16);
      const buffer = gpu.createBuffer({ size, usage: gpuUse.copySource | gpuUse.copyTarget | gpuUse.storage });
      const options = {
        dataType: "float32",
        dims: shape,
        download: () => download(buffer, bytes),
        dispose: () => buffer.destroy(),
      } as const;
      return wrap(fromGpuBuffer.call(ort.Tensor, buffer, options));
    },
    copy(copies) {
      submit((encoder) => {
        for (const { from, to, pieces } of copies) {
          const [source, target] = [from, to].map((tensor) => (tensor as Wrapped<"float32">).tensor.gpuBuffer as GpuBuffer);
          for (const { from: at, to: place, length } of pieces) {
            if (length > 0) encoder.copyBufferToBuffer(source as GpuBuffer, 4 * at, target as GpuBuffer, 4 * place, 4 * length);
          }
        }
      });
    },
  };
}

/** @returns the runtime of one device */
export function ortRuntime(host: OrtHost): OnnxRuntime {
  const readKept = host.readsKept === "by-graph" ? createReader(host) : (tensor: OrtTensor) => tensor.getData();
  const wrap = <D extends OnnxDtype>(tensor: OrtTensor): Wrapped<D> => ({
    dtype: tensor.type as D,
    shape: tensor.dims,
    tensor,
    local: tensor.location === "cpu" ? (tensor.data as OnnxData<D>) : undefined,
    read: async () =>
      (tensor.location === "cpu" ? tensor.data : await whileThere(host, readKept(tensor), (values) => [values])) as OnnxData<D>,
    release() {
      if (tensor.location !== "cpu") tensor.dispose();
    },
  });

  const { name, device, reads16Bit, widens, fastBlocks, columnLimit, apart } = host;
  return {
    ...(apart !== undefined && { opensApart: ({ weights }) => apart.fits(weights) }),
    name,
    device,
    reads16Bit,
    widens,
    fastBlocks,
    columnLimit,
    // the WebGPU build has no kernel for it (1.30.0)
    fusedProducts: device !== "webgpu",
    keepsOutputs: host.keptLocation !== undefined,
    deviceMemory: host.gpu && gpuMemory(host.ort, host.gpu, wrap),
    tensor(dtype, data, shape) {
      const wanted = shape.reduce((product, length) => product * length, 1);
      if (data.length !== wanted) {
        throw new SpellError("internal-error", `a tensor of shape [${shape.join(", ")}]: expected ${wanted} values, got ${data.length}`);
      }
      return wrap(new host.ort.Tensor(dtype, data as never, shape));
    },
    async open(model, options) {
      throwIfAborted(options.signal);
      const threads = host.clampThreads(options.threads);
      const own = options.beside === "apart" && apart !== undefined ? { ...host, ort: apart.ort } : host;
      const session = await createSession(own, model, options, threads);
      try {
        throwIfAborted(options.signal);
      } catch (error) {
        await inTurn(own.ort, () => session.release());
        throw error;
      }
      return createGraph(own, session, threads, wrap);
    },
  };
}

/**
 * The answer of a device, where it is still there: a lost one may never answer, or answer with zeros before its end is told.
 * @param valuesOf the numbers of an answer that are in this memory
 * @throws SpellError device-lost
 */
async function whileThere<T>({ device, lost }: OrtHost, work: Promise<T>, valuesOf: (answer: T) => readonly unknown[]): Promise<T> {
  if (lost === undefined) return work;
  const gone = lost.then((reason): never => {
    throw new SpellError("device-lost", `${device} is gone: ${reason}`);
  });
  gone.catch(() => undefined);
  const answer = await Promise.race([gone, work]);
  if (valuesOf(answer).some(isAllZero)) await Promise.race([gone, new Promise((resolve) => setTimeout(resolve, zerosWaitMs))]);
  return answer;
}

/** Zeros are waited out this long for the news that their device is gone; no model of ours scores everything zero. */
const zerosWaitMs = 100;

function isAllZero(values: unknown): boolean {
  return values instanceof Float32Array && values.length > 0 && values.every((value) => value === 0);
}

/** Reads values on the device as the output of a graph that only hands them on. */
function createReader(host: OrtHost): (tensor: OrtTensor) => Promise<unknown> {
  const open = onceFor((rank: number) => {
    const shape = Array.from({ length: rank }, (_, axis) => `d${axis}`);
    const graph = new OnnxGraphBuilder("read");
    graph.input("x", "float32", shape);
    graph.node("Identity", ["x"], { output: "y" });
    graph.output("y", "float32", shape);
    return createSession({ ...host, place: placeInMemory }, graph.toModel(), { threads: 1 }, 1);
  });
  return async (tensor) => {
    const session = await open(tensor.dims.length);
    const { y } = await inTurn(host.ort, () => session.run({ x: tensor }));
    return y?.data;
  };
}

type Wrapped<D extends OnnxDtype> = OnnxTensor<D> & { readonly tensor: OrtTensor };

async function createSession(host: OrtHost, model: OnnxModel, options: OnnxOpenOptions, threads: number): Promise<OrtSession> {
  const placement = await host.place(model.weights, options.signal);
  const bytes = model.encode(placement.locate);
  const kept = host.keptLocation;
  const { extra, ...placed } = placement.options as {
    readonly extra?: { readonly session?: Readonly<Record<string, string>> | undefined } | undefined;
  };
  try {
    const session = {
      executionProviders: [host.executionProvider],
      // The looking takes a fifth of a load in WebAssembly, 10 ms natively, and such graphs are no faster for it (docs/benchmarks-history.md).
      graphOptimizationLevel: options.asWritten === true && !isGpu(host.device) ? "disabled" : "all",
      executionMode: "sequential",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      // what fails comes as an exception; its own lines on stderr would only repeat it
      logSeverityLevel: 4,
      ...placed,
      extra: {
        session: {
          ...extra?.session,
          ...host.sessionEntries,
          ...(options.beside === undefined ? {} : host.besideEntries),
          ...(options.lowMemory === true ? { disable_prepacking: "1" } : {}),
        },
      },
      ...(kept === undefined || options.keepOnDevice === undefined
        ? {}
        : { preferredOutputLocation: Object.fromEntries(options.keepOnDevice.map((name) => [name, kept])) }),
    };
    return await inTurn(host.ort, () => host.ort.InferenceSession.create(bytes, session));
  } catch (error) {
    throw openError(error, host);
  }
}

/** The call that each engine is in, or was last. */
const turns = new WeakMap<OrtModule, Promise<unknown>>();

/**
 * One call at a time, over all sessions of one engine. The WebGPU build leaves its calls in the middle to wait for the card; entered
 * meanwhile, it refuses every later session. And sessions that are being created share one table of weights, by name.
 */
function inTurn<T>(ort: OrtModule, work: () => Promise<T>): Promise<T> {
  const result = (turns.get(ort) ?? Promise.resolve()).then(work);
  turns.set(
    ort,
    result.catch(() => undefined),
  );
  return result;
}

function createGraph(
  host: OrtHost,
  session: OrtSession,
  threads: number,
  wrap: <D extends OnnxDtype>(tensor: OrtTensor) => Wrapped<D>,
): OnnxGraph {
  let closed = false;
  /** Why no further pass may start. A pass that failed on a card leaves the session in pieces: the next one has been seen to hang. */
  let broken: SpellError | undefined;
  let running: Promise<unknown> = Promise.resolve();
  return {
    device: host.device,
    threads,
    inputs: session.inputNames,
    outputs: session.outputNames,
    async run(feeds, outputs = session.outputNames) {
      if (closed) throw new SpellError("run-closed", "the graph was disposed");
      if (broken?.code === "device-lost") throw broken;
      if (broken !== undefined) {
        throw new SpellError("run-crash", `an earlier pass failed on ${host.device}; open the graph anew (${broken.message})`, {
          cause: broken,
        });
      }
      const missing = session.inputNames.filter((name) => feeds[name] === undefined);
      if (missing.length > 0) {
        throw new SpellError("run-option", `the graph needs the inputs ${session.inputNames.join(", ")}; missing: ${missing.join(", ")}`, {
          where: missing[0] ?? "",
        });
      }
      const tensors = Object.fromEntries(session.inputNames.map((name) => [name, (feeds[name] as Wrapped<OnnxDtype>).tensor]));
      const run = whileThere(
        host,
        inTurn(host.ort, () => session.run(tensors, host.handsOutAll === true ? session.outputNames : outputs)),
        (answer) => Object.values(answer).map((tensor) => (tensor.location === "cpu" ? tensor.data : undefined)),
      );
      running = run.catch(() => undefined);
      try {
        const answer = Object.entries(await run).map(([name, tensor]) => [name, wrap(tensor)] as const);
        for (const [name, tensor] of answer) if (!outputs.includes(name)) tensor.release();
        return Object.fromEntries(answer.filter(([name]) => outputs.includes(name)));
      } catch (error) {
        const failure = runError(error, host);
        // Feeds are checked before anything is computed.
        if (host.keptLocation !== undefined && failure.code !== "run-option") broken = failure;
        throw failure;
      }
    },
    async dispose() {
      if (closed) return;
      closed = true;
      // A session must not be freed under a pass that computes with it. One on a lost device is left alone: its calls may never end.
      await running;
      if (broken?.code !== "device-lost") await inTurn(host.ort, () => session.release());
    },
  };
}

const memoryWords =
  /bad_?alloc|out of memory|failed to allocate|cannot allocate|allocation (size|failed)|memory access out of bounds|Array buffer allocation|shape is too large|exceeds the max buffer size|SafeIntOnOverflow/i;

/** What an engine's own words mean: the first pattern that fits. */
type Meaning = readonly [pattern: RegExp, code: ErrorCode, message: string];

function engineError(error: unknown, device: Device, meanings: readonly Meaning[], otherwise: readonly [ErrorCode, string]): SpellError {
  if (error instanceof SpellError) return error;
  const text = shortMessageOf(error);
  const [, code, message] = meanings.find(([pattern]) => pattern.test(text)) ?? [undefined, ...otherwise];
  return new SpellError(code, `${message}: ${text}`, { cause: error, details: { device } });
}

function openError(error: unknown, { name, device }: OrtHost): SpellError {
  const meanings: readonly Meaning[] = [
    [memoryWords, "device-memory", `the model does not fit into the memory ${name} can use`],
    [/external data|external initializer|external_data/i, "onnx-external", `${name} does not find the weights of the graph`],
    [
      /backend not found|no available backend|WebGPU adapter|execution provider|providers? .*not/i,
      "device-unavailable",
      `${name} does not run on ${device} here`,
    ],
  ];
  return engineError(error, device, meanings, ["onnx-parse", `${name} does not accept the graph`]);
}

function runError(error: unknown, { name, device }: OrtHost): SpellError {
  const badInput = /invalid (dimension|rank|feed|input)|Got invalid dimensions|Unexpected input data type|INVALID_ARGUMENT/i;
  const meanings: readonly Meaning[] = [
    [memoryWords, "device-memory", `${name} ran out of memory`],
    [badInput, "run-option", "an input does not fit the graph"],
  ];
  const lost: Meaning = [/lost/i, "device-lost", "the device was lost"];
  return engineError(error, device, device === "webgpu" ? [lost, ...meanings] : meanings, ["run-crash", `${name} failed`]);
}

function shortMessageOf(error: unknown): string {
  const text = messageOf(error);
  return text.length > 600 ? `${text.slice(0, 600)}…` : text;
}

/**
 * Weights handed over in memory, one entry for each: works in every build, and for weights from anywhere.
 * @param readLate how the bytes of a weight are read when the engine asks for them, where that is possible
 * @throws SpellError onnx-external, device-memory where they pass `mostBytes`
 */
export async function placeInMemory(
  weights: readonly WeightRange[],
  signal: AbortSignal | undefined,
  mostBytes: number = Number.POSITIVE_INFINITY,
  readLate: (weight: WeightRange) => LateRead | undefined = () => undefined,
): Promise<WeightPlacement> {
  const total = weights.reduce((sum, { length }) => sum + length, 0);
  if (total > mostBytes) {
    throw new SpellError("device-memory", `the weights take ${megabytes(total)} MB; this build holds ${megabytes(mostBytes)} MB`, {
      details: { neededBytes: total, availableBytes: mostBytes },
    });
  }
  for (const weight of weights) checkInFile(weight);
  const externalData: { readonly path: string; readonly data: Uint8Array }[] = [];
  // Several at a time: each reading waits for another process, or for a server.
  for (let at = 0; at < weights.length; at += readsAtOnce) {
    const some = weights.slice(at, at + readsAtOnce).map(async (weight) => {
      const late = readLate(weight);
      return { path: weight.name, data: late === undefined ? await bytesOf(weight, signal) : lateBytes(weight, late) };
    });
    externalData.push(...(await Promise.all(some)));
  }
  return { locate: ({ name, length }) => ({ location: name, offset: 0, length }), options: { externalData } };
}

const readsAtOnce = 6;

async function bytesOf({ name, length, file, make }: WeightRange, signal: AbortSignal | undefined): Promise<Uint8Array> {
  throwIfAborted(signal);
  if (file === undefined && make === undefined) throw new SpellError("internal-error", `weight ${name} has neither a file nor a maker`);
  const bytes = file === undefined ? await (make as () => Promise<Uint8Array>)() : await readWeight(name, length, file, signal);
  if (bytes.byteLength !== length) {
    throw new SpellError("onnx-external", `weight ${name}: expected ${length} bytes, got ${bytes.byteLength}`, { where: name });
  }
  return bytes;
}

/** Errors of a source become errors of a weight; aborts and errors of the network stay what they are. */
async function readWeight(
  name: string,
  length: number,
  { source, offset, stored }: NonNullable<WeightRange["file"]>,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  try {
    return stored === undefined ? await source.read(offset, length, signal) : widen(await source.read(offset, length / 2, signal), stored);
  } catch (cause) {
    if (cause instanceof SpellError && (cause.code === "run-aborted" || cause.code === "run-closed" || cause.code.startsWith("net-")))
      throw cause;
    const message = `weight ${name}: expected ${length} bytes at byte ${offset} of ${source.name}, got: ${shortMessageOf(cause)}`;
    throw new SpellError("onnx-external", message, { where: name, cause });
  }
}

/** Whether a weight that lies in a file ends before the file does. @throws SpellError onnx-external */
export function checkInFile({ name, length: bytes, file }: WeightRange): void {
  if (file === undefined) return;
  const { offset, source, stored } = file;
  const length = stored === undefined ? bytes : bytes / 2;
  const sane = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (sane && length <= source.size - offset) return;
  const message = `weight ${name}: expected ${length} bytes at byte ${offset} of ${source.name}, which ends at byte ${source.size}`;
  throw new SpellError("onnx-external", message, { where: name });
}

function megabytes(bytes: number): string {
  return Math.ceil(bytes / 1e6).toLocaleString("en-US");
}

/** Vectors and scores over a handle, and a fresh start after a crash or a lost device. Calls come one at a time: the pool queues them. */
import { closedError, SpellError } from "../errors.ts";
import { type ByteSource, totalSize } from "../formats/byte-source.ts";
import { isGpu } from "../spec/devices.ts";
import type { EmbedPrefixes } from "../spec/embedding-model.ts";
import type {
  Device,
  DeviceReport,
  EncoderUse,
  GgufOpenOptions,
  ModelEmbedOptions,
  ModelHandle,
  Seq2SeqOpenOptions,
} from "../spec/runtime.ts";
import { countRestarts } from "../text/restarts.ts";
import type { EmbedPart, NotePart, ScorePart } from "./collect.ts";

export interface EncoderParts<P> {
  readonly id: string;
  readonly architecture: string;
  readonly files: readonly ByteSource[];
  readonly runtime: { open(files: readonly ByteSource[], options: P): Promise<ModelHandle<never>> };
  readonly options: P;
  readonly prefixes: EmbedPrefixes;
  /** told once, with the first answer */
  readonly notes: readonly string[];
  readonly now: () => number;
}

export interface HandleEncoder {
  readonly id: string;
  readonly architecture: string;
  readonly sizeBytes: number;
  readonly contextLength: number;
  readonly device: DeviceReport;
  readonly dimensions: number;
  readonly countsTokens: boolean;
  readonly prefixes: EmbedPrefixes;
  embed(texts: readonly string[], options: ModelEmbedOptions): AsyncGenerator<EmbedPart, void, undefined>;
  rerank(query: string, texts: readonly string[], options: ModelEmbedOptions): AsyncGenerator<ScorePart, void, undefined>;
  dispose(): Promise<void>;
}

/**
 * Opens a model; it can do what it was opened for when this resolves.
 * @throws SpellError of the runtime's open()
 */
export async function openHandleEncoder<P extends GgufOpenOptions | Seq2SeqOpenOptions>(parts: EncoderParts<P>): Promise<HandleEncoder> {
  const { id, architecture, files, runtime, options, prefixes } = parts;
  const untold: NotePart[] = parts.notes.map((message) => ({ type: "warning", code: "file-note", message }));
  const countRestart = countRestarts(parts.now);
  const lost: Device[] = [];
  let closed = false;
  let handle = await runtime.open(files, options);
  for (const message of handle.fallbacks ?? []) untold.push({ type: "warning", code: "device-fallback", message });
  for (const message of handle.notes) untold.push({ type: "warning", code: "device-note", message });

  /** The engine may have died since the last call: then the model is opened again, a few times a minute at most. */
  const live = async (signal: AbortSignal | undefined): Promise<ModelHandle<never>> => {
    if (closed) throw closedError();
    if (handle.alive) return handle;
    countRestart();
    const { chosen } = handle.device;
    if (options.device === "auto" && isGpu(chosen)) lost.push(chosen);
    handle = await runtime.open(files, { ...options, onProgress: undefined, lost, signal });
    if (handle.device.chosen !== chosen) {
      untold.push({ type: "warning", code: "device-fallback", message: `${chosen} was lost; ${handle.device.chosen} computes instead` });
    }
    if (!closed) return handle;
    await handle.dispose();
    throw closedError();
  };

  const notOpened = (use: EncoderUse) => new SpellError("internal-error", `${id} was not opened to ${use}`);
  return {
    id,
    architecture,
    sizeBytes: totalSize(files),
    prefixes,
    get contextLength() {
      return handle.contextLength;
    },
    get device() {
      return handle.device;
    },
    get dimensions() {
      return handle.dimensions ?? 0;
    },
    get countsTokens() {
      return handle.countsTokens === true;
    },
    async *embed(texts, call) {
      const { embed } = await live(call.signal);
      if (embed === undefined) throw notOpened("embed");
      if (call.countOnly !== true) yield* untold.splice(0);
      yield* embed(texts, call);
    },
    async *rerank(query, texts, call) {
      const { rerank } = await live(call.signal);
      if (rerank === undefined) throw notOpened("rerank");
      yield* untold.splice(0);
      yield* rerank(query, texts, call);
    },
    async dispose() {
      closed = true;
      await handle.dispose();
    },
  };
}

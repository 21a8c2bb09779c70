/**
 * The two graphs at work: encode once, then step by step with a KV cache. Knows shapes and caches; which token to take is decided elsewhere.
 */
import type { OnnxGraph, OnnxModel, OnnxOpenOptions, OnnxRuntime, OnnxTensor } from "../spec/onnx.ts";
import type { T5Config } from "./config.ts";
import { decoderGraph, encoderGraph, kinds, names, rowsGraph } from "./graph.ts";
import { noNumbers } from "./sampling.ts";
import type { T5Weights } from "./weights.ts";

/** The opened model. */
export interface T5Session {
  readonly config: T5Config;
  readonly runtime: OnnxRuntime;
  readonly encoder: OnnxGraph;
  readonly decoder: OnnxGraph;
  /** Looks at several rows of scores at once (rateRows). */
  readonly rows: OnnxGraph;
  /** The decoder for this many answers at once; opened when it is first asked for, where it is another one. @throws SpellError of OnnxRuntime.open */
  readonly decoderFor: (answers: number) => Promise<OnnxGraph>;
  /** The decoder over smaller weights, to write ahead. */
  readonly drafter?: OnnxGraph | undefined;
  /** Frees all graphs; a second call does nothing. */
  dispose(): Promise<void>;
}

/** The weights of one model, in the form that suits each graph. */
export interface SessionWeights {
  readonly encoder: T5Weights;
  readonly decoder: T5Weights;
  /** Those of a decoder for many answers at once, where another form suits it. */
  readonly wide?: (() => Promise<T5Weights>) | undefined;
  /** Smaller ones: a second decoder over them writes ahead of greedy answers. */
  readonly draft?: T5Weights | undefined;
}

export interface SessionOptions extends Omit<OnnxOpenOptions, "keepOnDevice"> {
  /** called once half of the work is done */
  readonly onEncoder?: (() => void) | undefined;
}

/** Answers at once from which blocks are slower than columns (docs/benchmarks.md). */
export const leastWide = 4;

/**
 * Opens both graphs, the encoder first: what it needed to load is free again before the decoder's weights come.
 * @throws SpellError of OnnxRuntime.open
 */
export async function openT5Session(
  config: T5Config,
  { wide, draft, ...weights }: SessionWeights,
  runtime: OnnxRuntime,
  { onEncoder, ...common }: SessionOptions,
): Promise<T5Session> {
  const layers = Array.from({ length: config.numDecoderLayers }, (_, layer) => layer);
  const kept = (name: (layer: number, kind: "key" | "value") => string): string[] =>
    layers.flatMap((layer) => kinds.map((kind) => name(layer, kind)));
  const opened: OnnxGraph[] = [];
  const open = async (model: OnnxModel, outputs?: (layer: number, kind: "key" | "value") => string): Promise<OnnxGraph> => {
    const graph = await runtime.open(model, { ...common, keepOnDevice: outputs === undefined ? [] : kept(outputs) });
    opened.push(graph);
    return graph;
  };
  try {
    const encoder = await open(encoderGraph(config, weights.encoder), names.cross);
    onEncoder?.();
    const decoder = await open(decoderGraph(config, weights.decoder), names.present);
    const rows = await open(rowsGraph(config));
    const drafter = draft === undefined ? undefined : await open(decoderGraph(config, draft), names.present);
    let wideDecoder: Promise<OnnxGraph> | undefined;
    const openWide = async (from: () => Promise<T5Weights>): Promise<OnnxGraph> =>
      runtime.open(decoderGraph(config, await from()), { ...common, signal: undefined, keepOnDevice: kept(names.present) });
    return {
      config,
      runtime,
      encoder,
      decoder,
      rows,
      drafter,
      async decoderFor(answers) {
        if (wide === undefined || answers < leastWide) return decoder;
        wideDecoder ??= openWide(wide);
        wideDecoder.catch(() => {
          wideDecoder = undefined;
        });
        return wideDecoder;
      },
      async dispose() {
        const late = await wideDecoder?.catch(() => undefined);
        await Promise.all([...opened, ...(late === undefined ? [] : [late])].map((graph) => graph.dispose()));
      },
    };
  } catch (error) {
    for (const graph of opened) await graph.dispose();
    throw error;
  }
}

/**
 * @param logits f32 [rows, vocabSize]
 * @returns for each row the id of its largest score, and log Σ exp of all of them
 * @throws SpellError run-nan where a row holds what is no number
 */
export async function rateRows(
  { config, runtime, rows }: T5Session,
  logits: Float32Array,
): Promise<{ readonly best: readonly number[]; readonly totals: Float32Array }> {
  const shape = [logits.length / config.vocabSize, config.vocabSize];
  const { [names.best]: best, [names.total]: total } = await rows.run({ [names.logits]: runtime.tensor("float32", logits, shape) });
  const totals = await (total as OnnxTensor<"float32">).read();
  const wrong = totals.find((value) => !Number.isFinite(value));
  if (wrong !== undefined) throw noNumbers(wrong);
  return { best: Array.from(await (best as OnnxTensor<"int64">).read(), Number), totals };
}

/** What the decoder reads of an input; one or more inputs, padded on the right. */
export interface Encoded {
  readonly batch: number;
  /** f32 [batch, length, dModel]; released with the rest */
  readonly hidden: OnnxTensor<"float32">;
  readonly feeds: Readonly<Record<string, OnnxTensor>>;
  release(): void;
}

/** Only these inputs of a batch, in this order. The given one is released. */
export async function selectInputs({ runtime }: T5Session, encoded: Encoded, rows: readonly number[]): Promise<Encoded> {
  const pick = async (tensor: OnnxTensor): Promise<OnnxTensor> => {
    const shape = [rows.length, ...tensor.shape.slice(1)];
    const size = shape.slice(1).reduce((product, length) => product * length, 1);
    const from = await tensor.read();
    const to = from instanceof Float32Array ? new Float32Array(rows.length * size) : new BigInt64Array(rows.length * size);
    for (const [index, row] of rows.entries()) to.set(from.subarray(row * size, (row + 1) * size) as never, index * size);
    tensor.release();
    return to instanceof Float32Array ? runtime.tensor("float32", to, shape) : runtime.tensor("int64", to, shape);
  };
  const feeds: Record<string, OnnxTensor> = {};
  for (const [name, tensor] of Object.entries(encoded.feeds)) feeds[name] = await pick(tensor);
  const hidden = (await pick(encoded.hidden)) as OnnxTensor<"float32">;
  return {
    batch: rows.length,
    hidden,
    feeds,
    release() {
      for (const tensor of [hidden, ...Object.values(feeds)]) tensor.release();
    },
  };
}

/** @param inputs token ids of each input, end token included */
export async function encode({ config, runtime, encoder }: T5Session, inputs: readonly (readonly number[])[]): Promise<Encoded> {
  const batch = inputs.length;
  const length = Math.max(1, ...inputs.map((ids) => ids.length));
  const ids = new BigInt64Array(batch * length).fill(BigInt(config.padTokenId));
  const mask = new BigInt64Array(batch * length);
  inputs.forEach((input, row) => {
    input.forEach((id, column) => {
      ids[row * length + column] = BigInt(id);
      mask[row * length + column] = 1n;
    });
  });
  const maskTensor = runtime.tensor("int64", mask, [batch, length]);
  const { [names.hidden]: hidden, ...cross } = await encoder.run({
    [names.encoderIds]: runtime.tensor("int64", ids, [batch, length]),
    [names.encoderMask]: maskTensor,
  });
  return {
    batch,
    hidden: hidden as OnnxTensor<"float32">,
    feeds: { [names.crossMask]: maskTensor, ...cross },
    release() {
      hidden?.release();
      for (const tensor of Object.values(cross)) tensor.release();
    },
  };
}

/** Decoder keys and values of what was produced so far, for `batch` sequences of equal length. Owner of its tensors. */
export class DecoderState {
  readonly #session: T5Session;
  #encoded: Encoded;
  /** f32 [batch, numHeads, length, dKv] for each layer, key and value */
  #past: Readonly<Record<string, OnnxTensor<"float32">>>;
  #batch: number;
  #length = 0;

  /** @param batch sequences; several of them may read one input, else as many as inputs */
  constructor(session: T5Session, encoded: Encoded, batch: number) {
    this.#session = session;
    this.#encoded = encoded;
    this.#batch = batch;
    const { numHeads, dKv } = session.config;
    this.#past = this.#each(() => session.runtime.tensor("float32", new Float32Array(0), [batch, numHeads, 0, dKv]));
  }

  /** Tokens in the cache. */
  get length(): number {
    return this.#length;
  }

  get batch(): number {
    return this.#batch;
  }

  /**
   * Feeds the next tokens of each sequence.
   * @param ids row by row, the same number for each sequence
   * @returns scores of what follows each of them: f32 [batch, ids per sequence, vocabSize]
   */
  async step(ids: readonly number[]): Promise<Float32Array> {
    const { runtime, decoder } = this.#session;
    const each = ids.length / this.#batch;
    const { [names.logits]: logits, ...present } = await decoder.run({
      ...this.#encoded.feeds,
      ...this.#past,
      [names.decoderIds]: runtime.tensor("int64", BigInt64Array.from(ids, BigInt), [this.#batch, each]),
    });
    this.release();
    this.#past = this.#each((past, layer, kind) => (present[names.present(layer, kind)] ?? past) as OnnxTensor<"float32">);
    this.#length += each;
    const scores = await (logits as OnnxTensor<"float32">).read();
    logits?.release();
    return scores;
  }

  /** Forgets all but the first `length` tokens. */
  async truncate(length: number): Promise<void> {
    if (length === this.#length) return;
    const { numHeads, dKv } = this.#session.config;
    const rows = this.#batch * numHeads;
    const before = this.#length;
    await this.#replace([this.#batch, numHeads, length, dKv], (values) => {
      // every row moves to the left, so none is overwritten before it has moved
      for (let row = 0; row < rows; row += 1) values.copyWithin(row * length * dKv, row * before * dKv, (row * before + length) * dKv);
      return values.subarray(0, rows * length * dKv);
    });
    this.#length = length;
  }

  /** Goes on with these sequences, in this order: sequence i becomes a copy of what was sequence `order[i]`. */
  async reorder(order: readonly number[]): Promise<void> {
    const moved = order.flatMap((from, to) => (from === to ? [] : [{ from, to }]));
    if (order.length === this.#batch && moved.length === 0) return;
    const { numHeads, dKv } = this.#session.config;
    const size = numHeads * this.#length * dKv;
    const isSameSize = order.length === this.#batch;
    const taken = new Float32Array(isSameSize ? moved.length * size : 0);
    await this.#replace([order.length, numHeads, this.#length, dKv], (values) => {
      const row = (index: number): Float32Array => values.subarray(index * size, (index + 1) * size);
      if (!isSameSize) {
        const fresh = new Float32Array(order.length * size);
        for (const [to, from] of order.entries()) fresh.set(row(from), to * size);
        return fresh;
      }
      // What moves is taken out first: one sequence may be the source of one and the target of another.
      for (const [index, { from }] of moved.entries()) taken.set(row(from), index * size);
      for (const [index, { to }] of moved.entries()) row(to).set(taken.subarray(index * size, (index + 1) * size));
      return values;
    });
    this.#batch = order.length;
  }

  /** Goes on with these sequences only, where each reads an input of its own. The state then owns what it reads. */
  async keepRows(rows: readonly number[]): Promise<void> {
    this.#encoded = await selectInputs(this.#session, this.#encoded, rows);
    await this.reorder(rows);
  }

  /** Frees what a device holds of the sequences. */
  release(): void {
    for (const tensor of Object.values(this.#past)) tensor.release();
  }

  /** @param change gets values it may change, and returns them or others */
  async #replace(shape: readonly number[], change: (values: Float32Array) => Float32Array): Promise<void> {
    const old = this.#past;
    const fresh: Record<string, OnnxTensor<"float32">> = {};
    for (const [name, tensor] of Object.entries(old)) {
      fresh[name] = this.#session.runtime.tensor("float32", change(tensor.local ?? (await tensor.read())), shape);
    }
    this.release();
    this.#past = fresh;
  }

  #each(
    make: (before: OnnxTensor<"float32"> | undefined, layer: number, kind: "key" | "value") => OnnxTensor<"float32">,
  ): Record<string, OnnxTensor<"float32">> {
    const all: Record<string, OnnxTensor<"float32">> = {};
    for (let layer = 0; layer < this.#session.config.numDecoderLayers; layer += 1) {
      for (const kind of kinds) {
        const name = names.past(layer, kind);
        all[name] = make(this.#past?.[name], layer, kind);
      }
    }
    return all;
  }
}

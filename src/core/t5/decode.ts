/**
 * The two graphs at work: encode once, then step by step with a KV cache. Knows shapes and caches; which token to take is decided elsewhere.
 */

import { noNumbers } from "../sampling.ts";
import type { OnnxGraph, OnnxModel, OnnxOpenOptions, OnnxRuntime, OnnxTensor } from "../spec/onnx.ts";
import { once } from "../values.ts";
import { cacheOutputs, createCache, type DecoderCache, joiningOn } from "./cache.ts";
import type { T5Config } from "./config.ts";
import { decoderGraph, encoderGraph, names, namesOf, rowsGraph } from "./graph.ts";
import { TokenTable } from "./token-table.ts";
import type { T5Weights } from "./weights.ts";
import { createWorth, type Worth } from "./worth.ts";

/** The opened model. */
export interface T5Session {
  readonly config: T5Config;
  readonly runtime: OnnxRuntime;
  readonly encoder: OnnxGraph;
  readonly decoder: OnnxGraph;
  /** Where tokens are looked up outside of the graphs. */
  readonly table?: TokenTable | undefined;
  /** Looks at several rows of scores at once (rateRows). */
  readonly rows: OnnxGraph;
  /** The decoder for this many answers at once; opened when it is first asked for, where it is another one. @throws SpellError of OnnxRuntime.open */
  readonly decoderFor: (answers: number) => Promise<OnnxGraph>;
  /** To write ahead. */
  readonly drafter?: Drafter | undefined;
  /** Frees all graphs; a second call does nothing. */
  dispose(): Promise<void>;
}

/** The decoder over smaller weights. */
export interface Drafter {
  readonly graph: OnnxGraph;
  /** of all answers so far */
  readonly worth: Worth;
  /** milliseconds, monotonic */
  readonly now: () => number;
}

/** The weights of one model, in the form that suits each graph. */
export interface SessionWeights {
  readonly encoder: T5Weights;
  readonly decoder: T5Weights;
  /** Those of a decoder for many answers at once, where another form suits it. */
  readonly wide?: (() => Promise<T5Weights>) | undefined;
  /** Whether an engine lays them out anew as it opens a graph, which takes most of a load: then it is worth a thread for each. */
  readonly laidOut?: boolean | undefined;
  /** Smaller ones: a second decoder over them writes ahead of greedy answers. */
  readonly draft?: T5Weights | undefined;
}

export interface SessionOptions extends Omit<OnnxOpenOptions, "keepOnDevice" | "asWritten" | "beside"> {
  /** milliseconds, monotonic: what a draft is judged by */
  readonly now?: (() => number) | undefined;
  /** called once half of the work is done */
  readonly onHalf?: (() => void) | undefined;
}

/** Answers at once from which blocks are slower than columns (docs/benchmarks-history.md). */
export const leastWide = 4;

/**
 * Opens both graphs: beside each other where the runtime can, else first the decoder, whose weights are the most: what it needed to load is free again before
 * the encoder's come.
 * @throws SpellError of OnnxRuntime.open
 */
export async function openT5Session(
  config: T5Config,
  { wide, draft, laidOut = false, ...weights }: SessionWeights,
  runtime: OnnxRuntime,
  { now = () => performance.now(), onHalf, ...common }: SessionOptions,
): Promise<T5Session> {
  const joining = joiningOn(runtime);
  const decoderOf = (from: T5Weights): OnnxModel => decoderGraph(config, from, joining);
  const present = cacheOutputs(config, joining);
  const asWritten = !weights.encoder.has16Bit;
  const opened: OnnxGraph[] = [];
  const open = async (model: OnnxModel, keepOnDevice: readonly string[] = [], beside?: OnnxOpenOptions["beside"]): Promise<OnnxGraph> => {
    const graph = await runtime.open(model, { ...common, asWritten, keepOnDevice, beside });
    opened.push(graph);
    return graph;
  };
  const encoderModel = encoderGraph(config, weights.encoder);
  const apart = laidOut && common.threads > 1 && common.lowMemory !== true && runtime.opensApart?.(encoderModel) === true;
  const openEncoder = once(() => open(encoderModel, namesOf(config, names.cross), apart ? "apart" : undefined));
  try {
    if (apart) openEncoder().catch(() => undefined); // told below
    const decoder = await open(decoderOf(weights.decoder), present, apart ? "here" : undefined);
    onHalf?.();
    const encoder = await openEncoder();
    const rows = await open(rowsGraph(config));
    const drafter = draft === undefined ? undefined : { graph: await open(decoderOf(draft), present), worth: createWorth(), now };
    let wideDecoder: Promise<OnnxGraph> | undefined;
    const openWide = async (from: () => Promise<T5Weights>): Promise<OnnxGraph> =>
      runtime.open(decoderOf(await from()), { ...common, asWritten, signal: undefined, keepOnDevice: present });
    return {
      config,
      runtime,
      encoder,
      decoder,
      table: weights.encoder.table && new TokenTable(weights.encoder.table),
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
    if (apart) await openEncoder().catch(() => undefined);
    for (const graph of opened) await graph.dispose();
    throw error;
  }
}

/**
 * @param logits f32 [rows, vocabSize]
 * @returns log Σ exp of each row
 * @throws SpellError run-nan where a row holds what is no number
 */
export async function rateRows({ config, runtime, rows }: T5Session, logits: Float32Array): Promise<Float32Array> {
  const shape = [logits.length / config.vocabSize, config.vocabSize];
  const { [names.total]: total } = await rows.run({ [names.logits]: runtime.tensor("float32", logits, shape) });
  return readNumbers(total);
}

/** @throws SpellError run-nan where one of them is no number */
async function readNumbers(tensor: OnnxTensor | undefined): Promise<Float32Array> {
  const values = await (tensor as OnnxTensor<"float32">).read();
  const wrong = values.find((value) => !Number.isFinite(value));
  if (wrong !== undefined) throw noNumbers(wrong);
  return values;
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

/** The tokens as a graph takes them: by their ids, or as what stands in the table. */
async function tokenFeeds(
  { runtime, table }: T5Session,
  name: string,
  ids: readonly number[],
  shape: readonly [batch: number, length: number],
): Promise<Readonly<Record<string, OnnxTensor>>> {
  if (table === undefined) return { [name]: runtime.tensor("int64", BigInt64Array.from(ids, BigInt), shape) };
  return { [names.rows]: runtime.tensor("float32", await table.rows(ids), [...shape, table.width]) };
}

/** @param inputs token ids of each input, end token included */
export async function encode(session: T5Session, inputs: readonly (readonly number[])[]): Promise<Encoded> {
  const { config, runtime, encoder, table } = session;
  await table?.check();
  const batch = inputs.length;
  const length = Math.max(1, ...inputs.map((ids) => ids.length));
  const ids = new Array<number>(batch * length).fill(config.padTokenId);
  const mask = new BigInt64Array(batch * length);
  inputs.forEach((input, row) => {
    input.forEach((id, column) => {
      ids[row * length + column] = id;
      mask[row * length + column] = 1n;
    });
  });
  const maskTensor = runtime.tensor("int64", mask, [batch, length]);
  const { [names.hidden]: hidden, ...cross } = await encoder.run({
    ...(await tokenFeeds(session, names.encoderIds, ids, [batch, length])),
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
  readonly #cache: DecoderCache;
  #batch: number;
  #length = 0;

  /** @param batch sequences; several of them may read one input, else as many as inputs */
  constructor(session: T5Session, encoded: Encoded, batch: number) {
    this.#session = session;
    this.#encoded = encoded;
    this.#batch = batch;
    this.#cache = createCache(session.runtime, session.config, batch);
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
    const { [names.logits]: logits } = await this.#run(ids, [names.logits]);
    const scores = await (logits as OnnxTensor<"float32">).read();
    logits?.release();
    return scores;
  }

  /**
   * As step(), where only the best of the scores are wanted: they need not leave the engine.
   * @returns for each of the ids the one of the largest score behind it
   * @throws SpellError run-nan where a score is no number
   */
  async stepToBest(ids: readonly number[]): Promise<readonly number[]> {
    const { [names.best]: best, [names.sum]: sum } = await this.#run(ids, [names.best, names.sum]);
    await readNumbers(sum);
    return Array.from(await (best as OnnxTensor<"int64">).read(), Number);
  }

  /** Forgets all but the first `length` tokens. */
  async truncate(length: number): Promise<void> {
    await this.#cache.truncate(length);
    this.#length = length;
  }

  /** Goes on with these sequences, in this order: sequence i becomes a copy of what was sequence `order[i]`. */
  async reorder(order: readonly number[]): Promise<void> {
    await this.#cache.reorder(order);
    this.#batch = order.length;
  }

  /** Goes on with these sequences only, where each reads an input of its own. The state then owns what it reads. */
  async keepRows(rows: readonly number[]): Promise<void> {
    this.#encoded = await selectInputs(this.#session, this.#encoded, rows);
    await this.reorder(rows);
  }

  /** Frees what a device holds of the sequences. */
  release(): void {
    this.#cache.release();
  }

  async #run(ids: readonly number[], wanted: readonly string[]): Promise<Readonly<Record<string, OnnxTensor>>> {
    const { decoder } = this.#session;
    const each = ids.length / this.#batch;
    const feeds = {
      ...this.#encoded.feeds,
      ...this.#cache.feeds(),
      ...(await tokenFeeds(this.#session, names.decoderIds, ids, [this.#batch, each])),
    };
    const outputs = await decoder.run(feeds, [...wanted, ...this.#cache.outputs]);
    this.#cache.add(outputs, each);
    this.#length += each;
    return outputs;
  }
}

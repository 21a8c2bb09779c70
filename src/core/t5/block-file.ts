/**
 * Quantised weights kept between loads: one safetensors file with everything the graphs read, so that an engine maps it like a checkpoint.
 * It can be lost or refused at any time; then the blocks are made anew.
 */
import { abortedError, SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { type PlannedTensor, readSafetensors, type SafetensorsTensors, safetensorsHeader } from "../formats/safetensors.ts";
import { checkFinite } from "../onnx/finite.ts";
import { toFloat32 } from "../onnx/quantize.ts";
import { blockTensors, columnTensors, dividesIntoBlocks, type FloatTensor, formOf, makeBlocks, makeColumns } from "../onnx/weights.ts";
import { isGpu } from "../spec/devices.ts";
import type { T5Facts } from "./files.ts";
import { findT5Tensors, headOf, type T5WeightForms } from "./weights.ts";

/** Where block files are kept. Losing one costs time only. */
export interface BlockStore {
  /** bytes of weights from which keeping pays */
  readonly leastBytes: number;
  /** @returns undefined if this key is missing */
  open(key: string): Promise<ByteSource | undefined>;
  /** Keeps what the chunks give, all or nothing. @returns undefined where it cannot be kept; the chunks need not have been read then */
  write(key: string, chunks: AsyncIterable<Uint8Array>): Promise<ByteSource | undefined>;
}

/** Changes with the layout of the file, the arithmetic of quantize.ts, and what is refused. */
const version = "4";

/** What a kept file holds: all weights, those of the encoder as for many rows and the others as for few; or the decoder's for many rows, beside it. */
export interface KeptPart extends Pick<T5WeightForms, "runtime"> {
  readonly variant: "q8" | "q4";
  readonly part: "all" | "wide";
}

/**
 * @returns the tensors of the kept file, made now where there was none; undefined where nothing can be kept
 * @throws SpellError run-nan where a weight is no number; nothing is kept then
 */
export async function openBlockFile(
  store: BlockStore,
  { tensors, config }: Pick<T5Facts, "tensors" | "config">,
  weights: readonly ByteSource[],
  wanted: KeptPart,
  signal?: AbortSignal,
): Promise<SafetensorsTensors | undefined> {
  const bytes = weights.reduce((sum, { size }) => sum + size, 0);
  if (bytes < store.leastBytes || weights.some((source) => source.version === undefined)) return undefined;
  const { part, runtime } = wanted;
  const form = [part === "wide" ? "wide" : nameOf(wanted), runtime.columnLimit];
  const key = JSON.stringify([version, ...form, weights.map((source) => [source.path ?? source.name, source.version])]);
  const plan = planBlockFile(findT5Tensors(tensors, config), wanted);
  const kept = await accept(await store.open(key), plan, signal);
  return kept ?? (await accept(await store.write(key, writeBlockFile(plan, signal)), plan, signal));
}

/** The variants are one where neither is in blocks. */
function nameOf({ variant, runtime: { fastBlocks, device } }: KeptPart): string {
  return [fastBlocks === "never" ? "columns" : variant, fastBlocks, ...(isGpu(device) ? ["with-rows"] : [])].join();
}

/** A tensor of the file, or several that come from one. */
interface Part {
  readonly tensors: readonly PlannedTensor[];
  read(signal?: AbortSignal): Promise<readonly Uint8Array[]>;
}

/** Weights that the encoder's graph multiplies with: also those of the keys and values that it makes for the decoder. */
function isEncoders(name: string): boolean {
  return name.startsWith("encoder.") || /EncDecAttention\.[kv]\.weight$/.test(name);
}

function planBlockFile(found: ReadonlyMap<string, FloatTensor>, { variant, part, runtime }: KeptPart): readonly Part[] {
  const head = headOf(found);
  const parts: Part[] = [];
  for (const [name, tensor] of found) {
    const isEmbedding = name === "shared.weight";
    const isLinear = tensor.shape.length === 2 && !name.endsWith("relative_attention_bias.weight") && (!isEmbedding || head === name);
    if (part === "wide" && (!isLinear || isEncoders(name))) continue;
    const form = formOf({ variant, rows: part === "wide" || isEncoders(name) ? "many" : "few", runtime });
    const isColumns = isLinear && form === "columns";
    const isBlocked = isLinear && form === "blocks" && dividesIntoBlocks(tensor);
    if (isColumns) {
      const { values, scales } = columnTensors(name, tensor);
      parts.push({
        tensors: [
          { ...scales, dtype: "F32" },
          { ...values, dtype: "I8" },
        ],
        async read() {
          const made = await makeColumns(name, tensor, runtime.columnLimit);
          return [made.scales, made.values];
        },
      });
    }
    if (isBlocked) {
      const { bits, values, scales } = blockTensors(name, tensor, variant);
      parts.push({
        tensors: [
          { ...scales, dtype: "F32" },
          { ...values, dtype: "U8" },
        ],
        async read() {
          const made = await makeBlocks(name, tensor, bits);
          return [made.scales, made.values];
        },
      });
    }
    // Rows of the embedding are looked up as they were stored; on processors in the checkpoint itself.
    const isStored = isEmbedding && isGpu(runtime.device);
    if (part === "all" && (isStored || (!isBlocked && !isColumns && (isLinear || !isEmbedding)))) {
      const { dtype, shape, length } = tensor;
      parts.push({ tensors: [{ name, dtype, shape, length }], read: async (signal) => [await readFinite(name, tensor, signal)] });
    }
  }
  return parts;
}

/** @returns the stored bytes @throws SpellError run-nan */
async function readFinite(name: string, { dtype, source, offset, length }: FloatTensor, signal?: AbortSignal): Promise<Uint8Array> {
  const bytes = await source.read(offset, length, signal);
  checkFinite(name, toFloat32(bytes, dtype));
  return bytes;
}

/** Looks at the weights of norms and positions, where no block file is made that would: they stay floats, and what is quantised behind them hides what is none. */
export async function checkNorms(found: ReadonlyMap<string, FloatTensor>, signal?: AbortSignal): Promise<void> {
  const norms = [...found].filter(([name, { shape }]) => shape.length === 1 || name.endsWith("relative_attention_bias.weight"));
  await Promise.all(norms.map(([name, tensor]) => readFinite(name, tensor, signal)));
}

async function* writeBlockFile(plan: readonly Part[], signal: AbortSignal | undefined): AsyncGenerator<Uint8Array, void, undefined> {
  yield safetensorsHeader(plan.flatMap(({ tensors }) => tensors));
  for (const part of plan) {
    if (signal?.aborted === true) throw abortedError();
    yield* await part.read(signal);
  }
}

/** A file that is not exactly what was planned is as good as none. */
async function accept(
  source: ByteSource | undefined,
  plan: readonly Part[],
  signal: AbortSignal | undefined,
): Promise<SafetensorsTensors | undefined> {
  if (source === undefined) return undefined;
  try {
    const tensors = await readSafetensors(source, signal);
    const isPlanned = ({ name, dtype, shape, length }: PlannedTensor): boolean => {
      const got = tensors.get(name);
      return got !== undefined && got.dtype === dtype && got.length === length && got.shape.join() === shape.join();
    };
    return plan.every((part) => part.tensors.every(isPlanned)) ? tensors : undefined;
  } catch (error) {
    if (error instanceof SpellError && error.code === "run-aborted") throw error;
    return undefined;
  }
}

/**
 * The embedding, looked up beside the engine: rows are read when a token needs them, and kept. On processors each graph would hold the whole table once
 * more, or map it: of a small model it is the most.
 */
import { SpellError } from "../errors.ts";
import { checkFinite } from "../onnx/finite.ts";
import { toFloat32 } from "../onnx/quantize.ts";
import type { FloatTensor } from "../onnx/weights.ts";

/** bytes of rows that are kept */
const keptBytes = 16 * 1024 * 1024;
/** Rows this close to each other are read together: a read costs more than what lies between. */
const nearRows = 16;
const bytesPerValue = { F32: 4, F16: 2, BF16: 2 } as const;

export class TokenTable {
  readonly #tensor: FloatTensor;
  readonly width: number;
  readonly #kept = new Map<number, Float32Array>();
  readonly #mostKept: number;

  /** @param tensor [tokens, width] */
  constructor(tensor: FloatTensor) {
    this.#tensor = tensor;
    this.width = tensor.shape[1] ?? 0;
    this.#mostKept = Math.max(1, Math.floor(keptBytes / (4 * this.width)));
  }

  /** @returns f32 [ids, width] @throws SpellError run-nan; of ByteSource.read: the file is gone or was changed */
  async rows(ids: readonly number[]): Promise<Float32Array> {
    const wanted = new Map<number, Float32Array>();
    const missing: number[] = [];
    for (const id of new Set(ids)) {
      const row = this.#kept.get(id);
      if (row === undefined) missing.push(id);
      else wanted.set(id, row);
    }
    if (missing.length > 0) {
      const read = await Promise.all(groups(missing).map((group) => this.#read(group)));
      for (const [id, row] of read.flat()) {
        wanted.set(id, row);
        this.#keep(id, row);
      }
    }
    const values = new Float32Array(ids.length * this.width);
    for (const [index, id] of ids.entries()) values.set(wanted.get(id) as Float32Array, index * this.width);
    return values;
  }

  /**
   * Before an answer: rows that are kept, and weights that an engine maps, would not tell that a local file is another one by now.
   * @throws as rows()
   */
  async check(): Promise<void> {
    const { source, offset } = this.#tensor;
    if (source.path !== undefined) await this.#bytes(offset, 1);
  }

  /** @param ids rising */
  async #read(ids: readonly number[]): Promise<readonly (readonly [number, Float32Array])[]> {
    const { offset, dtype, shape } = this.#tensor;
    const [first = 0, last = 0] = [ids[0], ids.at(-1)];
    if (first < 0 || last >= (shape[0] ?? 0)) {
      throw new SpellError("internal-error", `a token: expected an id below ${shape[0]}, got ${first < 0 ? first : last}`);
    }
    const rowBytes = this.width * bytesPerValue[dtype];
    const bytes = await this.#bytes(offset + first * rowBytes, (last - first + 1) * rowBytes);
    const values = toFloat32(bytes, dtype);
    return ids.map((id) => {
      const row = values.slice((id - first) * this.width, (id - first + 1) * this.width);
      checkFinite("shared.weight", row);
      return [id, row] as const;
    });
  }

  #bytes(offset: number, length: number): Promise<Uint8Array> {
    return this.#tensor.source.read(offset, length).catch((error: unknown) => {
      throw error instanceof SpellError && error.code === "gguf-truncated" ? asSafetensors(error) : error;
    });
  }

  #keep(id: number, row: Float32Array): void {
    // the oldest goes: a frequent token is soon there again
    if (this.#kept.size >= this.#mostKept) this.#kept.delete(this.#kept.keys().next().value as number);
    this.#kept.set(id, row);
  }
}

/** Files say that they end too early by one code, whatever they hold. */
function asSafetensors(error: SpellError): SpellError {
  const { message, where, hint, details } = error;
  return new SpellError("safetensors-truncated", message, { where, hint, details, cause: error });
}

/** @returns the ids in rising order, those that lie near each other together */
function groups(ids: readonly number[]): readonly (readonly number[])[] {
  const found: number[][] = [];
  for (const id of [...ids].sort((a, b) => a - b)) {
    const group = found.at(-1);
    if (group !== undefined && id - (group.at(-1) as number) <= nearRows) group.push(id);
    else found.push([id]);
  }
  return found;
}

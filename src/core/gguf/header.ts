/**
 * Reads the header of a GGUF file and checks its structure: counts, types, names, shapes, offsets, and that all tensor data is there.
 * What the metadata means is none of its business; gate.ts decides that. No engine sees a file before both have passed.
 * Source: the GGUF specification (ggml, docs/gguf.md).
 */
import { checkedAdd, checkedAlign, checkedMul } from "../checked.ts";
import { type ErrorCode, SpellError } from "../errors.ts";
import { type ByteSource, truncated } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { ggufError, quote } from "./defect.ts";
import { guessKind } from "./guess-kind.ts";
import { HeaderWindow } from "./header-window.ts";
import { type GgmlType, ggmlTypes } from "./types.ts";
import { decodeUtf8 } from "./utf8.ts";
import { type GgufValue, readValue } from "./values.ts";

export type { GgufValue } from "./values.ts";

export interface GgufTensor {
  readonly name: string;
  /** As the format has it: the first dimension is the row, whose numbers lie side by side. */
  readonly shape: readonly number[];
  /** number of the ggml type, see types.ts */
  readonly type: number;
  /** bytes, from the start of the tensor data */
  readonly offset: number;
  /** bytes, without the padding behind them */
  readonly bytes: number;
}

export interface GgufHeader {
  readonly version: 2 | 3;
  readonly metadata: ReadonlyMap<string, GgufValue>;
  /** key → type of its value as stored; the element type of an array is its own `type` */
  readonly types: ReadonlyMap<string, string>;
  readonly tensors: readonly GgufTensor[];
  /** bytes; tensors start at multiples of it */
  readonly alignment: number;
  /** bytes from the start of the file to the tensor data */
  readonly dataOffset: number;
  /** What is odd and does no harm, in sentences. */
  readonly notes: readonly string[];
}

export interface ReadGgufHeaderOptions {
  readonly signal?: AbortSignal | undefined;
}

const defaultAlignment = 32;
/** `GGUF`, read as a little-endian number */
const magic = 0x4655_4747;
/** Bytes that cannot be missing: magic, version, two counts. */
const preambleBytes = 24;

/**
 * Reads and checks the header by ranged reads that double from 1 MiB; the tensor data is measured, never read.
 * Keys are plain data in a Map, whatever they are called.
 * @throws SpellError model-empty, gguf-truncated, gguf-magic, gguf-version, gguf-endian, gguf-count, gguf-key, gguf-type, gguf-string,
 *   gguf-array, gguf-duplicate, gguf-alignment, gguf-tensor, gguf-offset; net-* and run-aborted from the source
 */
export async function readGgufHeader(source: ByteSource, options: ReadGgufHeaderOptions = {}): Promise<GgufHeader> {
  if (source.size === 0) throw new SpellError("model-empty", `${source.name}: the file has 0 bytes`, { where: source.name });
  const window = new HeaderWindow(source, options.signal);
  const { version, tensorCount, entryCount } = await readPreamble(window);

  const metadata = new Map<string, GgufValue>();
  const types = new Map<string, string>();
  for (let i = 0; i < entryCount; i++) {
    const { key, read } = await window.attempt(() => {
      const key = readKey(window);
      if (metadata.has(key)) {
        const place = formatCount(window.position);
        throw ggufError("gguf-duplicate", source, `key ${quote(key)} occurs twice, the second time before byte ${place}`, {
          details: { key },
        });
      }
      if (key === "general.alignment") requireUint32(window);
      return { key, read: readValue(window, key) };
    });
    metadata.set(key, "value" in read ? read.value : await read.readArray());
    types.set(key, read.type);
  }

  const alignment = alignmentOf(source, metadata);
  const tensors = await readTensors(window, tensorCount, alignment);
  const dataOffset = checkedAlign(window.position, alignment) ?? Number.MAX_SAFE_INTEGER;
  const notes = measureData(source, tensors, dataOffset, alignment);
  return { version, metadata, types, tensors, alignment, dataOffset, notes };
}

async function readPreamble(window: HeaderWindow): Promise<{ version: 2 | 3; tensorCount: number; entryCount: number }> {
  const { source } = window;
  const start = await window.attempt(() => {
    const bytes = new Uint8Array(window.take(Math.min(64, source.size)));
    window.position = 0;
    return bytes;
  });
  // A file cut within the magic is still the start of a GGUF.
  const isStart = start.subarray(0, 4).every((byte, i) => byte === ((magic >>> (8 * i)) & 0xff));
  if (!isStart) {
    const kind = guessKind(start);
    const got =
      start.length < 4 ? `${start.length} bytes` : Array.from(start.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    throw ggufError(
      "gguf-magic",
      source,
      `wanted "GGUF" (47 47 55 46) at byte 0; got ${got}${kind === undefined ? "" : `: ${kind.what}`}`,
      kind === undefined ? {} : { hint: kind.hint },
    );
  }
  if (start.length < 8) throw truncated(source, 0, preambleBytes, source.size);
  return window.attempt(() => {
    window.take(4);
    const version = window.uint32();
    if (version !== 2 && version !== 3) throw versionError(source, version);
    const tensorCount = readCount(window, "tensors", limits.ggufTensors);
    const entryCount = readCount(window, "metadata entries", limits.ggufEntries);
    return { version, tensorCount, entryCount };
  });
}

function versionError(source: ByteSource, version: number): SpellError {
  // A version below 2^16 written the other way round has only zeros in its lower half.
  if (version !== 0 && (version & 0xffff) === 0) return ggufError("gguf-endian", source, "the file is big-endian; wanted little-endian");
  const reason = version > 3 ? ", newer than this program" : version === 1 ? ", which is no longer supported" : "";
  return ggufError("gguf-version", source, `GGUF version ${formatCount(version)}${reason}; wanted 2 or 3`, { details: { version } });
}

function readCount(window: HeaderWindow, what: string, limit: number): number {
  const count = window.uint64();
  if (count !== undefined && count <= limit) return count;
  throw ggufError(
    "gguf-count",
    window.source,
    `${formatCount(count ?? window.lastUint64())} ${what}; wanted at most ${formatCount(limit)}`,
  );
}

function readKey(window: HeaderWindow): string {
  const { source } = window;
  const length = window.uint64();
  const start = window.position - 8;
  const place = (): string => `the key at byte ${formatCount(start)}`;
  if (length === undefined || length > limits.ggufStringBytes) {
    throw ggufError(
      "gguf-string",
      source,
      `${place()} has ${formatCount(length ?? window.lastUint64())} bytes; wanted 1 … ${formatCount(limits.ggufKeyBytes)}`,
    );
  }
  if (length === 0 || length > limits.ggufKeyBytes) {
    throw ggufError("gguf-key", source, `${place()} has ${formatCount(length)} bytes; wanted 1 … ${formatCount(limits.ggufKeyBytes)}`);
  }
  const key = decodeUtf8(window.take(length));
  if (key === undefined) throw ggufError("gguf-key", source, `${place()} is not UTF-8`);
  if (key.includes("\0")) throw ggufError("gguf-key", source, `${place()} holds a NUL: ${quote(key)}`);
  return key;
}

/** Engines abort on an alignment of another type, so it is looked at before the value. */
function requireUint32(window: HeaderWindow): void {
  const type = window.uint32();
  window.position -= 4;
  if (type !== 4)
    throw ggufError("gguf-alignment", window.source, `general.alignment has value type ${formatCount(type)}; wanted 4 (UINT32)`);
}

function alignmentOf(source: ByteSource, metadata: ReadonlyMap<string, GgufValue>): number {
  const value = metadata.get("general.alignment") ?? defaultAlignment;
  if (typeof value !== "number" || value < 1 || value > limits.ggufAlignment || (value & (value - 1)) !== 0) {
    throw ggufError(
      "gguf-alignment",
      source,
      `general.alignment is ${formatCount(Number(value))}; wanted a power of two, 1 … ${formatCount(limits.ggufAlignment)}`,
    );
  }
  return value;
}

async function readTensors(window: HeaderWindow, count: number, alignment: number): Promise<readonly GgufTensor[]> {
  const tensors: GgufTensor[] = [];
  const names = new Set<string>();
  /** where the next tensor has to start: behind the one before, aligned */
  let next = 0;
  await window.attemptEach(count, () => {
    const tensor = readTensor(window, next);
    // A name that was there does not make the set grow.
    if (names.add(tensor.name).size === tensors.length) {
      throw ggufError("gguf-duplicate", window.source, `two tensors are called ${quote(tensor.name)}`, {
        details: { tensor: tensor.name },
      });
    }
    tensors.push(tensor);
    next = alignedEnd(window.source, tensor, alignment);
  });
  return tensors;
}

function readTensor(window: HeaderWindow, wantedOffset: number): GgufTensor {
  const name = readTensorName(window);
  const shape = readShape(window, name);
  const type = window.uint32();
  const ggmlType = ggmlTypes.get(type);
  if (ggmlType === undefined)
    throw tensorError(
      window,
      "gguf-tensor",
      name,
      `tensor type ${formatCount(type)}, which is unknown or was removed from the format; wanted one of ${listTypes()}`,
    );
  const bytes = measureTensor(window, name, shape, ggmlType);
  const offset = window.uint64();
  if (offset !== wantedOffset) {
    const got = formatCount(offset ?? window.lastUint64());
    const relation = offset === undefined || offset > wantedOffset ? "leaves a gap behind" : "overlaps";
    throw tensorError(window, "gguf-offset", name, `offset ${got} ${relation} the tensor before; wanted ${formatCount(wantedOffset)}`, {
      offset: got,
      wanted: wantedOffset,
    });
  }
  return { name, shape, type, offset, bytes };
}

function readTensorName(window: HeaderWindow): string {
  const { source } = window;
  const length = window.uint64();
  const start = window.position - 8;
  const place = (): string => `the tensor name at byte ${formatCount(start)}`;
  if (length === undefined || length === 0 || length > limits.ggufTensorNameBytes) {
    throw ggufError(
      "gguf-tensor",
      source,
      `${place()} has ${formatCount(length ?? window.lastUint64())} bytes; wanted 1 … ${limits.ggufTensorNameBytes}`,
    );
  }
  const name = decodeUtf8(window.take(length));
  if (name === undefined) throw ggufError("gguf-tensor", source, `${place()} is not UTF-8`);
  if (name.includes("\0")) throw ggufError("gguf-tensor", source, `${place()} holds a NUL: ${quote(name)}`);
  return name;
}

function readShape(window: HeaderWindow, name: string): readonly number[] {
  const count = window.uint32();
  if (count > limits.ggufDimensions)
    throw tensorError(window, "gguf-tensor", name, `${formatCount(count)} dimensions; wanted at most ${limits.ggufDimensions}`);
  const shape: number[] = [];
  for (let i = 0; i < count; i++) {
    const dimension = window.uint64();
    if (dimension === undefined) {
      throw tensorError(
        window,
        "gguf-tensor",
        name,
        `dimension ${i} is ${formatCount(BigInt.asIntN(64, window.lastUint64()))}; wanted 0 … ${formatCount(limits.ggufTensorElements)}`,
      );
    }
    shape.push(dimension);
  }
  return shape;
}

/** @returns bytes of the tensor's data: whole rows of blocks */
function measureTensor(window: HeaderWindow, name: string, shape: readonly number[], type: GgmlType): number {
  const row = shape[0] ?? 1;
  if (row % type.elements !== 0) {
    throw tensorError(
      window,
      "gguf-tensor",
      name,
      `rows of ${formatCount(row)} elements; ${type.name} wants a multiple of ${type.elements}`,
    );
  }
  let elements: number | undefined = row;
  let bytes = checkedMul(row / type.elements, type.bytes);
  for (let i = 1; i < shape.length && elements !== undefined && bytes !== undefined; i++) {
    elements = checkedMul(elements, shape[i] ?? 1);
    bytes = checkedMul(bytes, shape[i] ?? 1);
  }
  if (elements === undefined || bytes === undefined) {
    throw tensorError(window, "gguf-tensor", name, `shape [${shape.map(formatCount).join(", ")}] has more elements than any file can hold`);
  }
  return bytes;
}

function alignedEnd(source: ByteSource, tensor: GgufTensor, alignment: number): number {
  const end = checkedAdd(tensor.offset, tensor.bytes);
  const aligned = end === undefined ? undefined : checkedAlign(end, alignment);
  if (aligned === undefined)
    throw ggufError("gguf-tensor", source, `tensor ${quote(tensor.name)} ends beyond 2^53 bytes; no file is that long`);
  return aligned;
}

/**
 * Compares the data the tensors need with the file. Padding behind the last tensor may be missing: no engine reads it.
 * @returns notes
 * @throws SpellError gguf-truncated naming the first tensor that is not all there
 */
function measureData(source: ByteSource, tensors: readonly GgufTensor[], dataOffset: number, alignment: number): readonly string[] {
  const last = tensors.at(-1);
  if (last === undefined) return [];
  const lastEnd = checkedAdd(last.offset, last.bytes);
  const end = lastEnd === undefined ? undefined : checkedAdd(dataOffset, lastEnd);
  if (end === undefined || end > source.size) {
    const there = source.size - dataOffset;
    const cut = tensors.find((tensor) => tensor.bytes > there - tensor.offset) ?? last;
    const got = Math.max(0, Math.min(cut.bytes, there - cut.offset));
    throw ggufError(
      "gguf-truncated",
      source,
      `tensor ${quote(cut.name)}: wanted ${formatCount(cut.bytes)} bytes of data; got ${formatCount(got)}. ` +
        `Wanted a file of ${end === undefined ? "more than 2^53" : formatCount(end)} bytes; got ${formatCount(source.size)}`,
      { details: { tensor: cut.name, wanted: end, got: source.size } },
    );
  }
  const padded = checkedAlign(end, alignment) ?? end;
  if (source.size <= padded) return [];
  return [`${source.name}: ${formatCount(source.size - padded)} bytes follow the last tensor; they are ignored`];
}

function listTypes(): string {
  return Array.from(ggmlTypes.values(), (type) => type.name).join(", ");
}

function tensorError(
  window: HeaderWindow,
  code: ErrorCode,
  name: string,
  message: string,
  details: Readonly<Record<string, unknown>> = {},
): SpellError {
  return ggufError(code, window.source, `tensor ${quote(name)}: ${message}`, { details: { tensor: name, ...details } });
}

/**
 * Reads the header of a GGUF file and checks its structure: counts, types, names, shapes, offsets, and that all tensor data is there.
 * gate.ts checks what the metadata means. No engine sees a file before both have passed.
 * Source: the GGUF specification (ggml, docs/gguf.md).
 */
import { checkedAdd, checkedAlign, checkedMul } from "../checked.ts";
import { type ErrorCode, SpellError } from "../errors.ts";
import { type ByteSource, truncated } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { guessKind } from "../formats/guess-kind.ts";
import { limits } from "../limits.ts";
import { quote } from "./defect.ts";
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
  /** Harmless oddities, in sentences. */
  readonly notes: readonly string[];
}

export interface ReadGgufHeaderOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Makes the error of one tensor. */
type Fail = (message: string, code?: ErrorCode, details?: Readonly<Record<string, unknown>>) => SpellError;

const defaultAlignment = 32;
/** `GGUF`, read as a little-endian number */
const magic = 0x4655_4747;
/** Bytes that every file has: magic, version, two counts. */
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
        const message = `key ${quote(key)} occurs twice, the second time before byte ${formatCount(window.position)}`;
        throw window.error("gguf-duplicate", message, { key });
      }
      if (key === "general.alignment") requireUint32(window);
      return { key, read: readValue(window, key) };
    });
    metadata.set(key, "value" in read ? read.value : await read.readArray());
    types.set(key, read.type);
  }

  const alignment = alignmentOf(window, metadata);
  const tensors = await readTensors(window, tensorCount, alignment);
  const dataOffset = checkedAlign(window.position, alignment) ?? Number.MAX_SAFE_INTEGER;
  const notes = [...window.notes, ...measureData(window, tensors, dataOffset, alignment)];
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
    const hex = Array.from(start.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const got = start.length < 4 ? `${start.length} bytes` : hex;
    const error = window.error(
      "gguf-magic",
      `expected "GGUF" (47 47 55 46) at byte 0, got ${got}${kind === undefined ? "" : `: ${kind.what}`}`,
    );
    throw kind === undefined ? error : error.with({ hint: kind.hint });
  }
  if (start.length < 8) throw truncated(source, 0, preambleBytes, source.size);
  return window.attempt(() => {
    window.take(4);
    const version = window.uint32();
    if (version !== 2 && version !== 3) throw versionError(window, version);
    const tensorCount = readCount(window, "tensors", limits.ggufTensors);
    const entryCount = readCount(window, "metadata entries", limits.ggufEntries);
    return { version, tensorCount, entryCount };
  });
}

function versionError(window: HeaderWindow, version: number): SpellError {
  // A version below 2^16 written the other way round has only zeros in its lower half.
  if (version !== 0 && (version & 0xffff) === 0) return window.error("gguf-endian", "expected little-endian, got big-endian");
  const reason = version > 3 ? ", newer than this program" : version === 1 ? ", which is no longer supported" : "";
  return window.error("gguf-version", `expected GGUF version 2 or 3, got ${formatCount(version)}${reason}`, { version });
}

function readCount(window: HeaderWindow, what: string, limit: number): number {
  const count = window.uint64();
  if (count !== undefined && count <= limit) return count;
  throw window.error("gguf-count", `expected at most ${formatCount(limit)} ${what}, got ${formatCount(count ?? window.lastUint64())}`);
}

function readKey(window: HeaderWindow): string {
  return readName(window, "the key", limits.ggufKeyBytes, (length) =>
    length === undefined || length > limits.ggufStringBytes ? "gguf-string" : "gguf-key",
  );
}

/** @param codeOf the code for a name of this length; undefined = 2^53 bytes and more */
function readName(window: HeaderWindow, what: string, maxBytes: number, codeOf: (length: number | undefined) => ErrorCode): string {
  const length = window.uint64();
  const start = window.position - 8;
  const fail = (problem: string): SpellError => window.error(codeOf(length), `${what} at byte ${formatCount(start)} ${problem}`);
  if (length === undefined || length === 0 || length > maxBytes) {
    throw fail(`has ${formatCount(length ?? window.lastUint64())} bytes; expected 1 … ${formatCount(maxBytes)}`);
  }
  const name = decodeUtf8(window.take(length));
  if (name === undefined) throw fail("is not UTF-8");
  if (name.includes("\0")) throw fail(`holds a NUL: ${quote(name)}`);
  return name;
}

/** Engines abort on an alignment of another type, so it is looked at before the value. */
function requireUint32(window: HeaderWindow): void {
  const type = window.uint32();
  window.position -= 4;
  if (type !== 4) throw window.error("gguf-alignment", `general.alignment: expected value type 4 (UINT32), got ${formatCount(type)}`);
}

function alignmentOf(window: HeaderWindow, metadata: ReadonlyMap<string, GgufValue>): number {
  const value = metadata.get("general.alignment") ?? defaultAlignment;
  if (typeof value === "number" && value >= 1 && value <= limits.ggufAlignment && (value & (value - 1)) === 0) return value;
  const expected = `expected a power of two, 1 … ${formatCount(limits.ggufAlignment)}`;
  throw window.error("gguf-alignment", `general.alignment: ${expected}, got ${formatCount(Number(value))}`);
}

async function readTensors(window: HeaderWindow, count: number, alignment: number): Promise<readonly GgufTensor[]> {
  const tensors: GgufTensor[] = [];
  const names = new Set<string>();
  /** where the next tensor has to start: behind the one before, aligned */
  let next = 0;
  await window.attemptEach(count, () => {
    const name = readName(window, "the tensor name", limits.ggufTensorNameBytes, () => "gguf-tensor");
    const fail: Fail = (message, code = "gguf-tensor", details = {}) =>
      window.error(code, `tensor ${quote(name)}: ${message}`, { tensor: name, ...details });
    const tensor = readTensor(window, name, next, fail);
    // A name that was there does not make the set grow.
    if (names.add(name).size === tensors.length) throw fail("the name occurs twice", "gguf-duplicate");
    const end = checkedAdd(tensor.offset, tensor.bytes);
    const aligned = end === undefined ? undefined : checkedAlign(end, alignment);
    if (aligned === undefined) throw fail("its end is beyond 2^53 bytes; no file is that long");
    tensors.push(tensor);
    next = aligned;
  });
  return tensors;
}

function readTensor(window: HeaderWindow, name: string, expectedOffset: number, fail: Fail): GgufTensor {
  const shape = readShape(window, fail);
  const type = window.uint32();
  const ggmlType = ggmlTypes.get(type);
  if (ggmlType === undefined) {
    const known = Array.from(ggmlTypes.values(), (known) => known.name).join(", ");
    throw fail(`type ${formatCount(type)} is unknown or was removed from the format; expected one of ${known}`);
  }
  const bytes = measureTensor(shape, ggmlType, fail);
  const offset = window.uint64();
  if (offset !== expectedOffset) {
    const got = formatCount(offset ?? window.lastUint64());
    const relation = offset === undefined || offset > expectedOffset ? "leaves a gap behind" : "overlaps";
    const message = `offset ${got} ${relation} the tensor before; expected ${formatCount(expectedOffset)}`;
    throw fail(message, "gguf-offset", { offset: got, wanted: expectedOffset });
  }
  return { name, shape, type, offset, bytes };
}

function readShape(window: HeaderWindow, fail: Fail): readonly number[] {
  const count = window.uint32();
  if (count > limits.ggufDimensions) throw fail(`expected at most ${limits.ggufDimensions} dimensions, got ${formatCount(count)}`);
  return Array.from({ length: count }, (_, i) => {
    const dimension = window.uint64();
    if (dimension !== undefined) return dimension;
    const got = formatCount(BigInt.asIntN(64, window.lastUint64()));
    throw fail(`dimension ${i}: expected 0 … ${formatCount(limits.ggufTensorElements)}, got ${got}`);
  });
}

/** @returns bytes of the tensor's data: whole rows of blocks */
function measureTensor(shape: readonly number[], type: GgmlType, fail: Fail): number {
  const [row = 1, ...more] = shape;
  if (row % type.elements !== 0) {
    throw fail(`rows of ${type.name}: expected a multiple of ${type.elements} elements, got ${formatCount(row)}`);
  }
  let elements: number | undefined = row;
  let bytes = checkedMul(row / type.elements, type.bytes);
  for (const dimension of more) {
    elements = checkedMul(elements ?? Number.NaN, dimension);
    bytes = checkedMul(bytes ?? Number.NaN, dimension);
  }
  if (elements === undefined || bytes === undefined) {
    throw fail(`shape [${shape.map(formatCount).join(", ")}] has more elements than any file can hold`);
  }
  return bytes;
}

/**
 * Compares the data the tensors need with the file. Padding behind the last tensor may be missing: no engine reads it.
 * @returns notes
 * @throws SpellError gguf-truncated naming the first tensor that is cut
 */
function measureData(window: HeaderWindow, tensors: readonly GgufTensor[], dataOffset: number, alignment: number): readonly string[] {
  const { name, size } = window.source;
  const last = tensors.at(-1);
  if (last === undefined) return [];
  const end = checkedAdd(dataOffset, last.offset + last.bytes);
  if (end === undefined || end > size) {
    const there = size - dataOffset;
    const cut = tensors.find((tensor) => tensor.bytes > there - tensor.offset) ?? last;
    const got = Math.max(0, Math.min(cut.bytes, there - cut.offset));
    const whole = end === undefined ? "more than 2^53" : formatCount(end);
    throw window.error(
      "gguf-truncated",
      `tensor ${quote(cut.name)}: expected ${formatCount(cut.bytes)} bytes of data, got ${formatCount(got)}. ` +
        `The file: expected ${whole} bytes, got ${formatCount(size)}`,
      { tensor: cut.name, wanted: end, got: size },
    );
  }
  const padded = checkedAlign(end, alignment) ?? end;
  return size <= padded ? [] : [`${name}: ${formatCount(size - padded)} bytes follow the last tensor; they are ignored`];
}

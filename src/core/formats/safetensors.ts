/**
 * Header of a safetensors file: the names, types and places of its tensors, checked before anything uses them. Reads no tensor.
 * Source: the format's description in the safetensors repository (eight bytes of length, JSON, data without holes).
 */
import { type ErrorCode, SpellError } from "../errors.ts";
import { isObject, type JsonDefect, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { ByteSource } from "./byte-source.ts";
import { formatCount } from "./format-count.ts";
import { refuseSaved } from "./guess-kind.ts";

const bitsOf = {
  F64: 64,
  F32: 32,
  F16: 16,
  BF16: 16,
  I64: 64,
  I32: 32,
  I16: 16,
  I8: 8,
  U64: 64,
  U32: 32,
  U16: 16,
  U8: 8,
  BOOL: 8,
  F8_E4M3: 8,
  F8_E5M2: 8,
} as const;

/** Dtypes of the format; which of them a model may use is its own rule. */
export type SafetensorsDtype = keyof typeof bitsOf;

export interface SafetensorsTensor {
  readonly dtype: SafetensorsDtype;
  /** outermost first; [] is a scalar */
  readonly shape: readonly number[];
  /** byte offset in the file, header included */
  readonly offset: number;
  /** bytes */
  readonly length: number;
  /** the file it lies in */
  readonly source: ByteSource;
}

/** Tensors by name: of one file, or of all shards together. */
export type SafetensorsTensors = ReadonlyMap<string, SafetensorsTensor>;

/** A tensor of a file still to be written; its bytes follow in the order of the header. */
export type PlannedTensor = Pick<SafetensorsTensor, "dtype" | "shape" | "length"> & { readonly name: string };

/** What stands before the data: the length, and the header padded so that the first tensor lies on a multiple of 64 bytes. */
export function safetensorsHeader(tensors: readonly PlannedTensor[], metadata: Readonly<Record<string, string>> = {}): Uint8Array {
  let end = 0;
  const entries = tensors.map(({ name, dtype, shape, length }): [string, unknown] => {
    const begin = end;
    end += length;
    return [name, { dtype, shape, data_offsets: [begin, end] }];
  });
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries([["__metadata__", metadata], ...entries])));
  const bytes = new Uint8Array(Math.ceil((8 + text.byteLength) / 64) * 64).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.byteLength - 8), true);
  bytes.set(text, 8);
  return bytes;
}

/** @throws SpellError safetensors-*, run-aborted */
export async function readSafetensors(source: ByteSource, signal?: AbortSignal): Promise<SafetensorsTensors> {
  const { name, size } = source;
  const fail = defect(name);
  if (size < 8) throw fail("safetensors-truncated", `expected at least 8 bytes, got ${size}`);
  await refuseSaved(source, "safetensors-header-json", signal);
  const start = await source.read(0, 8, signal);
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  const most = Math.min(limits.safetensorsHeaderBytes, size - 8);
  if (length > BigInt(most))
    throw fail("safetensors-header-size", `expected a header of at most ${formatCount(most)} bytes; the file says ${length}`);
  const headerLength = Number(length);
  const bytes = await source.read(8, headerLength, signal);
  if (bytes.find((byte) => byte !== 0x20) !== 0x7b) throw fail("safetensors-header-json", "expected a JSON object as header");
  const header = readJson(
    bytes,
    // each tensor is an object with two arrays; the object around them and the metadata are two more
    { bytes: limits.safetensorsHeaderBytes, depth: 3, containers: 3 * limits.safetensorsTensors + 2 },
    (problem) => fail(headerCode(problem), `header: ${problem.message}`),
    true,
  );
  if (!isObject(header)) throw fail("safetensors-header-json", "expected a JSON object as header");
  return parseTensors(header, source, 8 + headerLength);
}

function headerCode({ what }: JsonDefect): ErrorCode {
  if (what === "encoding") return "safetensors-header-utf8";
  return what === "containers" || what === "size" ? "safetensors-header-size" : "safetensors-header-json";
}

function parseTensors(header: Readonly<Record<string, unknown>>, source: ByteSource, base: number): SafetensorsTensors {
  const fail = defect(source.name);
  const tensors = new Map<string, SafetensorsTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") checkMetadata(entry, fail);
    else tensors.set(name, parseTensor(name, entry, source, base));
  }
  // In order of place they must follow each other without a gap from the header to the end of the file.
  let end = base;
  for (const [name, { offset, length }] of [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.length - b.length)) {
    const [expected, got] = [formatCount(end - base), formatCount(offset - base)];
    if (offset !== end) throw fail("safetensors-hole", `tensor ${shown(name)}: expected its data at byte ${expected}, got ${got}`, name);
    end = offset + length;
  }
  const [expected, got] = [formatCount(end), formatCount(source.size)];
  if (end > source.size) throw fail("safetensors-truncated", `expected ${expected} bytes by its header, got ${got}`);
  if (end < source.size)
    throw fail("safetensors-hole", `expected the file to end with its last tensor at byte ${expected}, got ${got} bytes`);
  return tensors;
}

function parseTensor(name: string, entry: unknown, source: ByteSource, base: number): SafetensorsTensor {
  const fail = (code: ErrorCode, what: string): SpellError => defect(source.name)(code, `tensor ${shown(name)}: ${what}`, name);
  if (!isObject(entry)) throw fail("safetensors-header-json", `expected dtype, shape and data_offsets, got a ${typeof entry}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (!isDtype(dtype)) throw fail("safetensors-dtype", `expected one of ${Object.keys(bitsOf).join(", ")}, got ${shown(String(dtype))}`);
  const most = limits.safetensorsDimensions;
  if (!isCounts(shape) || shape.length > most)
    throw fail("safetensors-shape", `expected a shape of at most ${most} whole numbers below 2^53, got ${shown(JSON.stringify(shape))}`);
  const [begin = 0, end = -1] = isCounts(offsets) && offsets.length === 2 ? offsets : [];
  if (begin > end)
    throw fail("safetensors-offset", `expected data_offsets [begin, end] in bytes, rising, got ${shown(JSON.stringify(offsets))}`);
  const bits = shape.reduce((product, length) => product * BigInt(length), BigInt(bitsOf[dtype]));
  if (bits !== 8n * BigInt(end - begin)) {
    const needed = `shape [${shape.join(", ")}] of ${dtype} needs ${bits / 8n} bytes`;
    throw fail("safetensors-shape", `${needed}; its offsets span ${formatCount(end - begin)}`);
  }
  if (!Number.isSafeInteger(base + end)) throw fail("safetensors-offset", `expected an end below 2^53, got ${end}`);
  return { dtype, shape, offset: base + begin, length: end - begin, source };
}

function checkMetadata(entry: unknown, fail: ReturnType<typeof defect>): void {
  if (isObject(entry) && Object.values(entry).every((value) => typeof value === "string")) return;
  throw fail("safetensors-header-json", "__metadata__: expected names with texts", "__metadata__");
}

/**
 * All tensors of a model, whichever way its weights are split: by an index; as parts `…-00001-of-0000N`; or as one file,
 * of several the one called model.safetensors.
 * @param files every safetensors file of the folder
 * @param index model.safetensors.index.json, where there is one
 * @throws SpellError safetensors-missing (a part is not there, or the index names a path), safetensors-*, model-config-json for a bad index
 */
export async function readSafetensorsSet(
  files: readonly ByteSource[],
  index: ByteSource | undefined,
  signal?: AbortSignal,
): Promise<SafetensorsTensors> {
  const whole = files.find(({ name }) => name === "model.safetensors") ?? (files.length === 1 ? files[0] : undefined);
  if (whole !== undefined && (index === undefined || whole.name === "model.safetensors") && partOf(whole.name) === undefined) {
    return readSafetensors(whole, signal);
  }
  if (index === undefined) return mergeParts(collectParts(files), signal);
  const wanted = await readIndex(index, signal);
  const parts = [...new Set(wanted.values())].map((name) => {
    const part = files.find((file) => file.name === name);
    if (part === undefined) throw missing(index.name, `${shown(name)} is in the index and not in the folder`, name);
    return part;
  });
  // An index may name tied weights that no part holds; which tensors are needed is known by the model alone.
  return mergeParts(parts, signal);
}

async function mergeParts(parts: readonly ByteSource[], signal: AbortSignal | undefined): Promise<SafetensorsTensors> {
  const all = new Map<string, SafetensorsTensor>();
  for (const part of parts) {
    for (const [name, tensor] of await readSafetensors(part, signal)) {
      const other = all.get(name);
      if (other !== undefined)
        throw defect(part.name)("safetensors-header-json", `tensor ${shown(name)} is in ${other.source.name} too`, name);
      all.set(name, tensor);
    }
  }
  return all;
}

/** @returns tensor name → file name */
async function readIndex(index: ByteSource, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, string>> {
  const fail = (what: string): SpellError => new SpellError("model-config-json", `${index.name}: ${what}`, { where: index.name });
  const bytes = limits.safetensorsIndexBytes;
  if (index.size > bytes) throw fail(`expected at most ${formatCount(bytes)} bytes, got ${formatCount(index.size)}`);
  await refuseSaved(index, "model-config-json", signal);
  const content = await index.read(0, index.size, signal);
  const value = readJson(content, { bytes, depth: limits.jsonDepth }, ({ message }) => fail(message), true);
  const map = isObject(value) ? value["weight_map"] : undefined;
  if (!isObject(map)) throw fail("expected an object with weight_map");
  const entries = Object.entries(map);
  if (entries.length > limits.safetensorsTensors)
    throw fail(`expected at most ${limits.safetensorsTensors} tensors, got ${entries.length}`);
  return new Map(
    entries.map(([tensor, file]) => {
      const isPlain = typeof file === "string" && /^[\w.-]+$/.test(file) && !file.startsWith(".");
      if (isPlain) return [tensor, file];
      throw missing(index.name, `tensor ${shown(tensor)}: expected the name of a file in this folder, got ${shown(String(file))}`, tensor);
    }),
  );
}

function partOf(name: string): { readonly stem: string; readonly part: number; readonly of: number } | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.safetensors$/.exec(name);
  return match === null ? undefined : { stem: match[1] ?? "", part: Number(match[2]), of: Number(match[3]) };
}

/** Without an index: the parts of one set, complete, by their names. */
function collectParts(files: readonly ByteSource[]): readonly ByteSource[] {
  const parts = files.flatMap((file) => {
    const part = partOf(file.name);
    return part === undefined ? [] : [{ file, ...part }];
  });
  const [first] = parts;
  if (first === undefined) {
    const names = files.map(({ name }) => name).join(", ");
    throw missing(names, `expected model.safetensors or one weight file, got ${names === "" ? "none" : names}`);
  }
  const set = parts.filter(({ stem, of }) => stem === first.stem && of === first.of);
  for (let part = 1; part <= first.of; part += 1) {
    if (set.some((other) => other.part === part)) continue;
    const number = (value: number): string => String(value).padStart(5, "0");
    const name = `${first.stem}-${number(part)}-of-${number(first.of)}.safetensors`;
    throw missing(first.file.name, `part ${part} of ${first.of} is missing: ${name}`);
  }
  return set.map(({ file }) => file);
}

function isDtype(value: unknown): value is SafetensorsDtype {
  return typeof value === "string" && Object.hasOwn(bitsOf, value);
}

function isCounts(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((count) => Number.isSafeInteger(count) && count >= 0);
}

/** Beginning of a name or value for a message; an absent field is shown as undefined. */
function shown(value: string | undefined): string {
  const text = String(value);
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}

function defect(file: string): (code: ErrorCode, what: string, where?: string) => SpellError {
  return (code, what, where) => new SpellError(code, `${file}: ${what}`, { where: where ?? file });
}

function missing(file: string, what: string, where?: string): SpellError {
  return defect(file)("safetensors-missing", what, where);
}

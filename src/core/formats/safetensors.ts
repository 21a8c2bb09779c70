/**
 * Header of a safetensors file: the names, types and places of its tensors, checked before anything uses them. Reads no tensor.
 * Source: the format's description in the safetensors repository (eight bytes of length, JSON, data without holes).
 */
import { type ErrorCode, SpellError } from "../errors.ts";
import { isObject, type JsonDefect, readJson } from "../json.ts";
import { limits } from "../limits.ts";
import type { ByteSource } from "./byte-source.ts";
import { formatCount } from "./format-count.ts";

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
  if (size < 8) throw fail("safetensors-truncated", `wanted at least 8 bytes; got ${size}`);
  const start = await source.read(0, 8, signal);
  const length = new DataView(start.buffer, start.byteOffset, 8).getBigUint64(0, true);
  const most = Math.min(limits.safetensorsHeaderBytes, size - 8);
  if (length > BigInt(most)) {
    throw fail("safetensors-header-size", `wanted a header of at most ${formatCount(most)} bytes; the file says ${length}`);
  }
  const headerLength = Number(length);
  const bytes = await source.read(8, headerLength, signal);
  if (bytes.find((byte) => byte !== 0x20) !== 0x7b) {
    throw fail("safetensors-header-json", "wanted a JSON object as header; it does not begin with {");
  }
  const header = readJson(
    bytes,
    // each tensor is an object with two arrays; the object around them and the metadata are two more
    { bytes: limits.safetensorsHeaderBytes, depth: 3, containers: 3 * limits.safetensorsTensors + 2 },
    (problem) => fail(headerCode(problem), `header: ${problem.message}`),
    true,
  );
  if (!isObject(header)) throw fail("safetensors-header-json", "wanted a JSON object as header");
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
    if (offset !== end) {
      throw fail(
        "safetensors-hole",
        `tensor ${shown(name)}: wanted its data at byte ${formatCount(end - base)}; it begins at ${formatCount(offset - base)}`,
        name,
      );
    }
    end = offset + length;
  }
  if (end > source.size) {
    throw fail("safetensors-truncated", `wanted ${formatCount(end)} bytes by its header; got ${formatCount(source.size)}`);
  }
  if (end < source.size) {
    throw fail(
      "safetensors-hole",
      `wanted the file to end with its last tensor, at byte ${formatCount(end)}; it has ${formatCount(source.size)}`,
    );
  }
  return tensors;
}

function parseTensor(name: string, entry: unknown, source: ByteSource, base: number): SafetensorsTensor {
  const fail = (code: ErrorCode, what: string): SpellError => defect(source.name)(code, `tensor ${shown(name)}: ${what}`, name);
  if (!isObject(entry)) throw fail("safetensors-header-json", `wanted an object with dtype, shape and data_offsets; got ${typeof entry}`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(bitsOf, dtype)) {
    throw fail("safetensors-dtype", `wanted a dtype of ${Object.keys(bitsOf).join(", ")}; got ${shown(String(dtype))}`);
  }
  if (!Array.isArray(shape) || shape.length > limits.safetensorsDimensions || !shape.every(isCount)) {
    throw fail(
      "safetensors-shape",
      `wanted a shape of at most ${limits.safetensorsDimensions} whole numbers from 0 to 2^53; got ${shown(JSON.stringify(shape))}`,
    );
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount) || offsets[0] > offsets[1]) {
    throw fail("safetensors-offset", `wanted data_offsets [begin, end] in bytes, rising; got ${shown(JSON.stringify(offsets))}`);
  }
  const [begin, end] = offsets as [number, number];
  const bits = (shape as number[]).reduce((product, length) => product * BigInt(length), BigInt(bitsOf[dtype as SafetensorsDtype]));
  if (bits % 8n !== 0n || bits / 8n !== BigInt(end - begin)) {
    throw fail(
      "safetensors-shape",
      `shape [${shape.join(", ")}] of ${dtype} wants ${bits / 8n} bytes; its offsets span ${formatCount(end - begin)}`,
    );
  }
  if (!Number.isSafeInteger(base + end)) throw fail("safetensors-offset", `wanted an end below 2^53; got ${end}`);
  return { dtype: dtype as SafetensorsDtype, shape: shape as number[], offset: base + begin, length: end - begin, source };
}

function checkMetadata(entry: unknown, fail: ReturnType<typeof defect>): void {
  if (isObject(entry) && Object.values(entry).every((value) => typeof value === "string")) return;
  throw fail("safetensors-header-json", "__metadata__: wanted names with texts; got something else", "__metadata__");
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
    if (part === undefined) throw missing(index.name, `the index names ${shown(name)}, which is not in the folder`, name);
    return part;
  });
  const tensors = await mergeParts(parts, signal);
  for (const [name, part] of wanted) {
    if (tensors.get(name)?.source.name !== part)
      throw missing(index.name, `wanted tensor ${shown(name)} in ${part}; it is not there`, name);
  }
  return tensors;
}

async function mergeParts(parts: readonly ByteSource[], signal: AbortSignal | undefined): Promise<SafetensorsTensors> {
  const all = new Map<string, SafetensorsTensor>();
  for (const part of parts) {
    for (const [name, tensor] of await readSafetensors(part, signal)) {
      const other = all.get(name);
      if (other !== undefined) {
        throw defect(part.name)("safetensors-header-json", `tensor ${shown(name)} is in ${other.source.name} too`, name);
      }
      all.set(name, tensor);
    }
  }
  return all;
}

/** @returns tensor name → file name */
async function readIndex(index: ByteSource, signal: AbortSignal | undefined): Promise<ReadonlyMap<string, string>> {
  const fail = (what: string): SpellError => new SpellError("model-config-json", `${index.name}: ${what}`, { where: index.name });
  if (index.size > limits.safetensorsIndexBytes) {
    throw fail(`wanted at most ${formatCount(limits.safetensorsIndexBytes)} bytes; got ${formatCount(index.size)}`);
  }
  const value = readJson(
    await index.read(0, index.size, signal),
    { bytes: limits.safetensorsIndexBytes, depth: limits.jsonDepth },
    ({ message }) => fail(message),
    true,
  );
  const map = isObject(value) ? value["weight_map"] : undefined;
  if (!isObject(map)) throw fail("wanted an object with weight_map");
  const entries = Object.entries(map);
  if (entries.length > limits.safetensorsTensors) throw fail(`wanted at most ${limits.safetensorsTensors} tensors; got ${entries.length}`);
  return new Map(
    entries.map(([tensor, file]) => {
      if (typeof file !== "string" || !/^[\w.-]+$/.test(file) || file.startsWith(".")) {
        throw missing(index.name, `tensor ${shown(tensor)}: wanted the name of a file in this folder; got ${shown(String(file))}`, tensor);
      }
      return [tensor, file];
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
    throw missing(names, `wanted model.safetensors, or one weight file; got ${names === "" ? "none" : names}`);
  }
  const set = parts.filter(({ stem, of }) => stem === first.stem && of === first.of);
  for (let part = 1; part <= first.of; part += 1) {
    if (set.some((other) => other.part === part)) continue;
    const number = (value: number): string => String(value).padStart(5, "0");
    throw missing(
      first.file.name,
      `part ${part} of ${first.of} is missing: ${first.stem}-${number(part)}-of-${number(first.of)}.safetensors`,
    );
  }
  return set.map(({ file }) => file);
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Beginning of a name or value for a message; a field that is absent shows as undefined. */
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

/** Models split over several files: their names, finding the parts, and whether they belong together. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { ggufError, quote } from "./defect.ts";
import type { GgufHeader } from "./header.ts";
import { Metadata } from "./metadata.ts";

export interface ShardName {
  readonly prefix: string;
  /** from 1 */
  readonly index: number;
  readonly count: number;
}

/** Reads `model-00002-of-00003.gguf`; `undefined` for any other name. Source: llama_split_path of llama.cpp. */
export function parseShardName(name: string): ShardName | undefined {
  const match = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/s.exec(name);
  if (match === null) return undefined;
  const [, prefix = "", first = "", last = ""] = match;
  const [index, count] = [Number(first), Number(last)];
  return index >= 1 && index <= count ? { prefix, index, count } : undefined;
}

function formatShardName({ prefix, index, count }: ShardName): string {
  const five = (number: number): string => String(number).padStart(5, "0");
  return `${prefix}-${five(index)}-of-${five(count)}.gguf`;
}

/**
 * All parts of the model that `named` is a part of, in order; `[named]` when its name is not that of a part.
 * @param sibling finds a file beside it, by name
 * @throws SpellError gguf-shard naming the missing files
 */
export async function collectShards(
  named: ByteSource,
  sibling: (name: string) => Promise<ByteSource | undefined>,
): Promise<readonly ByteSource[]> {
  const shard = parseShardName(named.name);
  if (shard === undefined) return [named];
  if (shard.count > limits.ggufShards) {
    const message = `expected at most ${formatCount(limits.ggufShards)} parts, got ${formatCount(shard.count)} by the name`;
    throw ggufError("gguf-shard", named, message);
  }
  const parts: ByteSource[] = [];
  const missing: string[] = [];
  for (let index = 1; index <= shard.count; index++) {
    const name = formatShardName({ ...shard, index });
    const part = index === shard.index ? named : await sibling(name);
    if (part === undefined) missing.push(name);
    else parts.push(part);
  }
  if (missing.length > 0) throw missingParts(named.name, shard.count, missing);
  return parts;
}

/**
 * Whether files are all parts of one model, in order. Compares what the files say, not their names.
 * @throws SpellError gguf-shard naming what is missing or does not belong
 */
export function checkParts(files: readonly ByteSource[], headers: readonly GgufHeader[]): void {
  const firstName = files[0]?.name ?? "";
  const total = headers.reduce((sum, header) => sum + header.tensors.length, 0);
  const names = new Map<string, string>();
  headers.forEach((header, i) => {
    const file = files[i];
    if (file === undefined) return;
    const fail = (message: string): SpellError => ggufError("gguf-shard", file, message);
    const metadata = new Metadata(file, header);
    const split = (key: string): number | undefined =>
      metadata.integer(`split.${key}`, { min: 0, max: limits.ggufTensors * limits.ggufShards }, "gguf-shard");
    const count = split("count") ?? 0;
    const number = split("no") ?? 0;
    if (count <= 1 && files.length === 1) return;
    if (count > files.length) throw missingParts(file.name, count, missingNames(files, count, number));
    if (count < files.length) throw fail(`expected one of ${files.length} parts, got one of ${count}`);
    if (number !== i) throw fail(`expected part ${i + 1} of ${count}, got part ${number + 1}`);
    const tensors = split("tensors.count") ?? total;
    if (tensors !== total) {
      const got = `expected ${formatCount(tensors)} tensors in all parts together, got ${formatCount(total)}`;
      throw fail(`${got}: the parts are of different models, or one is missing`);
    }
    for (const key of ["general.architecture", "general.name", "general.uuid"]) {
      const [mine, first] = [header.metadata.get(key), headers[0]?.metadata.get(key)];
      if (mine === undefined || mine === first) continue;
      throw fail(`${key} is ${show(mine)}; ${firstName} has ${show(first)}: parts of different models`);
    }
    for (const { name } of header.tensors) {
      const other = names.get(name);
      if (other !== undefined && other !== file.name) throw fail(`tensor ${quote(name)} is in ${other} too: parts of different models`);
      names.set(name, file.name);
    }
  });
}

/** Names of the parts that are not there, in the pattern of those that are; their numbers where there is no pattern. */
function missingNames(files: readonly ByteSource[], count: number, number: number): readonly string[] {
  const [file] = files;
  const shard = file === undefined ? undefined : parseShardName(file.name);
  const present = new Set(files.length === 1 ? [number + 1] : files.map((_, i) => i + 1));
  const indexes = Array.from({ length: Math.min(count, limits.ggufShards) }, (_, i) => i + 1).filter((index) => !present.has(index));
  return indexes.map((index) => (shard === undefined ? `part ${index}` : formatShardName({ prefix: shard.prefix, index, count })));
}

function missingParts(name: string, count: number, missing: readonly string[]): SpellError {
  const shown = missing.slice(0, 5).join(", ") + (missing.length > 5 ? ` and ${missing.length - 5} more` : "");
  const message = `${name} is one of ${formatCount(count)} parts; missing beside it: ${shown}`;
  return new SpellError("gguf-shard", message, { where: name, details: { missing } });
}

function show(value: unknown): string {
  return typeof value === "string" ? quote(value) : value === undefined ? "none" : "another value";
}

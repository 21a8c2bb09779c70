/**
 * A look into an ONNX file before an engine sees it: whether it is a whole model, and where its weights lie. Read by ranges; weights are skipped.
 * Says nothing about operators: that is for the engine. Source: onnx.proto3 of ONNX 1.14 for field numbers.
 */
import { SpellError, throwIfAborted } from "../errors.ts";
import { limits } from "../limits.ts";
import type { ByteSource } from "./byte-source.ts";
import { refuseSaved } from "./guess-kind.ts";

export interface OnnxFileFacts {
  /** Names of the graph's inputs and outputs. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Files beside this one that hold weights of it. */
  readonly externalFiles: readonly string[];
}

type Kind = "model" | "graph" | "node" | "attribute" | "tensor" | "sparse" | "function" | "training";

/** Which field of a message holds which message that may hold tensors. */
const inside: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  model: { 7: "graph", 20: "training", 25: "function" },
  graph: { 1: "node", 5: "tensor", 15: "sparse" },
  node: { 5: "attribute" },
  attribute: { 5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse" },
  tensor: {},
  sparse: { 1: "tensor", 2: "tensor" },
  function: { 7: "node", 11: "attribute" },
  training: { 1: "graph", 2: "graph" },
};

/** Where the value of a field lies; of a varint, the value itself. */
interface Field {
  readonly field: number;
  readonly wire: number;
  readonly start: number;
  readonly end: number;
  readonly value: number;
}

/**
 * @param beside finds a file in the same folder by its name
 * @throws SpellError onnx-parse (not an ONNX model, or not a whole one), onnx-external (weights in another folder, missing or too short), run-aborted
 */
export async function readOnnxFile(
  source: ByteSource,
  beside: (name: string) => Pick<ByteSource, "size"> | undefined,
  signal?: AbortSignal,
): Promise<OnnxFileFacts> {
  await refuseSaved(source, "onnx-parse", signal);
  const reader = createReader(source, signal);
  const names: Record<"inputs" | "outputs", string[]> = { inputs: [], outputs: [] };
  const externalFiles = new Set<string>();
  let hasGraph = false;

  const visit = async (kind: Kind, start: number, end: number, depth: number): Promise<void> => {
    if (depth > limits.jsonDepth) throw reader.fail(`messages nested more than ${limits.jsonDepth} deep`, start);
    const external = new Map<string, string>();
    let isExternal = false;
    for (let at = start; at < end; ) {
      const field = await reader.field(at, end);
      at = field.end;
      const child = inside[kind][field.field];
      if (child !== undefined && field.wire === 2) {
        hasGraph ||= child === "graph" && kind === "model";
        await visit(child, field.start, field.end, depth + 1);
      } else if (kind === "graph" && depth === 1 && field.wire === 2 && (field.field === 11 || field.field === 12)) {
        names[field.field === 11 ? "inputs" : "outputs"].push((await reader.texts(field))[0] ?? "");
      } else if (kind === "tensor" && field.field === 13 && field.wire === 2) {
        const [key = "", value = ""] = await reader.texts(field);
        external.set(key, value);
      } else if (kind === "tensor" && field.field === 14 && field.wire === 0) {
        isExternal = field.value === 1;
      }
    }
    if (isExternal || external.size > 0) externalFiles.add(checkExternal(source.name, external, beside));
  };

  await visit("model", 0, source.size, 0);
  if (!hasGraph) throw reader.fail("without a graph", 0);
  return { ...names, externalFiles: [...externalFiles] };
}

/** @returns the file's name */
function checkExternal(
  name: string,
  entries: ReadonlyMap<string, string>,
  beside: (name: string) => Pick<ByteSource, "size"> | undefined,
): string {
  const refuse = (what: string): SpellError => new SpellError("onnx-external", `${name}: ${what}`, { where: name });
  const location = entries.get("location") ?? "";
  const shown = JSON.stringify(location.slice(0, 80));
  const isPlain = location !== "" && location !== "." && location !== ".." && !/[/\\:\p{Cc}]/u.test(location);
  if (!isPlain) throw refuse(`weights: expected the name of a file in the same folder, got ${shown}`);
  const file = beside(location);
  if (file === undefined) throw refuse(`weights: ${shown} is missing beside it`);
  const count = (key: string, absent: number): number => {
    const text = entries.get(key);
    if (text === undefined) return absent;
    if (!/^\d{1,15}$/.test(text)) throw refuse(`weights: ${key}: expected a number of bytes, got ${JSON.stringify(text.slice(0, 40))}`);
    return Number(text);
  };
  const offset = count("offset", 0);
  const length = count("length", 0);
  const range = `expected ${length} bytes at byte ${offset} of ${location}`;
  if (offset + length > file.size) throw refuse(`weights: ${range}, which ends at byte ${file.size}`);
  return location;
}

/** Bytes of one read: a graph without its weights has some hundred thousand. */
const windowBytes = 262_144;
/** Bytes of a tag and a length. */
const mostHeaderBytes = 20;
/** Bytes of a name, or of a key and its value. */
const mostTextBytes = 65_536;
const utf8 = new TextDecoder("utf-8", { fatal: true });

function createReader(source: ByteSource, signal: AbortSignal | undefined) {
  let base = 0;
  let bytes = new Uint8Array(0) as Uint8Array;

  const fail = (what: string, offset: number): SpellError =>
    new SpellError("onnx-parse", `${source.name}: expected a whole ONNX model; at byte ${offset}: ${what}`, { where: source.name });

  /** A view of what lies there; short where the file ends. */
  const look = async (at: number, length: number): Promise<Uint8Array> => {
    const available = Math.min(length, source.size - at);
    if (at < base || at + available > base + bytes.length) {
      throwIfAborted(signal);
      bytes = await source.read(at, Math.min(Math.max(windowBytes, available), source.size - at), signal);
      base = at;
    }
    return bytes.subarray(at - base, at - base + available);
  };

  const field = async (at: number, end: number): Promise<Field> => {
    const header = await look(at, Math.min(mostHeaderBytes, end - at));
    let used = 0;
    const varint = (): number => {
      let value = 0;
      for (let scale = 1; ; scale *= 128) {
        const byte = header[used];
        if (byte === undefined) throw fail("the end, inside a number", at + used);
        if (scale > 2 ** 63) throw fail("a number of more than 64 bits", at);
        used += 1;
        value += (byte & 127) * scale;
        if (byte < 128) return value;
      }
    };
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1 || number > 536_870_911) throw fail(`field number ${number}`, at);
    const value = wire === 0 || wire === 2 ? varint() : 0;
    const length = wire === 0 ? 0 : wire === 2 ? value : wire === 1 ? 8 : wire === 5 ? 4 : undefined;
    if (length === undefined) throw fail(`wire type ${wire}`, at);
    const start = at + used;
    if (length > end - start) throw fail(`expected ${length} bytes, got ${end - start}`, start);
    return { field: number, wire, start, end: start + length, value };
  };

  return {
    fail,
    field,
    /** The texts in fields 1 and 2 of a small message. */
    async texts({ start, end }: Field): Promise<readonly (string | undefined)[]> {
      const found: (string | undefined)[] = [undefined, undefined];
      for (let at = start; at < end; ) {
        const part = await field(at, end);
        at = part.end;
        if (part.wire !== 2 || part.field > 2) continue;
        if (part.end - part.start > mostTextBytes) {
          if (part.field === 1) throw fail("a name that is too long", part.start);
          continue;
        }
        try {
          found[part.field - 1] = utf8.decode(await look(part.start, part.end - part.start));
        } catch (error) {
          if (error instanceof SpellError) throw error;
          if (part.field === 1) throw fail("a name that is not UTF-8", part.start);
        }
      }
      return found;
    },
  };
}

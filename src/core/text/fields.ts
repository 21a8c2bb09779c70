/** The fields of a JSON file of a checkpoint, each read with its type and range. */
import { SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import { readConfigJson } from "./config-json.ts";

export interface Fields {
  readonly file: string;
  has(name: string): boolean;
  raw(name: string): unknown;
  integer(name: string, min: number, max: number): number | undefined;
  needed(name: string, min: number, max: number): number;
  number(name: string, min: number, max: number): number | undefined;
  boolean(name: string): boolean | undefined;
  /** one id, or a list of them: those of the vocabulary, and others */
  ids(name: string, vocabSize: number): { readonly inside: readonly number[]; readonly outside: readonly number[] } | undefined;
  wrong(name: string, wanted: string, got: unknown): SpellError;
}

/** Fields of one file, each read with its type and range. null counts as absent, as the reference writes it. */
export async function readFields(source: ByteSource, signal: AbortSignal | undefined): Promise<Fields> {
  const json = await readConfigJson(source, signal);
  const wrong = (name: string, wanted: string, got: unknown): SpellError =>
    new SpellError("model-config-field", `${source.name}: ${name}: expected ${wanted}, got ${String(JSON.stringify(got)).slice(0, 80)}`, {
      where: name,
    });
  const raw = (name: string): unknown => (Object.hasOwn(json, name) ? (json[name] ?? undefined) : undefined);
  const number = (name: string, min: number, max: number, wanted = "a number"): number | undefined => {
    const value = raw(name);
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !(value >= min && value <= max) || (wanted !== "a number" && !Number.isInteger(value))) {
      throw wrong(name, `${wanted}, ${min === Number.MIN_VALUE ? "above 0" : min} … ${max}`, value);
    }
    return value;
  };
  const integer = (name: string, min: number, max: number): number | undefined => number(name, min, max, "an integer");
  return {
    file: source.name,
    has: (name) => raw(name) !== undefined,
    raw,
    integer,
    needed(name, min, max) {
      const value = integer(name, min, max);
      if (value === undefined) throw wrong(name, `an integer, ${min} … ${max}`, null);
      return value;
    },
    number,
    boolean(name) {
      const value = raw(name);
      if (value !== undefined && typeof value !== "boolean") throw wrong(name, "true or false", value);
      return value;
    },
    ids(name, vocabSize) {
      const value = raw(name);
      if (value === undefined) return undefined;
      const list: readonly unknown[] = Array.isArray(value) ? value : [value];
      if (list.length > 4096 || !list.every((id) => Number.isInteger(id))) throw wrong(name, "token ids", value);
      const isInside = (id: number): boolean => id >= 0 && id < vocabSize;
      return { inside: (list as number[]).filter(isInside), outside: (list as number[]).filter((id) => !isInside(id)) };
    },
    wrong,
  };
}

/**
 * The fields of a request, each read with its type and range. null counts as absent. What nobody has read is told at the end: nothing that a caller asks for is
 * dropped in silence.
 */
import { SpellError } from "../errors.ts";
import { isObject, shown } from "../json.ts";
import type { GenerateWarning } from "../spec/generate.ts";
import { inWords } from "../text/option-words.ts";
import { snakeCase } from "../values.ts";

/** Something that was asked for and has no effect; `warnings` of the answer hold them. */
export interface Note {
  readonly code: string;
  readonly message: string;
}

export class Fields {
  readonly #json: Readonly<Record<string, unknown>>;
  readonly #where: string;
  readonly #read = new Set<string>();
  /** objects and lists of objects in it, as they were read */
  readonly #inner = new Map<string, readonly Fields[]>();
  #isTold = false;

  /** @param where place of the object in the body: `messages[0]`; empty for the body itself @throws SpellError http-field for anything but an object */
  constructor(json: unknown, where = "") {
    if (!isObject(json)) throw wrongField(where, "an object", gotOf(json));
    this.#json = json;
    this.#where = where;
  }

  /** Place of a field in the body. */
  at(name: string): string {
    return this.#where === "" ? name : `${this.#where}.${name}`;
  }

  /** @param got in words; default: what the field holds */
  wrong(name: string, expected: string, got: string = this.#got(name)): SpellError {
    return wrongField(this.at(name), expected, got);
  }

  #got(name: string): string {
    return gotOf(Object.hasOwn(this.#json, name) ? this.#json[name] : undefined);
  }

  raw(name: string): unknown {
    this.#read.add(name);
    return Object.hasOwn(this.#json, name) ? (this.#json[name] ?? undefined) : undefined;
  }

  text(name: string): string | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === "string") return value;
    throw this.wrong(name, "text");
  }

  /** Text that is not empty. */
  needed(name: string): string {
    const value = this.text(name);
    if (value === undefined || value === "") throw this.wrong(name, "text");
    return value;
  }

  number(name: string, min: number, max: number): number | undefined {
    const value = this.raw(name);
    if (value === undefined || (typeof value === "number" && value >= min && value <= max)) return value;
    throw this.wrong(name, `a number, ${min} … ${max}`);
  }

  integer(name: string, min: number, max: number): number | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) return value;
    throw this.wrong(name, `an integer, ${min} … ${max}`);
  }

  boolean(name: string): boolean | undefined {
    const value = this.raw(name);
    if (value === undefined || typeof value === "boolean") return value;
    throw this.wrong(name, "true or false");
  }

  one<const T extends string>(name: string, values: readonly T[]): T | undefined {
    const value = this.raw(name);
    const found = values.find((each) => each === value);
    if (value === undefined || found !== undefined) return found;
    throw this.wrong(name, values.join(", "));
  }

  list(name: string): readonly unknown[] | undefined {
    const value = this.raw(name);
    if (value === undefined || Array.isArray(value)) return value;
    throw this.wrong(name, "a list");
  }

  object(name: string): Fields | undefined {
    const value = this.raw(name);
    if (value === undefined) return undefined;
    const [inner = new Fields(value, this.at(name))] = this.#inner.get(name) ?? [];
    this.#inner.set(name, [inner]);
    return inner;
  }

  objects(name: string): readonly Fields[] | undefined {
    const list = this.list(name);
    if (list === undefined) return undefined;
    const inner = this.#inner.get(name) ?? list.map((each, i) => new Fields(each, `${this.at(name)}[${i}]`));
    this.#inner.set(name, inner);
    return inner;
  }

  /** An object whose members are its writer's own, such as a schema. */
  json(name: string): Readonly<Record<string, unknown>> | undefined {
    const value = this.raw(name);
    if (value === undefined || isObject(value)) return value;
    throw this.wrong(name, "an object");
  }

  /** What would change the answer and cannot be done. @throws SpellError http-field */
  refuse(names: readonly string[], why = "this server cannot do it"): void {
    for (const name of names) {
      const value = this.raw(name);
      if (!isNothing(name, value))
        throw new SpellError("http-field", `${this.at(name)}: expected none, got ${gotOf(value)}; ${why}`, { where: this.at(name) });
    }
  }

  /** What has no effect on the answer here. */
  idle(names: readonly string[]): readonly Note[] {
    return names.flatMap((name) => (isNothing(name, this.raw(name)) ? [] : [ignored(`${this.at(name)}: it has no effect here`)]));
  }

  /** Fields that nobody has read, here and in the objects that were; each is told once. @throws SpellError http-field where they are refused */
  unread(isStrict: boolean): readonly Note[] {
    if (this.#isTold) return [];
    this.#isTold = true;
    const names = Object.keys(this.#json).filter((name) => !this.#read.has(name) && !isNothing(name, this.#json[name]));
    const [first] = names;
    if (isStrict && first !== undefined)
      throw new SpellError("http-field", `${this.at(first.slice(0, 60))}: expected a known field`, { where: this.at(first.slice(0, 60)) });
    const own = names.map((name) => ignored(`${this.at(name.slice(0, 60))}: the field is not known here`));
    const inner = [...this.#inner.values()].flat().flatMap((each) => each.unread(isStrict));
    return [...own, ...inner].slice(0, mostNotes);
  }
}

const mostNotes = 16;

/** Values of a field that ask for nothing, beside those that do so everywhere. */
const nothing: ReadonlyMap<string, readonly unknown[]> = new Map([
  ["best_of", [1]],
  ["service_tier", ["auto", "default", "standard_only"]],
  ["truncation", ["disabled"]],
  ["verbosity", ["medium"]],
]);

/** Fields of which 0 asks for something: the probability of each token, a model that is unloaded at once. */
const zeros: ReadonlySet<string> = new Set(["logprobs", "keep_alive"]);

function isNothing(name: string, value: unknown): boolean {
  if (value === 0 && zeros.has(name)) return false;
  if (value === undefined || value === null || value === false || value === 0 || value === "") return true;
  if (name === "modalities" && Array.isArray(value) && value.every((each) => each === "text")) return true;
  if (Array.isArray(value)) return value.length === 0;
  if (isObject(value)) return Object.keys(value).length === 0;
  return nothing.get(name)?.includes(value) === true;
}

/** What an answer tells, with options by the names that fields have. */
export function noteOf(told: GenerateWarning): Note {
  return { code: told.code, message: inWords(told, snakeCase) };
}

export function ignored(message: string): Note {
  return { code: "option-ignored", message };
}

function wrongField(where: string, expected: string, got: string): SpellError {
  return new SpellError("http-field", `${where === "" ? "the body" : where}: expected ${expected}, got ${got}`, { where });
}

/** A value of a request in words, as its writer knows it. */
export function gotOf(value: unknown): string {
  return isObject(value) ? "an object" : shown(value);
}

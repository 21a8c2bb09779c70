/**
 * Parameters of the functions that scripts call. They are declared beside each function and checked in one place, before the call, so that both languages
 * say the same. Values have been through values.ts: plain data, callbacks as async functions, objects of the host as themselves.
 */
import { SpellError } from "../errors.ts";
import { isObject, shown } from "../json.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { snakeCase } from "../values.ts";

/** Where a value stands. */
interface Place {
  /** as scripts call it: "State.save", "agent:execute" */
  readonly function: string;
  /** "options", "options.max_tokens", "prompt[2]" */
  readonly argument: string;
}

export interface Parameter<T = unknown> {
  readonly name: string;
  /** in words: "text", "a whole number from 1 to 10" */
  readonly expects: string;
  readonly isOptional: boolean;
  /** Nothing (nil, null) is a value like others. */
  readonly takesNull?: boolean | undefined;
  /** The fields of a table, for the documentation. */
  readonly fields?: readonly Parameter[] | undefined;
  /** @param value anything but nothing @returns it as the function takes it @throws SpellError script-argument */
  readonly read: (value: unknown, place: Place) => T;
}

/** What a function with these parameters is called with. */
export type Values<P extends readonly Parameter[]> = { -readonly [I in keyof P]: P[I] extends Parameter<infer T> ? T : never };

/** What `options()` with these fields gives. */
export type Fields<P extends readonly Parameter[]> = {
  readonly [F in P[number] as F["name"]]: F extends Parameter<infer T> ? T : never;
};

/** The callback of a script. It rejects if the script's function raised; the call then raises what the script raised. */
export type Callback = (...values: readonly unknown[]) => Promise<unknown>;

/** A function of a script that is called later, within another call of the script. */
export class KeptFunction {
  /** from 1 */
  readonly index: number;
  /** of one call; default: the limits of the script */
  readonly limit: CallLimit | undefined;

  constructor(index: number, limit?: CallLimit) {
    this.index = index;
    this.limit = limit;
  }

  /** The same function under a limit of its own. */
  within(limit: CallLimit): KeptFunction {
    return new KeptFunction(this.index, limit);
  }
}

export interface CallLimit {
  /** milliseconds that the function may compute; in JavaScript up to its first await */
  readonly ms: number;
  /** in the error of a script that ends of it: "hook 1 of BeforeToolExecution" */
  readonly name: string;
  /** that moves it: "hooks.timeout_ms" */
  readonly key: string;
}

/** Calls a function that was kept, within the call of the script that is under way. */
export type CallKept = (kept: KeptFunction, ...values: readonly unknown[]) => Promise<unknown>;

/** A bound of objects of the host: any class, also with a private constructor. */
// biome-ignore lint/suspicious/noExplicitAny: instanceof asks nothing of the constructor's parameters
export type Kind<T = object> = abstract new (...args: any[]) => T;

export function text<N extends string>(name: N): Parameter<string> & { readonly name: N } {
  return parameter(name, "text", (value) => typeof value === "string");
}

export function flag<N extends string>(name: N): Parameter<boolean> & { readonly name: N } {
  return parameter(name, "true or false", (value) => typeof value === "boolean");
}

export function number<N extends string>(name: N, least?: number, most?: number): Parameter<number> & { readonly name: N } {
  return parameter(name, `a number${range(least, most)}`, (value) => typeof value === "number" && inRange(value, least, most));
}

export function integer<N extends string>(name: N, least?: number, most?: number): Parameter<number> & { readonly name: N } {
  return parameter(
    name,
    `a whole number${range(least, most)}`,
    (value) => Number.isSafeInteger(value) && inRange(Number(value), least, most),
  );
}

export function oneOf<N extends string, T extends string>(name: N, words: readonly T[]): Parameter<T> & { readonly name: N } {
  return parameter(name, words.join(", "), (value) => words.includes(value as T));
}

/** Any data, functions excepted. */
/** @param expects in errors, where nothing is given */
export function any<N extends string>(name: N, expects = "any data"): Parameter<unknown> & { readonly name: N } {
  return { name, expects, isOptional: false, takesNull: true, read: (value) => value };
}

/** Bytes, from JavaScript: a typed array, a DataView or an ArrayBuffer. The function `takesBytes`. */
export function bytes<N extends string>(name: N): Parameter<Uint8Array> & { readonly name: N } {
  return parameter(name, "bytes", (value) => value instanceof Uint8Array);
}

/** Data that is kept: without functions, which would be lost in silence. */
export function data<N extends string>(name: N): Parameter<unknown> & { readonly name: N } {
  return {
    ...any(name),
    read(value, place) {
      const found = functionIn(value);
      if (found !== undefined) throw wrong(place, "plain data", found);
      return value;
    },
  };
}

function functionIn(value: unknown): unknown {
  if (typeof value === "function" || value instanceof Uint8Array) return value;
  if (!Array.isArray(value) && !isTable(value)) return undefined;
  return Object.values(value)
    .map(functionIn)
    .find((found) => found !== undefined);
}

export function callback<N extends string>(name: N): Parameter<Callback> & { readonly name: N } {
  return parameter(name, "a function", (value) => typeof value === "function");
}

/** A function of the script that is called later; the function it is given to `keeps`. */
export function kept<N extends string>(name: N): Parameter<KeptFunction> & { readonly name: N } {
  return parameter(name, "a function", (value) => value instanceof KeptFunction);
}

/** An object of the host. As the first parameter of a method it is what the method is called on. @param word as scripts know it: "Agent" */
export function instance<N extends string, T extends object>(name: N, kind: Kind<T>, word: string): Parameter<T> & { readonly name: N } {
  return parameter(name, `an object of ${word}`, (value) => value instanceof kind);
}

/** A list; an empty table of Lua counts as one. */
export function list<N extends string, T = unknown>(name: N, item?: Parameter<T>): Parameter<readonly T[]> & { readonly name: N } {
  const expects = item === undefined ? "a list" : `a list of ${item.expects}`;
  return {
    name,
    expects,
    isOptional: false,
    read(value, place) {
      const items = isTable(value) && Object.keys(value).length === 0 ? [] : value;
      if (!Array.isArray(items)) throw wrong(place, expects, value);
      return items.map(
        (inner, i) => (item === undefined ? inner : readOne(item, inner, { ...place, argument: `${place.argument}[${i}]` })) as T,
      );
    },
  };
}

/** A table of any names. */
export function table<N extends string>(name: N): Parameter<Readonly<Record<string, unknown>>> & { readonly name: N } {
  return parameter(name, "a table", isTable);
}

/** A table with these names only, each in either spelling; required ones must be there. */
export function options<N extends string, const P extends readonly Parameter[]>(
  name: N,
  fields: P,
): Parameter<Fields<P>> & { readonly name: N } {
  const names = fields.map((field) => field.name);
  return {
    name,
    expects: "a table",
    isOptional: false,
    fields,
    read(given, place) {
      if (!isTable(given)) throw wrong(place, "a table", given);
      const value: Record<string, unknown> = {};
      for (const [key, inner] of Object.entries(given)) {
        const name = names.includes(key) ? key : snakeCase(key);
        if (!names.includes(name)) throw unknownName(place, key, names);
        if (Object.hasOwn(value, name)) throw wrong({ ...place, argument: `${place.argument}.${name}` }, "one value", given);
        value[name] = inner;
      }
      const entries = fields.map((field) => {
        const inner = readOne(field, Object.hasOwn(value, field.name) ? value[field.name] : undefined, {
          ...place,
          argument: `${place.argument}.${field.name}`,
        });
        return [field.name, inner] as const;
      });
      return Object.fromEntries(entries.filter(([, inner]) => inner !== undefined)) as Fields<P>;
    },
  };
}

/** One of several forms. */
export function either<N extends string, A, B>(
  name: N,
  first: Parameter<A>,
  second: Parameter<B>,
): Parameter<A | B> & { readonly name: N } {
  const expects = `${first.expects} or ${second.expects}`;
  return {
    name,
    expects,
    isOptional: false,
    fields: first.fields ?? second.fields,
    read(value, place) {
      const failures: SpellError[] = [];
      for (const form of [first, second]) {
        try {
          return form.read(value, place);
        } catch (error) {
          if (!(error instanceof SpellError)) throw error;
          failures.push(error);
        }
      }
      // A fault inside a form is nearer than that the whole is of no form.
      throw failures.find((error) => error.details?.["argument"] !== place.argument) ?? wrong(place, expects, value);
    },
  };
}

export function optional<N extends string, T>(inner: Parameter<T> & { readonly name: N }): Parameter<T | undefined> & { readonly name: N } {
  return { ...inner, isOptional: true };
}

/**
 * The arguments as a function takes them; more than it has parameters are left out.
 * @param name of the function, as scripts call it
 * @throws SpellError script-argument
 */
export function readArguments(name: string, parameters: readonly Parameter[], given: readonly unknown[]): unknown[] {
  try {
    return parameters.map((each, i) => readOne(each, given[i], { function: name, argument: each.name }));
  } catch (error) {
    throw error instanceof SpellError && error.code === "script-argument" && error.details?.["known"] === undefined
      ? error.with({ hint: `Call it as ${signature(name, parameters)}` })
      : error;
  }
}

/** "State.save(scope, key, value)"; optional ones in brackets. */
export function signature(name: string, parameters: readonly Parameter[]): string {
  const shownOnes = name.includes(":") ? parameters.slice(1) : parameters;
  return `${name}(${shownOnes.map((each) => (each.isOptional ? `[${each.name}]` : each.name)).join(", ")})`;
}

/** The error of an argument that a function refuses for a reason of its own. */
export function argumentError(name: string, argument: string, expected: string, got: unknown): SpellError {
  return wrong({ function: name, argument }, expected, got);
}

function readOne<T>(each: Parameter<T>, value: unknown, place: Place): T | undefined {
  if (value === undefined || (value === null && each.takesNull !== true)) {
    if (each.isOptional) return undefined;
    throw wrong(place, each.expects, value);
  }
  return each.read(value, place);
}

function parameter<N extends string, T>(name: N, expects: string, fits: (value: unknown) => boolean): Parameter<T> & { readonly name: N } {
  return {
    name,
    expects,
    isOptional: false,
    read(value, place) {
      if (!fits(value)) throw wrong(place, expects, value);
      return value as T;
    },
  };
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && Object.getPrototypeOf(value) === Object.prototype;
}

function wrong(place: Place, expected: string, value: unknown): SpellError {
  const got = describe(value);
  return new SpellError("script-argument", `${place.function}: ${place.argument}: expected ${expected}, got ${got}`, {
    where: place.argument,
    details: { ...place, expected, got },
  });
}

function unknownName(place: Place, name: string, known: readonly string[]): SpellError {
  const argument = `${place.argument}.${name.slice(0, 60)}`;
  const got = name.slice(0, 60);
  return new SpellError("script-argument", `${place.function}: ${place.argument} has no ${got}${didYouMean(nearest(name, known))}`, {
    where: argument,
    hint: `Names: ${known.join(", ")}.`,
    details: { function: place.function, argument, expected: `one of ${known.join(", ")}`, got, known },
  });
}

/** Objects of the host are not opened: what they hold is not for scripts. */
function describe(value: unknown): string {
  if (value === undefined || value === null) return "nothing";
  if (typeof value !== "object" || Array.isArray(value) || isTable(value)) return shown(value);
  return "an object of the host";
}

function inRange(value: number, least = Number.NEGATIVE_INFINITY, most = Number.POSITIVE_INFINITY): boolean {
  return value >= least && value <= most;
}

function range(least: number | undefined, most: number | undefined): string {
  if (least === undefined) return most === undefined ? "" : ` up to ${most}`;
  return most === undefined ? ` from ${least} on` : ` from ${least} to ${most}`;
}

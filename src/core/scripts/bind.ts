/**
 * The globals of scripts, written once for both languages: plain objects of functions, and classes whose objects scripts hold.
 *
 * ```ts
 * const state = { save: now([text("scope"), text("key"), any("value")], (scope, key, value) => store.save(scope, key, value)) };
 * ```
 * Names are written one way; the other spelling (snake_case, camelCase) is made here and nowhere else.
 */
import { SpellError } from "../errors.ts";
import { snakeCase } from "../values.ts";
import { type CallKept, type Kind, type Parameter, readArguments, type Values } from "./arguments.ts";

export interface ScriptFunction {
  readonly parameters: readonly Parameter[];
  /** In JavaScript it returns a Promise. Lua sees no difference. */
  readonly waits: boolean;
  /** Its time does not count against that of the whole run. */
  readonly isUntimed: boolean;
  /** Functions among its arguments are called later, within other calls. */
  readonly keeps: boolean;
  /** An argument may be bytes. */
  readonly takesBytes: boolean;
  readonly run: (...values: never[]) => unknown;
}

export type ScriptFunctions = Readonly<Record<string, ScriptFunction>>;

/** Objects of the host with identity. Methods take the object first, declared by instance(). */
export interface ScriptClass {
  readonly kind: Kind;
  readonly methods: ScriptFunctions;
}

/** What a run offers, by the names scripts use. */
export interface ScriptGlobals {
  readonly globals: Readonly<Record<string, ScriptFunctions>>;
  /** Members of a global that are a call of its function `call` with their name: `Tool.calculator(…)`, `Tool.calculator.execute(…)`. */
  readonly named?: Readonly<Record<string, NamedCalls>> | undefined;
  readonly classes: Readonly<Record<string, ScriptClass>>;
}

export interface NamedCalls {
  readonly call: string;
  /** function whose tables can be executed as the members can */
  readonly get: string;
  /** kebab-case */
  readonly names: readonly string[];
}

/**
 * A function whose answer is there when it is called. It may be async: then it blocks the script, and nothing else.
 * @param run gets what calls kept functions after its values
 */
export function now<const P extends readonly Parameter[]>(
  parameters: P,
  run: (...values: [...Values<P>, CallKept]) => unknown,
  { keeps = false, takesBytes = false }: { readonly keeps?: boolean; readonly takesBytes?: boolean } = {},
): ScriptFunction {
  return { parameters, waits: false, isUntimed: false, keeps, takesBytes, run: run as ScriptFunction["run"] };
}

/** A function that takes time: a Promise in JavaScript. @param run gets what calls kept functions after its values */
export function waits<const P extends readonly Parameter[]>(
  parameters: P,
  run: (...values: [...Values<P>, CallKept]) => Promise<unknown>,
  { isUntimed = false }: { readonly isUntimed?: boolean } = {},
): ScriptFunction {
  return { parameters, waits: true, isUntimed, keeps: false, takesBytes: false, run: run as ScriptFunction["run"] };
}

/** What the guest makes functions and objects of. Each name of a script leads to the name that a call carries. */
export interface Manifest {
  readonly globals: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly classes: Readonly<Record<string, Readonly<Record<string, string>>>>;
  /** by global: the call that its members are, the one that gives them, and the names that lead to each */
  readonly named: Readonly<
    Record<string, { readonly call: string; readonly get: string; readonly names: Readonly<Record<string, string>> }>
  >;
  /** calls that are Promises in JavaScript */
  readonly waits: readonly string[];
  /** calls whose functions are called later */
  readonly keeps: readonly string[];
  /** calls that take bytes */
  readonly takesBytes: readonly string[];
}

export interface Bound {
  readonly manifest: Manifest;
  readonly classes: readonly (readonly [name: string, kind: Kind])[];
  /** @param name as a call carries it: "State.save", "Agent:execute" @returns undefined for a name that is not there */
  find(name: string): ScriptFunction | undefined;
  /** Checks the arguments and calls. @throws SpellError script-argument, script-denied (no such function), and of the function */
  call(name: string, given: readonly unknown[], callKept?: CallKept): unknown;
}

/** @throws Error for two functions of one name in a group: a fault of the program */
export function bind({ globals, named = {}, classes }: ScriptGlobals): Bound {
  const functions = new Map<string, ScriptFunction>();
  const group = (prefix: string, members: ScriptFunctions): Readonly<Record<string, string>> => {
    const names: Record<string, string> = {};
    for (const [name, member] of Object.entries(members)) {
      const full = prefix + name;
      functions.set(full, member);
      for (const spelling of new Set(spellings(name))) {
        if (Object.hasOwn(names, spelling)) throw new Error(`${prefix}${spelling} is there twice`);
        names[spelling] = full;
      }
    }
    return names;
  };
  const manifest: Manifest = {
    globals: mapped(globals, (members, name) => group(`${name}.`, members)),
    classes: mapped(classes, ({ methods }, name) => group(`${name}:`, methods)),
    named: mapped(named, ({ call, get, names }, name) => ({
      call: `${name}.${call}`,
      get,
      names: Object.fromEntries(names.flatMap((each) => spellings(each.replaceAll("-", "_")).map((spelling) => [spelling, each]))),
    })),
    waits: [...functions].filter(([, member]) => member.waits).map(([name]) => name),
    keeps: [...functions].filter(([, member]) => member.keeps).map(([name]) => name),
    takesBytes: [...functions].filter(([, member]) => member.takesBytes).map(([name]) => name),
  };
  return {
    manifest,
    classes: Object.entries(classes).map(([name, { kind }]) => [name, kind]),
    find: (name) => functions.get(name),
    call(name, given, callKept) {
      const found = functions.get(name);
      if (found === undefined) throw new SpellError("script-denied", `${name.slice(0, 60)} is not there`);
      const values = readArguments(name, found.parameters, given);
      return found.run(...([...values, callKept] as never[]));
    },
  };
}

/** A name in both spellings. */
export function spellings(name: string): readonly [snake: string, camel: string] {
  return [snakeCase(name), name.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())];
}

function mapped<T, U>(record: Readonly<Record<string, T>>, change: (value: T, name: string) => U): Readonly<Record<string, U>> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, change(value, name)]));
}

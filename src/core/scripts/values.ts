/**
 * What crosses between host and script: plain JSON, in which `{"$fn":3}` is a callback of the call and `{"$id":7,"$class":"Agent"}` an object of the host,
 * and `{"$bytes":"AP8="}` bytes, as base64. Keys of users that begin with `$` have one more on the way.
 */
import { fromBase64 } from "../base64.ts";
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { type Callback, KeptFunction, type Kind } from "./arguments.ts";

/** The objects of the host that a script holds, by number. They live as long as the run. */
export interface ScriptObjects {
  /** @returns undefined for anything but an object of the classes */
  mark(value: object): { readonly $id: number; readonly $class: string } | undefined;
  find(id: unknown): object | undefined;
}

export function scriptObjects(classes: readonly (readonly [name: string, kind: Kind])[]): ScriptObjects {
  const held: object[] = [];
  const ids = new Map<object, number>();
  return {
    mark(value) {
      const found = classes.find(([, kind]) => value instanceof kind);
      if (found === undefined) return undefined;
      let id = ids.get(value);
      if (id === undefined) {
        if (held.length >= limits.scriptObjects)
          throw new SpellError("script-memory", `expected at most ${limits.scriptObjects} objects of the host in one script, got more`);
        id = held.push(value);
        ids.set(value, id);
      }
      return { $id: id, $class: found[0] };
    },
    find: (id) => (typeof id === "number" ? held[id - 1] : undefined),
  };
}

/**
 * A value of the host as it goes to the script. What is undefined is left out, in lists it becomes null, as do numbers that are not finite.
 * @throws SpellError script-error beyond the limits of data, and for functions
 */
export function outward(value: unknown, objects: ScriptObjects, depth = 0): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "function" || typeof value === "symbol")
    throw new SpellError("script-error", `a ${typeof value} cannot go to a script`);
  if (typeof value !== "object" || value === null) return value;
  const mark = objects.mark(value);
  if (mark !== undefined) return mark;
  if (depth >= limits.scriptDepth)
    throw new SpellError("script-error", `expected data nested at most ${limits.scriptDepth} deep, got more`);
  if (Array.isArray(value)) return value.map((inner) => outward(inner, objects, depth + 1) ?? null);
  return rebuilt(
    Object.entries(value).filter(([, inner]) => inner !== undefined),
    (key) => (key.startsWith("$") ? `$${key}` : key),
    (inner) => outward(inner, objects, depth + 1),
  );
}

/**
 * A value of the script as the host takes it.
 * @param callback makes a function of the number of a callback
 * @throws SpellError script-argument for what no guest of ours sends, or deeper than the limit
 */
export function inward(value: unknown, objects: ScriptObjects, callback: (index: number) => Callback, depth = 0): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (depth > limits.scriptDepth)
    throw new SpellError("script-argument", `expected data nested at most ${limits.scriptDepth} deep, got more`);
  if (Array.isArray(value)) return value.map((inner) => inward(inner, objects, callback, depth + 1));
  if (Object.hasOwn(value, "$fn")) {
    const { $fn } = value as { readonly $fn: unknown };
    if (Number.isSafeInteger($fn)) return Number($fn) < 0 ? new KeptFunction(-Number($fn)) : callback(Number($fn));
    throw unknownMark();
  }
  if (Object.hasOwn(value, "$id")) {
    const found = objects.find((value as { readonly $id: unknown }).$id);
    if (found !== undefined) return found;
    throw unknownMark();
  }
  if (Object.hasOwn(value, "$bytes")) {
    try {
      return fromBase64(String((value as { readonly $bytes: unknown }).$bytes));
    } catch (cause) {
      throw new SpellError("script-argument", "expected bytes as base64, got other text", { cause });
    }
  }
  return rebuilt(
    Object.entries(value),
    (key) => {
      if (!key.startsWith("$")) return key;
      if (key.startsWith("$$")) return key.slice(1);
      throw unknownMark();
    },
    (inner) => inward(inner, objects, callback, depth + 1),
  );
}

/** As Object.fromEntries: a key `__proto__` is a key like others. */
function rebuilt(
  entries: readonly (readonly [string, unknown])[],
  key: (key: string) => string,
  change: (value: unknown) => unknown,
): object {
  return Object.fromEntries(entries.map(([name, inner]) => [key(name), change(inner)]));
}

/** Absolute paths cut to their last part: a script has no business with this machine's folders. Addresses stay. */
export function withoutPaths(text: string): string {
  return text.replace(/(^|[\s"'`([=])((?:[A-Za-z]:)?(?:[\\/][^\s"'`()[\]:;,\\/]+){2,})/g, (_, before: string, path: string) => {
    return `${before}…/${path.split(/[\\/]/).at(-1)}`;
  });
}

function unknownMark(): SpellError {
  return new SpellError("script-argument", "the value names an object that is not there");
}

/**
 * A document against the compiled schema. It goes along the schema, key by known key, into a flat map of paths: no object of a user is merged
 * or copied, so `__proto__` is a name like any other, and unknown. Every problem is found, not only the first.
 */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { nearest } from "../nearest.ts";
import { parseModelSpec } from "../spec/model-spec.ts";
import type { Document } from "./document.ts";
import type { ConfigKey } from "./key.ts";
import { allKeys, isProviderType, keyAt, keysOfType, namesIn, type ProviderType, providerNameProblem, providerTypes } from "./keys.ts";
import { type Entry, type Layer, showPath } from "./layer.ts";
import type { Problem, ProblemCode } from "./problem.ts";
import { findRetiredKey, retiredValue } from "./retired.ts";
import { checkValue, showGot, showValue } from "./value.ts";

/** A key or table of a person's own: its name begins with x-. */
export interface Extra {
  readonly parts: readonly string[];
  readonly value: unknown;
}

export interface Checked {
  readonly layer: Layer;
  readonly extras: readonly Extra[];
  readonly problems: readonly Problem[];
}

export function checkDocument(document: Document): Checked {
  const layer = new Map<string, Entry>();
  const extras: Extra[] = [];
  const problems: Problem[] = [];

  let kept: ReadonlyMap<string, string> | undefined;
  const wherePaths = (): ReadonlyMap<string, string> => {
    kept ??= lastNames();
    return kept;
  };
  /** Enough to know that the file is something else. */
  const isFull = (): boolean => problems.length >= limits.configProblems;
  const complain = (
    code: ProblemCode,
    parts: readonly string[],
    part: "key" | "value",
    message: string,
    more: Partial<Problem> = {},
  ): void => {
    const { where, line, column, frame } = document.place(parts, part);
    problems.push({
      code,
      path: showPath(parts),
      message,
      where,
      line,
      column,
      frame,
      ...more,
    });
  };
  const take = (parts: readonly string[], key: ConfigKey, value: unknown, path: string): void => {
    const replacement = typeof value === "string" ? retiredValue(path, value) : undefined;
    if (replacement !== undefined) {
      complain("config-retired-key", parts, "value", replacement);
      return;
    }
    const result = checkValue(key, value);
    if ("value" in result) layer.set(path, { value: result.value, origin: document.place(parts, "key").origin });
    else {
      const got = showGot(path, value);
      const meant = typeof value === "string" && key.choices !== undefined ? nearest(value, key.choices) : undefined;
      complain(
        "config-value",
        parts,
        "value",
        `wanted ${result.wanted}; got ${got}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
        {
          expected: result.wanted,
          got,
          nearest: meant,
        },
      );
    }
  };
  /** @returns true when the name is one of a person's own: nothing more is to be said */
  const isOwn = (parts: readonly string[], name: string, value: unknown): boolean => {
    if (name.startsWith("x-")) extras.push({ parts, value });
    return name.startsWith("x-");
  };
  /** A name the schema does not have: of an older file, or a slip. */
  const unknown = (parts: readonly string[], value: unknown, known: readonly string[]): void => {
    const replacement = findRetiredKey(parts, value);
    if (replacement !== undefined) {
      complain("config-retired-key", parts, "key", replacement);
      return;
    }
    const name = parts.at(-1) ?? "";
    const meant = nearest(name, known) ?? elsewhere(name, wherePaths());
    complain("config-unknown-key", parts, "key", `unknown key${meant === undefined ? "" : `; did you mean ${meant}?`}`, {
      nearest: meant,
    });
  };

  const visit = (table: Readonly<Record<string, unknown>>, parts: readonly string[]): void => {
    const prefix = parts.join(".");
    const known = namesIn(prefix) ?? [];
    for (const [name, value] of setEntries(table)) {
      if (isFull()) return;
      const inner = [...parts, name];
      if (isOwn(inner, name, value)) continue;
      // a quoted "a.b" is one name, and no path
      const path = known.includes(name) ? (prefix === "" ? name : `${prefix}.${name}`) : undefined;
      const key = path === undefined ? undefined : keyAt(path);
      if (path === "providers") {
        if (isTable(value)) visitProviders(value);
        else complain("config-value", inner, "value", `wanted a table; got ${showValue(value)}`);
      } else if (key !== undefined && path !== undefined) take(inner, key, value, path);
      else if (path === undefined) unknown(inner, value, known);
      else if (isTable(value)) visit(value, inner);
      else complain("config-value", inner, "value", `wanted a table; got ${showValue(value)}`);
    }
  };
  const visitProviders = (table: Readonly<Record<string, unknown>>): void => {
    for (const [name, value] of setEntries(table)) {
      if (isFull()) return;
      const parts = ["providers", name];
      if (isOwn(parts, name, value)) continue;
      const key = keyAt(`providers.${name}`);
      const problem = providerNameProblem(name);
      if (key !== undefined && name === "default_provider") take(parts, key, value, key.path);
      else if (!isTable(value) && isProviderType(name)) complain("config-value", parts, "value", `wanted a table; got ${showValue(value)}`);
      else if (!isTable(value)) unknown(parts, value, [...(namesIn("providers") ?? []), ...providerTypes()]);
      else if (problem !== undefined && (isOdd(name) || name === "providers")) unknown(parts, value, providerTypes());
      else if (problem !== undefined) complain("config-value", parts, "key", `the name of a provider: ${problem}`);
      else visitProvider(name, value);
    }
  };
  const visitProvider = (name: string, table: Readonly<Record<string, unknown>>): void => {
    const parts = ["providers", name];
    const given = table["provider_type"];
    const type = typeof given === "string" ? given.toLowerCase() : given === undefined ? name : "";
    if (!isProviderType(type)) {
      const meant = nearest(type, providerTypes());
      const got = given === undefined ? "none" : showValue(given);
      complain(
        "config-value",
        given === undefined ? parts : [...parts, "provider_type"],
        "value",
        `${given === undefined ? "provider_type: " : ""}wanted ${providerTypes().join(", ")}; got ${got}${meant === undefined ? "" : `; did you mean ${meant}?`}`,
        { expected: providerTypes().join(", "), got },
      );
      return;
    }
    layer.set(`providers.${name}.provider_type`, {
      value: type,
      origin: document.place(given === undefined ? parts : [...parts, "provider_type"], "key").origin,
    });
    const keys = keysOfType(type);
    const visitKeys = (inside: Readonly<Record<string, unknown>>, prefix: readonly string[]): void => {
      for (const [own, value] of setEntries(inside)) {
        if (isFull()) return;
        if (prefix.length === 0 && own === "provider_type") continue;
        const inner = [...parts, ...prefix, own];
        if (isOwn(inner, own, value)) continue;
        const path = [...prefix, own].join(".");
        const key = own.includes(".") ? undefined : keys.get(path);
        const isInnerTable = !own.includes(".") && [...keys.keys()].some((known) => known.startsWith(`${path}.`));
        if (key !== undefined) {
          take(inner, key, value, `providers.${name}.${path}`);
          checkModel(inner, key, type, value);
        } else if (isInnerTable && isTable(value)) visitKeys(value, [...prefix, own]);
        else if (isInnerTable) complain("config-value", inner, "value", `wanted a table; got ${showValue(value)}`);
        else unknownProviderKey(inner, value, path, type, keys);
      }
    };
    visitKeys(table, []);
  };
  const unknownProviderKey = (
    parts: readonly string[],
    value: unknown,
    path: string,
    type: ProviderType,
    keys: ReadonlyMap<string, ConfigKey>,
  ): void => {
    const owners = providerTypes().filter((other) => isProviderType(other) && keysOfType(other).has(path));
    if (owners.length === 0)
      unknown(parts, value, [...new Set([...keys.keys()].map((key) => key.split(".").at(parts.length - 3) ?? key)), "provider_type"]);
    else complain("config-unknown-key", parts, "key", `unknown key: ${type} providers have none; those of type ${owners.join(", ")} do`);
  };
  /** The grammar is the in-process backend's own; servers have their own names. */
  const checkModel = (parts: readonly string[], key: ConfigKey, type: ProviderType, value: unknown): void => {
    if (key.format !== "model" || type !== "candle" || typeof value !== "string") return;
    try {
      parseModelSpec(value);
    } catch (error) {
      if (error instanceof SpellError && error.code.startsWith("spec-")) complain("config-value", parts, "value", error.message);
    }
  };

  visit(document.values, []);
  return { layer, extras, problems };
}

/** A program that sets a key to undefined leaves it unset. */
function setEntries(table: Readonly<Record<string, unknown>>): readonly (readonly [string, unknown])[] {
  return Object.entries(table).filter(([, value]) => value !== undefined);
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

/** Names of JavaScript's own, which nobody means. */
function isOdd(name: string): boolean {
  return name === "__proto__" || name === "constructor" || name === "prototype";
}

/** A key that was put into the wrong table: the path whose last name it is, or nearly is. */
function elsewhere(name: string, paths: ReadonlyMap<string, string>): string | undefined {
  const meant = paths.has(name) ? name : nearest(name, paths.keys());
  return meant === undefined ? undefined : paths.get(meant);
}

/** Last names of all keys, each with the first path that has it. */
function lastNames(): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  const add = (name: string, path: string): void => {
    if (!paths.has(name)) paths.set(name, path);
  };
  for (const type of providerTypes())
    if (isProviderType(type)) for (const own of keysOfType(type).keys()) add(own, `providers.${type}.${own}`);
  for (const { path } of allKeys()) add(path.slice(path.lastIndexOf(".") + 1), path);
  return paths;
}

/**
 * Checks a document against the compiled schema. It follows the schema key by known key into a flat map of paths: no table of the document is
 * merged or copied, so `__proto__` is a name like any other, and unknown. All problems are found, not only the first.
 */
import { SpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import { didYouMean, nearest } from "../nearest.ts";
import { parseModelSpec } from "../spec/model-spec.ts";
import { parseServerLines } from "../spec/server-line.ts";
import { once } from "../values.ts";
import { type ProviderType, providerTypes } from "./compiled.generated.ts";
import type { Document } from "./document.ts";
import type { ConfigKey } from "./key.ts";
import { isProviderType, keysByPath, keysOfType, namesIn, providerNameProblem } from "./keys.ts";
import { type Entry, type Layer, showPath } from "./layer.ts";
import { maskAddress } from "./mask.ts";
import type { Problem, ProblemCode } from "./problem.ts";
import { findRetiredKey, retiredValue } from "./retired.ts";
import { checkValue, describeValues, isTable, showGot, showValue, type Table } from "./value.ts";

/** A key or table without effect: its name begins with x-. */
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
  const pathsByName = once(lastNames);
  const isFull = (): boolean => problems.length >= limits.configProblems;

  const complain = (code: ProblemCode, parts: readonly string[], part: "key" | "value", message: string, more?: Partial<Problem>): void => {
    const { where, line, column, frame } = document.place(parts, part);
    problems.push({ code, path: showPath(parts), message, where, line, column, frame, ...more });
  };
  const wantTable = (parts: readonly string[], value: unknown): void =>
    complain("config-value", parts, "value", `expected a table, got ${showValue(value)}`);
  const take = (parts: readonly string[], key: ConfigKey, given: unknown, path: string): void => {
    const replacement = typeof given === "string" ? retiredValue(path, given) : undefined;
    const value = replacement === undefined ? checkValue(key, given) : undefined;
    if (replacement !== undefined) complain("config-retired-key", parts, "value", replacement);
    else if (value !== undefined) layer.set(path, { value, origin: document.place(parts, "key").origin });
    else refuse(parts, key, given, path);
  };
  const refuse = (parts: readonly string[], key: ConfigKey, given: unknown, path: string): void => {
    const [expected, got] = [describeValues(key), showGot(path, given)];
    const meant = typeof given === "string" && key.choices !== undefined ? nearest(given, key.choices) : undefined;
    const message = `expected ${expected}, got ${got}${didYouMean(meant)}`;
    complain("config-value", parts, "value", message, { expected, got, nearest: meant });
  };
  /** A name the schema does not have: retired, or misspelled. */
  const unknown = (parts: readonly string[], value: unknown, known: readonly string[]): void => {
    const replacement = findRetiredKey(parts, value);
    const name = parts.at(-1) ?? "";
    const meant = replacement === undefined ? (nearest(name, known) ?? elsewhere(name, pathsByName())) : undefined;
    if (replacement !== undefined) complain("config-retired-key", parts, "key", replacement);
    else complain("config-unknown-key", parts, "key", `unknown key${didYouMean(meant)}`, { nearest: meant });
  };
  /** Entries of a table, one by one, until there are too many problems. Keys without effect are kept apart. */
  const visitEntries = (table: Table, above: readonly string[], visit: (name: string, value: unknown, parts: string[]) => void): void => {
    for (const [name, value] of Object.entries(table)) {
      if (isFull()) return;
      const parts = [...above, name];
      if (value === undefined) continue;
      if (name.startsWith("x-")) extras.push({ parts, value });
      else visit(name, value, parts);
    }
  };

  /** Tables outside of named providers. */
  const visitTable = (table: Table, above: readonly string[]): void => {
    const known = namesIn(keysByPath().keys(), above);
    visitEntries(table, above, (name, value, parts) => {
      // a quoted "a.b" is one name, not a path
      const path = known.includes(name) ? parts.join(".") : undefined;
      const key = path === undefined ? undefined : keysByPath().get(path);
      if (path === undefined) unknown(parts, value, known);
      else if (key !== undefined) {
        take(parts, key, value, path);
        if (path === "tools.mcp.servers") checkServers(parts, layer.get(path)?.value);
        if (path === "default_model") checkModel(parts, key, value, ["", "@ollama"]);
      } else if (!isTable(value)) wantTable(parts, value);
      else if (path === "providers") visitProviders(value);
      else visitTable(value, parts);
    });
  };
  const visitProviders = (table: Table): void => {
    const own = namesIn(keysByPath().keys(), ["providers"]);
    visitEntries(table, ["providers"], (name, value, parts) => {
      const key = own.includes(name) ? keysByPath().get(`providers.${name}`) : undefined;
      const problem = providerNameProblem(name);
      if (key !== undefined) take(parts, key, value, key.path);
      else if (!isTable(value) && isProviderType(name)) wantTable(parts, value);
      else if (!isTable(value)) unknown(parts, value, [...own, ...providerTypes]);
      else if (problem === undefined) visitProvider(name, value, parts);
      else if (isOdd(name) || name === "providers") unknown(parts, value, providerTypes);
      else complain("config-value", parts, "key", `name of a provider: ${problem}`);
    });
  };
  const visitProvider = (name: string, table: Table, parts: readonly string[]): void => {
    const { provider_type: given = name } = table;
    const isGiven = table["provider_type"] !== undefined;
    const place = isGiven ? [...parts, "provider_type"] : parts;
    const type = typeof given === "string" ? given.toLowerCase() : "";
    if (isProviderType(type)) {
      layer.set(`providers.${name}.provider_type`, { value: type, origin: document.place(place, "key").origin });
      visitProviderTable(table, parts, [], type);
      return;
    }
    const [expected, got] = [providerTypes.join(", "), isGiven ? showValue(given) : "none"];
    const message = `${isGiven ? "" : "provider_type: "}expected ${expected}, got ${got}${didYouMean(nearest(type, providerTypes))}`;
    complain("config-value", place, "value", message, { expected, got });
  };
  const visitProviderTable = (table: Table, provider: readonly string[], above: readonly string[], type: ProviderType): void => {
    const keys = keysOfType(type);
    const known = namesIn(keys.keys(), above);
    visitEntries(table, [...provider, ...above], (name, value, parts) => {
      const inner = [...above, name];
      const path = inner.join(".");
      const key = known.includes(name) ? keys.get(path) : undefined;
      if (path === "provider_type") return;
      if (key !== undefined) {
        take(parts, key, value, `${provider.join(".")}.${path}`);
        // servers name their models freely
        if (keys.has("device")) checkModel(parts, key, value, [""]);
      } else if (!known.includes(name)) unknownProviderKey(parts, value, path, type, [...known, "provider_type"]);
      else if (isTable(value)) visitProviderTable(value, provider, inner, type);
      else wantTable(parts, value);
    });
  };
  const unknownProviderKey = (
    parts: readonly string[],
    value: unknown,
    path: string,
    type: ProviderType,
    known: readonly string[],
  ): void => {
    const owners = providerTypes.filter((other) => keysOfType(other).has(path));
    if (owners.length === 0) unknown(parts, value, known);
    else complain("config-unknown-key", parts, "key", `unknown key for ${type} providers; ${owners.join(", ")} providers have it`);
  };
  /** @param backends whose grammar may take the name; "": the in-process one */
  const checkModel = (parts: readonly string[], key: ConfigKey, value: unknown, backends: readonly string[]): void => {
    if (key.format !== "model" || typeof value !== "string") return;
    const [first, ...others] = backends.map((backend) => specProblem(value + backend));
    if (first !== undefined && !others.includes(undefined)) complain("config-value", parts, "value", first);
  };

  /** @param lines of the right type, else it is said already */
  const checkServers = (parts: readonly string[], lines: unknown): void => {
    const read = Array.isArray(lines) ? parseServerLines(lines as readonly string[]) : [];
    if (typeof read === "string") complain("config-value", parts, "value", maskAddress(read));
  };

  visitTable(document.values, []);
  return { layer, extras, problems };
}

function specProblem(text: string): string | undefined {
  try {
    parseModelSpec(text, { allowHosts: "any" }); // nothing is asked yet
  } catch (error) {
    if (error instanceof SpellError && error.code.startsWith("spec-")) return error.message;
  }
  return undefined;
}

/** Names that JavaScript gives a meaning to; as a provider they are always a mistake. */
function isOdd(name: string): boolean {
  return name === "__proto__" || name === "constructor" || name === "prototype";
}

/** Of a key in the wrong table: the path with this last name, or with one like it, where one section alone has it. */
function elsewhere(name: string, paths: ReadonlyMap<string, string>): string | undefined {
  const meant = paths.has(name) ? name : nearest(name, paths.keys());
  return meant === undefined ? undefined : paths.get(meant);
}

/** Last names of the keys of one section each, with the first path that has it: `enabled` means something else in every table. */
function lastNames(): ReadonlyMap<string, string> {
  const ofProviders = providerTypes.flatMap((type) =>
    [...keysOfType(type).keys()].map((own) => [own, `providers.${type}.${own}`] as const),
  );
  const others = [...keysByPath().keys()].map((path) => [path.slice(path.lastIndexOf(".") + 1), path] as const);
  const sectionOf = (path: string): string => path.split(".", 1)[0] ?? "";
  const paths = new Map<string, string>();
  const shared = new Set<string>();
  for (const [name, path] of [...ofProviders, ...others]) {
    const first = paths.get(name) ?? path;
    paths.set(name, first);
    if (sectionOf(first) !== sectionOf(path)) shared.add(name);
  }
  for (const name of shared) paths.delete(name);
  return paths;
}

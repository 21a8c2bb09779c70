/** Short names of models: the built-in list, and one that a user adds. Data only; the repository says which files exist. */
import { SpellError } from "../errors.ts";
import { isCount, isObject } from "../json.ts";
import { checkModelName, parseModelSpec } from "../spec/model-spec.ts";
import { builtinTables } from "./catalogue.generated.ts";

/** For display only. */
export type ModelKind = "chat" | "text2text" | "story" | "embedding" | "reranking";

export interface CatalogueEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  /** one that the model was trained for */
  readonly prompt?: string | undefined;
  readonly kind: ModelKind;
  /** repository on the hub; absent for bundled models */
  readonly source?: { readonly owner: string; readonly repo: string } | undefined;
  /** file of a quant, with {Q} or {q}; absent for T5 folders */
  readonly file?: string | undefined;
  readonly quants: readonly string[];
  readonly defaultQuant?: string | undefined;
  /** approximate bytes of the default quant */
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly contextLength: number;
  readonly license: string;
  readonly licenseUrl?: string | undefined;
  readonly recommended: boolean;
  readonly bundled: boolean;
  /** pinned commit */
  readonly revision?: string | undefined;
  /** of the file of the default quant */
  readonly sha256?: string | undefined;
}

const kinds: readonly ModelKind[] = ["chat", "text2text", "story", "embedding", "reranking"];

/** @returns entries of the package, in the order of builtins/models.toml */
export function builtinCatalogue(): readonly CatalogueEntry[] {
  return builtinTables.map((table, index) => readEntry(table, `builtins/models.toml, model ${index + 1}`));
}

/**
 * The user's list, then the entries of the built-in one whose names it does not use.
 * @param text TOML of the user's list
 * @throws SpellError config-value naming table and key, config-syntax
 */
export async function readCatalogue(text: string | undefined): Promise<readonly CatalogueEntry[]> {
  if (text === undefined) return builtinCatalogue();
  const { parse, TomlError } = await import("smol-toml");
  let tables: unknown;
  try {
    tables = parse(text)["model"];
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw new SpellError("config-syntax", `the catalogue is not TOML: ${cause.message}`, { where: `line ${cause.line}`, cause });
  }
  if (!Array.isArray(tables)) throw new SpellError("config-value", "the catalogue: expected tables [[model]]", { where: "model" });
  const own = tables.map((table, index) => readEntry(table, `the catalogue, model ${index + 1}`));
  const taken = new Set(own.flatMap(({ name, aliases }) => [name, ...aliases].map((each) => each.toLowerCase())));
  return [...own, ...builtinCatalogue().filter(({ name }) => !taken.has(name.toLowerCase()))];
}

/** @returns the entry of a name or alias; upper and lower case are equal */
export function findEntry(catalogue: readonly CatalogueEntry[], name: string): CatalogueEntry | undefined {
  return catalogue.find((entry) => [entry.name, ...entry.aliases].some((each) => each.toLowerCase() === name.toLowerCase()));
}

function readEntry(table: unknown, where: string): CatalogueEntry {
  if (!isObject(table)) throw new SpellError("config-value", `${where}: expected a table`, { where });
  const known = new Set<string>();
  const read = (key: string): unknown => {
    known.add(key);
    return table[key];
  };
  const fail = (key: string, expected: string): SpellError =>
    new SpellError("config-value", `${where}, ${key}: expected ${expected}, got ${JSON.stringify(table[key]) ?? "nothing"}`, {
      where: key,
    });
  const text = (key: string, expected = "text", form = /^.{1,500}$/s): string => {
    const value = read(key);
    if (typeof value !== "string" || !form.test(value)) throw fail(key, expected);
    return value;
  };
  const optional = (key: string, expected?: string, form?: RegExp): string | undefined =>
    read(key) === undefined ? undefined : text(key, expected, form);
  const count = (key: string): number => {
    const value = read(key);
    if (!isCount(value)) throw fail(key, "a whole number");
    return value;
  };
  const list = (key: string): readonly string[] => {
    const value = read(key) ?? [];
    if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) throw fail(key, "a list of names");
    return value;
  };
  const kind = kinds.find((each) => each === read("kind"));
  if (kind === undefined) throw fail("kind", kinds.join(", "));
  const bundled = read("bundled") === true;
  const address = optional("source");
  const source = address === undefined ? undefined : parseModelSpec(address);
  if (source === undefined ? !bundled : source.kind !== "hf") throw fail("source", "hf:OWNER/REPO");
  const entry = {
    name: checkModelName(text("name")),
    aliases: list("aliases").map(checkModelName),
    description: text("description"),
    prompt: optional("prompt"),
    kind,
    source: source?.kind === "hf" ? { owner: source.owner, repo: source.repo } : undefined,
    file: optional("file", "a .gguf file with {Q} or {q}", /^[A-Za-z0-9][A-Za-z0-9._{}-]*\.gguf$/),
    quants: list("quants"),
    defaultQuant: optional("default_quant"),
    sizeBytes: count("size_bytes"),
    parameterCount: count("parameter_count"),
    contextLength: count("context_length"),
    license: text("license"),
    licenseUrl: optional("license_url"),
    recommended: read("recommended") === true,
    bundled,
    revision: optional("revision"),
    sha256: optional("sha256", "64 hex digits", /^[0-9a-f]{64}$/),
  };
  const unknown = Object.keys(table).find((key) => !known.has(key));
  if (unknown !== undefined) throw new SpellError("config-value", `${where}: unknown key ${unknown}`, { where: unknown });
  return entry;
}

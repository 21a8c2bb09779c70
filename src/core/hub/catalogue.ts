/** Short names of models: the built-in list and one the user adds. Data only; whether a file is really there the repository says. */
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import { checkModelName, parseModelSpec } from "../spec/model-spec.ts";
import { builtinTables } from "./catalogue.generated.ts";

/** For display: a model says itself what it is. */
export type ModelKind = "chat" | "text2text" | "story" | "embedding";

export interface CatalogueEntry {
  readonly name: string;
  readonly aliases: readonly string[];
  readonly description: string;
  readonly kind: ModelKind;
  /** repository on the hub; absent for bundled models */
  readonly source?: { readonly owner: string; readonly repo: string } | undefined;
  /** file of a quant, with {Q} or {q}; absent for T5 folders */
  readonly file?: string | undefined;
  readonly quants: readonly string[];
  readonly defaultQuant?: string | undefined;
  /** bytes of the default quant, about */
  readonly sizeBytes: number;
  readonly parameterCount: number;
  readonly contextLength: number;
  readonly license: string;
  readonly licenseUrl?: string | undefined;
  readonly recommended: boolean;
  readonly bundled: boolean;
  /** commit it is held to */
  readonly revision?: string | undefined;
  /** of the file of the default quant */
  readonly sha256?: string | undefined;
}

const kinds: readonly ModelKind[] = ["chat", "text2text", "story", "embedding"];

/** @returns entries of the package, in the order of models.toml */
export function builtinCatalogue(): readonly CatalogueEntry[] {
  return builtinTables.map((table, index) => readEntry(table, `builtins/models.toml, model ${index + 1}`));
}

/**
 * The built-in list with another one before it: the names of that one win.
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
    throw new SpellError("config-syntax", `the catalogue is no TOML: ${cause.message}`, { where: `line ${cause.line}`, cause });
  }
  if (!Array.isArray(tables)) throw new SpellError("config-value", "the catalogue: wanted tables [[model]]; got none", { where: "model" });
  const own = tables.map((table, index) => readEntry(table, `the catalogue, model ${index + 1}`));
  const taken = new Set(own.flatMap(({ name, aliases }) => [name, ...aliases].map((each) => each.toLowerCase())));
  return [...own, ...builtinCatalogue().filter(({ name }) => !taken.has(name.toLowerCase()))];
}

/** @returns the entry of a name or alias, without regard to case */
export function findEntry(catalogue: readonly CatalogueEntry[], name: string): CatalogueEntry | undefined {
  const wanted = name.toLowerCase();
  return catalogue.find((entry) => entry.name.toLowerCase() === wanted || entry.aliases.some((alias) => alias.toLowerCase() === wanted));
}

function readEntry(table: unknown, where: string): CatalogueEntry {
  if (!isObject(table)) throw new SpellError("config-value", `${where}: wanted a table`, { where });
  const fail = (key: string, wanted: string): SpellError =>
    new SpellError("config-value", `${where}, ${key}: wanted ${wanted}; got ${JSON.stringify(table[key]) ?? "nothing"}`, { where: key });
  const text = (key: string): string => {
    const value = table[key];
    if (typeof value !== "string" || value === "" || value.length > 500) throw fail(key, "text");
    return value;
  };
  const count = (key: string): number => {
    const value = table[key];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) throw fail(key, "a whole number");
    return value;
  };
  const list = (key: string): readonly string[] => {
    const value = table[key] ?? [];
    if (!Array.isArray(value) || !value.every((each) => typeof each === "string")) throw fail(key, "a list of names");
    return value;
  };
  const optional = (key: string): string | undefined => (table[key] === undefined ? undefined : text(key));
  const unknown = Object.keys(table).find((key) => !keys.has(key));
  if (unknown !== undefined) throw new SpellError("config-value", `${where}: unknown key ${unknown}`, { where: unknown });
  const kind = kinds.find((each) => each === table["kind"]);
  if (kind === undefined) throw fail("kind", kinds.join(", "));
  const bundled = table["bundled"] === true;
  const source = optional("source");
  const spec = source === undefined ? undefined : parseModelSpec(source);
  if (spec !== undefined && spec.kind !== "hf") throw fail("source", "hf:OWNER/REPO");
  if (spec === undefined && !bundled) throw fail("source", "hf:OWNER/REPO");
  const sha256 = optional("sha256");
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256)) throw fail("sha256", "64 hex digits");
  const file = optional("file");
  if (file !== undefined && !/^[A-Za-z0-9][A-Za-z0-9._{}-]*\.gguf$/.test(file)) throw fail("file", "a .gguf file with {Q} or {q}");
  const [defaultQuant, licenseUrl, revision] = [optional("default_quant"), optional("license_url"), optional("revision")];
  return {
    name: checkModelName(text("name")),
    aliases: list("aliases").map(checkModelName),
    description: text("description"),
    kind,
    source: spec === undefined ? undefined : { owner: spec.owner, repo: spec.repo },
    file,
    quants: list("quants"),
    defaultQuant,
    sizeBytes: count("size_bytes"),
    parameterCount: count("parameter_count"),
    contextLength: count("context_length"),
    license: text("license"),
    licenseUrl,
    recommended: table["recommended"] === true,
    bundled,
    revision,
    sha256,
  };
}

const keys: ReadonlySet<string> = new Set([
  "name",
  "aliases",
  "description",
  "kind",
  "source",
  "file",
  "quants",
  "default_quant",
  "size_bytes",
  "parameter_count",
  "context_length",
  "license",
  "license_url",
  "recommended",
  "bundled",
  "revision",
  "sha256",
]);

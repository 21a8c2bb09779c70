/**
 * From the sources to the effective configuration: environment over what was loaded over defaults, every value with its origin.
 * It starts nothing, reads no file and knows no platform: the host hands in texts, variables and how a path is made absolute.
 */
import type { SpellError } from "../errors.ts";
import type { ConfigFile, ConfigHost, Environment } from "../platform.ts";
import type { Checked, Extra } from "./check.ts";
import { configKeys } from "./compiled.generated.ts";
import type { Config, ConfigInput } from "./config.generated.ts";
import type { Parsed } from "./document.ts";
import type { EnvironmentResult } from "./environment.ts";
import type { ConfigKey } from "./key.ts";
import { findProfile, hasVariables, isSecret, keysOfType, mask, type ProviderType } from "./keys.ts";
import { declaredTypes, type Entry, type Layer, layerOf, mergeLayers, showPath } from "./layer.ts";
import type { Problem } from "./problem.ts";

/** What is loaded below the environment. */
export type ConfigSource =
  | { readonly kind: "defaults" }
  | { readonly kind: "profile"; readonly name: string }
  | ({ readonly kind: "file" } & ConfigFile)
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "object"; readonly values: ConfigInput };

/** Types of the declared providers, by name. */
type ProviderTypes = ReadonlyMap<string, ProviderType>;

export interface ConfigWarning {
  readonly code: "config-masked-secret" | "config-not-yet" | "config-own-keys" | "config-public-secret" | "env-unknown";
  readonly message: string;
}

export interface ResolvedConfig {
  readonly config: Config;
  /** "defaults", "profile:NAME", "file:PATH", "text", "object" */
  readonly source: string;
  readonly warnings: readonly ConfigWarning[];
  /** Of every key that has a value, by dotted path: "default", "profile:NAME", "file:PATH:LINE", "env:VARIABLE" … */
  readonly origins: ReadonlyMap<string, string>;
  /** @returns value and origin of one key, such as "rag.enabled"; undefined where it is unset or unknown */
  get(path: string): Entry | undefined;
  /** Values of secret keys, so that they can be kept out of whatever is shown. */
  readonly secrets: readonly string[];
}

/** One key that has a value. */
interface Setting extends Entry {
  readonly path: string;
  /** absent: the type of a provider, which is what its other keys hang on */
  readonly key?: ConfigKey | undefined;
}

type Settings = ReadonlyMap<string, Setting>;

/** With nothing loaded, the embedded engine runs the model inside the package. */
const bundledDefault = "tiny-stories";

/** @throws SpellError config-*, env-value, profile-unknown: one error for all problems */
export async function resolveSource(source: ConfigSource, host: ConfigHost = {}): Promise<ResolvedConfig> {
  const { named, layer: loaded, parsed, problems: found = [], extras = [] } = await openSource(source);
  const file = source.kind === "file" ? source.path : undefined;
  if (parsed?.ok === false) throw await asError([parsed.problem], named, file);
  const problems: Problem[] = [...found];

  const base = withDefaultProviders(source, loaded, parsed);
  const env = await readVariables(host.env ?? {}, base);
  problems.push(...env.problems);
  const set = mergeLayers(base, env.vendor, env.layer);
  const types = declaredTypes(set);
  const full = withFallbacks(set, types);
  const effective = host.resolvePath === undefined ? full : expandPaths(full, source, host.resolvePath, parsed, problems);
  problems.push(...findContradictions(effective, types, parsed));
  const [first, ...others] = problems;
  if (first !== undefined) throw await asError([first, ...others], parsed?.ok === true ? parsed.document.name : named, file);

  let origins: ReadonlyMap<string, string> | undefined;
  return {
    config: toConfig(effective, extras),
    source: named,
    warnings: [
      ...extras.slice(0, 1).map(({ parts }) => ({
        code: "config-own-keys" as const,
        message: `${showPath(parts)}${extras.length > 1 ? ` and ${extras.length - 1} more` : ""}: kept, and without effect; names that begin with x- are your own`,
      })),
      ...publicSecrets(source, effective),
      ...maskedSecrets(effective),
      ...notYet(source, effective),
      ...env.warnings.map((message) => ({ code: "env-unknown" as const, message })),
    ],
    // Made when somebody asks: most programs take the values only.
    get origins() {
      origins ??= new Map([...effective].map(([path, { origin }]) => [path, origin]));
      return origins;
    },
    get: (path) => {
      const setting = effective.get(path);
      return setting && { value: setting.value, origin: setting.origin };
    },
    get secrets() {
      return [...effective].flatMap(([path, { value }]) => (isSecret(path) && typeof value === "string" ? [value] : []));
    },
  };
}

/** What a source is called and holds; of texts and objects also what is wrong with it. */
type Opened = { readonly named: string; readonly layer: Layer; readonly parsed?: Parsed | undefined } & Partial<Checked>;

/** Profiles were checked when the package was built; what checks the others is imported with the first of them. */
async function openSource(source: ConfigSource): Promise<Opened> {
  if (source.kind === "defaults") return { named: source.kind, layer: new Map() };
  if (source.kind === "profile") {
    const profile = findProfile(source.name);
    if (profile === undefined) {
      const { unknownProfile } = await import("./source-errors.ts");
      throw unknownProfile(source.name);
    }
    const { name, values } = profile;
    const named = `profile:${name}`;
    return { named, layer: layerOf(values, named) };
  }
  const [{ checkDocument }, { parseDocument, plainDocument }] = await Promise.all([import("./check.ts"), import("./document.ts")]);
  const parsed =
    source.kind === "file"
      ? await parseDocument(source.text, source.path, `file:${source.path}`)
      : source.kind === "text"
        ? await parseDocument(source.text, "the configuration", "text")
        : plainDocument(source.values as Readonly<Record<string, unknown>>, "the configuration", "object");
  const named = source.kind === "file" ? `file:${source.path}` : source.kind;
  return parsed.ok ? { named, ...checkDocument(parsed.document), parsed } : { named, layer: new Map(), parsed };
}

async function readVariables(env: Environment, base: Layer): Promise<EnvironmentResult> {
  if (!hasVariables(env)) return { layer: new Map(), vendor: new Map(), problems: [], warnings: [] };
  const { readEnvironment } = await import("./environment.ts");
  return readEnvironment(env, declaredTypes(base));
}

async function asError(problems: readonly [Problem, ...Problem[]], source: string, file: string | undefined): Promise<SpellError> {
  const { problemsError } = await import("./problem.ts");
  return problemsError(problems, source, file);
}

/**
 * A profile has what it declares; anything else without a provider of its own keeps the embedded engine and Ollama. Only where `[providers]` is written
 * and empty there is none: so profiles without providers can be written down.
 */
function withDefaultProviders(source: ConfigSource, loaded: Layer, parsed: Parsed | undefined): Layer {
  if (source.kind === "profile" || declaredTypes(loaded).size > 0 || declaresNone(parsed)) return loaded;
  const own = ["candle", "ollama"].map((name) => {
    const values = findProfile(name)?.values["providers"] as Readonly<Record<string, unknown>>;
    return layerOf({ providers: { [name]: values[name] } }, "default");
  });
  const model: Layer = new Map([["providers.candle.default_model", { value: bundledDefault, origin: "default" }]]);
  return mergeLayers(...own, model, loaded);
}

function declaresNone(parsed: Parsed | undefined): boolean {
  const table = parsed?.ok === true ? parsed.document.values["providers"] : undefined;
  return typeof table === "object" && table !== null && !Array.isArray(table) && Object.values(table).every((value) => value === undefined);
}

/** Every key that is set or has a default, in the order of the schema. */
function withFallbacks(set: Layer, providers: ProviderTypes): Settings {
  const full = new Map<string, Setting>();
  const put = (path: string, key: ConfigKey): void => {
    const entry = set.get(path);
    if (entry !== undefined) full.set(path, { path, key, value: entry.value, origin: entry.origin });
    else if (key.fallback !== undefined) full.set(path, { path, key, value: key.fallback, origin: "default" });
  };
  for (const key of configKeys) {
    put(key.path, key);
    if (key.path !== "providers.default_provider") continue;
    for (const [name, type] of providers) {
      const path = `providers.${name}.provider_type`;
      full.set(path, { path, value: type, origin: set.get(path)?.origin ?? "default" });
      for (const [own, inner] of keysOfType(type)) put(`providers.${name}.${own}`, inner);
    }
  }
  return full;
}

/** Relative paths begin at the folder of their file; those of profiles, variables and programs at the working directory. */
function expandPaths(
  settings: Settings,
  source: ConfigSource,
  resolvePath: NonNullable<ConfigHost["resolvePath"]>,
  parsed: Parsed | undefined,
  problems: Problem[],
): Settings {
  const expanded = new Map(settings);
  for (const [path, setting] of settings) {
    const { value, key, origin } = setting;
    if (key?.format !== "path" || value === "" || typeof value !== "string") continue;
    const folder = source.kind === "file" && origin.startsWith("file:") ? source.folder : undefined;
    const result = resolvePath(value, folder);
    if ("path" in result) expanded.set(path, { ...setting, value: result.path });
    else problems.push(problemAt(path, setting, parsed, result.problem));
  }
  return expanded;
}

function problemAt(path: string, { origin }: Entry, parsed: Parsed | undefined, message: string): Problem {
  if (origin.startsWith("env:")) return { code: "env-value", path, where: origin.slice("env:".length), message };
  const parts = path.split(".");
  const place = parsed?.ok === true && origin !== "default" ? parsed.document.place(parts, "value") : undefined;
  return {
    code: "config-value",
    path,
    message,
    where: place?.where ?? origin,
    line: place?.line === undefined ? undefined : place.line,
    column: place?.column === undefined ? undefined : place.column,
    frame: place?.frame === undefined ? undefined : place.frame,
  };
}

/** Values that are right by themselves and wrong together. */
function findContradictions(layer: Settings, declared: ProviderTypes, parsed: Parsed | undefined): readonly Problem[] {
  const found: Problem[] = [];
  const number = (path: string): number => Number(layer.get(path)?.value ?? 0);
  const complain = (path: string, message: string): void => {
    found.push(problemAt(path, layer.get(path) ?? { value: "", origin: "default" }, parsed, message));
  };
  // one that is switched off counts as not declared
  const types = new Map([...declared].filter(([name]) => layer.get(`providers.${name}.enabled`)?.value !== false));
  const fallback = layer.get("providers.default_provider");
  if (fallback !== undefined && !types.has(String(fallback.value))) {
    complain(
      "providers.default_provider",
      `wanted a declared provider (${types.size === 0 ? "there is none" : [...types.keys()].join(", ")}); got ${JSON.stringify(fallback.value)}`,
    );
  }
  for (const [name, type] of types) {
    if (type === "openai-compatible" && !layer.has(`providers.${name}.base_url`))
      complain(`providers.${name}.provider_type`, "an openai-compatible provider needs base_url");
  }
  const hub = String(layer.get("models.hf_endpoint")?.value);
  // an address is taken apart only where it may hold a name
  const { username = "", password = "" } = hub.includes("@") && URL.canParse(hub) ? new URL(hub) : {};
  if (username !== "" || password !== "")
    complain("models.hf_endpoint", "wanted an address without user and password; HF_TOKEN is what the hub takes");
  if (number("rag.chunking.overlap") >= number("rag.chunking.chunk_size"))
    complain(
      "rag.chunking.overlap",
      `wanted less than chunk_size (${number("rag.chunking.chunk_size")}); got ${number("rag.chunking.overlap")}`,
    );
  const storage = "rag.vector_storage";
  // f32 vectors and, for each, 2·m links of 4 bytes in the lowest layer
  const bytes = number(`${storage}.hnsw.max_elements`) * 4 * (number(`${storage}.dimensions`) + 2 * number(`${storage}.hnsw.m`));
  const most = number(`${storage}.max_memory_mb`) * 1_000_000;
  if (layer.get(`${storage}.on_disk`)?.value === false && bytes > most) {
    complain(
      `${storage}.hnsw.max_elements`,
      `${number(`${storage}.hnsw.max_elements`)} vectors of ${number(`${storage}.dimensions`)} numbers need ${Math.ceil(bytes / 1e6)} MB; max_memory_mb is ${number(`${storage}.max_memory_mb`)}`,
    );
  }
  return found;
}

/** One warning for each section that somebody set and that acts in a later release. */
function notYet(source: ConfigSource, settings: Settings): readonly ConfigWarning[] {
  const sections = new Map<string, string>();
  for (const { path, key, origin } of settings.values()) {
    const reader = key?.reader;
    // Profiles set the keys of scripts throughout; saying so each time would teach people to look away.
    const tells = reader === "release 2" || (reader === "later: scripts" && source.kind !== "profile");
    if (!tells || origin === "default") continue;
    const [section = "", part] = path.split(".");
    // some keys of this one act now
    sections.set(section === "runtime" ? `runtime.${part}` : section, reader);
  }
  return [...sections].map(([section, reader]) => ({
    code: "config-not-yet",
    message: `${section}: checked and kept, and without effect for now: ${reader === "release 2" ? "it acts from the second release on" : "scripts come with a later release"}`,
  }));
}

function publicSecrets(source: ConfigSource, effective: Settings): readonly ConfigWarning[] {
  if (source.kind !== "file" || !source.isPublic) return [];
  const paths = [...effective].filter(([path, { origin }]) => isSecret(path) && origin.startsWith("file:")).map(([path]) => path);
  if (paths.length === 0) return [];
  return [
    {
      code: "config-public-secret",
      message: `${source.path} holds ${paths.join(", ")} and can be read by other users: chmod 600 it, or write api_key_env instead`,
    },
  ];
}

/** Of a file that was made from what `config show` printed. */
function maskedSecrets(effective: Settings): readonly ConfigWarning[] {
  return [...effective.values()]
    .filter(({ path, value }) => value === mask && isSecret(path))
    .map(({ path }) => ({ code: "config-masked-secret", message: `${path} is a mask, not a key; write the key, or api_key_env instead` }));
}

/** Along the schema into objects without a prototype. */
function toConfig(settings: Settings, extras: readonly Extra[]): Config {
  const root: Record<string, unknown> = Object.create(null);
  const put = (parts: readonly string[], value: unknown): void => {
    let table = root;
    for (const part of parts.slice(0, -1)) {
      const inner = (table[part] ?? Object.create(null)) as Record<string, unknown>;
      table[part] = inner;
      table = inner;
    }
    table[parts.at(-1) ?? ""] = value;
  };
  for (const { path, value } of settings.values()) put(path.split("."), value);
  root["providers"] ??= Object.create(null);
  for (const { parts, value } of extras) put(parts, plainExtra(value));
  return root as unknown as Config;
}

/** Integers of a person's own keys as numbers where they are some; nesting was bounded with the document. */
function plainExtra(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(plainExtra);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const table: Record<string, unknown> = Object.create(null);
  for (const [name, inner] of Object.entries(value)) table[name] = plainExtra(inner);
  return table;
}

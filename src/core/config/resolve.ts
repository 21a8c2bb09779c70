/**
 * From the sources to the effective configuration: environment over what was loaded over defaults, every value with its origin.
 * It starts nothing, reads no file and knows no platform: the host hands in texts, variables and how a path is made absolute.
 */
import type { ConfigFile, ConfigHost, Environment } from "../platform.ts";
import { once } from "../values.ts";
import type { Checked, Extra } from "./check.ts";
import { configKeys, type ProviderType } from "./compiled.generated.ts";
import type { Config, ConfigInput } from "./config.generated.ts";
import type { Document } from "./document.ts";
import type { EnvironmentResult } from "./environment.ts";
import type { ConfigKey } from "./key.ts";
import { findProfile, hasVariables, isSecret, keysOfType, mask } from "./keys.ts";
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
  readonly code: "config-masked-secret" | "config-own-keys" | "config-public-secret" | "env-unknown";
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
  /** A variable of the environment that it was resolved with; undefined where it is unset or empty, or there is no environment. */
  readonly variable: (name: string) => string | undefined;
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
  const { named, layer: loaded, document, problems: found = [], extras = [] } = await openSource(source);
  const base = withDefaultProviders(source, loaded, document);
  const env = await readVariables(host.env ?? {}, base);
  const set = mergeLayers(base, env.vendor, env.layer);
  const types = declaredTypes(set);
  const full = withFallbacks(set, types);
  const problems: Problem[] = [...found, ...env.problems];
  const effective = host.resolvePath === undefined ? full : expandPaths(full, source, host.resolvePath, document, problems);
  problems.push(...findContradictions(effective, types, document, new Set(problems.flatMap(({ path }) => path ?? []))));
  const [first, ...others] = problems;
  if (first !== undefined) {
    const { problemsError } = await import("./problem.ts");
    throw problemsError([first, ...others], document?.name ?? named, source.kind === "file" ? source.path : undefined);
  }
  const origins = once(() => new Map([...effective].map(([path, { origin }]) => [path, origin])));
  return {
    config: toConfig(effective, extras),
    source: named,
    warnings: [
      ...ownKeys(extras),
      ...publicSecrets(source, effective),
      ...maskedSecrets(effective),
      ...env.warnings.map((message) => ({ code: "env-unknown" as const, message })),
    ],
    // Made on the first use: most programs take the values only.
    get origins() {
      return origins();
    },
    get: (path) => {
      const setting = effective.get(path);
      return setting && { value: setting.value, origin: setting.origin };
    },
    get secrets() {
      return [...effective].flatMap(([path, { value }]) => {
        if (typeof value !== "string") return [];
        // the key's own value, or that of the variable it names
        const secret = isSecret(path) ? value : path.endsWith(".api_key_env") ? host.env?.[value] : undefined;
        return secret === undefined || secret === "" ? [] : [secret];
      });
    },
    variable: (name) => host.env?.[name] || undefined,
  };
}

/** What a source is called and holds; of files, texts and objects also what is wrong with them. */
type Opened = { readonly named: string; readonly layer: Layer; readonly document?: Document | undefined } & Partial<Checked>;

/** Profiles were checked when the package was built; the code that checks other sources is imported with the first of them. */
async function openSource(source: ConfigSource): Promise<Opened> {
  if (source.kind === "defaults") return { named: source.kind, layer: new Map() };
  if (source.kind === "profile") {
    const profile = findProfile(source.name);
    if (profile === undefined) {
      const { unknownProfile } = await import("./source-errors.ts");
      throw unknownProfile(source.name);
    }
    const named = `profile:${profile.name}`;
    return { named, layer: layerOf(profile.values, named) };
  }
  const [{ checkDocument }, { parseDocument, plainDocument }] = await Promise.all([import("./check.ts"), import("./document.ts")]);
  const named = source.kind === "file" ? `file:${source.path}` : source.kind;
  const name = source.kind === "file" ? source.path : "the configuration";
  const document =
    source.kind === "object"
      ? plainDocument(source.values as Readonly<Record<string, unknown>>, name, named)
      : await parseDocument(source.text, name, named);
  return { named, ...checkDocument(document), document };
}

async function readVariables(env: Environment, base: Layer): Promise<EnvironmentResult> {
  if (!hasVariables(env)) return { layer: new Map(), vendor: new Map(), problems: [], warnings: [] };
  const { readEnvironment } = await import("./environment.ts");
  return readEnvironment(env, declaredTypes(base));
}

/**
 * A profile has the providers it declares. Any other source adds to the built-in ones: the embedded engine stays where none is declared, and Ollama where
 * nothing on this machine is. An empty `[providers]` declares none, so that profiles without providers can be written down.
 */
function withDefaultProviders(source: ConfigSource, loaded: Layer, document: Document | undefined): Layer {
  if (source.kind === "profile" || isEmptyTable(document?.values["providers"])) return loaded;
  const types = [...declaredTypes(loaded).values()];
  const [engine, server] = ["candle", "ollama"] as const;
  const hasEngine = types.includes(engine);
  const own = (name: string): Layer => {
    const values = findProfile(name)?.values["providers"] as Readonly<Record<string, unknown>>;
    return layerOf({ providers: { [name]: values[name] } }, "default");
  };
  const model: Layer = new Map([["providers.candle.default_model", { value: bundledDefault, origin: "default" }]]);
  return mergeLayers(...(hasEngine ? [] : [own(engine), model]), ...(hasEngine || types.includes(server) ? [] : [own(server)]), loaded);
}

function isEmptyTable(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.values(value).every((inner) => inner === undefined);
}

/** Every key that is set or has a default, in the order of the schema. */
function withFallbacks(set: Layer, providers: ProviderTypes): Settings {
  const full = new Map<string, Setting>();
  const put = (path: string, key: ConfigKey): void => {
    const entry = set.get(path);
    if (entry !== undefined) full.set(path, { path, key, ...entry });
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
  document: Document | undefined,
  problems: Problem[],
): Settings {
  const expanded = new Map(settings);
  for (const [path, setting] of settings) {
    const { value, key, origin } = setting;
    if (key?.format !== "path" || value === undefined || value === "") continue;
    const folder = source.kind === "file" && origin.startsWith("file:") ? source.folder : undefined;
    const results = [value].flat().map((each) => resolvePath(String(each), folder));
    const wrong = results.find((result) => "problem" in result);
    if (wrong !== undefined) problems.push(problemAt(path, origin, document, wrong.problem));
    else {
      const paths = results.flatMap((result) => ("path" in result ? [result.path] : []));
      expanded.set(path, { ...setting, value: Array.isArray(value) ? paths : (paths[0] ?? value) });
    }
  }
  return expanded;
}

function problemAt(path: string, origin: string, document: Document | undefined, message: string): Problem {
  if (origin.startsWith("env:")) return { code: "env-value", path, where: origin.slice("env:".length), message };
  const place = origin === "default" ? undefined : document?.place(path.split("."), "value");
  const { where = origin, line, column, frame } = place ?? {};
  return { code: "config-value", path, message, where, line, column, frame };
}

/** Whether an address holds a user or a password; it is taken apart only where it may. */
function hasLogin(address: unknown): boolean {
  const text = String(address ?? "");
  const { username = "", password = "" } = text.includes("@") && URL.canParse(text) ? new URL(text) : {};
  return username !== "" || password !== "";
}

/** Values that are right by themselves and wrong together. @param wrong paths of values that are told of already */
function findContradictions(
  settings: Settings,
  declared: ProviderTypes,
  document: Document | undefined,
  wrong: ReadonlySet<string>,
): readonly Problem[] {
  const found: Problem[] = [];
  const value = (path: string) => settings.get(path)?.value;
  const number = (path: string): number => Number(value(path) ?? 0);
  const complain = (path: string, message: string): void => {
    found.push(problemAt(path, settings.get(path)?.origin ?? "default", document, message));
  };
  // one that is switched off counts as not declared
  const types = new Map([...declared].filter(([name]) => value(`providers.${name}.enabled`) !== false));
  const fallback = value("providers.default_provider");
  if (fallback !== undefined && !types.has(String(fallback))) {
    const names = types.size === 0 ? "none is declared" : [...types.keys()].join(", ");
    complain("providers.default_provider", `expected a declared provider (${names}), got ${JSON.stringify(fallback)}`);
  }
  for (const [name, type] of types) {
    const address = `providers.${name}.base_url`;
    if (type === "openai-compatible" && value(address) === undefined && !wrong.has(address))
      complain(`providers.${name}.provider_type`, "an openai-compatible provider needs base_url");
    // paths are put behind it; what is asked for there may be a secret, so it is not shown
    if (/[?#]/.test(String(value(`providers.${name}.base_url`) ?? "")))
      complain(`providers.${name}.base_url`, "expected an address without ? and #; a key belongs into api_key_env");
    // one header carries both; a key of the environment goes to its own service alone, which its reader sees to
    const isWritten = (path: string): boolean =>
      (value(path) ?? "") !== "" && !/^(?:env:|default$)/.test(settings.get(path)?.origin ?? "default");
    const key = ["api_key", "api_key_env"].find((each) => isWritten(`providers.${name}.${each}`));
    if (key !== undefined && hasLogin(value(`providers.${name}.base_url`)))
      complain(`providers.${name}.base_url`, `expected no user and password beside ${key}, which is sent in their place: keep one of them`);
  }
  if (hasLogin(value("models.hf_endpoint")))
    complain("models.hf_endpoint", "expected an address without user and password; the token of the hub belongs into HF_TOKEN");
  const [overlap, chunk] = [number("rag.chunking.overlap"), number("rag.chunking.chunk_size")];
  if (overlap >= chunk) complain("rag.chunking.overlap", `expected less than chunk_size (${chunk}), got ${overlap}`);
  const storage = "rag.vector_storage";
  const [vectors, dimensions] = [number(`${storage}.hnsw.max_elements`), number(`${storage}.dimensions`)];
  // f32 vectors and, for each, 2·m links of 4 bytes in the lowest layer
  const megabytes = Math.ceil((vectors * 4 * (dimensions + 2 * number(`${storage}.hnsw.m`))) / 1e6);
  const most = number(`${storage}.max_memory_mb`);
  if (value(`${storage}.on_disk`) === false && megabytes > most) {
    const needed = `${vectors} vectors of ${dimensions} numbers need ${megabytes} MB`;
    complain(`${storage}.hnsw.max_elements`, `${needed}; max_memory_mb is ${most}`);
  }
  return found;
}

function ownKeys([first, ...others]: readonly Extra[]): readonly ConfigWarning[] {
  if (first === undefined) return [];
  const shown = `${showPath(first.parts)}${others.length > 0 ? ` and ${others.length} more` : ""}`;
  return [{ code: "config-own-keys", message: `${shown}: kept, without effect; names that begin with x- are your own` }];
}

function publicSecrets(source: ConfigSource, effective: Settings): readonly ConfigWarning[] {
  if (source.kind !== "file" || !source.isPublic) return [];
  const paths = [...effective].filter(([path, { origin }]) => isSecret(path) && origin.startsWith("file:")).map(([path]) => path);
  if (paths.length === 0) return [];
  const message = `${source.path} holds ${paths.join(", ")}, and other users can read it; restrict its permissions, or write api_key_env instead`;
  return [{ code: "config-public-secret", message }];
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
      table[part] ??= Object.create(null);
      table = table[part] as Record<string, unknown>;
    }
    table[parts.at(-1) ?? ""] = value;
  };
  for (const { path, value } of settings.values()) put(path.split("."), value);
  root["providers"] ??= Object.create(null);
  for (const { parts, value } of extras) put(parts, plainExtra(value));
  return root as unknown as Config;
}

/** Integers of x- keys as numbers where they fit; the depth was bounded with the document. */
function plainExtra(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (Array.isArray(value)) return value.map(plainExtra);
  if (typeof value !== "object" || value === null || value instanceof Date) return value;
  const table: Record<string, unknown> = Object.create(null);
  for (const [name, inner] of Object.entries(value)) table[name] = plainExtra(inner);
  return table;
}

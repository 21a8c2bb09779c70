/** What the globals of one run stand on, and what scripts may do. */
import { createNames } from "../../api/names.ts";
import { createSpell, type Spell } from "../../api/spell.ts";
import { mask } from "../../config/keys.ts";
import { maskSecrets } from "../../config/mask.ts";
import { originOf } from "../../config/origin.ts";
import { providerNames, providerOf } from "../../config/providers.ts";
import type { ResolvedConfig } from "../../config/resolve.ts";
import { SpellError } from "../../errors.ts";
import { isObject, shown } from "../../json.ts";
import type { Environment, LogEntry, LogLevel, Platform, ScriptFiles } from "../../platform.ts";
import type { ModelSpec } from "../../spec/model-spec.ts";
import type { DeviceReport } from "../../spec/runtime.ts";
import { toSnake } from "../../values.ts";
import type { ScriptEngine } from "../protocol.ts";
import { withoutPaths } from "../values.ts";

export interface ScriptHost {
  readonly spell: Spell;
  /** What every spell of the run passes, those that a script makes by its own settings too. */
  readonly wrap?: ((spell: Spell) => Spell) | undefined;
  /** what spell.config() gave */
  readonly config: ResolvedConfig;
  readonly language: ScriptEngine;
  /** aborted when the run is over */
  readonly signal: AbortSignal;
  /** Absent where a script has no files; see permittedFiles(). */
  readonly files?: ScriptFiles | undefined;
  /** Where relative paths of its tools begin; absent: the working directory. */
  readonly folder?: string | undefined;
  /** Variables of the host; scripts see those of `runtime.security.allowed_env`. */
  readonly env?: Environment | undefined;
  /** The rest of standard input; absent: there is none. */
  readonly readInput?: (() => Promise<string>) | undefined;
  /** Least level that the log shows; default: of the configuration. */
  readonly logLevel?: LogLevel | "off" | undefined;
  readonly log: (entry: LogEntry) => void;
  /** every piece of text of every agent */
  readonly onText?: ((text: string) => void) | undefined;
  /** what ran a model; undefined where a server did */
  readonly onDevice?: ((device: DeviceReport | undefined) => void) | undefined;
}

/** The present spell and configuration of a run: a script may add providers for itself. */
export interface ScriptRun extends ScriptHost {
  use(config: ResolvedConfig): void;
  close(): Promise<void>;
}

/** Models are those of the host's spell, as long as nothing has to be different. */
export function createRun(host: ScriptHost): ScriptRun {
  const made: Spell[] = [];
  const isGuarded = !host.config.config.runtime.security.allow_network_access;
  const { wrap = (spell: Spell) => spell } = host;
  const platform = isGuarded ? localOnly(host.spell.platform, host.config) : host.spell.platform;
  const make = (config: ResolvedConfig): Spell => {
    const spell = createSpell({ platform, config });
    made.push(spell);
    return wrap(spell);
  };
  let { config } = host;
  let spell = isGuarded ? make(config) : wrap(host.spell);
  return {
    ...host,
    get spell() {
      return spell;
    },
    get config() {
      return config;
    },
    use(changed) {
      config = changed;
      spell = make(changed);
    },
    async close() {
      await Promise.all(made.map((each) => each.dispose()));
    },
  };
}

/** Modules beside a script, and its files where the configuration allows them. */
export function permittedFiles(files: ScriptFiles, config: ResolvedConfig): ScriptFiles {
  if (config.config.runtime.security.allow_file_access) return files;
  const refusal = (what: string): SpellError => denied(what, "runtime.security.allow_file_access", config);
  const refuse = (what: string) => () => Promise.reject(refusal(what));
  const { module } = files;
  return {
    module,
    permit() {
      throw refusal("open models by path");
    },
    read: refuse("read files"),
    bytes: refuse("read files"),
    write: refuse("write files"),
    exists: refuse("look at files"),
    list: refuse("look at folders"),
  };
}

/**
 * A model that a script names by its path is a file: what is asked of it tells names and bytes of this machine. So it lies where the script's files may lie.
 * @throws SpellError script-denied
 */
export function permitModel<T extends string | ModelSpec>(model: T, { config, files }: Pick<ScriptRun, "config" | "files">): T {
  const spec = specOf(model, config);
  if (spec?.kind !== "path") return model;
  if (!config.config.runtime.security.allow_file_access) throw denied("open models by path", "runtime.security.allow_file_access", config);
  if (files === undefined) throw new SpellError("script-denied", "a script without a folder may not open models by path");
  files.permit(spec.path);
  return model;
}

/** Read as the call behind it reads it: `candle/` and the like before a path make it no other thing. */
function specOf(model: string | ModelSpec, config: ResolvedConfig): ModelSpec | undefined {
  if (typeof model !== "string") return model;
  try {
    return createNames(config).parse(model, "any");
  } catch {
    return undefined; // its own call says what is wrong with it
  }
}

/** A service elsewhere is one wherever its address is: what listens on this machine may pass everything on. @throws SpellError script-denied */
export function permitProvider(provider: string, { config }: Pick<ScriptRun, "config">): void {
  const key = "runtime.security.allow_network_access";
  if (!config.config.runtime.security.allow_network_access && createNames(config).isRemote(provider))
    throw denied(`reach provider ${provider}`, key, config);
}

/** A host that reaches this machine alone, and on it no services that are declared. */
function localOnly(platform: Platform, config: ResolvedConfig): Platform {
  const names = createNames(config);
  const originsOf = (isRemote: boolean): readonly string[] =>
    providerNames(config.config).flatMap((name) => {
      const { base_url: address = "" } = (providerOf(config.config, name) ?? {}) as { readonly base_url?: string };
      return names.isRemote(name) === isRemote && URL.canParse(address) ? [new URL(address).origin] : [];
    });
  const own = originsOf(false);
  const services = new Set(originsOf(true).filter((origin) => !own.includes(origin)));
  return {
    ...platform,
    fetch(input, init) {
      const { hostname, host, origin } = new URL(input instanceof Request ? input.url : String(input));
      const isLocal = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/.test(hostname) && !services.has(origin);
      return isLocal
        ? platform.fetch(input, init)
        : Promise.reject(denied(`reach ${host}`, "runtime.security.allow_network_access", config));
    },
  };
}

/** @param what a script wanted to do: "read files" @param key that permits it */
export function denied(what: string, key: string, config: Pick<ResolvedConfig, "source" | "get">): SpellError {
  return new SpellError("script-denied", `a script may not ${what}: ${key} does not allow it (configuration: ${originOf(config, key)})`, {
    where: key,
    actions: [{ kind: "show-config", section: "runtime" }],
  });
}

/** Records of the library as scripts see them: names in snake_case; what is unknown is left out. */
export function shownToScripts(value: unknown): unknown {
  return withoutNulls(toSnake(value));
}

/** The same for what speaks of this machine: its paths are for scripts that may use files. */
export function shownAbout(value: unknown, { config }: Pick<ScriptRun, "config">): unknown {
  const shown = shownToScripts(value);
  return config.config.runtime.security.allow_file_access ? shown : withoutPlaces(shown);
}

function withoutPlaces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPlaces);
  if (typeof value === "string") return isPlace(value) ? withoutPaths(value) : value;
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => typeof inner !== "string" || !isPlace(inner));
  return Object.fromEntries(entries.map(([name, inner]) => [name, name === "error" ? withoutPaths(String(inner)) : withoutPlaces(inner)]));
}

/** Whether it is an absolute path, and nothing else. */
function isPlace(text: string): boolean {
  return /^(?:[A-Za-z]:[\\/]|\\\\|\/)[^\n]*$/.test(text);
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined && inner !== null);
  return Object.fromEntries(entries.map(([name, inner]) => [name, withoutNulls(inner)]));
}

/** Data without secrets, at every depth: by the names of their keys, in addresses, and the configured ones wherever they stand. */
export function redacted(value: unknown, secrets: readonly string[] = []): unknown {
  // a function has no JSON
  let text = (JSON.stringify(maskSecrets(value) ?? null) ?? JSON.stringify(shown(value))).replaceAll(mask, "<REDACTED>");
  // shorter ones would black out words that are none
  for (const secret of secrets) if (secret.length >= 6) text = text.replaceAll(JSON.stringify(secret).slice(1, -1), "<REDACTED>");
  return JSON.parse(text) as unknown;
}

/** The configuration of a program: a profile by name, TOML text, an object, or a file where the host has files. */
import type { ConfigInput } from "../config/config.generated.ts";
import type { ConfigSource, ResolvedConfig } from "../config/resolve.ts";
import { SpellError } from "../errors.ts";
import type { ConfigHost, Environment, Platform } from "../platform.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";

export interface ConfigOptions {
  /** A built-in profile, by its long or short name. */
  readonly profile?: string | undefined;
  /** TOML text, any part of a configuration as an object, what resolveConfig() gave, or the path of a file: one line that ends in .toml. */
  readonly config?: string | ConfigInput | ResolvedConfig | undefined;
  /** Variables that override it; default: those of the host, in Node process.env. `{}` = none. */
  readonly env?: Environment | undefined;
}

/**
 * The effective configuration, every value with its origin. Starts nothing; reads a file only where one is named.
 * @throws SpellError config-*, env-value, profile-unknown: all problems in one error
 */
export async function resolveConfig(options: ConfigOptions, platform: Pick<Platform, "config" | "name">): Promise<ResolvedConfig> {
  checkOptionNames(options, ["profile", "config", "env"], "the configuration");
  const { profile, config, env } = options;
  if (isResolved(config)) return config;
  if (profile !== undefined && typeof profile !== "string") throw wrongOption("profile", "the name of a profile", profile);
  if (config !== undefined && typeof config !== "string" && !isPlainObject(config))
    throw wrongOption("config", "TOML text, the path of a file, an object, or what resolveConfig() gave", config);
  if (profile !== undefined && config !== undefined) {
    const { configConflict } = await import("../config/source-errors.ts");
    throw configConflict(`profile ${profile}`, "config", profile);
  }
  const { resolveSource } = await import("../config/resolve.ts");
  const host: ConfigHost = { ...platform.config, env: env ?? platform.config?.env };
  return resolveSource(profile === undefined ? await sourceOf(config, platform) : { kind: "profile", name: profile }, host);
}

function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null;
}

function isResolved(config: ConfigOptions["config"]): config is ResolvedConfig {
  return typeof config === "object" && config !== null && "origins" in config && config.origins instanceof Map;
}

async function sourceOf(config: string | ConfigInput | undefined, platform: Pick<Platform, "config" | "name">): Promise<ConfigSource> {
  if (config === undefined) return { kind: "defaults" };
  if (typeof config !== "string") return { kind: "object", values: config };
  // A line that ends in .toml is no TOML text worth reading: it could only be a comment or a value of that name.
  if (!/^[^\n]+\.toml$/i.test(config)) return { kind: "text", text: config };
  if (platform.config?.readFile === undefined)
    throw new SpellError("config-not-found", `${config} is a path, and ${platform.name} has no files; hand in the text`, { where: config });
  return { kind: "file", ...(await platform.config.readFile(config)) };
}

/** The text of a file that a key names. @throws SpellError config-not-found, config-unreadable, naming the key */
export async function readText(path: string | undefined, host: ConfigHost | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return (await host?.readFile?.(path))?.text;
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    throw error.with({
      message: `models.catalogue: ${error.message}`,
      hint: "Correct the path, or remove the key.",
      actions: [{ kind: "show-config", section: "models" }],
    });
  }
}

/** `llmspell config …`: what is in effect and where it came from, which files are looked for, a file to begin with, a check of one. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import type { Config } from "../../core/config/config.generated.ts";
import type { BuiltinProfile, ConfigKey } from "../../core/config/key.ts";
import { findProfile, isProviderType, keysByPath, keysOfType, sectionNames } from "../../core/config/keys.ts";
import { maskSecrets } from "../../core/config/mask.ts";
import type { Problem } from "../../core/config/problem.ts";
import { labelOf, profileGroups } from "../../core/config/profiles.ts";
import { providerNames, providerOf, providerOfType } from "../../core/config/providers.ts";
import { type ResolvedConfig, resolveSource } from "../../core/config/resolve.ts";
import { unknownProfile } from "../../core/config/source-errors.ts";
import { configToml } from "../../core/config/toml-text.ts";
import { isTable } from "../../core/config/value.ts";
import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { toSnake } from "../../core/values.ts";
import { nodeConfig, readConfigFile } from "../config-files.ts";
import { homeFolder } from "../home.ts";
import { writeError } from "../write-error.ts";
import { writeNew, writeWhole } from "../write-whole.ts";
import { shell } from "./advice.ts";
import { flagText } from "./args.ts";
import { type Asked, askedSource, loadConfig } from "./config-source.ts";
import type { Context } from "./context.ts";
import { quoteShort } from "./problems.ts";
import { shellQuote } from "./shell-quote.ts";

/** @throws SpellError of the configuration; usage-value for an unknown section */
export async function configShow(context: Context): Promise<number> {
  const { operands, flags, screen } = context;
  const [section] = operands;
  const resolved = await context.config();
  const config = maskSecrets(resolved.config) as Readonly<Record<string, unknown>>;
  const names = [...sectionNames(), ...Object.keys(config).filter((name) => name.startsWith("x-"))];
  if (section !== undefined && !names.includes(section)) {
    const [first = ""] = section.split(".");
    const meant = names.includes(first) ? first : nearest(section, names);
    throw new SpellError("usage-value", `SECTION: expected ${names.join(", ")}; got ${quoteShort(section)}`, {
      where: "SECTION",
      hint: meant === undefined ? undefined : `Did you mean ${meant}?`,
      actions: meant === undefined ? [] : shell(`llmspell config show ${meant}`),
    });
  }
  const shown = section === undefined ? config : config[section];
  const withOrigins = flags.has("origin");
  const inSection = ([path]: readonly [string, string]): boolean =>
    section === undefined || path === section || path.startsWith(`${section}.`);
  const json = withOrigins ? { config: shown, origins: Object.fromEntries([...resolved.origins].filter(inSection)) } : shown;
  screen.document(json);
  if (flagText(flags, "format") === "json") screen.writeOwn(`${screen.whole(JSON.stringify(json, undefined, 2) ?? "null")}\n`);
  else {
    const note = withOrigins ? (path: string) => resolved.origins.get(path) : undefined;
    const isWhole = section !== undefined || flags.has("all");
    screen.writeOwn(screen.whole(configToml(isWhole ? config : actsToday(config, resolved), { note, section })));
    if (!isWhole) screen.note("keys of later releases are left out where nothing sets them; --all shows them");
  }
  return 0;
}

/** Without the keys that nothing reads yet, unless something sets them: what is shown loads again as the same. */
function actsToday(table: Readonly<Record<string, unknown>>, resolved: ResolvedConfig, above = ""): Readonly<Record<string, unknown>> {
  const keyOf = (path: string): ConfigKey | undefined => {
    const [, provider = "", name = ""] = /^providers\.([^.]+)\.(.+)$/.exec(path) ?? [];
    return isProviderType(provider) ? keysOfType(provider).get(name) : keysByPath().get(path);
  };
  const isIdle = (path: string): boolean =>
    keyOf(path)?.reader.startsWith("src/") === false && (resolved.origins.get(path) ?? "default") === "default";
  const shown = Object.entries(table).flatMap(([name, value]): (readonly [string, unknown])[] => {
    const path = above + name;
    if (!isTable(value) || Object.keys(value).length === 0) return isIdle(path) ? [] : [[name, value]];
    const inner = actsToday(value, resolved, `${path}.`);
    return Object.keys(inner).length === 0 ? [] : [[name, inner]];
  });
  return Object.fromEntries(shown);
}

export async function listProfiles({ flags, screen }: Context): Promise<number> {
  const groups = profileGroups();
  const all = groups.flatMap(([, profiles]) => profiles);
  screen.document(all.map(({ features, values: _, ...profile }) => toSnake({ ...profile, features })));
  const detailed = flags.has("detailed");
  const text = groups.map(([category, profiles]) => {
    const lines = profiles.flatMap((profile) => [
      `  ${screen.out.word(labelOf(profile))} - ${profile.description}`,
      ...(detailed ? [`      for   ${profile.useCases.join("; ")}`, `      has   ${profile.features.join("; ")}`] : []),
    ]);
    return `${screen.out.heading(category)}\n${lines.join("\n")}\n`;
  });
  screen.writeOwn(text.join("\n"));
  return 0;
}

type Finding = Partial<Omit<Problem, "code">> & { readonly code: string; readonly message: string };

/** @throws SpellError config-not-found and its like, where there is nothing to check */
export async function configValidate({ flags, env, screen }: Context): Promise<number> {
  const file = flagText(flags, "file");
  const other = ["profile", "config"].find((name) => flags.has(name));
  if (file !== undefined && other !== undefined) {
    const message = `--file and --${other} exclude each other: --file checks that file alone`;
    throw new SpellError("usage-value", message, { where: "--file", hint: "Leave one of them out." });
  }
  let resolved: ResolvedConfig | undefined;
  let errors: readonly Finding[] = [];
  try {
    // A file is checked alone: what the environment says is not its fault.
    resolved =
      file === undefined
        ? await loadConfig(flags, env)
        : await resolveSource({ kind: "file", ...readConfigFile(file, "--file") }, { ...nodeConfig(env), env: {} });
  } catch (error) {
    const problems = error instanceof SpellError ? error.details?.["problems"] : undefined;
    if (!Array.isArray(problems)) throw error;
    errors = problems as readonly Finding[];
  }
  const source = resolved?.source ?? (file === undefined ? describeAsked(askedSource(flags, env)) : `file:${file}`);
  const warnings: readonly Finding[] = resolved === undefined ? [] : [...resolved.warnings, ...adviceOn(resolved.config)];
  const valid = errors.length === 0;
  screen.document({ status: valid ? "ok" : "error", valid, source, warnings, errors });
  const mark = valid ? screen.out.good("✓") : screen.out.bad("✗");
  const lines = [
    `${mark} ${screen.clean(source.replace(/^file:/, ""))}`,
    ...warnings.map(({ message }) => `  ${screen.out.warn("warning")} ${screen.clean(message)}`),
    ...errors.map(({ where = "", path, message, frame, code }) => {
      const text = screen.clean(`${where}: ${path === undefined ? "" : `${path}: `}${message}`);
      const below = frame === undefined ? "" : `\n${screen.clean(frame)}`.replaceAll("\n", "\n  ");
      return `  ${screen.out.bad("error")} ${text} [${code}]${below}`;
    }),
  ];
  screen.writeOwn(`${lines.join("\n")}\n`);
  return valid ? 0 : 2;
}

/** What a configuration would be read from, in the words of origins. */
function describeAsked({ profile, file }: Asked): string {
  if (profile !== undefined) return `profile:${profile}`;
  return file === undefined ? "defaults" : `file:${file}`;
}

/** What will not work, and is not a mistake. */
function adviceOn(config: Config): readonly Finding[] {
  const names = providerNames(config);
  const remote = names.filter((name) => !["candle", "ollama"].includes(providerOf(config, name)?.provider_type ?? ""));
  const affected = [...remote, "pulls from scripts"].join(", ");
  const noProvider = "no provider is configured: no model can be named (llmspell -p candle config show has one)";
  const noNetwork = `runtime.security.allow_network_access is false: these will fail: ${affected}`;
  return [
    ...(names.length > 0 ? [] : [{ code: "no-provider", message: noProvider }]),
    ...(config.runtime.security.allow_network_access ? [] : [{ code: "no-network", message: noNetwork }]),
  ];
}

/** Key by key what `config init` writes where no profile is asked for. */
const starter = {
  providers: {
    default_provider: "candle",
    candle: { provider_type: "candle", default_model: "tiny-stories", device: "auto", context_size: 4096, keep_alive_seconds: 300 },
  },
  models: { offline: false },
  runtime: { log_level: "warn" },
};

/** @throws SpellError config-exists, store-denied, store-full, profile-unknown */
export async function configInit({ flags, screen }: Context): Promise<number> {
  const file = flagText(flags, "file") ?? "llmspell.toml";
  const from = flagText(flags, "from") ?? flagText(flags, "profile");
  const profile = from === undefined ? undefined : profileNamed(from);
  const text = initText(
    profile === undefined ? starter : { ...profile.values, providers: profile.values["providers"] ?? {} },
    profile?.name,
  );
  if (existsSync(file) && !flags.has("force"))
    throw new SpellError("config-exists", `${file} already exists`, {
      where: file,
      actions: [{ kind: "use-option", name: "force", value: true }],
    });
  await (flags.has("force") ? writeWhole : writeNew)(file, text).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== "ENOENT") throw writeError(file, cause);
    throw new SpellError("store-denied", `${file} cannot be written (${cause.code})`, {
      where: file,
      hint: `The folder ${dirname(file)} does not exist.`,
      actions: shell(`mkdir -p ${shellQuote(dirname(file))}`),
      cause,
    });
  });
  const quoted = shellQuote(file);
  const hasModels = profile === undefined || profile.values["providers"] !== undefined;
  const next = [
    `llmspell config validate --file ${quoted}`,
    `llmspell -c ${quoted} config show --origin`,
    ...(hasModels ? [`llmspell -c ${quoted} generate "Once upon a time"`] : []),
  ];
  screen.document({ status: "ok", file, from: profile?.name ?? null, next });
  screen.writeOwn(`${screen.clean(file)}\n`);
  if (!screen.settings.quiet) screen.aside(`Next:\n${next.map((line) => `  ${line}\n`).join("")}`);
  return 0;
}

/** Each key below a line that says what it means. */
function initText(values: object, profile: string | undefined): string {
  const above = (path: string): string | undefined => {
    if (path === "providers") return "none is configured, so no model can be named; without this line there are candle and ollama";
    const [section, , ...own] = path.split(".");
    const key = section === "providers" && own.length > 0 ? ofAnyType(own.join(".")) : keysByPath().get(path);
    if (key === undefined) return path.endsWith(".provider_type") ? "what the provider is" : undefined;
    const unit = key.unit === undefined ? "" : ` (${key.unit})`;
    return key.doc + unit + (key.choices === undefined ? "" : `: ${key.choices.join(", ")}`);
  };
  const head = profile === undefined ? "" : `, begun with the profile ${profile}`;
  return `# Configuration of llmspell${head}. Every key: docs/configuration.md of the package, or llmspell config show.
# Environment variables override it: providers.candle.device is LLMSPELL_PROVIDERS_CANDLE_DEVICE.

${configToml(values, { above })}`;
}

function ofAnyType(path: string): ConfigKey | undefined {
  return (["candle", "ollama", "openai"] as const).map((type) => keysOfType(type).get(path)).find((key) => key !== undefined);
}

/** Works with a broken configuration too: it says where to look. */
export async function configPath(context: Context): Promise<number> {
  const { flags, env, screen } = context;
  const asked = askedSource(flags, env);
  const { file, searched } = asked;
  const profile = asked.profile === undefined ? undefined : profileNamed(asked.profile).name;
  const source = describeAsked({ ...asked, profile });
  const resolved = await loadConfig(flags, env).catch(() => undefined);
  const candle = resolved === undefined ? undefined : providerOfType(resolved.config, "candle");
  const models = resolved?.get(`providers.${candle}.model_directory`)?.value ?? join(homeFolder(), "models");
  screen.document({ status: "ok", source, profile: profile ?? null, file: file ?? null, searched, home: homeFolder(), models });
  const row = (key: string, value: string): string => `${screen.out.word(`${key}:`)} ${screen.clean(value)}\n`;
  screen.writeOwn(
    [
      row("source", source),
      ...searched.map(({ path, exists, used }) => row("searched", `${path}${used ? " (used)" : exists ? " (exists, not used)" : ""}`)),
      row("home", homeFolder()),
      row("models", String(models)),
    ].join(""),
  );
  return 0;
}

/** @throws SpellError profile-unknown */
function profileNamed(name: string): BuiltinProfile {
  const found = findProfile(name);
  if (found === undefined) throw unknownProfile(name);
  return found;
}

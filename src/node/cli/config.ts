/** `llmspell config …`: what is in effect and where it came from, which files are looked for, a file to begin with, a check of one. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Config } from "../../core/config/config.generated.ts";
import type { BuiltinProfile } from "../../core/config/key.ts";
import { findProfile, isProviderType, keysByPath, keysOfType, sectionNames } from "../../core/config/keys.ts";
import { maskSecrets } from "../../core/config/mask.ts";
import { labelOf, profileGroups } from "../../core/config/profiles.ts";
import { providerNames, providerOf, providerOfType } from "../../core/config/providers.ts";
import { type ResolvedConfig, resolveSource } from "../../core/config/resolve.ts";
import { unknownProfile } from "../../core/config/source-errors.ts";
import { configToml } from "../../core/config/toml-text.ts";
import { SpellError } from "../../core/errors.ts";
import { nearest } from "../../core/nearest.ts";
import { shellQuote } from "../../core/shell-quote.ts";
import { nodeConfig, readConfigFile } from "../config-files.ts";
import { homeFolder } from "../home.ts";
import { writeWhole } from "../write-whole.ts";
import { flagText } from "./args.ts";
import { quoteShort } from "./commands.ts";
import { askedSource, loadConfig } from "./config-source.ts";
import type { Context } from "./context.ts";

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
    throw new SpellError("usage-value", `SECTION: wanted ${names.join(", ")}; got ${quoteShort(section)}`, {
      where: "SECTION",
      hint: meant === undefined ? undefined : `Did you mean ${meant}?`,
      commands: meant === undefined ? undefined : [`llmspell config show ${meant}`],
    });
  }
  const shown = section === undefined ? config : config[section];
  const withOrigins = flags.has("origin");
  const inSection = ([path]: readonly [string, string]): boolean =>
    section === undefined || path === section || path.startsWith(`${section}.`);
  const json = withOrigins ? { config: shown, origins: Object.fromEntries([...resolved.origins].filter(inSection)) } : shown;
  screen.document(json);
  if (flagText(flags, "format") === "json") screen.writeOwn(`${screen.clean(JSON.stringify(json, undefined, 2) ?? "null")}\n`);
  else {
    const note = withOrigins ? (path: string) => resolved.origins.get(path) : undefined;
    screen.writeOwn(screen.clean(configToml(config, { note, section })));
  }
  return 0;
}

export async function listProfiles({ flags, screen }: Context): Promise<number> {
  const groups = profileGroups();
  screen.document(
    groups.flatMap(([, profiles]) =>
      profiles.map(({ name, aliases, category, description, useCases, features }) => ({
        name,
        aliases,
        category,
        description,
        use_cases: useCases,
        features,
      })),
    ),
  );
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

interface Finding {
  readonly code: string;
  readonly message: string;
  readonly path?: string | undefined;
  readonly line?: number | undefined;
  readonly column?: number | undefined;
  readonly frame?: string | undefined;
  readonly where?: string | undefined;
}

/** @throws SpellError config-not-found and its like, where there is nothing to check */
export async function configValidate({ flags, env, screen }: Context): Promise<number> {
  const file = flagText(flags, "file");
  const other = ["profile", "config"].find((name) => flags.has(name));
  if (file !== undefined && other !== undefined) {
    throw new SpellError("usage-value", `--file and --${other} exclude each other: --file checks that file by itself`, {
      where: "--file",
      hint: "Leave one of them out.",
    });
  }
  let resolved: ResolvedConfig | undefined;
  let errors: readonly Finding[] = [];
  try {
    // A file is checked by itself: what the environment of today says is not its fault.
    resolved =
      file === undefined
        ? await loadConfig(flags, env)
        : await resolveSource({ kind: "file", ...readConfigFile(file, "--file") }, { ...nodeConfig(env), env: {} });
  } catch (error) {
    const problems = error instanceof SpellError ? error.details?.["problems"] : undefined;
    if (!Array.isArray(problems)) throw error;
    errors = problems as readonly Finding[];
  }
  const source = resolved?.source ?? (file === undefined ? describeAsked(flags, env) : `file:${file}`);
  const warnings: readonly Finding[] = resolved === undefined ? [] : [...resolved.warnings, ...adviceOn(resolved.config)];
  const valid = errors.length === 0;
  screen.document({ status: valid ? "ok" : "error", valid, source, warnings, errors });
  const mark = valid ? screen.out.good("✓") : screen.out.bad("✗");
  const lines = [
    `${mark} ${screen.clean(source.replace(/^file:/, ""))}`,
    ...warnings.map(({ message }) => `  ${screen.out.warn("warning")} ${screen.clean(message)}`),
    ...errors.map(
      ({ where, path, message, frame, code }) =>
        `  ${screen.out.bad("error")} ${screen.clean(`${where ?? ""}: ${path === undefined ? "" : `${path}: `}${message}`)} [${code}]${frame === undefined ? "" : `\n${indent(screen.clean(frame))}`}`,
    ),
  ];
  screen.writeOwn(`${lines.join("\n")}\n`);
  return valid ? 0 : 2;
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `  ${line}`)
    .join("\n");
}

function describeAsked(flags: Context["flags"], env: Context["env"]): string {
  const asked = askedSource(flags, env);
  if (asked.kind === "profile") return `profile:${asked.name}`;
  const path = asked.kind === "file" ? asked.path : asked.searched.find(({ used }) => used)?.path;
  return path === undefined ? "defaults" : `file:${path}`;
}

/** What will not work, and is no mistake. */
function adviceOn(config: Config): readonly Finding[] {
  const names = providerNames(config);
  const remote = names.filter((name) => !["candle", "ollama"].includes(providerOf(config, name)?.provider_type ?? ""));
  const found: Finding[] = [];
  if (names.length === 0)
    found.push({ code: "no-provider", message: "no provider is declared: no model can be named (llmspell -p candle config show has one)" });
  if (!config.runtime.security.allow_network_access) {
    found.push({
      code: "no-network",
      message: `runtime.security.allow_network_access is false: ${remote.length > 0 ? `${remote.join(", ")} and ` : ""}pulls from scripts will fail`,
    });
  }
  return found;
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

/** @throws SpellError config-exists, store-denied, profile-unknown */
export async function configInit({ flags, screen }: Context): Promise<number> {
  const file = flagText(flags, "file") ?? "llmspell.toml";
  const from = flagText(flags, "from") ?? flagText(flags, "profile");
  const profile = from === undefined ? undefined : profileNamed(from);
  const text = initText(
    profile === undefined ? starter : { ...profile.values, providers: profile.values["providers"] ?? {} },
    profile?.name,
  );
  const retry = `llmspell config init --file ${shellQuote(file)}${from === undefined ? "" : ` --from ${from}`} --force`;
  if (existsSync(file) && !flags.has("force"))
    throw new SpellError("config-exists", `${file} is there already`, { where: file, commands: [retry] });
  await (flags.has("force") ? writeWhole(file, text) : writeFile(file, text, { flag: "wx" })).catch((cause: NodeJS.ErrnoException) => {
    throw new SpellError("store-denied", `${file} cannot be written (${cause.code ?? cause.message})`, {
      where: file,
      hint: cause.code === "ENOENT" ? `The folder ${dirname(file)} is not there.` : "Check the folder and its permissions.",
      commands: cause.code === "ENOENT" ? [`mkdir -p ${shellQuote(dirname(file))}`] : undefined,
      cause,
    });
  });
  const next = [
    `llmspell config validate --file ${shellQuote(file)}`,
    `llmspell -c ${shellQuote(file)} config show --origin`,
    ...(profile === undefined || profile.values["providers"] !== undefined
      ? [`llmspell -c ${shellQuote(file)} generate "Once upon a time"`]
      : []),
  ];
  screen.document({ status: "ok", file, from: profile?.name ?? null, next });
  screen.writeOwn(`${screen.clean(file)}\n`);
  if (!screen.settings.quiet) screen.aside(`Next:\n${next.map((line) => `  ${line}\n`).join("")}`);
  return 0;
}

/** Each key below a line that says what it means. */
function initText(values: object, profile: string | undefined): string {
  const above = (path: string): string | undefined => {
    if (path === "providers") return "none is declared, so no model can be named; without this line candle and ollama are there";
    const [section, , ...own] = path.split(".");
    const key = section === "providers" && own.length > 0 ? ofAnyType(own.join(".")) : keysByPath().get(path);
    if (key === undefined) return path.endsWith(".provider_type") ? "what the provider is" : undefined;
    return `${key.doc}${key.unit === undefined ? "" : ` (${key.unit})`}${key.choices === undefined ? "" : `: ${key.choices.join(", ")}`}`;
  };
  const head = profile === undefined ? "" : `, begun with the profile ${profile}`;
  return `# Configuration of llmspell${head}. Every key: docs/configuration.md of the package, or llmspell config show.
# Environment variables override it: providers.candle.device is LLMSPELL_PROVIDERS_CANDLE_DEVICE.

${configToml(values, { above })}`;
}

function ofAnyType(path: string) {
  for (const type of ["candle", "ollama", "openai"]) {
    const key = isProviderType(type) ? keysOfType(type).get(path) : undefined;
    if (key !== undefined) return key;
  }
  return undefined;
}

/** Works with a broken configuration too: it says where to look. */
export async function configPath(context: Context): Promise<number> {
  const { flags, env, screen } = context;
  const asked = askedSource(flags, env);
  const searched = asked.kind === "discovery" ? asked.searched : [];
  const file = asked.kind === "file" ? asked.path : (searched.find(({ used }) => used)?.path ?? null);
  const profile = asked.kind === "profile" ? profileNamed(asked.name).name : null;
  const source = profile !== null ? `profile:${profile}` : file !== null ? `file:${file}` : "defaults";
  const resolved = await loadConfig(flags, env).catch(() => undefined);
  const candle = resolved === undefined ? undefined : providerOfType(resolved.config, "candle");
  const models = resolved?.get(`providers.${candle}.model_directory`)?.value ?? join(homeFolder(), "models");
  screen.document({ status: "ok", source, profile, file, searched, home: homeFolder(), models });
  const row = (key: string, value: string): string => `${screen.out.word(`${key}:`)} ${screen.clean(value)}\n`;
  screen.writeOwn(
    [
      row("source", source),
      ...searched.map(({ path, exists, used }) => row("searched", `${path}${used ? " (used)" : exists ? " (there, not used)" : ""}`)),
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

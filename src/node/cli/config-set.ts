/** `llmspell config set`, `get`, `unset`: one key of the file in use. */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { editToml } from "../../core/config/edit.ts";
import { parseText } from "../../core/config/environment.ts";
import type { ConfigKey } from "../../core/config/key.ts";
import { isProviderType, isSecret, keysByPath, keysOfType, mask } from "../../core/config/keys.ts";
import { providerNames, providerOf } from "../../core/config/providers.ts";
import { type ResolvedConfig, resolveSource } from "../../core/config/resolve.ts";
import { variableOf } from "../../core/config/switch-on.ts";
import { valueText } from "../../core/config/toml-text.ts";
import { checkValue, describeValues, showGot } from "../../core/config/value.ts";
import { SpellError } from "../../core/errors.ts";
import { didYouMean, nearest } from "../../core/nearest.ts";
import { nodeConfig, readConfigFile } from "../config-files.ts";
import { absolute, homeFolder } from "../home.ts";
import { makeFolder } from "../make-folder.ts";
import { writeError } from "../write-error.ts";
import { writeWhole } from "../write-whole.ts";
import { shell } from "./advice.ts";
import { flagText } from "./args.ts";
import { askedSource } from "./config-source.ts";
import type { Context } from "./context.ts";
import { quoteShort } from "./problems.ts";

/** Of all keys that a command line may name, in the order of the schema. @param names providers besides those called as their type */
export function keyNames(config?: ResolvedConfig["config"]): readonly string[] {
  const declared =
    config === undefined ? [] : providerNames(config).map((name) => [name, providerOf(config, name)?.provider_type] as const);
  const named = new Map([...(["candle", "ollama"] as const).map((name) => [name, name] as const), ...declared]);
  const ofProviders = [...named].flatMap(([name, type]) =>
    type === undefined ? [] : [...keysOfType(type).keys()].map((path) => `providers.${name}.${path}`),
  );
  return [...keysByPath().keys(), ...ofProviders];
}

/** @throws SpellError usage-value */
function findKey(path: string, { config }: Pick<ResolvedConfig, "config">): ConfigKey {
  const [section, name = "", ...own] = path.split(".");
  const type = providerOf(config, name)?.provider_type ?? (isProviderType(name) ? name : undefined);
  const key =
    section === "providers" && own.length > 0 && type !== undefined ? keysOfType(type).get(own.join(".")) : keysByPath().get(path);
  if (key !== undefined) return key;
  const all = keyNames(config);
  const lastOf = (known: string): string => known.slice(known.lastIndexOf(".") + 1);
  const last = nearest(lastOf(path), all.map(lastOf));
  const meant = nearest(path, all) ?? all.find((known) => lastOf(known) === last);
  throw new SpellError("usage-value", `KEY: ${quoteShort(path)} is no key of the configuration${didYouMean(meant)}`, {
    where: "KEY",
    hint: "Every key, with its value:",
    actions: shell("llmspell config show --all"),
  });
}

interface Target {
  readonly path: string;
  /** "" for a file that is not there yet */
  readonly text: string;
  readonly resolved: ResolvedConfig;
}

/** The file that is in use, else the person's own. @throws SpellError usage-value for a profile; config-* */
async function openTarget({ flags, env }: Context): Promise<Target> {
  const { profile, ...asked } = askedSource(flags, env);
  const named = flagText(flags, "file");
  if (profile !== undefined && named === undefined)
    throw new SpellError("usage-value", `the profile ${profile} is part of the package; a file of your own can be changed`, {
      where: "--profile",
      actions: [{ kind: "new-config", profile, file: "llmspell.toml" }],
    });
  const path = named ?? asked.file ?? join(homeFolder(), "llmspell.toml");
  const text = existsSync(path) || asked.by !== undefined ? readConfigFile(path, asked.by).text : "";
  return { path, text, resolved: await resolveText(path, text, env) };
}

/** As the file says it, without variables. */
function resolveText(path: string, text: string, env: Context["env"]): Promise<ResolvedConfig> {
  return resolveSource({ kind: "file", path, folder: dirname(absolute(path)), text, isPublic: false }, { ...nodeConfig(env), env: {} });
}

/** @throws SpellError usage-value, config-*, store-denied */
export async function configSet(context: Context): Promise<number> {
  const [path = "", given = ""] = context.operands;
  const target = await openTarget(context);
  const key = findKey(path, target.resolved);
  const value = checkValue(key, parseText(key, given));
  if (value === undefined)
    throw new SpellError("usage-value", `${path}: expected ${describeValues(key)}, got ${showGot(path, given)}`, { where: "VALUE" });
  const { screen } = context;
  await change(context, target, path, valueText(value));
  const shown = isSecret(path) ? mask : value;
  screen.document({ status: "ok", file: target.path, key: path, value: shown });
  screen.writeOwn(screen.clean(`${path} = ${valueText(shown)}\n`));
  if (!screen.settings.quiet) screen.aside(`written to ${target.path}\n`);
  const variable = (await context.config()).get(path)?.origin.replace(/^env:/, "");
  if (variable === variableOf(path)) screen.note(`${variable} is set, and overrides it`);
  return 0;
}

/** @throws SpellError usage-value, config-*, store-denied */
export async function configUnset(context: Context): Promise<number> {
  const [path = ""] = context.operands;
  const target = await openTarget(context);
  const before = target.resolved.get(path);
  findKey(path, target.resolved);
  const isThere = before?.origin.startsWith("file:") === true;
  if (isThere) await change(context, target, path, undefined);
  else context.screen.note(`${target.path} does not set ${path}`);
  context.screen.document({ status: "ok", file: target.path, key: path, removed: isThere });
  if (isThere && !context.screen.settings.quiet) context.screen.aside(`removed from ${target.path}\n`);
  return 0;
}

/** The effective value, as a text; nothing where it is not set. @throws SpellError usage-value, config-* */
export async function configGet(context: Context): Promise<number> {
  const [path = ""] = context.operands;
  const { screen } = context;
  const resolved = await context.config();
  findKey(path, resolved);
  const { value, origin } = resolved.get(path) ?? {};
  const shown = value === undefined ? undefined : isSecret(path) ? mask : value;
  screen.document({ status: "ok", key: path, value: shown ?? null, origin: origin ?? null });
  if (shown === undefined) screen.note(`${path} is not set`);
  else screen.writeOwn(screen.whole(`${Array.isArray(shown) ? shown.join(",") : String(shown)}\n`));
  return 0;
}

async function change(
  { env, screen }: Context,
  { path: file, text, resolved }: Target,
  path: string,
  value: string | undefined,
): Promise<void> {
  const edit = (before: string, key: string, written: string | undefined): string => {
    const edited = editToml(before, key.split("."), written);
    if (edited !== undefined) return edited;
    throw new SpellError("usage-value", `${file} writes the table of ${key} on one line; expected a line of its own for each key`, {
      where: file,
      hint: "Change the file in an editor.",
    });
  };
  let changed = edit(text, path, value);
  // A file with providers has those alone: what this one had by default is written down with its first key.
  const [section, name] = path.split(".");
  const after = await resolveText(file, changed, env).catch((error: unknown) => {
    throw withoutPlace(error);
  });
  for (const [other, origin] of section === "providers" && value !== undefined ? resolved.origins : []) {
    const old = resolved.get(other)?.value;
    if (!other.startsWith(`providers.${name}.`) || other === path || origin !== "default" || after.get(other)?.value === old) continue;
    if (old !== undefined) changed = edit(changed, other, valueText(old));
  }
  await resolveText(file, changed, env);
  await writeFile(file, changed);
  const isLost = (known: string): boolean => providerOf(after.config, known) === undefined && known !== name;
  for (const lost of providerNames(resolved.config).filter(isLost))
    screen.note(
      `${file} now declares its providers, and ${lost} is not among them; to have it:`,
      shell(`llmspell config set providers.${lost}.enabled true`),
    );
}

/** The line that a problem points at was not written. */
function withoutPlace(error: unknown): unknown {
  if (!(error instanceof SpellError) || !error.code.startsWith("config-")) return error;
  const problem = (error.message.split("\n")[0] ?? "").replace(/^.*?:\d+:\d+: /, "");
  return new SpellError("usage-value", problem, { where: "VALUE", hint: "The file is unchanged.", cause: error });
}

async function writeFile(path: string, text: string): Promise<void> {
  try {
    makeFolder(dirname(path));
    await writeWhole(path, text, 0o600);
  } catch (cause) {
    throw writeError(path, cause);
  }
}

/** What the configuration needs from Node: variables, paths, files, and the paths where a file is looked for. */
import { readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { SpellError } from "../core/errors.ts";
import { limits } from "../core/limits.ts";
import type { ConfigFile, ConfigHost, Environment } from "../core/platform.ts";
import { errnoOf, isMissing } from "./errno.ts";
import { absolute, expandHome, expandTilde, homeFolder, personFolder, variables } from "./home.ts";
import { hubToken } from "./hugging-face.ts";

export function nodeConfig(env: Environment = process.env): ConfigHost {
  return {
    env: process.platform === "win32" ? inCapitals(env) : env,
    resolvePath: (text, folder) => expandPath(text, folder, env),
    readFile: async (path) => readConfigFile(path),
    hubToken: () => hubToken(env),
  };
}

/** On Windows `llmspell_device` and `LLMSPELL_DEVICE` are one variable. */
function inCapitals(env: Environment): Environment {
  return Object.fromEntries(Object.entries(env).map(([name, value]) => [name.toUpperCase(), value]));
}

/** `~/.llmspell` means the home folder of this program, wherever that is; `$VAR` and `${VAR}` must be set. */
function expandPath(text: string, folder: string | undefined, env: Environment): { readonly path: string } | { readonly problem: string } {
  const missing = new Set<string>();
  const filled = text.replace(variables, (_, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? "";
    if (!env[name]) missing.add(name);
    return env[name] ?? "";
  });
  if (missing.size > 0) return { problem: `the variable ${[...missing].join(", ")} is not set` };
  const ours = /^~[/\\]\.llmspell(?=$|[/\\])/.exec(filled);
  if (ours !== null) return { path: join(homeFolder(), filled.slice(ours[0].length)) };
  return { path: absolute(expandTilde(filled), folder) };
}

/**
 * @param path as given
 * @param by the flag or variable that gave it
 * @throws SpellError config-not-found, config-not-regular, config-unreadable, config-syntax (not UTF-8, too large)
 */
export function readConfigFile(path: string, by?: string): ConfigFile {
  const full = absolute(expandTilde(path));
  let bytes: Uint8Array;
  let mode: number;
  try {
    const facts = statSync(full);
    // before it is opened: a pipe would wait for ever, a device never ends
    if (!facts.isFile())
      throw new SpellError("config-not-regular", `${path} is ${facts.isDirectory() ? "a folder" : "a pipe or device"}`, { where: path });
    if (facts.size > limits.configBytes)
      throw new SpellError("config-syntax", `${path}: expected at most ${limits.configBytes} bytes, got ${facts.size}`, { where: path });
    mode = facts.mode;
    bytes = readFileSync(full);
  } catch (cause) {
    if (cause instanceof SpellError) throw cause;
    if (!isMissing(cause))
      throw new SpellError("config-unreadable", `cannot read ${path} (${errnoOf(cause) ?? "unknown error"})`, { where: path, cause });
    throw new SpellError("config-not-found", `${path}: no such file; it was explicitly given${by === undefined ? "" : ` with ${by}`}`, {
      where: path,
      actions: [{ kind: "new-config", file: path }],
      cause,
    });
  }
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return { path, folder: dirname(full), text, isPublic: process.platform !== "win32" && (mode & 0o044) !== 0 };
  } catch (cause) {
    throw new SpellError("config-syntax", whyNotText(path, bytes), { where: path, cause });
  }
}

function whyNotText(path: string, bytes: Uint8Array): string {
  const mark = `${bytes[0]},${bytes[1]}`;
  if (mark === "255,254" || mark === "254,255") return `${path} is UTF-16 text, as some Windows programs write it; save it as UTF-8`;
  const before = new TextDecoder().decode(bytes).split("\ufffd", 1)[0] ?? "";
  return `${path}:${before.split("\n").length}:${before.length - before.lastIndexOf("\n")}: not UTF-8 text`;
}

/** Paths where a configuration is looked for; the first file that exists is used. */
export function discoveryPaths(env: Environment = process.env): readonly string[] {
  const configHome = expandHome(env["XDG_CONFIG_HOME"] || join(personFolder(), ".config"), env);
  const appData = process.platform === "win32" ? env["APPDATA"] : undefined;
  return [
    "llmspell.toml",
    ".llmspell.toml",
    join(homeFolder(), "llmspell.toml"),
    join(homeFolder(), "config.toml"),
    join(configHome, "llmspell", "config.toml"),
    ...(appData ? [join(appData, "llmspell", "config.toml")] : []),
  ];
}

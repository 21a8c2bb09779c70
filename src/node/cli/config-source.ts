/** Where the configuration of a run comes from: flags, else variables, else the first file that is there. */
import { existsSync } from "node:fs";
import type { ConfigSource, ResolvedConfig } from "../../core/config/resolve.ts";
import { configConflict } from "../../core/config/source-errors.ts";
import { discoveryPaths, nodeConfig, readConfigFile } from "../config-files.ts";
import { flagText, type GivenFlags } from "./args.ts";
import type { Context } from "./context.ts";

type Env = Context["env"];

export interface Place {
  readonly path: string;
  readonly exists: boolean;
  readonly used: boolean;
}

/** What was asked for, before anything is read: a profile, else a file, else the defaults. */
export interface Asked {
  readonly profile?: string | undefined;
  readonly file?: string | undefined;
  /** flag or variable that names the file; absent where it was found */
  readonly by?: string | undefined;
  /** places where a file was looked for, if none was named */
  readonly searched: readonly Place[];
}

/** @throws SpellError config-conflict where two variables ask for a profile and a file at once */
export function askedSource(flags: GivenFlags, env: Env): Asked {
  const [profileFlag, configFlag] = [flagText(flags, "profile"), flagText(flags, "config")];
  // A flag of either kind puts both variables aside; two flags were refused with the command line.
  const fromFlags = profileFlag !== undefined || configFlag !== undefined;
  const profile = fromFlags ? profileFlag : env["LLMSPELL_PROFILE"] || undefined;
  const config = fromFlags ? configFlag : env["LLMSPELL_CONFIG"] || undefined;
  if (profile !== undefined && config !== undefined) {
    throw configConflict(`LLMSPELL_PROFILE=${profile}`, `LLMSPELL_CONFIG=${config}`, profile);
  }
  if (profile !== undefined) return { profile, searched: [] };
  if (config !== undefined) return { file: config, by: fromFlags ? "--config" : "LLMSPELL_CONFIG", searched: [] };
  let found = false;
  const searched = discoveryPaths(env).map((path) => {
    const exists = existsSync(path);
    const used = exists && !found;
    found ||= exists;
    return { path, exists, used };
  });
  return { file: searched.find(({ used }) => used)?.path, searched };
}

/** @throws SpellError config-* where a file cannot be read */
function openAsked({ profile, file, by }: Asked): ConfigSource {
  if (profile !== undefined) return { kind: "profile", name: profile };
  return file === undefined ? { kind: "defaults" } : { kind: "file", ...readConfigFile(file, by) };
}

/** A flag beats its variables, also one with a wrong value. */
export function envBelowFlags(flags: GivenFlags, env: Env): Env {
  const [parallel, keepAlive] = [flagText(flags, "parallel"), flagText(flags, "keep-alive")];
  return {
    ...env,
    ...(flags.has("device") && { LLMSPELL_DEVICE: "", CANDLE_DEVICE: "" }),
    ...(parallel !== undefined && { LLMSPELL_PROVIDERS_CANDLE_MAX_CONCURRENT: parallel }),
    ...(keepAlive !== undefined && { LLMSPELL_PROVIDERS_CANDLE_KEEP_ALIVE_SECONDS: keepAlive }),
  };
}

/** @throws SpellError config-*, env-value, profile-unknown: all problems in one error */
export async function loadConfig(flags: GivenFlags, env: Env): Promise<ResolvedConfig> {
  const source = openAsked(askedSource(flags, env));
  const { resolveSource } = await import("../../core/config/resolve.ts");
  return resolveSource(source, nodeConfig(envBelowFlags(flags, env)));
}

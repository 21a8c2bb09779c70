/** Where Hugging Face's own tools keep their cache and token, by their variables. Source: huggingface_hub 0.36.0, constants.py and utils/_auth.py. */
import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { sendableToken } from "../core/download/token.ts";
import type { Environment } from "../core/platform.ts";
import { expandHome, personFolder } from "./home.ts";

/** A token file is one line; a larger file is something else. */
const maxTokenFileBytes = 64 * 1024;

/** The first variable that is set. */
function first(env: Environment, ...names: readonly string[]): string | undefined {
  return names.map((name) => env[name]).find(Boolean);
}

function hubHome(env: Environment): string {
  const caches = env["XDG_CACHE_HOME"] || join(personFolder(), ".cache");
  return expandHome(env["HF_HOME"] || join(caches, "huggingface"), env);
}

/** Folder of the cached repositories; it need not exist. */
export function hubCache(env: Environment): string {
  return expandHome(first(env, "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(hubHome(env), "hub"), env);
}

const tokenVariables = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] as const;

function tokenPath(env: Environment): string {
  return expandHome(env["HF_TOKEN_PATH"] || join(hubHome(env), "token"), env);
}

/**
 * The token: a variable's, else that of the file which a login writes. Sent to the hub only.
 * @returns undefined without a login
 * @throws SpellError net-auth naming the variable or the file, where it holds what no header can carry
 */
export function hubToken(env: Environment): string | undefined {
  const name = tokenVariables.find((variable) => env[variable]);
  if (name !== undefined) return sendableToken(env[name], name);
  const path = tokenPath(env);
  return sendableToken(readTokenFile(path), path);
}

/** @returns the whole text of the file with the token, for hiding it; undefined where there is none */
export function hubTokenText(env: Environment): string | undefined {
  return readTokenFile(tokenPath(env));
}

function readTokenFile(path: string): string | undefined {
  try {
    const facts = statSync(path);
    return facts.isFile() && facts.size <= maxTokenFileBytes ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined; // not logged in
  }
}

/** Which environment variables can matter to a configuration. Most programs are started with none of them: then nothing else is read (environment.ts). */
import type { Environment } from "../platform.ts";

/** They say where and what to load, or beat a key by a rule of their own. */
const reservedVariables: ReadonlySet<string> = new Set(["HOME", "CONFIG", "PROFILE", "TRACE", "DEVICE"].map((name) => `LLMSPELL_${name}`));

/** Short names that other programs use too, and the ones of devices. */
const vendorVariables = [
  "LLMSPELL_DEVICE",
  "CANDLE_DEVICE",
  "OPENAI_API_KEY",
  "ANTHROPIC_API_KEY",
  "OLLAMA_HOST",
  "HF_ENDPOINT",
  "HF_HUB_OFFLINE",
] as const;

/** @returns set variables with the systematic beginning, whether a key has them or not */
export function systematicNames(env: Environment): readonly string[] {
  return Object.keys(env).filter((name) => name.startsWith("LLMSPELL_") && (env[name] ?? "") !== "" && !reservedVariables.has(name));
}

export function hasVariables(env: Environment): boolean {
  return vendorVariables.some((name) => (env[name] ?? "") !== "") || systematicNames(env).length > 0;
}

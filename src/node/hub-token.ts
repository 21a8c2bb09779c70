/** The token of Hugging Face's tools: HF_TOKEN, else the file where those tools keep it. Sent to the hub only. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Environment } from "../core/platform.ts";
import { personFolder } from "./home.ts";

export function hubToken(env: Environment): string | undefined {
  const text = (name: string): string | undefined => env[name] || undefined;
  const folder = text("HF_HOME") ?? join(personFolder(), ".cache", "huggingface");
  return text("HF_TOKEN") ?? readToken(text("HF_TOKEN_PATH") ?? join(folder, "token"));
}

function readToken(path: string): string | undefined {
  try {
    const text = readFileSync(path, "utf8").trim();
    return text === "" || text.length > 4096 || /\s/.test(text) ? undefined : text;
  } catch {
    return undefined; // not logged in
  }
}

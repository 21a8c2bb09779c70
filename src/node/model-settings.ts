/** What the environment says about models: the variables that Hugging Face's tools and Ollama read too. */
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { SpellError } from "../core/errors.ts";
import type { ModelSettings } from "../core/spec/model-settings.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** @throws SpellError env-value */
export function modelSettingsFromEnv(env: Env): Partial<ModelSettings> {
  const text = (name: string): string | undefined => (env[name] === undefined || env[name] === "" ? undefined : env[name]);
  const endpoint = text("HF_ENDPOINT");
  const ollama = text("OLLAMA_HOST");
  const offline = text("HF_HUB_OFFLINE");
  const token =
    text("HF_TOKEN") ?? readToken(text("HF_TOKEN_PATH") ?? join(text("HF_HOME") ?? join(homedir(), ".cache", "huggingface"), "token"));
  return {
    ...(endpoint === undefined ? {} : { hfEndpoint: readAddress("HF_ENDPOINT", endpoint) }),
    ...(ollama === undefined ? {} : { ollamaBaseUrl: ollamaAddress(ollama) }),
    ...(offline === undefined ? {} : { offline: /^(1|true|yes|on)$/i.test(offline) }),
    ...(token === undefined ? {} : { hfToken: token }),
  };
}

function readAddress(name: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url !== undefined && (url.protocol === "https:" || url.protocol === "http:")) return text.replace(/\/+$/, "");
  throw new SpellError("env-value", `${name} sets the address of the hub: wanted https://…; got ${JSON.stringify(text.slice(0, 80))}`, {
    where: name,
    commands: [`unset ${name}`],
  });
}

/** `host`, `host:port` or an address, as Ollama itself reads it; a server that listens everywhere is asked at home. */
function ollamaAddress(text: string): string {
  const full = /^https?:\/\//i.test(text) ? text : `http://${text}`;
  if (!URL.canParse(full)) {
    throw new SpellError("env-value", `OLLAMA_HOST: wanted a host, host:port or address; got ${JSON.stringify(text.slice(0, 80))}`, {
      where: "OLLAMA_HOST",
      commands: ["unset OLLAMA_HOST"],
    });
  }
  const url = new URL(full);
  if (url.hostname === "0.0.0.0" || url.hostname === "[::]") url.hostname = "127.0.0.1";
  const hasPort = url.port !== "" || /:(80|443)\/?$/.test(full) || /^https?:\/\//i.test(text);
  if (!hasPort) url.port = "11434";
  return url.href.replace(/\/+$/, "");
}

function readToken(path: string): string | undefined {
  try {
    const text = readFileSync(path, "utf8").trim();
    return text === "" || text.length > 4096 || /\s/.test(text) ? undefined : text;
  } catch {
    return undefined; // nobody has logged in
  }
}

/** What `llmspell doctor` looks at beside devices: runtimes, configuration, bundled models, folders, servers on this machine, keys. */

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { serverAt } from "../../core/backends/ollama.ts";
import { summarizeModel } from "../../core/backends/summary.ts";
import { providerNames, providerOf } from "../../core/config/providers.ts";
import type { ResolvedConfig } from "../../core/config/resolve.ts";
import { SpellError } from "../../core/errors.ts";
import { shellQuote } from "../../core/shell-quote.ts";
import { version } from "../../core/version.ts";
import { hasMemory64 } from "../../engines/wllama/features.ts";
import { installCommand } from "../engines/packages.ts";
import { threadCache } from "../engines/threads.ts";
import { homeFolder } from "../home.ts";
import { hubToken } from "../hub-token.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters } from "./format.ts";
import { packageVersion } from "./version.ts";

type Area = "runtime" | "config" | "devices" | "models" | "stores" | "servers" | "keys";

export interface Check {
  readonly area: Area;
  readonly id: string;
  readonly result: "ok" | "warn" | "fail" | "skip";
  readonly reason: string;
  /** What to do, in words, and as a command to paste. */
  readonly fix?: string | undefined;
  readonly command?: string | undefined;
}

const native = "node-llama-cpp";

/** Its warnings were told when it was read; a configuration that is wrong ends the command before it looks at anything. */
export function checkConfig({ source, config }: ResolvedConfig): Check {
  const names = providerNames(config);
  return {
    area: "config",
    id: source,
    result: names.length > 0 ? "ok" : "warn",
    reason: names.length > 0 ? `providers: ${names.join(", ")}` : "no provider is declared, so no model can be named",
    command: names.length > 0 ? undefined : "llmspell -p candle doctor",
  };
}

/** One that is not there refuses at once; one that is there may share a busy machine with the self-tests of this very command. */
const serverMs = 5000;

/** Ollama servers that the configuration names, where they are on this machine: anything further away is the network's. */
export async function checkServers({ config }: ResolvedConfig, { openSpell, interrupt }: Context): Promise<readonly Check[]> {
  const servers = providerNames(config).flatMap((name) => {
    const provider = providerOf(config, name);
    return provider?.provider_type === "ollama" ? [{ name, address: provider.base_url }] : [];
  });
  if (servers.length === 0) return [];
  const { platform } = await openSpell();
  return Promise.all(
    servers.map(async ({ name, address }): Promise<Check> => {
      const { url, fetch } = serverAt(address, platform.fetch);
      const place = { area: "servers", id: name } as const;
      if (!isLoopback(url)) return { ...place, result: "skip", reason: `${url} is not on this machine; only --online would look there` };
      try {
        const response = await fetch(`${url}/api/version`, {
          signal: AbortSignal.any([interrupt.signal, AbortSignal.timeout(serverMs)]),
        });
        const version = ((await response.json()) as { readonly version?: unknown } | null)?.version;
        if (!response.ok || typeof version !== "string") throw new Error(`it answers ${response.status}, and not as Ollama does`);
        return { ...place, result: "ok", reason: `Ollama ${version} at ${url}` };
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
        const why = cause ?? (error instanceof Error ? error.message : String(error));
        return { ...place, result: "skip", reason: `no server at ${url}: ${why}`, command: "ollama serve" };
      }
    }),
  );
}

function isLoopback(url: string): boolean {
  const host = URL.canParse(url) ? new URL(url).hostname : "";
  return host === "localhost" || host === "[::1]" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Only whether a key is set; whether it is accepted is the network's to say. */
export function checkKeys({ config }: ResolvedConfig, env: Context["env"]): readonly Check[] {
  const check = (id: string, variable: string, isSet: boolean): Check =>
    isSet
      ? { area: "keys", id, result: "ok", reason: "set" }
      : { area: "keys", id, result: "skip", reason: `${variable} is not set`, command: `export ${variable}=…` };
  const remote = providerNames(config).flatMap((name) => {
    const provider = providerOf(config, name);
    if (provider === undefined || provider.provider_type === "candle" || provider.provider_type === "ollama") return [];
    const variable = provider.api_key_env ?? `${name.toUpperCase().replaceAll("-", "_")}_API_KEY`;
    return [check(name, variable, (provider.api_key ?? "") !== "" || (env[variable] ?? "") !== "")];
  });
  return [...remote, check("huggingface", "HF_TOKEN", hubToken(env) !== undefined)];
}

export function checkRuntimes(): readonly Check[] {
  const wllama = packageVersion("@wllama/wllama");
  const nativeVersion = packageVersion(native);
  const onnxWeb = packageVersion("onnxruntime-web");
  const onnxNode = packageVersion("onnxruntime-node");
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  const nodeIsOld = major < 20 || (major === 20 && minor < 19);
  return [
    { area: "runtime", id: "llmspell", result: "ok", reason: version },
    nodeIsOld
      ? {
          area: "runtime",
          id: "node",
          result: "fail",
          reason: `${process.versions.node}; wanted 20.19 or newer`,
          fix: "Install a newer Node: https://nodejs.org",
        }
      : { area: "runtime", id: "node", result: "ok", reason: `${process.versions.node} on ${process.platform} ${process.arch}` },
    wllama === null
      ? {
          area: "runtime",
          id: "wllama",
          result: "fail",
          reason: "not found; it belongs to this package",
          fix: "Install the package again.",
          command: "npm install llmspell",
        }
      : { area: "runtime", id: "wllama", result: "ok", reason: `${wllama}, WebAssembly, ${hasMemory64() ? "default" : "compat"} build` },
    nativeVersion === null
      ? {
          area: "runtime",
          id: native,
          result: "warn",
          reason: "not installed; with it models run faster, and on the GPU",
          command: installCommand(native),
        }
      : { area: "runtime", id: native, result: "ok", reason: `${nativeVersion}, native` },
    onnxWeb === null
      ? {
          area: "runtime",
          id: "onnxruntime-web",
          result: "fail",
          reason: "not found; it belongs to this package",
          fix: "Install the package again.",
          command: "npm install llmspell",
        }
      : { area: "runtime", id: "onnxruntime-web", result: "ok", reason: `${onnxWeb}, WebAssembly, for T5` },
    onnxNode === null
      ? {
          area: "runtime",
          id: "onnxruntime-node",
          result: "warn",
          reason: "not installed; with it T5 models run faster",
          command: installCommand("onnxruntime-node"),
        }
      : { area: "runtime", id: "onnxruntime-node", result: "ok", reason: `${onnxNode}, native, for T5` },
  ];
}

export async function checkBundledModel(name: string, { openSpell, interrupt }: Context): Promise<Check> {
  const place = { area: "models", id: name } as const;
  try {
    const facts = summarizeModel(await (await openSpell()).inspect(name, { signal: interrupt.signal }));
    return {
      ...place,
      result: "ok",
      reason: `${facts.architecture}, ${facts.parameterCount === undefined ? "" : `${formatParameters(facts.parameterCount)} parameters, `}${facts.quantization}, ${formatBytes(facts.sizeBytes)}`,
    };
  } catch (error) {
    if (error instanceof SpellError && error.code === "backend-not-configured") {
      return { ...place, result: "skip", reason: "no provider that runs it is declared", command: "llmspell -p candle doctor" };
    }
    return {
      ...place,
      result: "fail",
      reason: error instanceof Error ? error.message : String(error),
      fix: "Install the package again.",
      command: "npm install llmspell",
    };
  }
}

/** The home is made with the first record; until then its nearest parent counts. Models run without it, so nothing here is a failure. */
export function checkHome(): Check {
  const home = homeFolder();
  const place = { area: "stores", id: "home" } as const;
  const denied = (reason: string): Check => ({
    ...place,
    result: "warn",
    reason: `${home}: ${reason}; thread counts are measured again each time`,
    fix: "Point LLMSPELL_HOME at a folder that can be written.",
    command: `export LLMSPELL_HOME=${shellQuote("/path/to/a/folder")}`,
  });
  try {
    let folder = home;
    while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
    if (!statSync(folder).isDirectory()) return denied(folder === home ? "it is no folder" : `${folder} is no folder`);
    accessSync(folder, constants.W_OK | constants.X_OK);
    return { ...place, result: "ok", reason: folder === home ? home : `${home} (made when it is needed)` };
  } catch (error) {
    return denied(`cannot be written (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`);
  }
}

export function checkThreads(): readonly Check[] {
  const measured = threadCache();
  if (measured.length === 0) {
    return [
      {
        area: "devices",
        id: "threads",
        result: "skip",
        reason: "nothing measured yet; the first load of a model does it",
        command: 'llmspell generate "Hello"',
      },
    ];
  }
  return measured.map(({ key, prompt, decode }) => {
    const [engine = key, , size = ""] = key.split(" | ");
    return {
      area: "devices",
      id: "threads",
      result: "ok",
      reason: `${engine.split("@")[0] ?? engine}: prompt ${prompt}, answer ${decode}, for models of about ${sizeOf(size)}`,
    };
  });
}

/** "2^24 bytes", as the cache names a class of sizes, to "16 MiB". */
function sizeOf(text: string): string {
  const power = /^2\^(\d{1,2})/.exec(text)?.[1];
  if (power === undefined) return text;
  const exponent = Math.max(20, Number(power));
  return exponent < 30 ? `${2 ** (exponent - 20)} MiB` : `${2 ** (exponent - 30)} GiB`;
}

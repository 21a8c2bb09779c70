/** What `llmspell doctor` looks at beside devices: runtimes, configuration, bundled models, folders, servers on this machine, keys. */

import { existsSync, mkdtempSync, rmdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { createNames } from "../../core/api/names.ts";
import { findKey, variableInUse } from "../../core/backends/server/key.ts";
import { splitLogin } from "../../core/backends/server/send.ts";
import { backendTypes } from "../../core/backends/types.ts";
import type { ProviderConfig } from "../../core/config/config.generated.ts";
import { providerNames, providerOf } from "../../core/config/providers.ts";
import type { ResolvedConfig } from "../../core/config/resolve.ts";
import { SpellError } from "../../core/errors.ts";
import { fastBlocksOn } from "../../core/onnx/weights.ts";
import { isLoopback, printModelSpec } from "../../core/spec/model-spec.ts";
import type { Device } from "../../core/spec/runtime.ts";
import { rowForms } from "../../core/t5/session-weights.ts";
import { version } from "../../core/version.ts";
import { canRunDefaultBuild, kernelsName } from "../../engines/wllama/features.ts";
import { installCommand } from "../engines/packages.ts";
import { threadCache } from "../engines/threads.ts";
import { hasKernels } from "../engines/wllama-files.ts";
import { homeFolder } from "../home.ts";
import { hubToken } from "../hugging-face.ts";
import { commandsOf } from "./advice.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters } from "./format.ts";
import { backendLabel } from "./names.ts";
import { describeForms } from "./session.ts";
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

export function toCheck(
  area: Area,
  id: string,
  result: Check["result"],
  reason: string,
  advice: Pick<Check, "fix" | "command"> = {},
): Check {
  return { area, id, result, reason, ...advice };
}

const reinstall = { fix: "Install the package again.", command: "npm install llmspell" } as const;
const withCandle = { command: "llmspell -p candle doctor" } as const;

/** The model that answers where none is named; undefined where there is none. */
function defaultOf(resolved: ResolvedConfig): string | undefined {
  try {
    return printModelSpec({ ...createNames(resolved).defaultSpec(), backend: undefined });
  } catch {
    return undefined;
  }
}

/** Whether that one is here. Of a service nothing is asked. */
export async function checkDefaultModel(resolved: ResolvedConfig, { openSpell, argv }: Context): Promise<readonly Check[]> {
  const name = defaultOf(resolved);
  if (name === undefined) return [];
  const { models } = await openSpell();
  try {
    if (await models.isLocal(name)) await models.info(name);
    return [];
  } catch (error) {
    if (!(error instanceof SpellError)) throw error;
    const [command] = commandsOf(error, argv);
    return [toCheck("models", name, "warn", `the default model: ${error.message}`, { fix: error.hint, command })];
  }
}

/** Its warnings were told when it was read; a configuration that is wrong ends the command before it looks at anything. */
export function checkConfig(resolved: ResolvedConfig): Check {
  const { source, config } = resolved;
  const names = providerNames(config);
  const name = defaultOf(resolved);
  if (names.length > 0)
    return toCheck(
      "config",
      source,
      "ok",
      `providers: ${names.map(backendLabel).join(", ")}${name === undefined ? "" : `; default model ${name}`}`,
    );
  return toCheck("config", source, "warn", "no provider is configured, so no model can be named", withCandle);
}

/** One that is not there refuses at once; one that is there may share a busy machine with the self-tests of this very command. */
const serverMs = 5000;

/** Ollama servers that the configuration names, where they are on this machine: anything further away is the network's, and services have their own question. */
export async function checkServers({ config }: ResolvedConfig, { openSpell, interrupt }: Context): Promise<readonly Check[]> {
  const servers = providerNames(config).flatMap((name) => {
    const provider = providerOf(config, name);
    if (provider === undefined || !("base_url" in provider)) return [];
    return [{ name, address: provider.base_url ?? "", isElsewhere: isRemote(provider) }];
  });
  if (servers.length === 0) return [];
  const { platform } = await openSpell();
  return Promise.all(
    servers.map(async ({ name, address, isElsewhere }): Promise<Check> => {
      const { url, basic } = splitLogin(address);
      if (isElsewhere)
        return toCheck("servers", name, "skip", `${url} is not asked here`, { command: `llmspell model status --backend ${name}` });
      if (!isLoopback(URL.canParse(url) ? new URL(url).hostname : ""))
        return toCheck("servers", name, "skip", `${url} is not on this machine; checked with --online only`);
      try {
        const signal = AbortSignal.any([interrupt.signal, AbortSignal.timeout(serverMs)]);
        const headers = basic === undefined ? {} : { authorization: basic };
        const response = await platform.fetch(`${url}/api/version`, { signal, headers });
        const version = ((await response.json()) as { readonly version?: unknown } | null)?.version;
        if (!response.ok || typeof version !== "string") throw new Error(`expected Ollama; got status ${response.status}`);
        return toCheck("servers", name, "ok", `Ollama ${version} at ${url}`);
      } catch (error) {
        const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : undefined;
        const why = cause ?? (error instanceof Error ? error.message : String(error));
        return toCheck("servers", name, "skip", `no server at ${url}: ${why}`, { command: "ollama serve" });
      }
    }),
  );
}

function isRemote({ provider_type }: ProviderConfig): boolean {
  return backendTypes.some(({ type, isRemote: is }) => is && type === provider_type);
}

/** Whether a key is set; whether it is accepted, only its server knows. */
export function checkKeys(resolved: ResolvedConfig, env: Context["env"]): readonly Check[] {
  const { config } = resolved;
  const check = (id: string, variable: string, isSet: boolean): Check =>
    isSet ? toCheck("keys", id, "ok", "set") : toCheck("keys", id, "skip", `${variable} is not set`, { command: `export ${variable}=…` });
  const remote = providerNames(config).flatMap((name) => {
    const provider = providerOf(config, name);
    if (provider === undefined || !isRemote(provider)) return [];
    const variable = variableInUse(resolved, name);
    const isSet = findKey(resolved, name) !== undefined;
    if (variable === undefined && !isSet) return [toCheck("keys", name, "ok", "none is configured, and none needed")];
    if (!isSet && variable !== undefined && env[variable] !== undefined && env[variable] !== "")
      return [
        toCheck("keys", name, "skip", `${variable} goes to its own service alone; providers.${name}.api_key_env names it for another`),
      ];
    return [check(name, variable ?? "", isSet)];
  });
  return [...remote, checkHubToken(env, check)];
}

function checkHubToken(env: Context["env"], check: (id: string, variable: string, isSet: boolean) => Check): Check {
  const id = "huggingface";
  try {
    return check(id, "HF_TOKEN", hubToken(env) !== undefined);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return toCheck("keys", id, "warn", reason, { command: "export HF_TOKEN=…" });
  }
}

/** Packages that run models, with what is said of them, and what an optional one adds. */
const runtimes: readonly (readonly [name: string, kind: () => string, gain?: string])[] = [
  [
    "@wllama/wllama",
    () => `WebAssembly, ${canRunDefaultBuild() ? "default" : "compat"} build, ${hasKernels() ? kernelsName() : "without kernels"}`,
  ],
  ["node-llama-cpp", () => "native", "models run faster, and on the GPU"],
  ["onnxruntime-web", () => "WebAssembly, for T5"],
  ["onnxruntime-node", () => "native, for T5", "T5 models run faster"],
];

export function checkRuntimes(): readonly Check[] {
  const { node } = process.versions;
  const [major = 0, minor = 0] = node.split(".").map(Number);
  const isOld = major < 20 || (major === 20 && minor < 19);
  return [
    toCheck("runtime", "llmspell", "ok", version),
    isOld
      ? toCheck("runtime", "node", "fail", `expected 20.19 or newer, got ${node}`, { fix: "Install a newer Node: https://nodejs.org" })
      : toCheck("runtime", "node", "ok", `${node} on ${process.platform} ${process.arch}`),
    ...runtimes.map(([name, kind, gain]) => {
      const id = name.replace(/^@.*\//, "");
      const found = packageVersion(name);
      if (found !== null) return toCheck("runtime", id, "ok", `${found}, ${kind()}`);
      if (gain === undefined) return toCheck("runtime", id, "fail", "not found; it is part of this package", reinstall);
      return toCheck("runtime", id, "warn", `not installed; with it ${gain}`, { command: installCommand(name) });
    }),
  ];
}

export async function checkBundledModel(name: string, { openSpell, interrupt }: Context): Promise<Check> {
  try {
    const facts = await (await openSpell()).models.info(name, { signal: interrupt.signal });
    const { architecture, parameterCount, quantization, sizeBytes } = facts;
    const count = parameterCount === null ? "" : `${formatParameters(parameterCount)} parameters, `;
    return toCheck("models", name, "ok", `${architecture}, ${count}${quantization}, ${formatBytes(sizeBytes)}`);
  } catch (error) {
    if (error instanceof SpellError && error.code === "backend-not-configured")
      return toCheck("models", name, "skip", "no provider that runs it is configured", withCandle);
    return toCheck("models", name, "fail", error instanceof Error ? error.message : String(error), reinstall);
  }
}

/** The home is made with the first record; until then its nearest parent counts. Models run without it, so nothing here is a failure. */
export function checkHome(): Check {
  const home = homeFolder();
  const denied = (reason: string): Check =>
    toCheck("stores", "home", "warn", `${home}: ${reason}; threads are measured again each time`, {
      fix: "Set LLMSPELL_HOME to a folder that can be written.",
      command: "export LLMSPELL_HOME=/path/to/a/folder",
    });
  try {
    let folder = home;
    while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
    if (!statSync(folder).isDirectory()) return denied(folder === home ? "not a folder" : `${folder} is not a folder`);
    // tried: for root, and in folders of the system, what is allowed says little about what works
    rmdirSync(mkdtempSync(join(folder, ".llmspell-")));
    return toCheck("stores", "home", "ok", folder === home ? home : `${home} (made when needed)`);
  } catch (error) {
    return denied(`cannot be written (${(error as NodeJS.ErrnoException).code ?? "unknown error"})`);
  }
}

export function checkThreads(): readonly Check[] {
  const measured = threadCache();
  const run = { command: 'llmspell generate "Hello"' };
  if (measured.length === 0)
    return [toCheck("devices", "threads", "skip", "not measured yet; the first load of a GGUF model on cpu measures", run)];
  // Two versions of an engine may have found the same.
  const found = measured.map(({ key, prompt, decode, isSettled }) => {
    const [engine = key, , size = ""] = key.split(" | ");
    const name = engine.split("@")[0] ?? engine;
    const doubt = isSettled ? "" : "; measured anew when the machine is quieter";
    return `${name}: prompt ${prompt}, answer ${decode}, for models of about ${sizeOf(size)}${doubt}`;
  });
  return [...new Set(found)].map((reason) => toCheck("devices", "threads", "ok", reason));
}

/** What T5's smaller weights are multiplied as there. */
export function checkForms(device: Device | undefined): readonly Check[] {
  if (device === undefined) return [];
  const runtime = { fastBlocks: fastBlocksOn(device) };
  const words = (["q8", "q4"] as const).map((variant) => `${variant} ${describeForms(rowForms({ variant, runtime }))}`);
  return [toCheck("devices", "weights", "ok", `T5 on ${device}: ${words.join(". ")}`)];
}

/** "2^24 bytes", as the cache names a class of sizes, to "16 MiB". */
function sizeOf(text: string): string {
  const power = /^2\^(\d{1,2})/.exec(text)?.[1];
  if (power === undefined) return text;
  const exponent = Math.max(20, Number(power));
  return exponent < 30 ? `${2 ** (exponent - 20)} MiB` : `${2 ** (exponent - 30)} GiB`;
}

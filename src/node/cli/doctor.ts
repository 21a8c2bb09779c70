/** `llmspell doctor`: what is here, what is missing, what to type. Looks only: it starts no engine and loads no model, so it answers at once. */
import { accessSync, constants, existsSync, statSync } from "node:fs";
import { availableParallelism, cpus, totalmem } from "node:os";
import { dirname } from "node:path";
import { bundledModels } from "../../core/backends/candle.ts";
import { summarizeModel } from "../../core/backends/summary.ts";
import { providerNames } from "../../core/config/providers.ts";
import type { ResolvedConfig } from "../../core/config/resolve.ts";
import { SpellError } from "../../core/errors.ts";
import type { Device, DeviceAttempt, DeviceChoice, DeviceReport } from "../../core/spec/runtime.ts";
import { version } from "../../core/version.ts";
import { hasMemory64 } from "../../wllama/features.ts";
import { nativeInstallCommand } from "../gguf.ts";
import { homeFolder } from "../home.ts";
import { onnxInstallCommand } from "../seq2seq.ts";
import { threadCache } from "../threads.ts";
import { flagText, shellQuote } from "./args.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatParameters, plural } from "./format.ts";
import type { Screen } from "./render.ts";
import { deviceFields } from "./session.ts";
import { packageVersion } from "./version.ts";

type Area = "runtime" | "config" | "devices" | "models" | "stores" | "threads";

interface Check {
  readonly area: Area;
  readonly id: string;
  readonly result: "ok" | "warn" | "fail" | "skip";
  readonly reason: string;
  /** What to do, in words, and as a command to paste. */
  readonly fix?: string;
  readonly command?: string;
}

const native = "node-llama-cpp";

/** @throws SpellError of the configuration; device-unavailable for --device */
export async function doctor(context: Context): Promise<number> {
  const { flags, screen } = context;
  const config = await context.config();
  const report = lookAtDevices();
  const checks = [
    ...checkRuntimes(),
    checkConfig(config),
    ...report.tried.map(toCheck),
    ...(await Promise.all([...bundledModels.keys()].map((name) => checkBundledModel(name, context)))),
    checkHome(),
    ...checkThreads(),
  ];
  const asked = flagText(flags, "device") as DeviceChoice | undefined;
  const unusable =
    asked === undefined || asked === "auto"
      ? undefined
      : report.tried.find(({ device, ok, reason }) => device === asked && !ok && reason !== "not-on-this-platform");
  if (unusable !== undefined && asked !== undefined) {
    printChecks(checks, report, screen);
    const missing = unusable.reason === "package-missing" && unusable.hint !== undefined ? [unusable.hint] : [];
    throw new SpellError(
      "device-unavailable",
      `${asked} cannot be used here: ${missing.length > 0 ? "a package is missing" : (unusable.hint ?? unusable.reason)}`,
      {
        where: "--device",
        ...(missing.length > 0 ? { hint: "Install it, or take the CPU:" } : {}),
        commands: [...missing, "llmspell doctor --device cpu"],
        details: { device: report, checks },
      },
    );
  }
  const failed = checks.some(({ result }) => result === "fail");
  printChecks(checks, report, screen);
  screen.document({
    status: failed ? "error" : "ok",
    version,
    checks: checks.map(({ area, id, result, reason, fix, command }) => ({
      area,
      id,
      result,
      reason,
      fix: fix ?? null,
      command: command ?? null,
    })),
    device: deviceFields(report),
  });
  return failed ? 1 : 0;
}

/** Its warnings were told when it was read; a configuration that is wrong ends the command before it looks at anything. */
function checkConfig({ source, config }: ResolvedConfig): Check {
  const names = providerNames(config);
  return {
    area: "config",
    id: source,
    result: names.length > 0 ? "ok" : "warn",
    reason: names.length > 0 ? `providers: ${names.join(", ")}` : "no provider is declared, so no model can be named",
    ...(names.length > 0 ? {} : { command: "llmspell -p candle doctor" }),
  };
}

function checkRuntimes(): readonly Check[] {
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
          command: nativeInstallCommand,
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
          command: onnxInstallCommand,
        }
      : { area: "runtime", id: "onnxruntime-node", result: "ok", reason: `${onnxNode}, native, for T5` },
  ];
}

/** Every device this system could have, and why it is used or not. GPUs of the native runtime are tried when a model loads, not here. */
function lookAtDevices(): DeviceReport {
  const hasNative = packageVersion(native) !== null;
  const tried: DeviceAttempt[] = (["webgpu", "metal", "cuda", "vulkan"] as const).map((device) => lookAtGpu(device, hasNative));
  const cores = `${plural(availableParallelism(), "processor")}, ${formatBytes(totalmem())} memory`;
  tried.push(
    hasNative
      ? { device: "cpu", ok: true, reason: "ok", hint: cores, runtime: native }
      : { device: "cpu", ok: false, reason: "package-missing", hint: nativeInstallCommand, runtime: native },
    { device: "wasm", ok: true, reason: "ok", hint: hasNative ? "used where the native runtime cannot be" : cores, runtime: "wllama" },
  );
  return { chosen: hasNative ? "cpu" : "wasm", tried, runtime: hasNative ? native : "wllama" };
}

function lookAtGpu(device: "webgpu" | "metal" | "cuda" | "vulkan", hasNative: boolean): DeviceAttempt {
  if (device === "webgpu")
    return { device, ok: false, reason: "not-configured", hint: "WebGPU in Node comes with a later release", runtime: "wllama" };
  const isMac = process.platform === "darwin";
  if (isMac !== (device === "metal"))
    return { device, ok: false, reason: "not-on-this-platform", hint: `${device} does not exist on ${process.platform}`, runtime: native };
  if (!hasNative) return { device, ok: false, reason: "package-missing", hint: nativeInstallCommand, runtime: native };
  const platform = { darwin: "mac", win32: "win" }[process.platform as "darwin" | "win32"] ?? process.platform;
  const binary = `@node-llama-cpp/${platform}-${process.arch}-${device}`;
  if (packageVersion(binary) === null)
    return { device, ok: false, reason: "package-missing", hint: `npm install ${binary}`, runtime: native };
  return { device, ok: true, reason: "ok", hint: "installed; tried when a model loads", runtime: native };
}

function toCheck({ device, ok, reason, hint, runtime }: DeviceAttempt): Check {
  const through = runtime === undefined ? "" : `${runtime}: `;
  if (ok) return { area: "devices", id: device, result: "ok", reason: `${through}${hint ?? reason}` };
  const isCommand = reason === "package-missing";
  return {
    area: "devices",
    id: device,
    result: "skip",
    reason: `${through}${isCommand ? "not installed" : (hint ?? reason)}`,
    ...(isCommand && hint !== undefined ? { command: hint } : {}),
  };
}

async function checkBundledModel(name: string, { openSpell, interrupt }: Context): Promise<Check> {
  const place = { area: "models", id: name } as const;
  try {
    const facts = summarizeModel(await (await openSpell()).inspect(name, { signal: interrupt.signal }));
    return {
      ...place,
      result: "ok",
      reason: `${facts.architecture}, ${formatParameters(facts.parameterCount)} parameters, ${facts.quantization}, ${formatBytes(facts.sizeBytes)}`,
    };
  } catch (error) {
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
function checkHome(): Check {
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

function checkThreads(): readonly Check[] {
  const measured = threadCache();
  if (measured.length === 0) {
    return [
      {
        area: "threads",
        id: "measured",
        result: "skip",
        reason: "nothing measured yet; the first load of a model does it",
        command: 'llmspell generate "Hello"',
      },
    ];
  }
  return measured.map(({ key, prompt, decode }) => {
    const [engine = key, , size = ""] = key.split(" | ");
    return {
      area: "threads",
      id: engine.split("@")[0] ?? engine,
      result: "ok",
      reason: `prompt ${prompt}, answer ${decode}, for models of about ${sizeOf(size)}`,
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

function printChecks(checks: readonly Check[], report: DeviceReport, screen: Screen): void {
  const { good, warn, bad, dim, word } = screen.out;
  const marks = { ok: good, warn, fail: bad, skip: dim };
  const width = Math.max(...checks.map(({ id }) => id.length));
  for (const { area, id, result, reason, fix, command } of checks) {
    // What is left out on purpose keeps its way in on the same line; what should be mended has it below.
    const aside = result === "skip" && command !== undefined ? dim(` (${screen.clean(command)})`) : "";
    screen.writeOwn(`${marks[result](result.padEnd(4))}  ${area.padEnd(7)}  ${id.padEnd(width)}  ${screen.clean(reason)}${aside}\n`);
    const indent = " ".repeat(4 + 2 + 7 + 2 + width + 2);
    if (fix !== undefined && result !== "skip") screen.writeOwn(`${indent}${screen.clean(fix)}\n`);
    if (command !== undefined && result !== "skip") screen.writeOwn(`${indent}${word(screen.clean(command))}\n`);
  }
  const processor = cpus()[0]?.model.replace(/\s+/g, " ").trim();
  const chosen: Device = report.chosen;
  screen.writeOwn(
    `\nauto takes ${word(chosen)} through ${report.runtime ?? "nothing"}${processor === undefined || processor === "" ? "" : dim(` (${screen.clean(processor)})`)}\n`,
  );
}

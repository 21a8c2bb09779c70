/**
 * What this system offers to compute on beside its processor, as far as files tell: enough to spare a start without a graphics card the driver's
 * loading, and to tell processors that play graphics cards apart, which ONNX Runtime does not. Engines look for themselves, in a child process.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { homedir, release } from "node:os";
import { basename, join } from "node:path";
import { isSoftwareAdapter } from "../../core/spec/devices.ts";
import type { DeviceProbe } from "../../core/spec/runtime.ts";

export interface Graphics {
  /** undefined where files do not tell: macOS and Windows */
  readonly hasCard: boolean | undefined;
  /** Vulkan drivers by the names of their files */
  readonly drivers: readonly VulkanDriver[];
  /** changes with the drivers */
  readonly identity: string;
}

export interface VulkanDriver {
  readonly name: string;
  readonly isSoftware: boolean;
}

/** Keeps software drivers out of sight of the Vulkan loader (1.3.234 or newer; older ones do not know it, and the names above remain). */
export const hardwareOnly: Readonly<Record<string, string>> = { VK_LOADER_DRIVERS_DISABLE: "*lvp*,*swiftshader*,*llvmpipe*" };

/** @param os as process.platform @param env as process.env */
export function lookAtGraphics(os: NodeJS.Platform = process.platform, env: NodeJS.ProcessEnv = process.env): Graphics {
  if (os !== "linux") return { hasCard: undefined, drivers: [], identity: `${os} ${release()}` };
  const files = driverFiles(env);
  const drivers = files.map((path) => ({ name: basename(path, ".json"), isSoftware: isSoftwareDriver(path) }));
  const nvidia = lookOr("", () => readFileSync("/proc/driver/nvidia/version", "utf8").split("\n", 1)[0] ?? "");
  const identity = [...files.map((path) => `${basename(path, ".json")}@${changedAt(path)}`), ...(nvidia === "" ? [] : [nvidia])].join(", ");
  return { hasCard: hasCard(), drivers, identity: identity === "" ? "no driver" : identity };
}

/** Whether a driver could find a card here; true where that is unknown. */
export function mayHaveCard({ hasCard, drivers }: Graphics): boolean {
  return hasCard !== false && (drivers.length === 0 || drivers.some(({ isSoftware }) => !isSoftware));
}

/**
 * What files tell without starting a driver: undefined where the engine has to look.
 * @param isAuto software adapters are out of sight of the engine then
 */
export function glance({ hasCard, drivers, identity }: Graphics, isAuto: boolean): DeviceProbe | undefined {
  const software = drivers.filter(({ isSoftware }) => isSoftware).map(({ name }) => name);
  const hasHardwareDriver = drivers.length > software.length;
  if (!isAuto || hasCard === undefined || (hasCard && (hasHardwareDriver || drivers.length === 0))) return undefined;
  if (software.length > 0) return { ok: true, label: software.join(", "), isSoftware: true, identity };
  return { ok: false, reason: "no-adapter", hint: "no graphics card is visible (/dev/dri, /dev/nvidia*, /dev/dxg)" };
}

/** The loader's own order: what is named counts alone, else the usual folders. */
function driverFiles(env: NodeJS.ProcessEnv): readonly string[] {
  const named = env["VK_DRIVER_FILES"] || env["VK_ICD_FILENAMES"];
  if (named !== undefined && named !== "") return named.split(":").filter((path) => changedAt(path) > 0);
  const config = env["XDG_CONFIG_HOME"] || join(homedir(), ".config");
  const data = env["XDG_DATA_HOME"] || join(homedir(), ".local/share");
  return [config, "/etc", data, "/usr/local/share", "/usr/share"].flatMap((folder) => {
    const place = join(folder, "vulkan/icd.d");
    return namesIn(place)
      .filter((name) => name.endsWith(".json"))
      .sort()
      .map((name) => join(place, name));
  });
}

function isSoftwareDriver(path: string): boolean {
  return /(^|_)lvp_/.test(basename(path)) || isSoftwareAdapter(basename(path));
}

/** Render nodes of Mesa's drivers, NVIDIA's own, Windows' under WSL, Qualcomm's and ARM's. */
function hasCard(): boolean {
  if (namesIn("/dev/dri").some((name) => name.startsWith("renderD"))) return true;
  return namesIn("/dev").some((name) => /^(nvidia\d+|dxg|kgsl-3d0|mali\d+)$/.test(name));
}

function namesIn(folder: string): readonly string[] {
  return lookOr([], () => readdirSync(folder));
}

/** @returns 0 where there is no such file */
function changedAt(path: string): number {
  return lookOr(0, () => Math.round(statSync(path).mtimeMs));
}

/** @param otherwise where the system has no such file, or does not show it */
function lookOr<T>(otherwise: T, look: () => T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}

/** What the device lists of Node (gguf.ts, seq2seq.ts) share. The rules by which one is taken are core's. */
import { createRequire } from "node:module";
import { availableParallelism, totalmem } from "node:os";
import type { VerdictStore } from "../../core/devices/self-test.ts";
import type { Platform } from "../../core/platform.ts";
import type { Device, DeviceProbe } from "../../core/spec/runtime.ts";
import { bundledFile } from "../bundled-file.ts";
import { type Graphics, lookAtGraphics } from "./graphics.ts";
import { homeVerdicts } from "./verdict-store.ts";

/** What tests replace. */
export interface NodeDeviceOptions {
  /** As process.platform. */
  readonly os?: NodeJS.Platform | undefined;
  readonly graphics?: (() => Graphics) | undefined;
  readonly isInstalled?: ((packageName: string) => boolean) | undefined;
  readonly verdicts?: VerdictStore | undefined;
  readonly bundled?: Platform["bundled"] | undefined;
  /** bytes the processor's programs may take */
  readonly memoryBytes?: (() => number) | undefined;
}

type Complete<T> = { readonly [K in keyof T]-?: Exclude<T[K], undefined> };

export function nodeDevices(options: NodeDeviceOptions): Complete<NodeDeviceOptions> {
  const os = options.os ?? process.platform;
  return {
    os,
    graphics: options.graphics ?? (() => lookAtGraphics(os)),
    isInstalled: options.isInstalled ?? isInstalled,
    verdicts: options.verdicts ?? homeVerdicts(),
    bundled: options.bundled ?? bundledFile,
    memoryBytes: options.memoryBytes ?? usableMemory,
  };
}

/** Devices that cannot exist on a system, with what to ask for instead. */
export function absentDevices(os: NodeJS.Platform): Readonly<Partial<Record<Device, string>>> {
  return os === "darwin" ? { cuda: "metal", vulkan: "metal" } : { metal: "webgpu or cuda" };
}

/** Names that WebGPU answers to beside its own: what Dawn computes with underneath. */
export function beneathWebGpu(os: NodeJS.Platform): readonly Device[] {
  if (os === "darwin") return ["metal"];
  return os === "win32" ? [] : ["vulkan"];
}

export function missingPackage(command: string): DeviceProbe {
  return { ok: false, reason: "package-missing", hint: command };
}

/** A processor is always there, and needs no self-test: nothing would be left if it failed. */
/** @param partBytes most that the engine takes as a whole, where that is less than memory */
export function processor(memoryBytes: number, partBytes?: number): DeviceProbe {
  const cores = availableParallelism();
  return {
    ok: true,
    label: `${cores} ${cores === 1 ? "processor" : "processors"}`,
    isSoftware: false,
    identity: "",
    memoryBytes,
    partBytes,
  };
}

/**
 * What files tell without starting a driver: undefined where the engine has to look.
 * @param isAuto software adapters are out of sight of the engine then
 */
export function glance(graphics: Graphics, isAuto: boolean): DeviceProbe | undefined {
  const { hasCard, drivers, identity } = graphics;
  const software = drivers.filter(({ isSoftware }) => isSoftware).map(({ name }) => name);
  const hasHardwareDriver = drivers.length > software.length;
  if (!isAuto || hasCard === undefined || (hasCard && (hasHardwareDriver || drivers.length === 0))) return undefined;
  if (software.length > 0) return { ok: true, label: software.join(", "), isSoftware: true, identity };
  return { ok: false, reason: "no-adapter", hint: "no graphics card is visible (/dev/dri, /dev/nvidia*, /dev/dxg)" };
}

/** More than this no program gets, whatever else runs. */
function usableMemory(): number {
  const limit = process.constrainedMemory?.() ?? 0;
  return limit > 0 && limit < totalmem() ? limit : totalmem();
}

/** Resolves without importing: an import costs up to 0.3 s and belongs into the child. */
export function isInstalled(packageName: string): boolean {
  const { resolve } = createRequire(import.meta.url);
  try {
    resolve(packageName);
    return true;
  } catch (error) {
    // a package that hides its entry is there all the same
    return (error as NodeJS.ErrnoException).code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
  }
}

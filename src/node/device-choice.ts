/** What the runtime choosers of Node (gguf.ts, seq2seq.ts) share: devices of this system, and reports that name every attempt. */
import { createRequire } from "node:module";
import { SpellError } from "../core/errors.ts";
import type { DeviceAttempt, DeviceChoice, DeviceReport, ModelHandle } from "../core/spec/runtime.ts";

/** A device that cannot exist on this system is replaced by the CPU with a note; one that could exist must be there. */
export function deviceHere(device: DeviceChoice, os: NodeJS.Platform): { readonly device: DeviceChoice; readonly note?: string } {
  const replaced = (hint: string): { readonly device: DeviceChoice; readonly note: string } => ({
    device: "cpu",
    note: `${device} does not exist on this system; cpu is used (${hint})`,
  });
  if (os === "darwin" && (device === "cuda" || device === "vulkan")) return replaced("use metal");
  if (os !== "darwin" && device === "metal") return replaced("use webgpu or cuda");
  return { device };
}

/** The last candidate failed too: its error, with what was tried before it. */
export function withAttempts(error: unknown, tried: readonly DeviceAttempt[]): unknown {
  if (!(error instanceof SpellError) || tried.length === 0 || error.details?.["tried"] !== undefined) return error;
  const { code, message, hint, commands, where, details, cause } = error;
  return new SpellError(code, message, {
    hint,
    commands,
    ...(where === undefined ? {} : { where }),
    details: { ...details, tried },
    cause,
  });
}

/** The handle, with what was tried before it in its report. Its own fields stay live. */
export function withReport<H extends ModelHandle<never>>(handle: H, tried: readonly DeviceAttempt[], notes: readonly string[]): H {
  return {
    ...handle,
    get alive() {
      return handle.alive;
    },
    get device(): DeviceReport {
      return { ...handle.device, tried: [...tried, ...handle.device.tried] };
    },
    notes: [...notes, ...handle.notes],
  };
}

/** Resolves without importing: an import costs up to 0.3 s and belongs into the child. */
export function isInstalled(packageName: string): boolean {
  try {
    createRequire(import.meta.url).resolve(packageName);
    return true;
  } catch {
    return false;
  }
}

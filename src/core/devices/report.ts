/** The report of an engine that opened a model where it was told to; the rules add what was tried before. */
import type { Device, DeviceReport, ThreadChoice } from "../spec/runtime.ts";

/** @param hint what a person calls the device */
export function reportOf(device: Device, runtime: string, threads?: ThreadChoice, hint?: string): DeviceReport {
  return { chosen: device, tried: [{ device, ok: true, reason: "ok", hint, runtime }], runtime, threads };
}

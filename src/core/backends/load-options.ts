/** Names and ranges of the options of a load. */
import { deviceChoices } from "../spec/devices.ts";
import { checkOptionNames, wrongOption } from "../text/check-call.ts";
import type { LoadOptions } from "./backend.ts";

/** Names of all options of a load. */
export const loadOptionNames = [
  "device",
  "contextSize",
  "threads",
  "quantization",
  "draft",
  "batchSize",
  "pooling",
  "onProgress",
  "signal",
] as const;

const integerOptions = [
  ["contextSize", 128, 2 ** 31 - 1],
  ["threads", 0, 1024],
  ["batchSize", 1, 16_384],
] as const;

/**
 * Checks what a call says of a load, with all its names.
 * @param known names of all its options
 * @throws SpellError run-option
 */
export function checkLoadOptions(
  options: Omit<LoadOptions, "onProgress"> & { readonly onProgress?: unknown },
  known: readonly string[],
  call: string,
): void {
  checkOptionNames(options, known, call);
  const { device, quantization, draft, pooling, onProgress } = options;
  if (onProgress !== undefined && typeof onProgress !== "function") throw wrongOption("onProgress", "a function", onProgress);
  if (device !== undefined && !deviceChoices.includes(device)) throw wrongOption("device", deviceChoices.join(", "), device);
  if (quantization !== undefined && typeof quantization !== "string")
    throw wrongOption("quantization", "the name of a variant", quantization);
  if (pooling !== undefined && !["mean", "cls", "last"].includes(pooling))
    throw wrongOption("pooling", "mean or cls for a checkpoint, or what a GGUF file says of itself (mean, cls, last)", pooling);
  if (draft !== undefined && draft !== "q8" && draft !== "q4") throw wrongOption("draft", "q8, q4", draft);
  for (const [name, min, max] of integerOptions) {
    const value = options[name];
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) continue;
    throw wrongOption(name, `an integer, ${min} … ${max}`, value);
  }
}

/** Names and ranges of the options of a load. */
import { SpellError } from "../errors.ts";
import { deviceChoices } from "../spec/devices.ts";
import { checkOptionNames } from "../text/check-call.ts";
import type { LoadOptions } from "./backend.ts";

/** Names of all options of a load. */
export const loadOptionNames = ["device", "contextSize", "threads", "quantization", "draft", "batchSize", "onProgress", "signal"] as const;

const integerOptions = [
  ["contextSize", 128, 2 ** 31 - 1],
  ["threads", 0, 1024],
  ["batchSize", 1, 16_384],
] as const;

/** @throws SpellError run-option */
export function checkLoadOptions(options: LoadOptions): void {
  checkOptionNames(options, loadOptionNames, "load");
  const { device } = options;
  if (device !== undefined && !deviceChoices.includes(device)) {
    const message = `device: expected ${deviceChoices.join(", ")}; got ${JSON.stringify(device)}`;
    throw new SpellError("run-option", message, { where: "device" });
  }
  for (const [name, min, max] of integerOptions) {
    const value = options[name];
    if (value === undefined || (Number.isInteger(value) && value >= min && value <= max)) continue;
    throw new SpellError("run-option", `${name}: expected an integer, ${min} … ${max}; got ${String(value)}`, { where: name });
  }
}

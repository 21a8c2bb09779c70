/** What a load was asked for, with the defaults of its provider. */
import { SpellError } from "../../errors.ts";
import type { DeviceReport } from "../../spec/runtime.ts";
import type { FindOptions, OpenedModel } from "../backend.ts";
import type { LoadDefaults } from "./settings.ts";

export type AskedOptions = FindOptions & Omit<LoadDefaults, "contextSize">;

/** A model that computes here. */
export type LocalOpened = OpenedModel & { readonly device: DeviceReport };

/** @throws SpellError run-option */
export function checkContextSize({ contextSize }: Pick<FindOptions, "contextSize">, limit: number, id: string): void {
  if (contextSize === undefined || contextSize <= limit) return;
  throw new SpellError("run-option", `contextSize: expected 128 … ${limit} (the limit of ${id}); got ${contextSize}`, {
    where: "contextSize",
    details: { limit },
  });
}

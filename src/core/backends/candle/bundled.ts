/** Models inside the package. */
import { SpellError } from "../../errors.ts";
import { type BundledFile, bundledFiles } from "../../hub/bundled.generated.ts";
import type { Seq2SeqVariant } from "../../spec/runtime.ts";

export interface BundledModel {
  readonly kind: "gguf" | "t5";
  readonly architecture: string;
  /** as the format names it */
  readonly quantization: string;
  /** all files of the model's folder */
  readonly files: readonly BundledFile[];
  /** names that may follow the colon, in lower case; the first is the default */
  readonly variants: readonly string[];
}

/** Forms a T5 model can be loaded in; the first is the default. */
export const variantsOfT5: readonly Seq2SeqVariant[] = ["f32", "q8", "q4"];

export const bundledModels: ReadonlyMap<string, BundledModel> = new Map<string, BundledModel>([
  ["tiny-stories", { kind: "gguf", architecture: "llama", quantization: "Q8_0", files: bundledFiles["tiny-stories"], variants: ["q8_0"] }],
  ["tiny-t5-en-fr", { kind: "t5", architecture: "t5", quantization: "F16", files: bundledFiles["tiny-t5-en-fr"], variants: variantsOfT5 }],
]);

export function asT5Variant(text: string | undefined): Seq2SeqVariant | undefined {
  return variantsOfT5.find((form) => form === text?.toLowerCase());
}

/**
 * @param asked what follows the colon of its name
 * @returns the variant in lower case
 * @throws SpellError model-variant-unknown
 */
export function checkBundledVariant(name: string, { kind, variants }: BundledModel, asked: string | undefined): string | undefined {
  const variant = asked?.toLowerCase();
  if (variant === undefined || variants.includes(variant)) return variant;
  const shown = variants.map((each) => (kind === "gguf" ? each.toUpperCase() : each));
  throw new SpellError("model-variant-unknown", `${name} has no variant ${asked}; available: ${shown.join(", ")}`, {
    actions: [{ kind: "run", model: `${name}:${shown[0]}` }],
  });
}

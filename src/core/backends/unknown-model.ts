/** The error for a name that is neither in the catalogue nor installed. */
import { SpellError } from "../errors.ts";
import type { CatalogueEntry } from "../hub/catalogue.ts";
import { nearest } from "../nearest.ts";
import { bundledModels } from "./candle/bundled.ts";

/** The name of the catalogue, or of the package, that is nearest to a mistyped one. */
export function nearestName(name: string, catalogue: readonly CatalogueEntry[]): string | undefined {
  return nearest(name, [...catalogue.flatMap((entry) => [entry.name, ...entry.aliases]), ...bundledModels.keys()]);
}

/** @param reason why a server does not have it, where one was asked */
export function unknownModel(name: string, catalogue: readonly CatalogueEntry[], reason?: string): SpellError {
  const names = (isT5: boolean): string =>
    catalogue.flatMap((entry) => ((entry.kind === "text2text") === isT5 ? [entry.name] : [])).join(", ");
  const close = nearestName(name, catalogue);
  const meant = close === undefined ? "" : `; did you mean ${close}?`;
  const asked = reason === undefined ? "" : ` (${reason})`;
  return new SpellError(
    "model-unknown",
    `Model '${name}' is not in the catalogue${asked}${meant === "" ? "." : meant} GGUF: ${names(false)}. T5: ${names(true)}.`,
    {
      where: name,
      hint: "For a file of your own give its path. Other models come from Ollama or the Hugging Face Hub:",
      actions: [
        ...(close === undefined ? [] : [{ kind: "run", model: close } as const]),
        { kind: "pull", model: `${name.toLowerCase()}@ollama` },
        { kind: "pull", model: "hf:OWNER/REPO" },
        { kind: "pull", model: "./DIR", as: name },
      ],
      details: { name, nearest: close },
    },
  );
}

/** The error for a name that is neither in the catalogue nor installed. */
import { SpellError } from "../errors.ts";
import type { CatalogueEntry } from "../hub/catalogue.ts";
import { nearest } from "../nearest.ts";
import type { NotFound } from "./backend.ts";
import { bundledModels } from "./candle/bundled.ts";

/** The name of the catalogue, or of the package, that is nearest to a mistyped one. */
export function nearestName(name: string, catalogue: readonly CatalogueEntry[]): string | undefined {
  return nearest(name, [...catalogue.flatMap((entry) => [entry.name, ...entry.aliases]), ...bundledModels.keys()]);
}

/** Whether a name without ./ was meant as a path. */
export function isFileName(name: string): boolean {
  return /\.(gguf|safetensors|onnx)$/i.test(name);
}

/** @param asked what a server said, where one was asked */
export function unknownModel(name: string, catalogue: readonly CatalogueEntry[], asked?: NotFound): SpellError {
  const names = (isT5: boolean): string =>
    catalogue.flatMap((entry) => ((entry.kind === "text2text") === isT5 ? [entry.name] : [])).join(", ");
  const close = nearestName(name, catalogue);
  const meant = close === undefined ? "" : `; did you mean ${close}?`;
  const reason = asked === undefined ? "" : ` (${asked.reason})`;
  const isFile = isFileName(name);
  return new SpellError(
    "model-unknown",
    `Model '${name}' is not in the catalogue${reason}${meant === "" ? "." : meant} GGUF: ${names(false)}. T5: ${names(true)}.`,
    {
      where: name,
      hint: isFile
        ? "A file is named by its path, which begins with ./ in this folder. Models that are here:"
        : "For a file of your own give its path; hf:OWNER/REPO names a repository of the Hugging Face Hub:",
      actions: [
        ...(close === undefined ? [] : [{ kind: "run", model: close } as const]),
        ...(isFile || asked?.isServerThere === false ? [] : [{ kind: "pull", model: `${name.toLowerCase()}@ollama` } as const]),
        ...(isFile ? [{ kind: "list" } as const] : [{ kind: "available" } as const, { kind: "help-names" } as const]),
      ],
      details: { name, nearest: close },
    },
  );
}

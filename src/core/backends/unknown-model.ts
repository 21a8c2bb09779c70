/** The error for a name that is neither in the catalogue nor installed. */
import { SpellError } from "../errors.ts";
import type { CatalogueEntry } from "../hub/catalogue.ts";
import { didYouMean, nearest } from "../nearest.ts";
import type { NotFound } from "./backend.ts";

/** More are no answer to "did you mean". */
const mostNames = 3;

/**
 * Names of the catalogue that a mistyped one may mean, at most three, none where nothing is near: the same but for signs (`tinystories`), else those
 * that begin with it (`gemma`), else the nearest by letters, else those of its family (`llama2`).
 */
export function nearestNames(name: string, catalogue: readonly CatalogueEntry[]): readonly string[] {
  const all = catalogue.flatMap((entry) => [entry.name, ...entry.aliases].map((known) => [plain(known), entry.name] as const));
  const typed = plain(name);
  const family = /^[a-z]{3,}/.exec(typed)?.[0];
  const of = (accepts: (known: string) => boolean): readonly string[] =>
    [...new Set(all.flatMap(([known, own]) => (accepts(known) ? [own] : [])))].slice(0, mostNames);
  const tiers = [
    (known: string) => known === typed,
    (known: string) => typed.length > 1 && known.startsWith(typed),
    (known: string) => known === nearest(typed, new Map(all).keys()),
    // the beginning of a name, mistyped: `smolm2`
    (known: string) => typed.length > 4 && nearest(typed, [known.slice(0, typed.length + 1)]) !== undefined,
    (known: string) => family !== undefined && /^[a-z]+/.exec(known)?.[0] === family,
  ];
  return tiers.map(of).find((names) => names.length > 0) ?? [];
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}

/** Whether a name without ./ was meant as a path. */
export function isFileName(name: string): boolean {
  return /\.(gguf|safetensors|onnx)$/i.test(name);
}

/** @param asked what a server said, where one was asked */
export function unknownModel(name: string, catalogue: readonly CatalogueEntry[], asked?: NotFound): SpellError {
  const close = nearestNames(name, catalogue);
  const isFile = isFileName(name);
  const reason = asked === undefined ? "" : ` ${asked.reason.charAt(0).toUpperCase()}${asked.reason.slice(1)}.`;
  return new SpellError("model-unknown", `Model '${name}' is not in the catalogue${didYouMean(orList(close)) || "."}${reason}`, {
    where: name,
    hint: isFile
      ? "A file is named by its path, which begins with ./ in this folder. Models that are here:"
      : "GGUF, T5 and BERT models run, on CPU and GPU: those of the catalogue, your own by their path, repositories of the Hugging Face Hub as hf:OWNER/REPO:",
    actions: [
      ...close.map((model) => ({ kind: "run", model }) as const),
      ...(isFile || asked?.isServerThere === false ? [] : [{ kind: "pull", model: `${name.toLowerCase()}@ollama` } as const]),
      ...(isFile ? [{ kind: "list" } as const] : [{ kind: "available" } as const, { kind: "help-names" } as const]),
    ],
    details: {
      name,
      nearest: close[0],
      catalogue: catalogue.map((entry) => entry.name),
      ...(close.length === 1 ? { typed: name, meant: close[0] } : {}),
    },
  });
}

function orList(names: readonly string[]): string | undefined {
  return names.length === 0 ? undefined : names.join(", ").replace(/, ([^,]+)$/, " or $1");
}

/** A path where nothing lies, and that a name of the catalogue was meant by. */
export function pathOfName(error: SpellError, path: string, catalogue: readonly CatalogueEntry[]): SpellError {
  const name = path
    .replace(/[/\\]+$/, "")
    .split(/[/\\]/)
    .at(-1)
    ?.toLowerCase();
  const meant = catalogue.find((entry) => entry.name === name)?.name;
  if (meant === undefined) return error;
  return error.with({
    hint: `${meant} without a path is in the catalogue:`,
    actions: [{ kind: "run", model: meant }],
    details: { typed: path, meant },
  });
}

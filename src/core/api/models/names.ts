/** Names: which backend one means, what a server calls it, and what to say of one that nobody knows. */
import { bundledModels } from "../../backends/candle.ts";
import { notConfigured } from "../../backends/model-choice.ts";
import { aliasKey } from "../../download/manifest.ts";
import { SpellError } from "../../errors.ts";
import { type CatalogueEntry, findEntry } from "../../hub/catalogue.ts";
import { nearest } from "../../nearest.ts";
import type { LocalBackend } from "../../spec/model-settings.ts";
import { type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { ModelContext } from "./context.ts";

/** The first matching line decides; only settings are looked at, never whether a server answers. */
export async function backendOf(context: ModelContext, spec: ModelSpec, preferred?: LocalBackend): Promise<LocalBackend> {
  const need = (backend: LocalBackend): LocalBackend => {
    if (context.settings.backends.includes(backend)) return backend;
    const named = printModelSpec({ ...spec, backend });
    throw notConfigured(backend, backend, named, context.configFile, `model pull ${named}`);
  };
  if (spec.backend !== undefined) {
    if (spec.backend === "candle" || spec.backend === "ollama") return need(spec.backend);
    throw new SpellError("backend-unknown", `Backend '${spec.backend}' not configured and no matching builtin profile found.`, {
      hint: `Available: ollama, candle (alias local). Format: model:variant@backend`,
      commands: ["llmspell model available"],
    });
  }
  if (spec.kind === "hf" || spec.kind === "url" || spec.kind === "path") return need("candle");
  if (spec.kind === "ollama") return context.settings.backends.includes("ollama") ? "ollama" : need("candle");
  if (context.settings.backends.includes("candle") && (await isKnownName(context, spec.name))) return "candle";
  if (preferred === "candle") throw await unknownModel(context, spec.name);
  // a file that lies here and was named without ./ is no business of a server
  if (context.settings.backends.includes("ollama") && !/\.(gguf|safetensors|onnx)$/i.test(spec.name)) return "ollama";
  if (context.settings.backends.length === 0) return need("candle");
  throw await unknownModel(context, spec.name);
}

export async function isKnownName(context: ModelContext, name: string): Promise<boolean> {
  if (bundledModels.has(name.toLowerCase()) || findEntry(await context.catalogue(), name) !== undefined) return true;
  return (await context.platform.store.readManifest(aliasKey(name))) !== undefined;
}

export async function unknownModel(context: ModelContext, name: string): Promise<SpellError> {
  const entries = await context.catalogue();
  const names = (test: (entry: CatalogueEntry) => boolean): string =>
    entries
      .filter(test)
      .map((entry) => entry.name)
      .join(", ");
  const close = nearest(name, [...entries.flatMap((entry) => [entry.name, ...entry.aliases]), ...bundledModels.keys()]);
  const meant = close === undefined ? "" : ` Did you mean ${close}?`;
  return new SpellError(
    "model-unknown",
    `Model '${name}' is not known.${meant} GGUF: ${names(({ kind }) => kind !== "text2text")}. T5: ${names(({ kind }) => kind === "text2text")}.`,
    {
      hint: "GGUF and T5 models run on CPU and GPU alike; for your own files give a path. Or take it from Ollama or the Hugging Face Hub:",
      commands: [
        ...(close === undefined ? [] : [`llmspell generate -m ${close} "Hello"`]),
        `llmspell model pull ${name.toLowerCase()}@ollama`,
        "llmspell model pull hf:OWNER/REPO",
        `llmspell model pull ./DIR --as ${name}`,
      ],
      details: { name },
    },
  );
}

/** A name nobody here knows was taken for one of Ollama: where that leads nowhere, the nearest name we do know is told too. */
export async function didYouMean(context: ModelContext, error: unknown, spec: ModelSpec): Promise<never> {
  const mayBeSlip = error instanceof SpellError && (error.code === "ollama-unreachable" || error.code === "model-not-installed");
  if (!mayBeSlip || spec.kind !== "name" || spec.backend !== undefined) throw error;
  const close = nearest(spec.name, [...(await context.catalogue()).flatMap((entry) => [entry.name, ...entry.aliases])]);
  const hint =
    close === undefined
      ? `'${spec.name}' is no name of the catalogue, so Ollama was asked. ${error.hint}`
      : `Did you mean ${close}? ${error.hint}`;
  throw new SpellError(error.code, error.message, {
    hint,
    commands: [...(close === undefined ? [] : [`llmspell model pull ${close}@candle`]), ...error.commands],
    where: error.where,
    details: error.details,
    cause: error,
  });
}

/** `name:tag` as the server knows it. */
export function ollamaName(spec: ModelSpec): string {
  switch (spec.kind) {
    case "name":
      return `${spec.name.toLowerCase()}:${spec.variant ?? "latest"}`;
    case "ollama":
      return `${spec.namespace === undefined ? "" : `${spec.namespace}/`}${spec.name}:${spec.tag ?? "latest"}`;
    case "hf":
      return `hf.co/${spec.owner}/${spec.repo}:${spec.variant ?? "latest"}`;
    default:
      throw new SpellError("spec-syntax", `${printModelSpec(spec)}: an Ollama server knows names, no files or addresses`);
  }
}

/** Variant of the spec, or of --quantization; both and different is a contradiction. */
export function withQuantization(spec: ModelSpec, quantization: string | undefined): ModelSpec {
  if (quantization === undefined || spec.kind === "path" || spec.kind === "url") return spec;
  const own = spec.kind === "ollama" ? spec.tag : spec.variant;
  if (own !== undefined && own.toLowerCase() !== quantization.toLowerCase()) {
    throw new SpellError("usage-value", `--quantization ${quantization} contradicts ${printModelSpec(spec)}`, {
      where: "--quantization",
      hint: "Keep one of them.",
    });
  }
  return spec.kind === "ollama" ? { ...spec, tag: quantization } : { ...spec, variant: quantization };
}

/** Models that can be pulled: the catalogue, and names people use with Ollama. No network. */
import { bundledModels, variantsOfT5 } from "../../backends/candle.ts";
import { listStored } from "../../download/manifest.ts";
import type { ModelContext } from "./context.ts";
import { listForeign } from "./foreign.ts";
import { wantedBackends } from "./list.ts";
import type { AvailableModel } from "./records.ts";

export interface AvailableFilter {
  readonly backend?: string | undefined;
  readonly kind?: string | undefined;
  readonly search?: string | undefined;
  readonly recommended?: boolean | undefined;
}

/** Names people use with Ollama; shipped, so that `available` needs no network. */
const ollamaExamples: readonly (readonly [string, string, number])[] = [
  ["llama3.2:1b", "Llama 3.2 1B Instruct", 1_321_098_329],
  ["llama3.2:3b", "Llama 3.2 3B Instruct", 2_019_393_189],
  ["qwen2.5:0.5b", "Qwen2.5 0.5B Instruct", 397_821_319],
  ["gemma3:1b", "Gemma 3 1B", 815_319_791],
  ["phi3:mini", "Phi-3 mini", 2_176_178_913],
  ["mistral:7b", "Mistral 7B Instruct", 4_113_301_824],
];

export async function available(
  context: ModelContext,
  { backend, kind, search, recommended }: AvailableFilter = {},
): Promise<readonly AvailableModel[]> {
  const wanted = wantedBackends(context, backend);
  const { models } = await listStored(context.platform.store);
  const installed = [...models, ...(await listForeign(context, models))];
  const here = (name: string): boolean =>
    bundledModels.has(name) || installed.some(({ key }) => key[0] === "catalogue" && key[1] === name.toLowerCase());
  const ours = (await context.catalogue()).map(
    (entry): AvailableModel => ({
      name: entry.name,
      backend: "candle",
      kind: entry.kind,
      variants: entry.file === undefined && entry.kind === "text2text" ? variantsOfT5 : entry.quants,
      default_variant: entry.defaultQuant ?? (entry.kind === "text2text" ? "f32" : null),
      size_bytes: entry.sizeBytes,
      parameter_count: entry.parameterCount,
      license: entry.license,
      description: entry.description,
      recommended: entry.recommended,
      installed: here(entry.name),
      spec: entry.name,
      source: entry.source === undefined ? "bundled" : `hf:${entry.source.owner}/${entry.source.repo}`,
    }),
  );
  const theirs = ollamaExamples.map(
    ([name, description, size]): AvailableModel => ({
      name,
      backend: "ollama",
      kind: "chat",
      variants: [],
      default_variant: name.split(":")[1] ?? null,
      size_bytes: size,
      parameter_count: null,
      license: null,
      description: `${description} (example)`,
      recommended: false,
      installed: false,
      spec: `${name}@ollama`,
      source: "example",
    }),
  );
  const words = search?.toLowerCase();
  return [...(wanted.includes("candle") ? ours : []), ...(wanted.includes("ollama") ? theirs : [])].filter(
    (model) =>
      (kind === undefined || model.kind === kind) &&
      (recommended !== true || model.recommended) &&
      (words === undefined || `${model.name} ${model.description} ${model.source}`.toLowerCase().includes(words)),
  );
}

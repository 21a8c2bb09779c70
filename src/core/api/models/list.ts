/** Models that are here, of each backend; one that fails is told, not hidden. */
import { bundledModels } from "../../backends/candle.ts";
import { listStored } from "../../download/manifest.ts";
import { SpellError } from "../../errors.ts";
import type { LocalBackend } from "../../spec/model-settings.ts";
import type { ModelContext } from "./context.ts";
import { listForeign } from "./foreign.ts";
import { recordOf, recordOfBundled, recordOfOllama } from "./record-of.ts";
import type { BackendResult, ModelRecord } from "./records.ts";

export interface ModelList {
  readonly models: readonly ModelRecord[];
  readonly backends: readonly BackendResult[];
}

export async function listAll(context: ModelContext, backend?: string): Promise<ModelList> {
  const backends: BackendResult[] = [];
  const models: ModelRecord[] = [];
  for (const each of wantedBackends(context, backend)) {
    try {
      models.push(...(each === "candle" ? await listCandle(context) : await listOllama(context)));
      backends.push({ backend: each, ok: true });
    } catch (error) {
      if (!(error instanceof SpellError)) throw error;
      backends.push({ backend: each, ok: false, error });
    }
  }
  return { models, backends };
}

/** A backend that fails is left out and logged. */
export async function list(context: ModelContext, backend?: string): Promise<readonly ModelRecord[]> {
  const { models, backends } = await listAll(context, backend);
  for (const { error, backend: name } of backends) {
    if (error !== undefined) context.platform.log({ level: "warn", message: `${name} is left out: ${error.message}` });
  }
  return models;
}

export async function listCandle(context: ModelContext): Promise<readonly ModelRecord[]> {
  const bundled = await Promise.all([...bundledModels].map(([name, model]) => recordOfBundled(context, name, model)));
  const { models, damaged } = await listStored(context.platform.store);
  for (const error of damaged) context.platform.log({ level: "warn", message: error.message });
  const foreign = await listForeign(context, models);
  return [...bundled, ...[...models, ...foreign].map((model) => recordOf(context, model))];
}

async function listOllama({ ollama }: ModelContext): Promise<readonly ModelRecord[]> {
  const [models, running] = await Promise.all([ollama.list(), ollama.running()]);
  return models.map((model) => ({
    ...recordOfOllama(model, ollama.idOf(model.name)),
    loaded: running.some(({ name }) => name === model.name),
  }));
}

/** @returns backends a command speaks of. @throws SpellError backend-unknown */
export function wantedBackends(context: ModelContext, backend: string | undefined): readonly LocalBackend[] {
  const word = backend?.toLowerCase();
  if (word === undefined || word === "all") return context.settings.backends;
  if (word === "candle" || word === "local") return ["candle"];
  if (word === "ollama") return ["ollama"];
  throw new SpellError("backend-unknown", `Backend '${backend}' not configured and no matching builtin profile found.`, {
    hint: "Available: ollama, candle (alias local)",
    commands: ["llmspell model list"],
  });
}

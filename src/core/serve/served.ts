/** The models that requests name: who may be named, the loaded ones, and what is told of each. */
import type { ModelSource, Spell } from "../api/spell.ts";
import type { ModelInfo, ModelRecord } from "../backends/models.ts";
import type { ProviderConfig } from "../config/config.generated.ts";
import { providerOf, providerOfType } from "../config/providers.ts";
import { SpellError, toSpellError } from "../errors.ts";
import { limits } from "../limits.ts";
import type { EmbeddingModel } from "../spec/embedding-model.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { RerankModel } from "../spec/rerank-model.ts";
import { wrongOption } from "../text/check-call.ts";
import type { Note } from "./fields.ts";
import { askedModel } from "./refusals.ts";
import type { ServeOptions } from "./serve-options.ts";

/** A model as `/v1/models` shows it; what is not known is null. */
export interface ModelCard {
  readonly id: string;
  readonly object: "model";
  /** seconds since the epoch; 0 where nobody knows */
  readonly created: number;
  readonly owned_by: string;
  readonly architecture: string | null;
  readonly quantization: string | null;
  readonly format: string | null;
  readonly parameter_count: number | null;
  readonly size_bytes: number | null;
  readonly context_length: number | null;
  readonly capabilities: readonly string[];
  /** where it computed last; null before it was loaded here */
  readonly device: string | null;
  /** whether it is in memory now */
  readonly loaded: boolean;
  /** of its file, where it is one whose hash was written down */
  readonly sha256: string | null;
}

/** A model that is in memory. */
export interface RunningCard {
  readonly card: ModelCard;
  /** seconds since the epoch; undefined: it stays */
  readonly expiresAt: number | undefined;
  /** of its bytes, on a graphics card; undefined where nobody tells */
  readonly gpuBytes: number | undefined;
}

export interface Served {
  /** The model for one request, which disposes it; its engine stays loaded. @throws SpellError of Spell.load, model-unknown for names that are not served */
  text(name: string, signal: AbortSignal): Promise<LanguageModel>;
  /** As text(). @throws SpellError of Spell.embeddings, model-unknown */
  vectors(name: string, signal: AbortSignal): Promise<EmbeddingModel>;
  /** As text(). @throws SpellError of Spell.reranker, model-unknown */
  ranks(name: string, signal: AbortSignal): Promise<RerankModel>;
  cards(signal: AbortSignal): Promise<readonly ModelCard[]>;
  /** @throws SpellError model-unknown */
  card(name: string, signal: AbortSignal): Promise<ModelCard>;
  /** Models in memory, here and in the servers of providers. */
  running(signal: AbortSignal): Promise<readonly RunningCard[]>;
  /** Warnings of an answer, and what a model says of itself with its first one alone: here everybody is told. */
  withNotes(id: string, warnings: readonly Note[]): readonly Note[];
  /** Frees it, after the calls under way. @throws SpellError model-unknown */
  unload(name: string, signal: AbortSignal): Promise<void>;
}

type Loaded = Pick<LanguageModel | EmbeddingModel, "id" | "contextLength" | "device">;

export function createServed(spell: Spell, { models = [], only = false, pull = false, load = {} }: ServeOptions): Served {
  const named = namedModels(models);
  /** What was last loaded under each name. */
  const loaded = new Map<string, Loaded>();
  /** What the files of a model say, by id and time of change: headers are read once. */
  const known = new Map<string, Promise<ModelInfo | undefined>>();

  /** What models said of themselves, by id. */
  const notes = new Map<string, readonly Note[]>();

  const sourceOf = (name: string): ModelSource => {
    const own = named.get(name);
    if (own !== undefined) return own;
    // a path would tell of this machine's files, an address would let it fetch for anybody
    if (only || isPlace(name)) throw unknown(name);
    return name;
  };

  const options = { ...load, pull, keep: true };
  const lent = async <M extends Loaded>(name: string, open: (source: ModelSource) => Promise<M>): Promise<M> => {
    const source = sourceOf(name);
    const model = await open(source).catch((error: unknown) => {
      throw about(error, name, source);
    });
    loaded.set(name, { id: model.id, contextLength: model.contextLength, device: model.device });
    return model;
  };

  const infoOf = (source: string, record: ModelRecord | undefined, signal: AbortSignal): Promise<ModelInfo | undefined> => {
    const key = `${source} ${record?.modifiedAt ?? ""}`;
    const found = known.get(key) ?? spell.models.info(source, { signal }).catch(() => undefined);
    known.set(key, found);
    void found.then((info) => {
      if (info === undefined) known.delete(key);
    });
    return found;
  };

  /** Tokens that a load would keep. */
  const contextOf = async ({ backend, format, contextLength, capabilities }: ModelInfo): Promise<number | null> => {
    if (capabilities.includes("text-to-text")) return load.contextSize ?? limits.seq2seqInputTokens;
    const { config } = await spell.config();
    const provider = providerOf(config, providerOfType(config, backend as ProviderConfig["provider_type"]) ?? "");
    // encoders read as much as they can
    const readsAll = format === "safetensors" || format === "onnx";
    const usual = provider !== undefined && "context_size" in provider && !readsAll ? provider.context_size : 0;
    const asked = load.contextSize ?? usual;
    return asked > 0 && contextLength !== null ? Math.min(asked, contextLength) : contextLength;
  };

  const cardOf = async ({ name, source, record }: Listed, signal: AbortSignal): Promise<ModelCard> => {
    const info = typeof source === "string" ? await infoOf(source, record, signal) : undefined;
    const last = loaded.get(name);
    const [file, ...otherFiles] = info?.files ?? [];
    const [id, held] = [last?.id ?? info?.id, spell.models.loaded()];
    return {
      id: name,
      object: "model",
      created: Math.trunc(record?.modifiedAt ?? info?.modifiedAt ?? (source instanceof Blob ? timeOf(source) : 0)),
      owned_by: record?.backend ?? info?.backend ?? "llmspell",
      architecture: record?.architecture ?? info?.architecture ?? null,
      quantization: record?.quantization ?? info?.quantization ?? null,
      format: record?.format ?? info?.format ?? null,
      parameter_count: record?.parameterCount ?? info?.parameterCount ?? null,
      size_bytes: record?.sizeBytes ?? info?.sizeBytes ?? (source instanceof Blob ? source.size : null),
      context_length: last?.contextLength ?? (info === undefined ? null : await contextOf(info)),
      capabilities: info?.capabilities ?? [],
      device: last?.device?.chosen ?? null,
      loaded: record?.loaded ?? held.some(({ modelId }) => modelId === id),
      sha256: (otherFiles.length === 0 ? file?.sha256 : undefined) ?? null,
    };
  };

  /** Records of what may be served: where that is named, no server is asked that has none of it. */
  const records = async (signal: AbortSignal): Promise<readonly ModelRecord[]> => {
    // a server that does not answer has no models here, which is not worth a line for each request
    if (!only) return (await spell.models.listAll()).models;
    const backends = [...named.values()].map(async (source) => {
      const isHere = typeof source === "string" && (await spell.models.isLocal(source).catch(() => false));
      return isHere ? (await infoOf(source, undefined, signal))?.backend : undefined;
    });
    const types = new Set((await Promise.all(backends)).flatMap((type) => type ?? []));
    return (await Promise.all([...types].map((type) => spell.models.listAll(type)))).flatMap(({ models }) => models);
  };

  const listed = async (signal: AbortSignal): Promise<readonly Listed[]> => {
    const all = await records(signal);
    const own = [...named].map(([name, source]): Listed => ({ name, source, record: all.find((record) => isOf(record, source)) }));
    const others = only ? [] : all.filter((record) => !own.some(({ name, source }) => name === source && isOf(record, source)));
    return [...own, ...others.map((record): Listed => ({ name: record.id, source: record.id, record }))];
  };

  const found = async (name: string, signal: AbortSignal): Promise<Listed> => {
    const source = sourceOf(name);
    const known = (await listed(signal)).find((each) => each.name === name);
    if (known !== undefined) return known;
    if (typeof source !== "string" || (await infoOf(source, undefined, signal)) === undefined) throw unknown(name);
    return { name, source, record: undefined };
  };

  return {
    text: (name, signal) => lent(name, (source) => spell.load(source, { ...options, signal })),
    vectors: (name, signal) => lent(name, (source) => spell.embeddings(source, { ...options, signal })),
    ranks: (name, signal) => lent(name, (source) => spell.reranker(source, { ...options, signal })),
    async cards(signal) {
      return Promise.all((await listed(signal)).map((each) => cardOf(each, signal)));
    },
    async card(name, signal) {
      return cardOf(await found(name, signal), signal);
    },
    async running(signal) {
      const [all, theirs] = await Promise.all([listed(signal), spell.models.running(signal).catch(() => [])]);
      const cards = await Promise.all(all.map(async (each) => ({ each, card: await cardOf(each, signal) })));
      const held = spell.models.loaded();
      return cards.flatMap(({ each: { name, record }, card }): RunningCard[] => {
        if (!card.loaded) return [];
        const id = loaded.get(name)?.id ?? record?.id ?? name;
        const server = theirs.find(({ modelId }) => modelId === id);
        const last = server ?? held.find(({ modelId }) => modelId === id);
        return [{ card, expiresAt: last?.expiresAt, gpuBytes: server?.gpuBytes }];
      });
    },
    withNotes(id, warnings) {
      const own = warnings.filter(({ code }) => code === "file-note");
      if (own.length > 0) notes.set(id, own);
      return own.length > 0 ? warnings : [...warnings, ...(notes.get(id) ?? [])];
    },
    async unload(name, signal) {
      const { source } = await found(name, signal);
      const id = loaded.get(name)?.id;
      // a file that a person chose has no name to find it by
      const model = typeof source === "string" ? source : spell.models.loaded().find(({ modelId }) => modelId === id);
      if (model !== undefined) await spell.models.unload(model, { whenIdle: true });
    },
  };
}

/** Of a file that a person chose; other bytes have none. @returns seconds since the epoch */
function timeOf(source: Blob): number {
  return "lastModified" in source && typeof source.lastModified === "number" ? source.lastModified / 1000 : 0;
}

interface Listed {
  readonly name: string;
  readonly source: ModelSource;
  readonly record: ModelRecord | undefined;
}

function isOf({ id, aliases }: ModelRecord, source: ModelSource): boolean {
  return typeof source === "string" && (id === source || aliases.includes(source));
}

function namedModels(models: NonNullable<ServeOptions["models"]>): ReadonlyMap<string, ModelSource> {
  if (typeof models !== "object") throw wrongOption("models", "a list of names, or a record of models by their names", models);
  const entries: readonly (readonly [string, ModelSource])[] = Array.isArray(models)
    ? models.map((name: string) => [name, name])
    : Object.entries(models as Readonly<Record<string, ModelSource>>);
  for (const [name] of entries) if (typeof name !== "string" || name === "") throw wrongOption("models", "names", name);
  return new Map(entries);
}

/** A file or an address, or a name that leads out of its folder. */
function isPlace(name: string): boolean {
  return name === "" || name.length > 512 || /^(?:\.|\/|~|\\|[a-z]:[\\/]|[a-z]+:\/\/)|(?:^|[\\/])\.\.(?:[\\/]|$)|\p{Cc}/iu.test(name);
}

function unknown(name: string): SpellError {
  return new SpellError("model-unknown", "no such model is served", { details: { [askedModel]: name } });
}

/** An error of a load, with the name that the request had for the model. */
function about(thrown: unknown, name: string, source: ModelSource): SpellError {
  return named(toSpellError(thrown).with({ details: { [askedModel]: name } }), typeof source === "string" ? source : name, name);
}

/** Throws an error of a model again, with the name that the request had instead of its id. */
export function failsAs(id: string, name: string): (thrown: unknown) => never {
  return (thrown) => {
    throw named(toSpellError(thrown), id, name);
  };
}

/** An id may be a path of this machine. */
function named(error: SpellError, id: string, name: string): SpellError {
  return id === name || !error.message.includes(id) ? error : error.with({ message: error.message.replaceAll(id, name) });
}

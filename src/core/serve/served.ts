/** The models that requests name: who may be named, the loaded ones, and what is told of each. */
import type { ModelSource, Spell } from "../api/spell.ts";
import type { ModelInfo, ModelRecord } from "../backends/models.ts";
import { SpellError, toSpellError } from "../errors.ts";
import type { EmbeddingModel } from "../spec/embedding-model.ts";
import type { LanguageModel } from "../spec/language-model.ts";
import type { RerankModel } from "../spec/rerank-model.ts";
import { wrongOption } from "../text/check-call.ts";
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
  /** of models that are no files of their own: whether they are in memory now */
  readonly loaded: boolean | null;
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
}

type Loaded = Pick<LanguageModel | EmbeddingModel, "contextLength" | "device">;

export function createServed(spell: Spell, { models = [], only = false, pull = false, load = {} }: ServeOptions): Served {
  const named = namedModels(models);
  /** What was last loaded under each name. */
  const loaded = new Map<string, Loaded>();
  /** What the files of a model say, by id and time of change: headers are read once. */
  const known = new Map<string, Promise<ModelInfo | undefined>>();

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
    loaded.set(name, { contextLength: model.contextLength, device: model.device });
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

  const cardOf = async ({ name, source, record }: Listed, signal: AbortSignal): Promise<ModelCard> => {
    const info = typeof source === "string" ? await infoOf(source, record, signal) : undefined;
    const last = loaded.get(name);
    return {
      id: name,
      object: "model",
      created: Math.trunc(record?.modifiedAt ?? 0),
      owned_by: record?.backend ?? info?.backend ?? "llmspell",
      architecture: record?.architecture ?? info?.architecture ?? null,
      quantization: record?.quantization ?? info?.quantization ?? null,
      format: record?.format ?? info?.format ?? null,
      parameter_count: record?.parameterCount ?? info?.parameterCount ?? null,
      size_bytes: record?.sizeBytes ?? info?.sizeBytes ?? (source instanceof Blob ? source.size : null),
      context_length: last?.contextLength ?? info?.contextLength ?? null,
      capabilities: info?.capabilities ?? [],
      device: last?.device?.chosen ?? null,
      loaded: record?.loaded ?? null,
    };
  };

  const listed = async (): Promise<readonly Listed[]> => {
    // a server that does not answer has no models here, which is not worth a line for each request
    const all = only && named.size === 0 ? [] : (await spell.models.listAll()).models;
    const own = [...named].map(([name, source]): Listed => ({ name, source, record: all.find((record) => isOf(record, source)) }));
    const others = only ? [] : all.filter((record) => !own.some(({ name, source }) => name === source && isOf(record, source)));
    return [...own, ...others.map((record): Listed => ({ name: record.id, source: record.id, record }))];
  };

  return {
    text: (name, signal) => lent(name, (source) => spell.load(source, { ...options, signal })),
    vectors: (name, signal) => lent(name, (source) => spell.embeddings(source, { ...options, signal })),
    ranks: (name, signal) => lent(name, (source) => spell.reranker(source, { ...options, signal })),
    async cards(signal) {
      return Promise.all((await listed()).map((each) => cardOf(each, signal)));
    },
    async card(name, signal) {
      const source = sourceOf(name);
      const found = (await listed()).find((each) => each.name === name);
      if (found !== undefined) return cardOf(found, signal);
      if (typeof source !== "string" || (await infoOf(source, undefined, signal)) === undefined) throw unknown(name);
      return cardOf({ name, source, record: undefined }, signal);
    },
  };
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

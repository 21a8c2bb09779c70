/** The models that requests name: who may be named, the loaded ones, and what is told of each. */
import type { ModelSource, Spell } from "../api/spell.ts";
import type { ModelInfo, ModelRecord } from "../backends/models.ts";
import { SpellError, toSpellError } from "../errors.ts";
import type { EmbeddingModel } from "../spec/embedding-model.ts";
import type { LanguageModel } from "../spec/language-model.ts";
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
  readonly size_bytes: number | null;
  readonly context_length: number | null;
  readonly capabilities: readonly string[];
  /** where it computes; null until it is loaded */
  readonly device: string | null;
  readonly loaded: boolean;
}

/** A loaded model for one request. */
export interface Lent<M> {
  readonly model: M;
  /** Gives it back. A second call does nothing. @param error after which it is looked for anew */
  end(error?: unknown): void;
}

export interface Served {
  /** @throws SpellError of Spell.load, model-unknown for names that are not served */
  text(name: string, signal: AbortSignal): Promise<Lent<LanguageModel>>;
  /** @throws SpellError of Spell.embeddings, model-unknown */
  vectors(name: string, signal: AbortSignal): Promise<Lent<EmbeddingModel>>;
  cards(signal: AbortSignal): Promise<readonly ModelCard[]>;
  /** @throws SpellError model-unknown */
  card(name: string, signal: AbortSignal): Promise<ModelCard>;
}

/** Holders that are kept beside those in use; their engines are freed by the keep-alive all the same. */
const mostHeld = 32;

interface Loaded {
  readonly id: string;
  readonly contextLength: number | undefined;
  readonly device?: { readonly chosen: string } | undefined;
  dispose(): Promise<void>;
}

interface Held<M> {
  readonly model: M;
  users: number;
}

export function createServed(spell: Spell, { models = [], only = false, pull = false, load = {} }: ServeOptions): Served {
  const named = namedModels(models);
  const texts = new Map<string, Held<LanguageModel>>();
  const vectors = new Map<string, Held<EmbeddingModel>>();
  /** What the files of a model say, by id and time of change: headers are read once. */
  const known = new Map<string, Promise<ModelInfo | undefined>>();

  const sourceOf = (name: string): ModelSource => {
    const own = named.get(name);
    if (own !== undefined) return own;
    // a path would tell of this machine's files, an address would let it fetch for anybody
    if (only || isPlace(name)) throw unknown(name);
    return name;
  };

  const lend = async <M extends Loaded>(
    held: Map<string, Held<M>>,
    name: string,
    open: (source: ModelSource) => Promise<M>,
  ): Promise<Lent<M>> => {
    const source = sourceOf(name);
    let own = held.get(name);
    if (own === undefined) {
      const model = await open(source).catch((error: unknown) => {
        throw about(error, name);
      });
      // another request may have been quicker
      own = held.get(name);
      if (own === undefined) {
        own = { model, users: 0 };
        held.set(name, own);
      } else void model.dispose();
    }
    const mine = own;
    mine.users += 1;
    // the latest one is last
    held.delete(name);
    held.set(name, mine);
    for (const [other, { model, users }] of held) {
      if (held.size <= mostHeld) break;
      if (users > 0) continue;
      held.delete(other);
      void model.dispose();
    }
    let isOver = false;
    return {
      model: mine.model,
      end(error) {
        if (isOver) return;
        isOver = true;
        mine.users -= 1;
        if (error === undefined || !isGone(error) || held.get(name) !== mine) return;
        held.delete(name);
        if (mine.users === 0) void mine.model.dispose();
      },
    };
  };

  const options = { ...load, pull };
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
    const loaded = texts.get(name)?.model ?? vectors.get(name)?.model;
    return {
      id: name,
      object: "model",
      created: Math.trunc(record?.modifiedAt ?? 0),
      owned_by: record?.backend ?? info?.backend ?? "llmspell",
      architecture: record?.architecture ?? info?.architecture ?? null,
      quantization: record?.quantization ?? info?.quantization ?? null,
      size_bytes: record?.sizeBytes ?? info?.sizeBytes ?? (source instanceof Blob ? source.size : null),
      context_length: loaded?.contextLength ?? info?.contextLength ?? null,
      capabilities: info?.capabilities ?? [],
      device: loaded?.device?.chosen ?? null,
      loaded: record?.loaded ?? loaded !== undefined,
    };
  };

  const listed = async (): Promise<readonly Listed[]> => {
    const all = only && named.size === 0 ? [] : await spell.models.list();
    const own = [...named].map(([name, source]): Listed => ({ name, source, record: all.find((record) => isOf(record, source)) }));
    const others = only ? [] : all.filter((record) => !own.some(({ name, source }) => name === source && isOf(record, source)));
    return [...own, ...others.map((record): Listed => ({ name: record.id, source: record.id, record }))];
  };

  return {
    text: (name, signal) => lend(texts, name, (source) => spell.load(source, { ...options, signal })),
    vectors: (name, signal) => lend(vectors, name, (source) => spell.embeddings(source, { ...options, signal })),
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
function about(thrown: unknown, name: string): SpellError {
  return toSpellError(thrown).with({ details: { [askedModel]: name } });
}

/** Its files are others now, or gone. */
function isGone(thrown: unknown): boolean {
  return /^(?:model|store|gguf|safetensors|onnx)-/.test(toSpellError(thrown).code);
}

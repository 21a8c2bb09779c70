/** Which files of a repository make the model somebody asked for: decided on the list alone. */
import type { PlannedVariant } from "../download/pull.ts";
import { SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { parseShardName } from "../gguf/shards.ts";
import type { HfSpec } from "../spec/model-spec.ts";
import type { CatalogueEntry } from "./catalogue.ts";

/** A repository at one commit. */
export interface HubListing {
  readonly owner: string;
  readonly repo: string;
  /** 40 hex digits */
  readonly commit: string;
  readonly license?: string | undefined;
  readonly files: readonly HubFile[];
}

export interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly sha256?: string | undefined;
  readonly gitSha1?: string | undefined;
}

/** What somebody asked for in a repository. */
export interface HubWish {
  readonly spec: HfSpec;
  /** the short name it was asked for by */
  readonly entry?: CatalogueEntry | undefined;
  /** the variant of the spec, or of --quantization */
  readonly variant?: string | undefined;
}

/** Quants taken where nobody names one, best compromise first. */
const usualQuants = ["Q4_K_M", "Q5_K_M", "Q4_K_S", "Q4_0", "Q8_0", "F16"] as const;
const quantForm = /(?:^|[-._/])((?:i?q[0-9]+(?:_[a-z0-9]+)*|f16|f32|bf16|mxfp4|tq[12]_0))(?=[-._]|$)/i;
/** Everything a T5 folder may need; weights apart. */
const t5Files = ["config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

export interface ChosenFiles {
  readonly files: readonly HubFile[];
  readonly variant?: string | undefined;
  readonly variants?: readonly PlannedVariant[] | undefined;
}

/** @throws SpellError model-variant-unknown, model-ambiguous, model-layout, gguf-shard, net-not-found with the files there are */
export function chooseFiles(listing: HubListing, { spec, entry, variant }: HubWish, defaultQuant: string): ChosenFiles {
  const { files } = listing;
  const where = `hf:${listing.owner}/${listing.repo}`;
  if (spec.file !== undefined) {
    const file = files.find(({ path }) => path === spec.file) ?? files.find(({ path }) => path.toLowerCase() === spec.file?.toLowerCase());
    if (file === undefined) {
      throw new SpellError("net-not-found", `${where} has no file ${spec.file}; it has ${shown(files)}`, {
        where,
        details: { files: files.slice(0, 100).map(({ path }) => path) },
      });
    }
    return { files: withShards(file, files) };
  }
  const models = files.filter(({ path }) => isModelGguf(path));
  if (models.length > 0) return chooseQuant(models, files, where, entry, variant, defaultQuant);
  return { files: chooseFolder(files, where) };
}

function chooseQuant(
  models: readonly HubFile[],
  files: readonly HubFile[],
  where: string,
  entry: CatalogueEntry | undefined,
  variant: string | undefined,
  defaultQuant: string,
): ChosenFiles {
  const byQuant = new Map<string, HubFile>();
  for (const file of models) {
    const quant = quantOf(file.path);
    if (quant !== undefined && !byQuant.has(quant)) byQuant.set(quant, file);
  }
  const find = (quant: string): HubFile | undefined =>
    models.find(({ path }) => entry !== undefined && path === fileOfQuant(entry, quant)) ?? byQuant.get(quant.toUpperCase());
  const variants = [...byQuant].flatMap(([name, file]): readonly PlannedVariant[] => {
    const parts = partsOf(file, files);
    const isWhole = parts.every((part) => typeof part !== "string");
    return isWhole ? [{ name, sizeBytes: withShards(file, files).reduce((sum, { size }) => sum + size, 0) }] : [];
  });
  const listed = [...byQuant].map(([quant, file]) => `${quant} (${formatCount(file.size)} bytes)`).join(", ");
  if (variant !== undefined) {
    const file = find(variant.toUpperCase());
    if (file !== undefined) return { files: withShards(file, files), variant: variant.toUpperCase(), variants };
    const [first] = byQuant.keys();
    const name = entry?.name ?? where;
    throw new SpellError("model-variant-unknown", `${where} has no ${variant}; it has ${listed === "" ? shown(models) : listed}`, {
      where,
      actions: first === undefined ? [] : [{ kind: "pull", model: `${name}:${first}` }],
      details: { variants: [...byQuant.keys()] },
    });
  }
  for (const quant of [defaultQuant, ...(entry?.defaultQuant === undefined ? [] : [entry.defaultQuant]), ...usualQuants]) {
    const file = find(quant.toUpperCase());
    if (file !== undefined) return { files: withShards(file, files), variant: quant.toUpperCase(), variants };
  }
  const [only, second] = models;
  if (only !== undefined && second === undefined) {
    const quant = quantOf(only.path);
    return { files: withShards(only, files), variant: quant };
  }
  throw new SpellError("model-ambiguous", `${where} holds several models: ${listed === "" ? shown(models) : listed}`, {
    where,
    actions: [{ kind: "pull", model: `${where}/${only?.path ?? ""}` }],
    details: { files: models.map(({ path }) => path), variants: [...byQuant.keys()] },
  });
}

/** First parts and whole files; projectors and importance matrices are no models. */
function isModelGguf(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  return /\.gguf$/i.test(name) && (parseShardName(name)?.index ?? 1) === 1 && !/mmproj|imatrix/i.test(name);
}

function quantOf(path: string): string | undefined {
  const name = path.replace(/\.gguf$/i, "").replace(/-\d{5}-of-\d{5}$/, "");
  return quantForm.exec(name)?.[1]?.toUpperCase();
}

/** All parts of a split model, in order; the hub must have each. */
function withShards(file: HubFile, files: readonly HubFile[]): readonly HubFile[] {
  return partsOf(file, files).map((part) => {
    if (typeof part === "string") throw new SpellError("gguf-shard", `the repository lacks ${part}`, { where: part });
    return part;
  });
}

/** @returns all parts of a split model, in order; the path of each that is not there */
function partsOf(file: HubFile, files: readonly HubFile[]): readonly (HubFile | string)[] {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  const shard = parseShardName(name);
  if (shard === undefined) return [file];
  const folder = file.path.slice(0, -name.length);
  return Array.from({ length: shard.count }, (_, index) => {
    const wanted = `${folder}${name.replace(/-\d{5}-of-/, `-${String(index + 1).padStart(5, "0")}-of-`)}`;
    return files.find(({ path }) => path === wanted) ?? wanted;
  });
}

/** Files at the top of the repository that make a T5 folder, or an export of one. */
function chooseFolder(files: readonly HubFile[], where: string): readonly HubFile[] {
  const top = files.filter(({ path }) => !path.includes("/"));
  const named = (name: string): readonly HubFile[] => top.filter(({ path }) => path === name);
  const index = named("model.safetensors.index.json");
  const shards = top.filter(({ path }) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(path));
  const whole = named("model.safetensors");
  const weights = whole.length > 0 ? whole : index.length > 0 ? [...index, ...shards] : [];
  const tokenizer = [...named("tokenizer.json"), ...named("spiece.model")].slice(0, 1);
  const extras = t5Files.flatMap(named);
  const graphs = files.filter(({ path }) => /^(onnx\/)?(encoder_model|decoder_model_merged)\.onnx(_data)?$/.test(path));
  if (named("config.json").length === 0 || tokenizer.length === 0 || (weights.length === 0 && graphs.length < 2)) {
    throw new SpellError(
      "model-layout",
      `${where}: no model found; wanted a .gguf file, or config.json, model.safetensors and tokenizer.json; got ${shown(files)}`,
      { where },
    );
  }
  return [...extras, ...tokenizer, ...(weights.length > 0 ? weights : graphs)];
}

function shown(files: readonly HubFile[]): string {
  const names = files.slice(0, 12).map(({ path }) => path);
  return files.length === 0
    ? "no files"
    : `${names.join(", ")}${files.length > names.length ? ` and ${files.length - names.length} more` : ""}`;
}

/**
 * Every model that files of a repository may make, as somebody would ask for it; whether they do is seen by looking at them.
 * @param revision of the spec, where it is not the newest
 */
export function wishesOf(
  { owner, repo, files, commit }: HubListing,
  catalogue: readonly CatalogueEntry[],
  revision?: string,
): readonly HubWish[] {
  const spec: HfSpec = { kind: "hf", owner, repo, revision };
  const isSame = ({ source, revision: pin }: CatalogueEntry): boolean =>
    source?.owner.toLowerCase() === owner.toLowerCase() &&
    source.repo.toLowerCase() === repo.toLowerCase() &&
    (pin === undefined ? revision === undefined : pin === commit);
  const entry = catalogue.find(isSame);
  const models = files.filter(({ path }) => isModelGguf(path));
  if (models.length === 0) return [{ spec, entry: entry === undefined || entry.file !== undefined ? undefined : entry }];
  const seen = new Set<string>();
  return models.flatMap(({ path }): readonly HubWish[] => {
    const quant = quantOf(path);
    if (quant !== undefined && !seen.has(quant)) {
      seen.add(quant);
      const isListed = entry !== undefined && path === fileOfQuant(entry, quant);
      return [{ spec, variant: quant, entry: isListed ? entry : undefined }];
    }
    return path.includes("/") ? [] : [{ spec: { ...spec, file: path } }]; // a spec has no folders
  });
}

function fileOfQuant({ file }: CatalogueEntry, quant: string): string | undefined {
  return file?.replace("{Q}", quant).replace("{q}", quant.toLowerCase());
}

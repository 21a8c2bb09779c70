/** Which files of a repository make the model that was asked for. Decided from the list alone. */
import type { PlannedVariant } from "../download/pull.ts";
import { SpellError } from "../errors.ts";
import { partFiles } from "../file-names.ts";
import { formatCount } from "../formats/format-count.ts";
import { parseShardName } from "../gguf/shards.ts";
import { type HfSpec, hostProblem, printModelSpec } from "../spec/model-spec.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { isModelGguf, isSameQuant, quantOf } from "./gguf-names.ts";
import type { ModelSettings } from "./settings.ts";

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
  /** bytes; lists of some mirrors lack them */
  readonly size?: number | undefined;
  readonly sha256?: string | undefined;
  readonly gitSha1?: string | undefined;
}

/** What was asked for in a repository. */
export interface HubWish {
  readonly spec: HfSpec;
  /** the catalogue entry, if a short name was given */
  readonly entry?: CatalogueEntry | undefined;
  /** of the spec, or the option quantization */
  readonly variant?: string | undefined;
}

/** Quants to take by default, best compromise first. */
const usualQuants = ["Q4_K_M", "Q5_K_M", "Q4_K_S", "Q4_0", "Q8_0", "F16"] as const;
/** Files of a checkpoint besides weights and tokenizer. */
const t5Files = ["config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];
/** Beside an embedding model: how its vectors are made. */
const sentenceFiles = ["modules.json", "sentence_bert_config.json", "config_sentence_transformers.json", ...partFiles];

export interface ChosenFiles {
  readonly files: readonly HubFile[];
  readonly variant?: string | undefined;
  readonly variants?: readonly PlannedVariant[] | undefined;
}

/** @throws SpellError model-variant-unknown, model-ambiguous, model-layout, gguf-shard, net-not-found with the files there are */
export function chooseFiles(listing: HubListing, wish: HubWish, settings: ChoiceSettings): ChosenFiles {
  const { files } = listing;
  const where = `hf:${listing.owner}/${listing.repo}`;
  const name = wish.spec.file;
  if (name !== undefined) {
    const file = files.find(({ path }) => path === name) ?? files.find(({ path }) => path.toLowerCase() === name.toLowerCase());
    if (file !== undefined) return { files: withShards(file, files) };
    const details = { files: files.slice(0, 100).map(({ path }) => path) };
    throw new SpellError("net-not-found", `${where} has no file ${name}; it has ${shown(files)}`, { where, details });
  }
  const models = files.filter(({ path }) => isModelGguf(path));
  return models.length > 0 ? chooseQuant(models, listing, wish, settings) : { files: chooseFolder(files, where) };
}

type ChoiceSettings = Pick<ModelSettings, "defaultQuantization" | "hfEndpoint">;

/** The one file of a word; files that share a word are named by their own names. */
function chooseQuant(models: readonly HubFile[], listing: HubListing, wish: HubWish, settings: ChoiceSettings): ChosenFiles {
  const { files, owner, repo } = listing;
  const { entry, variant, spec } = wish;
  const where = `hf:${owner}/${repo}`;
  const byQuant = new Map<string, HubFile[]>();
  for (const file of models) {
    const quant = quantOf(file.path);
    if (quant !== undefined) byQuant.set(quant, [...(byQuant.get(quant) ?? []), file]);
  }
  const find = (asked: string): readonly HubFile[] => {
    const listed = models.filter(({ path }) => entry !== undefined && path === fileOfQuant(entry, asked.toUpperCase()));
    if (listed.length > 0) return listed;
    const exact = byQuant.get(asked.toUpperCase());
    return exact ?? [...byQuant].find(([word]) => isSameQuant(asked, word))?.[1] ?? [];
  };
  const ambiguous = (among: readonly HubFile[]): SpellError => {
    const named = among.slice(0, 12).map(({ path }) => `${path}${quantOf(path) === undefined ? "" : ` (${quantOf(path)})`}`);
    const more = among.length > named.length ? ` and ${among.length - named.length} more` : "";
    const { hostname } = new URL(settings.hfEndpoint);
    const allowHosts = hostProblem(hostname) === undefined ? undefined : [hostname];
    const nameOf = (path: string): string =>
      path.includes("/")
        ? `${settings.hfEndpoint}/${owner}/${repo}/resolve/${spec.revision ?? "main"}/${path}`
        : printModelSpec({ ...spec, variant: undefined, file: path });
    return new SpellError("model-ambiguous", `${where} has several models: ${named.join(", ")}${more}`, {
      where,
      actions: among
        .slice(0, 5)
        .map(({ path }) => ({ kind: "pull", model: nameOf(path), allowHosts: path.includes("/") ? allowHosts : undefined })),
      details: {
        files: among.map(({ path }) => path),
        variants: quants.filter((quant) => among.some(({ path }) => quantOf(path) === quant)),
      },
    });
  };
  const alone = [...byQuant].flatMap(([name, [file, second]]) => (file !== undefined && second === undefined ? [{ name, file }] : []));
  const quants = alone.map(({ name }) => name);
  const variants = alone.flatMap(({ name, file }): readonly PlannedVariant[] => {
    const parts = partsOf(file, files);
    const sizes = parts.map((part) => (typeof part === "string" ? undefined : part.size));
    const isKnown = sizes.every((size) => size !== undefined);
    return isKnown ? [{ name, sizeBytes: sizes.reduce((sum, size) => sum + size, 0) }] : [];
  });
  const { defaultQuantization } = settings;
  const asked = variant === undefined ? [defaultQuantization, entry?.defaultQuant ?? defaultQuantization, ...usualQuants] : [variant];
  for (const quant of asked) {
    const found = find(quant);
    const [file] = found;
    if (found.length > 1) throw ambiguous(found);
    if (file !== undefined) return { files: withShards(file, files), variant: quantOf(file.path) ?? quant.toUpperCase(), variants };
  }
  if (variant !== undefined) {
    const word = ({ name, file: { size } }: (typeof alone)[number]): string =>
      size === undefined ? name : `${name} (${formatCount(size)} bytes)`;
    const shared = [...byQuant].flatMap(([name, { length }]) => (length > 1 ? [`${name} (${length} files)`] : []));
    const listed = [...alone.map(word), ...shared].join(", ") || shown(models);
    throw new SpellError("model-variant-unknown", `${where} has no ${variant}; it has ${listed}`, {
      where,
      actions: quants.slice(0, 1).map((first) => ({ kind: "pull", model: `${entry?.name ?? where}:${first}` })),
      details: { variants: quants },
    });
  }
  const [first] = models;
  if (first !== undefined && models.length === 1) return { files: withShards(first, files), variant: quantOf(first.path) };
  throw ambiguous(models);
}

/** All parts of a split model, in order. @throws SpellError gguf-shard if one is missing */
function withShards(file: HubFile, files: readonly HubFile[]): readonly HubFile[] {
  return partsOf(file, files).map((part) => {
    if (typeof part === "string") throw new SpellError("gguf-shard", `the repository lacks ${part}`, { where: part });
    return part;
  });
}

/** @returns all parts of a split model, in order; a path stands for a missing one */
function partsOf(file: HubFile, files: readonly HubFile[]): readonly (HubFile | string)[] {
  const name = file.path.slice(file.path.lastIndexOf("/") + 1);
  const shard = parseShardName(name);
  if (shard === undefined) return [file];
  const folder = file.path.slice(0, -name.length);
  return Array.from({ length: shard.count }, (_, index) => {
    const part = folder + name.replace(/-\d{5}-of-/, `-${String(index + 1).padStart(5, "0")}-of-`);
    return files.find(({ path }) => path === part) ?? part;
  });
}

/** Files of the repository that make a checkpoint of T5 or BERT, or an export of T5. */
function chooseFolder(files: readonly HubFile[], where: string): readonly HubFile[] {
  const top = files.filter(({ path }) => !path.includes("/"));
  const named = (name: string): readonly HubFile[] => top.filter(({ path }) => path === name);
  const index = named("model.safetensors.index.json");
  const shards = top.filter(({ path }) => /^model-\d{5}-of-\d{5}\.safetensors$/.test(path));
  const whole = named("model.safetensors");
  const weights = whole.length > 0 ? whole : index.length > 0 ? [...index, ...shards] : [];
  const tokenizer = [...named("tokenizer.json"), ...named("spiece.model")].slice(0, 1);
  // ByT5 has settings of its tokenizer and no file for it; config.json tells once it is here.
  const hasTokenizer = tokenizer.length > 0 || named("tokenizer_config.json").length > 0;
  const extras = [...t5Files.flatMap(named), ...files.filter(({ path }) => sentenceFiles.includes(path))];
  const graphs = files.filter(({ path }) => /^(onnx\/)?(encoder_model|decoder_model_merged)\.onnx(_data)?$/.test(path));
  if (named("config.json").length === 0 || !hasTokenizer || (weights.length === 0 && graphs.length < 2)) {
    const expected = "a .gguf file, or config.json, model.safetensors and tokenizer.json";
    const isPickled = weights.length === 0 && top.some(({ path }) => /^pytorch_model.*\.bin$/.test(path));
    const hint = isPickled
      ? `Pickles run code and are never opened. A pull request of the repository may hold model.safetensors: ${where}#refs/pr/NUMBER.`
      : undefined;
    throw new SpellError("model-layout", `${where}: no model found; expected ${expected}, got ${shown(files)}`, { where, hint });
  }
  return [...extras, ...tokenizer, ...(weights.length > 0 ? weights : graphs)];
}

function shown(files: readonly HubFile[]): string {
  const names = files.slice(0, 12).map(({ path }) => path);
  const more = files.length > names.length ? ` and ${files.length - names.length} more` : "";
  return `${names.join(", ") || "no files"}${more}`;
}

/**
 * Every model that the files of a repository may make, as it would be asked for. Only the files themselves tell whether they do.
 * @param revision of the spec; undefined: the newest
 */
export function wishesOf(
  { owner, repo, files, commit }: HubListing,
  catalogue: readonly CatalogueEntry[],
  revision?: string,
): readonly HubWish[] {
  const spec: HfSpec = { kind: "hf", owner, repo, revision };
  const name = `${owner}/${repo}`.toLowerCase();
  const entry = catalogue.find(({ source, revision: pin }) => {
    const isPinned = pin === undefined ? revision === undefined : pin === commit;
    return isPinned && source !== undefined && `${source.owner}/${source.repo}`.toLowerCase() === name;
  });
  const models = files.filter(({ path }) => isModelGguf(path));
  if (models.length === 0) return [{ spec, entry: entry?.file === undefined ? entry : undefined }];
  const count = (quant: string | undefined): number => models.filter(({ path }) => quantOf(path) === quant).length;
  return models.flatMap(({ path }): readonly HubWish[] => {
    const quant = quantOf(path);
    const isListed = entry !== undefined && quant !== undefined && path === fileOfQuant(entry, quant);
    if (quant !== undefined && (isListed || count(quant) === 1)) return [{ spec, variant: quant, entry: isListed ? entry : undefined }];
    return path.includes("/") ? [] : [{ spec: { ...spec, file: path } }]; // a spec cannot name folders
  });
}

function fileOfQuant({ file }: CatalogueEntry, quant: string): string | undefined {
  return file?.replace("{Q}", quant).replace("{q}", quant.toLowerCase());
}

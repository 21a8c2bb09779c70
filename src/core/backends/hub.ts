/**
 * The Hugging Face Hub: which files of a repository make the model somebody asked for, where they are, and how they are checked.
 * It asks for lists; bytes are fetched by download/.
 */
import { type JsonRequestOptions, requestJson } from "../download/json-request.ts";
import type { PlannedFile, PlannedVariant, PullPlan } from "../download/pull.ts";
import type { Network } from "../download/request.ts";
import { discard, request } from "../download/request.ts";
import { SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { parseShardName } from "../gguf/shards.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { ForeignModels, ManifestKey } from "../platform.ts";
import type { ModelSettings } from "../spec/model-settings.ts";
import { type HfSpec, printModelSpec, type UrlSpec } from "../spec/model-spec.ts";
import type { CatalogueEntry } from "./catalogue.ts";

/** A repository at one commit. */
export interface HubListing {
  readonly owner: string;
  readonly repo: string;
  /** 40 hex digits */
  readonly commit: string;
  readonly license?: string;
  readonly files: readonly HubFile[];
}

export interface HubFile {
  readonly path: string;
  readonly size: number;
  readonly sha256?: string;
  readonly gitSha1?: string;
}

export interface HubContext {
  readonly network: Network;
  readonly settings: ModelSettings;
  readonly foreign?: ForeignModels;
  readonly allowHosts?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onRetry?: (error: SpellError, waitMs: number) => void;
}

/** Quants taken where nobody names one, best compromise first. */
const usualQuants = ["Q4_K_M", "Q5_K_M", "Q4_K_S", "Q4_0", "Q8_0", "F16"] as const;
const quantForm = /(?:^|[-._/])((?:i?q[0-9]+(?:_[a-z0-9]+)*|f16|f32|bf16|mxfp4|tq[12]_0))(?=[-._]|$)/i;
/** Everything a T5 folder may need; weights apart. */
const t5Files = ["config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"];

/**
 * One request, and one more where another version is named than the newest.
 * @throws SpellError net-*, with the page to accept where the repository is gated
 */
export async function listRepository(
  { owner, repo, revision }: Pick<HfSpec, "owner" | "repo" | "revision">,
  context: HubContext,
): Promise<HubListing> {
  const { settings, network } = context;
  refuseOffline(settings, `${owner}/${repo}`);
  const address = `${settings.hfEndpoint}/api/models/${owner}/${repo}/revision/${encodeURIComponent(revision ?? "main")}?blobs=true`;
  let value: Readonly<Record<string, unknown>>;
  try {
    ({ value } = await requestJson(address, network, { ...hubRequest(context, `${owner}/${repo}`), what: `hf:${owner}/${repo}` }));
  } catch (error) {
    if (!(error instanceof SpellError) || error.code !== "net-not-found") throw error;
    throw new SpellError("net-not-found", `the hub has no ${owner}/${repo} at ${revision ?? "main"}`, {
      ...(error.where === undefined ? {} : { where: error.where }),
      hint: "Check the name and the revision.",
      cause: error,
    });
  }
  return readListing(owner, repo, value);
}

/** Asked for with each request: in a page a person types it when the first one is refused. */
function secretOf({ hfToken }: Pick<HubContext["settings"], "hfToken">): { readonly secret?: string } {
  const token = hfToken?.();
  return token === undefined ? {} : { secret: `Bearer ${token}` };
}

function hubRequest({ settings, allowHosts, signal, onRetry }: HubContext, name: string): Omit<JsonRequestOptions, "what"> {
  return {
    isTrusted: true,
    gatePage: `${settings.hfEndpoint}/${name}`,
    ...secretOf(settings),
    ...(allowHosts === undefined ? {} : { allowHosts }),
    ...(signal === undefined ? {} : { signal }),
    ...(onRetry === undefined ? {} : { onRetry }),
  };
}

export function refuseOffline({ offline }: ModelSettings, what: string): void {
  if (!offline) return;
  throw new SpellError("net-offline", `${what} is not asked for: downloads are switched off`, {
    hint: "models.offline, HF_HUB_OFFLINE or --offline says so; models that are here run without a network.",
    commands: ["llmspell model list"],
  });
}

function readListing(owner: string, repo: string, value: Readonly<Record<string, unknown>>): HubListing {
  const where = `hf:${owner}/${repo}`;
  const fail = (what: string): SpellError => new SpellError("net-status", `${where}: the hub's list cannot be used: ${what}`, { where });
  const { sha, siblings, cardData } = value;
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) throw fail("it names no commit");
  if (!Array.isArray(siblings)) throw fail("it holds no files");
  if (siblings.length > limits.listingFiles)
    throw fail(`it holds ${formatCount(siblings.length)} files; wanted at most ${formatCount(limits.listingFiles)}`);
  const files = siblings.flatMap((entry: unknown): readonly HubFile[] => {
    if (!isObject(entry) || typeof entry["rfilename"] !== "string") throw fail("a file has no name");
    const path = entry["rfilename"];
    if (!isSafePath(path)) return []; // nothing of a model is named so
    const lfs = entry["lfs"];
    const size = isObject(lfs) ? lfs["size"] : entry["size"];
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0 || size > limits.fileBytes)
      throw fail(`${path} has no size that can be`);
    const sha256 = isObject(lfs) ? (lfs["sha256"] ?? lfs["oid"]) : undefined;
    if (sha256 !== undefined && (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)))
      throw fail(`${path} has no hash that can be`);
    const git = entry["blobId"];
    const gitSha1 = sha256 === undefined && typeof git === "string" && /^[0-9a-f]{40}$/.test(git) ? git : undefined;
    return [{ path, size, ...(sha256 === undefined ? {} : { sha256 }), ...(gitSha1 === undefined ? {} : { gitSha1 }) }];
  });
  const license = isObject(cardData) && typeof cardData["license"] === "string" ? cardData["license"].slice(0, 80) : undefined;
  return { owner, repo, commit: sha, files, ...(license === undefined ? {} : { license }) };
}

/** Forward slashes, no way upwards, nothing a file system could read otherwise. */
function isSafePath(path: string): boolean {
  return (
    path.length <= 300 &&
    path.split("/").every((part) => /^[A-Za-z0-9_][A-Za-z0-9._ +=@-]*$/.test(part) && !part.includes("..") && !part.endsWith("."))
  );
}

/** What somebody asked for in a repository. */
export interface HubWish {
  readonly spec: HfSpec;
  /** the short name it was asked for by */
  readonly entry?: CatalogueEntry;
  /** the variant of the spec, or of --quantization */
  readonly variant?: string;
}

/** @throws SpellError model-variant-unknown, model-ambiguous, model-layout, net-not-found with the files there are */
export function planRepository(listing: HubListing, { spec, entry, variant }: HubWish, context: HubContext): PullPlan {
  const { settings } = context;
  const name = `${listing.owner}/${listing.repo}`;
  const chosen = chooseFiles(
    listing,
    { spec, ...(entry === undefined ? {} : { entry }), ...(variant === undefined ? {} : { variant }) },
    settings.defaultQuantization,
  );
  const pinned = entry?.sha256;
  const files = chosen.files.map(
    ({ path, size, sha256, gitSha1 }): PlannedFile => ({
      kind: "remote",
      remote: {
        path,
        url: `${settings.hfEndpoint}/${name}/resolve/${listing.commit}/${path.split("/").map(encodeURIComponent).join("/")}`,
        size,
        ...(pinned !== undefined && chosen.files.length === 1 && chosen.variant === entry?.defaultQuant
          ? { sha256: pinned }
          : sha256 === undefined
            ? {}
            : { sha256 }),
        ...(gitSha1 === undefined ? {} : { gitSha1 }),
        isTrusted: true,
        gatePage: `${settings.hfEndpoint}/${name}`,
        ...secretOf(settings),
        ...(context.allowHosts === undefined ? {} : { allowHosts: context.allowHosts }),
      },
    }),
  );
  const license = entry?.license ?? listing.license;
  return {
    id: idOf(spec, entry, chosen.variant),
    key: keyOf(spec, entry, chosen.variant ?? spec.file),
    source: `hf:${name}`,
    revision: listing.commit,
    ...(license === undefined ? {} : { license }),
    ...(entry?.licenseUrl === undefined ? {} : { licenseUrl: entry.licenseUrl }),
    ...(variant === undefined && spec.file === undefined ? { byDefault: true } : {}),
    files,
    ...(chosen.variants === undefined || chosen.variants.length < 2 ? {} : { variants: chosen.variants }),
  };
}

export function idOf(spec: HfSpec, entry: CatalogueEntry | undefined, variant: string | undefined): string {
  if (entry !== undefined) return `${entry.name}${variant === undefined ? "" : `:${variant}`}`;
  const { owner, repo, file, revision } = spec;
  return printModelSpec({
    kind: "hf",
    owner,
    repo,
    ...(file === undefined ? (variant === undefined ? {} : { variant }) : { file }),
    ...(revision === undefined ? {} : { revision }),
  });
}

/** @param variant quant or file; undefined for a T5 folder */
function keyOf(spec: HfSpec, entry: CatalogueEntry | undefined, variant: string | undefined): ManifestKey {
  const last = variant === undefined ? "t5" : variant.toLowerCase();
  if (entry !== undefined) return ["catalogue", entry.name.toLowerCase(), last];
  return [...hubPrefix(spec), last];
}

/** Where manifests of a repository, or of one revision of it, lie. */
export function hubPrefix({ owner, repo, revision }: Pick<HfSpec, "owner" | "repo" | "revision">): ManifestKey {
  return ["hf", owner.toLowerCase(), repo.toLowerCase(), ...(revision === undefined ? [] : [`@${revision}`])];
}

interface ChosenFiles {
  readonly files: readonly HubFile[];
  readonly variant?: string;
  readonly variants?: readonly PlannedVariant[];
}

function chooseFiles(listing: HubListing, { spec, entry, variant }: HubWish, defaultQuant: string): ChosenFiles {
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
      commands: first === undefined ? [] : [`llmspell model pull ${name}:${first}`],
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
    return { files: withShards(only, files), ...(quant === undefined ? {} : { variant: quant }) };
  }
  throw new SpellError("model-ambiguous", `${where} holds several models: ${listed === "" ? shown(models) : listed}`, {
    where,
    commands: [`llmspell model pull ${where}/${only?.path ?? ""}`],
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
 * Files of a plan that lie in the cache of Hugging Face's own tools are taken from there.
 * @returns the plan with those files in place; the same where there are none
 */
export async function reuseCache(
  plan: PullPlan,
  { owner, repo }: Pick<HfSpec, "owner" | "repo">,
  { foreign, settings }: HubContext,
): Promise<PullPlan> {
  if (foreign === undefined || !settings.reuseHfCache || plan.revision === undefined) return plan;
  const cached = await foreign.findHubFiles(owner, repo, plan.revision);
  if (cached === undefined) return plan;
  let isUsed = false;
  const files = plan.files.map((file): PlannedFile => {
    if (file.kind !== "remote") return file;
    const found = cached.files.find(({ path }) => path === file.remote.path);
    if (found === undefined || (file.remote.size !== undefined && found.source.size !== file.remote.size)) return file;
    if (found.sha256 !== undefined && file.remote.sha256 !== undefined && found.sha256 !== file.remote.sha256) return file;
    isUsed = true;
    const [sha256, gitSha1] = [file.remote.sha256 ?? found.sha256, file.remote.gitSha1 ?? found.gitSha1];
    const hashes = { ...(sha256 === undefined ? {} : { sha256 }), ...(gitSha1 === undefined ? {} : { gitSha1 }) };
    return { kind: "external", external: { path: file.remote.path, source: found.source, verified: "size", ...hashes } };
  });
  return isUsed ? { ...plan, files, source: files.every(({ kind }) => kind === "external") ? "hf-cache" : plan.source } : plan;
}

/** A listing made of the cache alone, for machines without a network. */
export async function listCached(
  { owner, repo, revision }: Pick<HfSpec, "owner" | "repo" | "revision">,
  foreign: ForeignModels,
): Promise<HubListing | undefined> {
  const cached = await foreign.findHubFiles(owner, repo, revision ?? "main");
  if (cached === undefined) return undefined;
  const files = cached.files.map(({ path, source, sha256 }) => ({ path, size: source.size, ...(sha256 === undefined ? {} : { sha256 }) }));
  return { owner, repo, commit: cached.commit, files };
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
  const spec: HfSpec = { kind: "hf", owner, repo, ...(revision === undefined ? {} : { revision }) };
  const isSame = ({ source, revision: pin }: CatalogueEntry): boolean =>
    source?.owner.toLowerCase() === owner.toLowerCase() &&
    source.repo.toLowerCase() === repo.toLowerCase() &&
    (pin === undefined ? revision === undefined : pin === commit);
  const entry = catalogue.find(isSame);
  const models = files.filter(({ path }) => isModelGguf(path));
  if (models.length === 0) return [{ spec, ...(entry === undefined || entry.file !== undefined ? {} : { entry }) }];
  const seen = new Set<string>();
  return models.flatMap(({ path }): readonly HubWish[] => {
    const quant = quantOf(path);
    if (quant !== undefined && !seen.has(quant)) {
      seen.add(quant);
      const isListed = entry !== undefined && path === fileOfQuant(entry, quant);
      return [{ spec, variant: quant, ...(isListed ? { entry } : {}) }];
    }
    return path.includes("/") ? [] : [{ spec: { ...spec, file: path } }]; // a spec has no folders
  });
}

function fileOfQuant({ file }: CatalogueEntry, quant: string): string | undefined {
  return file?.replace("{Q}", quant).replace("{q}", quant.toLowerCase());
}

/**
 * One file at an address; all parts of a split model where the name says so.
 * @throws SpellError net-*, spec-host
 */
export async function planUrl(spec: UrlSpec, context: HubContext): Promise<PullPlan> {
  const { network, settings, allowHosts, signal } = context;
  refuseOffline(settings, spec.url);
  const url = new URL(spec.url);
  const name = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1)).replace(/[^\w.-]/g, "_") || url.hostname;
  const shard = parseShardName(name);
  const count = shard?.count ?? 1;
  const isHub = url.origin === new URL(settings.hfEndpoint).origin;
  const base = {
    ...(allowHosts === undefined ? {} : { allowHosts }),
    ...(isHub ? secretOf(settings) : {}),
    ...(isHub ? { isTrusted: true, gatePage: spec.url } : {}),
  };
  const files: PlannedFile[] = [];
  let commit: string | undefined;
  for (let index = 1; index <= count; index += 1) {
    const path = shard === undefined ? name : name.replace(/-\d{5}-of-/, `-${String(index).padStart(5, "0")}-of-`);
    const address = spec.url.replace(encodeURIComponent(name), encodeURIComponent(path));
    const { response, firstHeaders } = await request(address, network, {
      ...base,
      what: path,
      method: "HEAD",
      ...(signal === undefined ? {} : { signal }),
    });
    await discard(response);
    const size = numberOf(firstHeaders.get("x-linked-size") ?? (response.ok ? response.headers.get("content-length") : null));
    const linked = /^"([0-9a-f]{64})"$/.exec(firstHeaders.get("x-linked-etag") ?? "")?.[1];
    const sha256 = spec.sha256 ?? (isHub ? linked : undefined);
    commit ??= isHub ? (firstHeaders.get("x-repo-commit") ?? undefined) : undefined;
    files.push({
      kind: "remote",
      remote: {
        path,
        url: address,
        ...base,
        ...(size === undefined ? {} : { size }),
        ...(sha256 === undefined || count > 1 ? {} : { sha256 }),
      },
    });
  }
  return {
    id: printModelSpec(spec),
    key: ["url", url.hostname.toLowerCase(), await hashOf(spec.url), name.toLowerCase().slice(0, 80)],
    source: spec.url,
    ...(commit !== undefined && /^[0-9a-f]{40}$/.test(commit) ? { revision: commit } : {}),
    files,
  };
}

/** 32 hex digits: enough to keep addresses apart. */
export async function hashOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function numberOf(text: string | null): number | undefined {
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

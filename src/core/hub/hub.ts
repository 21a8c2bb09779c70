/**
 * The Hugging Face Hub: what a repository holds, where its files are, and how they are checked. It asks for lists; bytes are fetched by download/.
 * Which files make a model is in hub-files.ts.
 */
import { type JsonRequestOptions, requestJson } from "../download/json-request.ts";
import type { PlannedFile, PullPlan } from "../download/pull.ts";
import type { Network } from "../download/request.ts";
import { SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { ForeignModels, ManifestKey } from "../platform.ts";
import type { ModelSettings } from "../spec/model-settings.ts";
import { type HfSpec, printModelSpec } from "../spec/model-spec.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { chooseFiles, type HubFile, type HubListing, type HubWish } from "./hub-files.ts";

export interface HubContext {
  readonly network: Network;
  readonly settings: ModelSettings;
  readonly foreign?: ForeignModels | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((error: SpellError, waitMs: number) => void) | undefined;
}

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
      where: error.where,
      hint: "Check the name and the revision.",
      cause: error,
    });
  }
  return readListing(owner, repo, value);
}

/** Asked for with each request: in a page a person types it when the first one is refused. */
export function secretOf({ hfToken }: Pick<HubContext["settings"], "hfToken">): { readonly secret?: string | undefined } {
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
    return [{ path, size, sha256, gitSha1 }];
  });
  const license = isObject(cardData) && typeof cardData["license"] === "string" ? cardData["license"].slice(0, 80) : undefined;
  return { owner, repo, commit: sha, files, license };
}

/** Forward slashes, no way upwards, nothing a file system could read otherwise. */
function isSafePath(path: string): boolean {
  return (
    path.length <= 300 &&
    path.split("/").every((part) => /^[A-Za-z0-9_][A-Za-z0-9._ +=@-]*$/.test(part) && !part.includes("..") && !part.endsWith("."))
  );
}

/** @throws SpellError model-variant-unknown, model-ambiguous, model-layout, net-not-found with the files there are */
export function planRepository(listing: HubListing, { spec, entry, variant }: HubWish, context: HubContext): PullPlan {
  const { settings } = context;
  const name = `${listing.owner}/${listing.repo}`;
  const chosen = chooseFiles(listing, { spec, entry, variant }, settings.defaultQuantization);
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
    license,
    licenseUrl: entry?.licenseUrl === undefined ? undefined : entry.licenseUrl,
    byDefault: variant === undefined && spec.file === undefined ? true : undefined,
    files,
    variants: chosen.variants === undefined || chosen.variants.length < 2 ? undefined : chosen.variants,
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
    const hashes = { sha256, gitSha1 };
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
  const files = cached.files.map(({ path, source, sha256 }) => ({ path, size: source.size, sha256 }));
  return { owner, repo, commit: cached.commit, files };
}

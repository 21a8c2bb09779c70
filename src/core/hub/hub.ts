/**
 * The Hugging Face Hub: the files of a repository, their addresses and hashes. It asks for lists; download/ fetches bytes.
 * hub-files.ts says which files make a model.
 */
import type { ArrivingFile } from "../download/arrived.ts";
import { requestJson } from "../download/json-request.ts";
import type { PlannedFile, PullPlan } from "../download/pull.ts";
import { type Network, type RequestOptions, request } from "../download/request.ts";
import { sendableToken } from "../download/token.ts";
import type { RemoteFile } from "../download/transfer.ts";
import { SpellError } from "../errors.ts";
import { discard, isUnpacked, parseSize } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { isCount, isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { ForeignModels, ManifestKey } from "../platform.ts";
import { type HfSpec, printModelSpec } from "../spec/model-spec.ts";
import type { CatalogueEntry } from "./catalogue.ts";
import { chooseFiles, type HubFile, type HubListing, type HubWish } from "./hub-files.ts";
import type { ModelSettings } from "./settings.ts";

export interface HubContext {
  readonly network: Network;
  readonly settings: ModelSettings;
  readonly foreign?: ForeignModels | undefined;
  readonly allowHosts?: readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((error: SpellError, waitMs: number) => void) | undefined;
}

/** @throws SpellError net-*; net-gated names the page with the terms to accept */
export async function listRepository(
  { owner, repo, revision }: Pick<HfSpec, "owner" | "repo" | "revision">,
  context: HubContext,
): Promise<HubListing> {
  const { settings, network, signal, onRetry } = context;
  const name = `${owner}/${repo}`;
  refuseOffline(settings, name);
  const address = `${settings.hfEndpoint}/api/models/${name}/revision/${encodeURIComponent(revision ?? "main")}?blobs=true`;
  const access = hubAccess(context, `${settings.hfEndpoint}/${name}`);
  const answer = await requestJson(address, network, { ...access, signal, onRetry, what: `hf:${name}` }).catch((error: unknown) => {
    if (!(error instanceof SpellError) || error.code !== "net-not-found") throw error;
    throw error.with({ message: `the hub has no ${name} at ${revision ?? "main"}`, hint: "Check the name and the revision." });
  });
  return readListing(owner, repo, answer.value);
}

/**
 * What every request to the hub carries. The token is read for each one: on a page a person types it after the first refusal.
 * @param gatePage address with the terms to accept
 */
export function hubAccess({ settings, allowHosts }: HubContext, gatePage: string): Omit<RemoteFile, keyof ArrivingFile> {
  const token = sendableToken(settings.hfToken?.(), "the token for the hub");
  return { isTrusted: true, gatePage, secret: token === undefined ? undefined : `Bearer ${token}`, allowHosts };
}

export function refuseOffline({ offline }: ModelSettings, what: string): void {
  if (!offline) return;
  throw new SpellError("net-offline", `${what}: downloads are switched off`, {
    hint: "The option offline, models.offline or HF_HUB_OFFLINE is set; cached models run without a network.",
    actions: [{ kind: "list" }],
  });
}

function readListing(owner: string, repo: string, value: Readonly<Record<string, unknown>>): HubListing {
  const where = `hf:${owner}/${repo}`;
  const fail = (what: string): SpellError => new SpellError("net-status", `${where}: the hub's list is damaged: ${what}`, { where });
  const { sha, siblings, cardData } = value;
  if (typeof sha !== "string" || !/^[0-9a-f]{40}$/.test(sha)) throw fail("it lacks the commit");
  if (!Array.isArray(siblings)) throw fail("it lacks the files");
  if (siblings.length > limits.listingFiles)
    throw fail(`expected at most ${formatCount(limits.listingFiles)} files, got ${formatCount(siblings.length)}`);
  const files = siblings.flatMap((entry: unknown): readonly HubFile[] => {
    if (!isObject(entry) || typeof entry["rfilename"] !== "string") throw fail("a file lacks its name");
    const path = entry["rfilename"];
    if (!isSafePath(path)) return []; // models have no such files
    const lfs = entry["lfs"];
    const size = isObject(lfs) ? lfs["size"] : entry["size"];
    // some mirrors list names alone
    if (size !== undefined && (!isCount(size) || size > limits.fileBytes)) throw fail(`the size of ${path}`);
    const sha256 = isObject(lfs) ? (lfs["sha256"] ?? lfs["oid"]) : undefined;
    if (sha256 !== undefined && (typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256))) throw fail(`the hash of ${path}`);
    const git = entry["blobId"];
    const gitSha1 = sha256 === undefined && typeof git === "string" && /^[0-9a-f]{40}$/.test(git) ? git : undefined;
    return [{ path, size, sha256, gitSha1 }];
  });
  const license = isObject(cardData) && typeof cardData["license"] === "string" ? cardData["license"].slice(0, 80) : undefined;
  return { owner, repo, commit: sha, files, license };
}

/**
 * What a file's own address says of it, where a list does not. Some mirrors answer no such question: then it stays unknown.
 * @returns commit and hash of a hub, the size of any server
 */
export async function askFacts(url: string, network: Network, options: RequestOptions, isHub: boolean): Promise<AddressFacts> {
  const { response, firstHeaders } = await request(url, network, { ...options, method: "HEAD" });
  await discard(response);
  const length = response.ok && isUnpacked(response) ? response.headers.get("content-length") : null;
  const size = parseSize(firstHeaders.get("x-linked-size")) ?? parseSize(length);
  const commit = isHub ? matched(firstHeaders.get("x-repo-commit"), /^([0-9a-f]{40})$/) : undefined;
  const sha256 = isHub ? matched(firstHeaders.get("x-linked-etag"), /^(?:W\/)?"?([0-9a-f]{64})"?$/) : undefined;
  // beside the commit, the version of a small file is git's hash of it
  const git = commit === undefined || sha256 !== undefined ? undefined : matched(firstHeaders.get("etag"), /^(?:W\/)?"([0-9a-f]{40})"$/);
  return { size, sha256, gitSha1: git, commit };
}

export interface AddressFacts extends Pick<RemoteFile, "size" | "sha256" | "gitSha1"> {
  /** 40 hex digits */
  readonly commit?: string | undefined;
}

function matched(text: string | null, form: RegExp): string | undefined {
  return form.exec(text ?? "")?.[1];
}

/** Asks for what the list lacks of the chosen files. */
export async function completePlan(plan: PullPlan, { network, signal }: HubContext): Promise<PullPlan> {
  const files = plan.files.map(async (file): Promise<PlannedFile> => {
    if (file.kind === "external") return file;
    const { remote } = file;
    if (remote.size !== undefined && (remote.sha256 ?? remote.gitSha1) !== undefined) return file;
    const facts = await askFacts(remote.url, network, { ...remote, what: remote.path, signal }, true).catch((error: unknown) => {
      if (error instanceof SpellError && error.retryable) return {} as AddressFacts; // the transfer tries again
      throw error;
    });
    const { size = facts.size, sha256 = facts.sha256, gitSha1 = facts.gitSha1 } = remote;
    return { kind: "remote", remote: { ...remote, size, sha256, gitSha1 } };
  });
  return { ...plan, files: await Promise.all(files) };
}

/** Only forward slashes and plain names; no dots that lead upwards. */
function isSafePath(path: string): boolean {
  return (
    path.length <= 300 &&
    path.split("/").every((part) => /^[A-Za-z0-9_][A-Za-z0-9._ +=@-]*$/.test(part) && !part.includes("..") && !part.endsWith("."))
  );
}

/** @throws SpellError model-variant-unknown, model-ambiguous, model-layout, net-not-found with the files there are */
export function planRepository(listing: HubListing, { spec, entry, variant }: HubWish, context: HubContext): PullPlan {
  const { owner, repo, commit, license } = listing;
  const chosen = chooseFiles(listing, { spec, entry, variant }, context.settings);
  const pinned = chosen.files.length === 1 && chosen.variant === entry?.defaultQuant ? entry?.sha256 : undefined;
  const page = `${context.settings.hfEndpoint}/${owner}/${repo}`;
  const files = chosen.files.map(({ path, size, sha256, gitSha1 }): PlannedFile => {
    const url = `${page}/resolve/${commit}/${path.split("/").map(encodeURIComponent).join("/")}`;
    return { kind: "remote", remote: { path, url, size, sha256: pinned ?? sha256, gitSha1, ...hubAccess(context, page) } };
  });
  return {
    id: idOf(spec, entry, chosen.variant),
    key: keyOf(spec, entry, chosen.variant ?? spec.file),
    source: `hf:${owner}/${repo}`,
    revision: commit,
    license: entry?.license ?? license,
    licenseUrl: entry?.licenseUrl,
    byDefault: variant === undefined && spec.file === undefined ? true : undefined,
    files,
    variants: (chosen.variants?.length ?? 0) < 2 ? undefined : chosen.variants,
  };
}

export function idOf({ owner, repo, file, revision }: HfSpec, entry: CatalogueEntry | undefined, variant: string | undefined): string {
  if (entry !== undefined) return printModelSpec({ kind: "name", name: entry.name, variant });
  return printModelSpec({ kind: "hf", owner, repo, file, revision, variant: file === undefined ? variant : undefined });
}

/** @param variant quant or file; undefined for a T5 folder */
function keyOf(spec: HfSpec, entry: CatalogueEntry | undefined, variant: string | undefined): ManifestKey {
  const prefix = entry === undefined ? hubPrefix(spec) : ["catalogue", entry.name.toLowerCase()];
  return [...prefix, variant?.toLowerCase() ?? "t5"];
}

/** First parts of the keys of a repository's manifests, or of those of one revision. */
export function hubPrefix({ owner, repo, revision }: Pick<HfSpec, "owner" | "repo" | "revision">): ManifestKey {
  return ["hf", owner.toLowerCase(), repo.toLowerCase(), ...(revision === undefined ? [] : [`@${revision}`])];
}

/**
 * Takes files of a plan from the cache of Hugging Face's own tools where they are cached.
 * @returns the plan with those files as external ones; the plan itself without such files
 */
export async function reuseCache(
  plan: PullPlan,
  { owner, repo }: Pick<HfSpec, "owner" | "repo">,
  { foreign, settings }: HubContext,
): Promise<PullPlan> {
  if (foreign === undefined || !settings.reuseHfCache || plan.revision === undefined) return plan;
  const cached = await foreign.findHubFiles(owner, repo, plan.revision);
  if (cached === undefined) return plan;
  const files = plan.files.map((file): PlannedFile => {
    if (file.kind !== "remote") return file;
    const { path, size, sha256, gitSha1 } = file.remote;
    const found = cached.files.find((each) => each.path === path);
    if (found === undefined || found.source.size !== (size ?? found.source.size)) return file;
    const hashes = { sha256: sha256 ?? found.sha256, gitSha1: gitSha1 ?? found.gitSha1 };
    if (hashes.sha256 !== (found.sha256 ?? hashes.sha256)) return file;
    return { kind: "external", external: { path, source: found.source, verified: "size", ...hashes } };
  });
  const isUsed = files.some((file, index) => file !== plan.files[index]);
  return isUsed ? { ...plan, files, source: files.every(({ kind }) => kind === "external") ? "hf-cache" : plan.source } : plan;
}

/** A listing made from the cache alone, without the network. @returns undefined if the cache has nothing of it */
export async function listCached(
  { owner, repo, revision }: Pick<HfSpec, "owner" | "repo" | "revision">,
  foreign: ForeignModels,
): Promise<HubListing | undefined> {
  const cached = await foreign.findHubFiles(owner, repo, revision ?? "main");
  if (cached === undefined) return undefined;
  const files = cached.files.map(({ path, source, sha256 }) => ({ path, size: source.size, sha256 }));
  return { owner, repo, commit: cached.commit, files };
}

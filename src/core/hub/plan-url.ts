/** A model at an address: what its server says about the file before it is fetched. */
import type { PlannedFile, PullPlan } from "../download/pull.ts";
import { request } from "../download/request.ts";
import { discard } from "../formats/byte-source.ts";
import { parseShardName } from "../gguf/shards.ts";
import { printModelSpec, type UrlSpec } from "../spec/model-spec.ts";
import { type HubContext, hubAccess, refuseOffline } from "./hub.ts";

/** One file at an address, or all parts of a split model if the name is that of a part. @throws SpellError net-*, spec-host */
export async function planUrl(spec: UrlSpec, context: HubContext): Promise<PullPlan> {
  const { network, settings, allowHosts, signal } = context;
  refuseOffline(settings, spec.url);
  const url = new URL(spec.url);
  const name = decodeURIComponent(url.pathname.slice(url.pathname.lastIndexOf("/") + 1)).replace(/[^\w.-]/g, "_") || url.hostname;
  const shard = parseShardName(name);
  const count = shard?.count ?? 1;
  const isHub = url.origin === new URL(settings.hfEndpoint).origin;
  const access = isHub ? hubAccess(context, spec.url) : { allowHosts };
  const files: PlannedFile[] = [];
  let commit: string | undefined;
  for (let index = 1; index <= count; index += 1) {
    const path = shard === undefined ? name : name.replace(/-\d{5}-of-/, `-${String(index).padStart(5, "0")}-of-`);
    const address = spec.url.replace(encodeURIComponent(name), encodeURIComponent(path));
    const { response, firstHeaders } = await request(address, network, { ...access, what: path, method: "HEAD", signal });
    await discard(response);
    const size = numberOf(firstHeaders.get("x-linked-size") ?? (response.ok ? response.headers.get("content-length") : null));
    const linked = /^"([0-9a-f]{64})"$/.exec(firstHeaders.get("x-linked-etag") ?? "")?.[1];
    const sha256 = count > 1 ? undefined : (spec.sha256 ?? (isHub ? linked : undefined));
    commit ??= isHub ? (firstHeaders.get("x-repo-commit") ?? undefined) : undefined;
    files.push({ kind: "remote", remote: { path, url: address, ...access, size, sha256 } });
  }
  return {
    id: printModelSpec(spec),
    key: ["url", url.hostname.toLowerCase(), await hashOf(spec.url), name.toLowerCase().slice(0, 80)],
    source: spec.url,
    revision: commit !== undefined && /^[0-9a-f]{40}$/.test(commit) ? commit : undefined,
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

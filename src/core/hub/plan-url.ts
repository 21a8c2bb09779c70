/** A model at an address: what its server says about the file before it is fetched. */
import type { PlannedFile, PullPlan } from "../download/pull.ts";
import { parseShardName } from "../gguf/shards.ts";
import { printModelSpec, type UrlSpec } from "../spec/model-spec.ts";
import { decodeUri } from "../values.ts";
import { askFacts, type HubContext, hubAccess, refuseOffline } from "./hub.ts";

/** One file at an address, or all parts of a split model if the name is that of a part. @throws SpellError net-*, spec-host */
export async function planUrl(spec: UrlSpec, context: HubContext): Promise<PullPlan> {
  const { network, settings, allowHosts, signal } = context;
  refuseOffline(settings, spec.url);
  const url = new URL(spec.url);
  const name = decodeUri(url.pathname.slice(url.pathname.lastIndexOf("/") + 1)).replace(/[^\w.-]/g, "_") || url.hostname;
  const shard = parseShardName(name);
  const count = shard?.count ?? 1;
  const isHub = url.origin === new URL(settings.hfEndpoint).origin;
  const access = isHub ? hubAccess(context, spec.url) : { allowHosts };
  const files: PlannedFile[] = [];
  let commit: string | undefined;
  for (let index = 1; index <= count; index += 1) {
    const path = shard === undefined ? name : name.replace(/-\d{5}-of-/, `-${String(index).padStart(5, "0")}-of-`);
    const address = spec.url.replace(encodeURIComponent(name), encodeURIComponent(path));
    const facts = await askFacts(address, network, { ...access, what: path, signal }, isHub);
    const sha256 = count > 1 ? facts.sha256 : (spec.sha256 ?? facts.sha256);
    commit ??= facts.commit;
    files.push({ kind: "remote", remote: { path, url: address, ...access, size: facts.size, sha256 } });
  }
  return {
    id: printModelSpec(spec),
    key: ["url", url.hostname.toLowerCase(), await hashOf(spec.url), name.toLowerCase().slice(0, 80)],
    source: spec.url,
    revision: commit,
    files,
  };
}

/** 32 hex digits: enough to keep addresses apart. */
export async function hashOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return [...digest.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * The Ollama registry: a manifest, and blobs by digest. Of an image only the model itself is fetched: it is plain GGUF, with its own template.
 * Source: Docker Registry HTTP API v2, as registry.ollama.ai speaks it.
 */
import { requestJson } from "../download/json-request.ts";
import type { PlannedFile, PullPlan } from "../download/pull.ts";
import { type Network, request } from "../download/request.ts";
import { SpellError } from "../errors.ts";
import { discard } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { isObject } from "../json.ts";
import { limits } from "../limits.ts";
import type { ForeignModels, ManifestKey } from "../platform.ts";
import { type OllamaSpec, printModelSpec } from "../spec/model-spec.ts";
import { type HubContext, refuseOffline } from "./hub.ts";

const manifestType = "application/vnd.docker.distribution.manifest.v2+json";
const modelType = "application/vnd.ollama.image.model";
const layerTypes = /^application\/vnd\.ollama\.image\.(model|template|system|params|license|messages|projector|adapter|prompt)$/;

interface Layer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export function registryKey({ namespace, name, tag }: OllamaSpec): ManifestKey {
  return ["ollama", namespace ?? "library", name, (tag ?? "latest").toLowerCase()];
}

/** @throws SpellError net-*, model-layout */
export async function planRegistry(spec: OllamaSpec, context: HubContext): Promise<PullPlan> {
  const { settings, network, foreign } = context;
  const id = printModelSpec({
    kind: "registry",
    namespace: spec.namespace,
    name: spec.name,
    tag: spec.tag ?? "latest",
    backend: "candle", // without it the name is one of a server's, where one is declared
  });
  const path = `${spec.namespace ?? "library"}/${spec.name}`;
  const base = { id, key: registryKey(spec), source: `ollama:${path}` };
  if (foreign !== undefined && settings.reuseOllamaStore) {
    const there = await openStored(foreign, path, spec.tag ?? "latest");
    if (there !== undefined) return { ...base, source: "ollama-store", files: [there] };
  }
  refuseOffline(settings, id);
  const registry = settings.ollamaRegistry;
  const secret = await askToken(`${registry}/v2/${path}/manifests/${spec.tag ?? "latest"}`, network, context);
  const shared = {
    isTrusted: true,
    secret,
    allowHosts: context.allowHosts,
  };
  const { value } = await requestJson(`${registry}/v2/${path}/manifests/${spec.tag ?? "latest"}`, network, {
    ...shared,
    what: id,
    headers: { accept: manifestType },
    ...(context.signal === undefined ? {} : { signal: context.signal }),
    ...(context.onRetry === undefined ? {} : { onRetry: context.onRetry }),
  });
  const model = readImage(value, id);
  const remote = {
    path: `${spec.name}-${spec.tag ?? "latest"}.gguf`,
    url: `${registry}/v2/${path}/blobs/${model.digest}`,
    size: model.size,
    sha256: model.digest.slice("sha256:".length),
    ...shared,
  };
  return { ...base, files: [{ kind: "remote", remote }] };
}

/** The model layer of an image. */
function readImage(value: Readonly<Record<string, unknown>>, id: string): Layer {
  const fail = (code: "net-status" | "net-size" | "net-too-big", what: string): SpellError =>
    new SpellError(code, `${id}: the registry's manifest cannot be used: ${what}`, { where: id });
  if (value["schemaVersion"] !== 2) throw fail("net-status", "it is of an unknown version");
  if (value["mediaType"] !== undefined && value["mediaType"] !== manifestType)
    throw fail("net-status", `it is ${JSON.stringify(value["mediaType"])}`);
  const { layers, config } = value;
  if (!Array.isArray(layers)) throw fail("net-status", "it holds no layers");
  if (layers.length > limits.registryLayers) throw fail("net-too-big", `it holds ${formatCount(layers.length)} layers`);
  const read = (layer: unknown): Layer => {
    if (!isObject(layer) || typeof layer["mediaType"] !== "string" || typeof layer["digest"] !== "string")
      throw fail("net-status", "a layer is not told completely");
    const { mediaType, digest, size } = layer;
    if (!/^sha256:[0-9a-f]{64}$/.test(digest as string)) throw fail("net-status", `${JSON.stringify(digest)} is no digest`);
    if (typeof size !== "number" || !Number.isSafeInteger(size) || size < 0 || size > limits.fileBytes)
      throw fail("net-status", "a layer has no size that can be");
    return { mediaType: mediaType as string, digest: digest as string, size };
  };
  const all = layers.map(read);
  const strange = all.find(({ mediaType }) => !layerTypes.test(mediaType));
  if (strange !== undefined) throw fail("net-status", `a layer is ${JSON.stringify(strange.mediaType.slice(0, 80))}`);
  if (config !== undefined && read(config).size > limits.registryTextBytes) throw fail("net-size", "its configuration is too long");
  const text = all.find(
    ({ mediaType, size }) => /(template|system|params|license|messages|prompt)$/.test(mediaType) && size > limits.registryTextBytes,
  );
  if (text !== undefined) throw fail("net-size", `${text.mediaType} is too long`);
  if (new Set(all.map(({ digest, mediaType }) => `${digest} ${mediaType}`)).size !== all.length)
    throw fail("net-size", "it lists a blob twice");
  const models = all.filter(({ mediaType }) => mediaType === modelType);
  const [model, second] = models;
  if (model === undefined || second !== undefined) {
    throw new SpellError("model-layout", `${id}: wanted one model; the image holds ${models.length}`, { where: id });
  }
  return model;
}

/**
 * Some registries want a token even from those who need none. It is asked for at the registry's own host only.
 * @returns the value of Authorization, or undefined where nothing is wanted
 */
async function askToken(address: string, network: Network, { signal, allowHosts }: HubContext): Promise<string | undefined> {
  const base = { isTrusted: true, allowHosts, signal };
  const { response, url } = await request(address, network, {
    ...base,
    what: "the registry",
    method: "HEAD",
    headers: { accept: manifestType },
  });
  await discard(response);
  if (response.status !== 401) return undefined;
  const challenge = response.headers.get("www-authenticate") ?? "";
  const part = (name: string): string | undefined => new RegExp(`${name}="([^"]{0,500})"`).exec(challenge)?.[1];
  const realm = part("realm");
  if (!/^bearer /i.test(challenge) || realm === undefined || !URL.canParse(realm)) {
    throw new SpellError("net-auth", `${url.host} wants to know who asks, and does not say how`, {
      where: url.host,
      hint: "Pull the model with Ollama itself.",
    });
  }
  const service = new URL(realm);
  if (service.host !== url.host || (service.protocol !== "https:" && service.protocol !== url.protocol)) {
    throw new SpellError("net-auth", `${url.host} sends for a token to ${service.host}, another host; nothing is sent there`, {
      where: service.host,
      hint: "Pull the model with Ollama itself.",
    });
  }
  for (const name of ["service", "scope"]) {
    const text = part(name);
    if (text !== undefined) service.searchParams.set(name, text);
  }
  const { value } = await requestJson(service.href, network, { ...base, what: "the registry's token" });
  const token = value["token"] ?? value["access_token"];
  return typeof token === "string" && token.length <= 8192 ? `Bearer ${token}` : undefined;
}

/** The model in Ollama's own store on this machine. */
async function openStored(foreign: ForeignModels, path: string, tag: string): Promise<PlannedFile | undefined> {
  const manifest = await foreign.readOllamaManifest(`registry.ollama.ai/${path}`, tag);
  if (!isObject(manifest)) return undefined;
  let layer: Layer;
  try {
    layer = readImage(manifest, path);
  } catch {
    return undefined; // what another tool keeps there is its own business
  }
  const name = `${path.slice(path.lastIndexOf("/") + 1)}-${tag}.gguf`;
  const source = await foreign.openOllamaBlob(layer.digest, name);
  if (source === undefined || source.size !== layer.size) return undefined;
  return { kind: "external", external: { path: name, source, sha256: layer.digest.slice("sha256:".length), verified: "size" } };
}

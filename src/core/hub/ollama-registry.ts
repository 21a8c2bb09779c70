/**
 * The Ollama registry: a manifest, and blobs by digest. Only the model layer of an image is fetched: a plain GGUF with its own template.
 * Source: Docker Registry HTTP API v2, as registry.ollama.ai speaks it.
 */
import { requestJson } from "../download/json-request.ts";
import type { PlannedFile, PullPlan } from "../download/pull.ts";
import { type Network, request } from "../download/request.ts";
import { sendableToken } from "../download/token.ts";
import { SpellError } from "../errors.ts";
import { discard } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { isCount, isObject } from "../json.ts";
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

export function registryKey({ host, namespace = "library", name, tag = "latest" }: OllamaSpec): ManifestKey {
  const at = host === undefined ? [] : [host];
  return ["ollama", ...at, namespace, name, tag].map((part) => part.toLowerCase());
}

/** @throws SpellError net-*, model-layout */
export async function planRegistry(spec: OllamaSpec, context: HubContext): Promise<PullPlan> {
  const { settings, network, foreign, allowHosts, signal, onRetry } = context;
  const { host, namespace, name, tag = "latest" } = spec;
  // without the backend the name is one of an Ollama server, if one is configured
  const id = printModelSpec({ ...spec, tag, backend: "candle" });
  const path = `${namespace ?? "library"}/${name}`;
  const base = { id, key: registryKey(spec), source: `ollama:${path}` };
  if (foreign !== undefined && settings.reuseOllamaStore) {
    const stored = await openStored(foreign, `${host ?? "registry.ollama.ai"}/${path}`, tag);
    if (stored !== undefined) return { ...base, source: "ollama-store", files: [stored] };
  }
  if (host !== undefined) {
    const pulled = printModelSpec({ ...spec, tag, backend: "ollama" });
    throw new SpellError(
      "spec-host",
      `${id} is not asked: expected a model of registry.ollama.ai, or one that Ollama has stored; got ${host}`,
      {
        where: host,
        hint: "Ollama itself speaks to other registries:",
        actions: [{ kind: "pull", model: pulled }],
      },
    );
  }
  refuseOffline(settings, id);
  const image = `${settings.ollamaRegistry}/v2/${path}`;
  const address = `${image}/manifests/${tag}`;
  const access = { isTrusted: true, secret: await askToken(address, network, context), allowHosts };
  const headers = { accept: manifestType };
  const { value } = await requestJson(address, network, { ...access, what: id, headers, signal, onRetry });
  const { digest, size } = readImage(value, id);
  const remote = { path: `${name}-${tag}.gguf`, url: `${image}/blobs/${digest}`, size, sha256: hexOf(digest), ...access };
  return { ...base, files: [{ kind: "remote", remote }] };
}

/** The model layer of an image. */
function readImage(value: Readonly<Record<string, unknown>>, id: string): Layer {
  const fail = (code: "net-status" | "net-size" | "net-too-big", what: string): SpellError =>
    new SpellError(code, `${id}: the registry's manifest is damaged: ${what}`, { where: id });
  if (value["schemaVersion"] !== 2) throw fail("net-status", "unknown version");
  if (value["mediaType"] !== undefined && value["mediaType"] !== manifestType)
    throw fail("net-status", `unknown type ${JSON.stringify(value["mediaType"])}`);
  const { layers, config } = value;
  if (!Array.isArray(layers)) throw fail("net-status", "it lacks layers");
  if (layers.length > limits.registryLayers) throw fail("net-too-big", `${formatCount(layers.length)} layers`);
  const read = (layer: unknown): Layer => {
    const { mediaType, digest, size } = isObject(layer) ? layer : {};
    if (typeof mediaType !== "string" || typeof digest !== "string") throw fail("net-status", "a layer is incomplete");
    if (!/^sha256:[0-9a-f]{64}$/.test(digest)) throw fail("net-status", `expected a digest, got ${JSON.stringify(digest.slice(0, 80))}`);
    if (!isCount(size) || size > limits.fileBytes) throw fail("net-status", "the size of a layer");
    return { mediaType, digest, size };
  };
  const all = layers.map(read);
  const strange = all.find(({ mediaType }) => !layerTypes.test(mediaType));
  if (strange !== undefined) throw fail("net-status", `unknown layer ${JSON.stringify(strange.mediaType.slice(0, 80))}`);
  if (config !== undefined && read(config).size > limits.registryTextBytes) throw fail("net-size", "its configuration is too long");
  const texts = all.filter(({ mediaType }) => /(template|system|params|license|messages|prompt)$/.test(mediaType));
  const text = texts.find(({ size }) => size > limits.registryTextBytes);
  if (text !== undefined) throw fail("net-size", `${text.mediaType} is too long`);
  if (new Set(all.map(({ digest, mediaType }) => `${digest} ${mediaType}`)).size !== all.length)
    throw fail("net-size", "it lists a blob twice");
  const models = all.filter(({ mediaType }) => mediaType === modelType);
  if (models[0] === undefined || models.length > 1)
    throw new SpellError("model-layout", `${id}: expected one model in the image, got ${models.length}`, { where: id });
  return models[0];
}

/**
 * Some registries demand a token for public images too. It is requested at the registry's own host only.
 * @returns the value of Authorization; undefined if the registry demands none
 */
async function askToken(address: string, network: Network, { signal, allowHosts }: HubContext): Promise<string | undefined> {
  const base = { isTrusted: true, allowHosts, signal };
  const headers = { accept: manifestType };
  const { response, url } = await request(address, network, { ...base, what: "the registry", method: "HEAD", headers });
  await discard(response);
  if (response.status !== 401) return undefined;
  const challenge = response.headers.get("www-authenticate") ?? "";
  const part = (name: string): string | undefined => new RegExp(`${name}="([^"]{0,500})"`).exec(challenge)?.[1];
  const hint = "Pull the model with Ollama itself.";
  const realm = part("realm") ?? "";
  if (!/^bearer /i.test(challenge) || !URL.canParse(realm))
    throw new SpellError("net-auth", `${url.host} demands a login of an unknown kind`, { where: url.host, hint });
  const service = new URL(realm);
  if (service.host !== url.host || (service.protocol !== "https:" && service.protocol !== url.protocol))
    throw new SpellError("net-auth", `${url.host} sends to ${service.host} for a token; other hosts are not asked`, {
      where: service.host,
      hint,
    });
  for (const name of ["service", "scope"]) {
    const text = part(name);
    if (text !== undefined) service.searchParams.set(name, text);
  }
  const { value } = await requestJson(service.href, network, { ...base, what: "the registry's token" });
  const answer = value["token"] ?? value["access_token"];
  const token = sendableToken(typeof answer === "string" ? answer : undefined, `the token of ${service.host}`, { hint });
  return token === undefined ? undefined : `Bearer ${token}`;
}

/** The model in Ollama's own store on this machine, if it is complete there. */
async function openStored(foreign: ForeignModels, path: string, tag: string): Promise<PlannedFile | undefined> {
  const manifest = await foreign.readOllamaManifest(path, tag);
  if (!isObject(manifest)) return undefined;
  let layer: Layer;
  try {
    layer = readImage(manifest, path);
  } catch {
    return undefined; // unreadable for us; the registry is asked instead
  }
  const name = `${path.slice(path.lastIndexOf("/") + 1)}-${tag}.gguf`;
  const source = await foreign.openOllamaBlob(layer.digest, name);
  if (source === undefined || source.size !== layer.size) return undefined;
  return { kind: "external", external: { path: name, source, sha256: hexOf(layer.digest), verified: "size" } };
}

const hexOf = (digest: string): string => digest.slice("sha256:".length);

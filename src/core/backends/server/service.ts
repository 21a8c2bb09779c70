/** A service elsewhere as a backend: everything but the words of its wire. Its models are called as it likes. */
import type { HttpProvider } from "../../config/config.generated.ts";
import { providerOf } from "../../config/providers.ts";
import { messageOf, SpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { limits } from "../../limits.ts";
import { isModelSpec, type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import { type Json, numberOf, objects, positiveOf, textOf, timeOf } from "../answer-values.ts";
import type { Backend, BackendHost, FileSource } from "../backend.ts";
import type { ModelInfo, ModelRecord } from "../models.ts";
import { isFileName } from "../unknown-model.ts";
import { readAnswer } from "./answer.ts";
import { type Asked, failureOf, networkFailure, noModel } from "./failure.ts";
import { findKey, sendableKey, variableInUse } from "./key.ts";
import { openServiceModel, refuseMachine } from "./model.ts";
import { createSender } from "./send.ts";
import { serverSettings } from "./settings.ts";
import type { Wire } from "./wire.ts";

/** Of a list that goes on, this many pages are read. */
const mostPages = 20;

export function createService({ config, network, parse }: BackendHost, provider: string, wire: Wire): Backend {
  const configured = providerOf(config.config, provider) as (HttpProvider & { readonly provider_type: string }) | undefined;
  if (configured === undefined) throw new Error(`provider ${provider} is not declared`);
  const type = configured.provider_type;
  const given = serverSettings(configured);
  // an address for OpenAI's clients ends in what these paths begin with
  const settings = wire.modelsPath.startsWith("/v1/") ? { ...given, baseUrl: given.baseUrl.replace(/\/v1$/, "") } : given;
  const variable = variableInUse(config, provider);
  const key = () => sendableKey(config, provider);
  const sender = createSender({
    what: provider,
    network,
    settings,
    headers: wire.headers,
    secret: () => {
      const own = key();
      return own === undefined ? { secret: undefined } : wire.secret(own);
    },
    passes: (status) => status === 408 || status === 429 || status >= 500,
  });
  const asked = (): Asked => ({ provider, url: sender.url, variable, key: key(), login: sender.login });

  /** As people type it here: in the form that is read as the same name. */
  const idOf = (name: string): string =>
    [`${name}@${provider}`, `${provider}/${name}`].find((id) => {
      try {
        const spec = parse(id);
        return spec.kind === "name" && spec.name === name && spec.backend === provider.toLowerCase();
      } catch {
        return false;
      }
    }) ?? `${provider}/${name}`;

  const list = async (signal?: AbortSignal): Promise<readonly Json[]> => {
    const found: Json[] = [];
    let path = wire.modelsPath;
    for (let page = 0; page < mostPages; page += 1) {
      const whom = asked();
      try {
        const answer = await sender.send(path, { signal }, (refusal) => failureOf(refusal, whom));
        const value = await readAnswer(sender, answer, limits.listingBytes, notList, signal);
        if (!isObject(value) || !Array.isArray(value["data"])) throw notList("no list of models");
        found.push(...objects(value["data"]).filter((model) => textOf(model["id"]) !== undefined));
        const last = textOf(value["last_id"]);
        if (value["has_more"] !== true || last === undefined) return found;
        path = `${wire.modelsPath}${wire.modelsPath.includes("?") ? "&" : "?"}after_id=${encodeURIComponent(last)}`;
      } catch (error) {
        throw error instanceof SpellError ? networkFailure(error, whom) : error;
      }
    }
    return found;
  };
  const notList = (what: string): SpellError =>
    new SpellError("provider-error", `${provider} at ${new URL(sender.url).host} answered ${what}`, {
      hint: `Check base_url: of most servers it ends in /v1; it is ${sender.url}.`,
    });

  const recordOf = (model: Json): ModelRecord => ({
    id: idOf(textOf(model["id"]) ?? ""),
    backend: type,
    format: null,
    architecture: null,
    parameterCount: metaOf(model, "n_params"),
    quantization: null,
    sizeBytes: metaOf(model, "size"),
    modifiedAt: positiveOf(model["created"]) ?? timeOf(model["created_at"]) ?? null,
    source: textOf(model["owned_by"])?.slice(0, 100) ?? null,
    revision: null,
    license: null,
    verified: "none",
    bundled: false,
    loaded: false,
    path: null,
    aliases: [],
  });

  return {
    name: provider,
    type,
    // the wait for an answer is watched by the request itself, which knows of retries
    calls: { ...settings.calls, timeoutMs: Number.POSITIVE_INFINITY },
    claims: async (spec, how) => how === "default" && !isFileName(spec.name),
    async find(source, options) {
      const name = nameOf(source, provider);
      refuseMachine(options, provider);
      const id = idOf(name);
      return {
        id,
        key: name,
        async open() {
          key();
          return openServiceModel({ name, id, wire, sender, clock: network.clock, asked });
        },
      };
    },
    async status(looks) {
      const base = { configured: true, url: sender.url };
      try {
        key();
        if (!looks) return { ...base, ready: true };
        return { ...base, running: true, models: (await list()).length };
      } catch (error) {
        const hasKey = findKey(config, provider) !== undefined;
        return { ...base, ...(looks && hasKey ? { running: false } : { ready: false }), error: messageOf(error) };
      }
    },
    list: async (signal) => (await list(signal)).map(recordOf),
    async info(source, { signal }): Promise<ModelInfo> {
      const name = nameOf(source, provider);
      const model = (await list(signal)).find(({ id }) => id === name);
      if (model === undefined) throw noModel(provider, name);
      return {
        ...recordOf(model),
        contextLength: positiveOf(model["max_model_len"]) ?? positiveOf(model["context_length"]) ?? metaOf(model, "n_ctx_train"),
        embeddingLength: metaOf(model, "n_embd"),
        blockCount: null,
        vocabSize: metaOf(model, "n_vocab"),
        chatTemplate: null,
        capabilities: [],
        licenseUrl: null,
        files: [],
        fits: null,
        device: null,
        notes: [],
      };
    },
  };
}

/** What llama.cpp's server says of a model. */
function metaOf({ meta }: Json, key: string): number | null {
  return (isObject(meta) ? (numberOf(meta[key]) ?? null) : null) || null;
}

/** @throws SpellError spec-syntax */
function nameOf(source: ModelSpec | FileSource, provider: string): string {
  if (isModelSpec(source) && source.kind === "name") return source.variant === undefined ? source.name : `${source.name}:${source.variant}`;
  const what = isModelSpec(source) ? printModelSpec(source) : "a file";
  throw new SpellError("spec-syntax", `${what} is no model of ${provider}: expected ${provider}/NAME, as the service calls it`, {
    actions: [{ kind: "list", backend: provider }],
  });
}

/** A running Ollama server as a backend. */
import { messageOf, SpellError } from "../../errors.ts";
import { isObject } from "../../json.ts";
import { isModelSpec, type ModelSpec, printModelSpec, printServerName } from "../../spec/model-spec.ts";
import { type Json, numberOf, objects, positiveOf, textOf, timeOf } from "../answer-values.ts";
import type { Backend, BackendHost, FileSource } from "../backend.ts";
import { type AvailableModel, type ModelInfo, type ModelRecord, passes } from "../models.ts";
import { createPullProgress } from "../pull-progress.ts";
import { sendableKey } from "../server/key.ts";
import { isFileName } from "../unknown-model.ts";
import { createOllamaClient, type OllamaClient } from "./client.ts";
import { architectureOf, contextOf, openOllamaModel } from "./model.ts";
import { ollamaSettings } from "./settings.ts";

/** A server that is not configured must answer within this. */
const glanceMs = 300;

export function createOllama({ config, network, platform, isDeclared, parse }: BackendHost, provider: string): Backend {
  const settings = ollamaSettings(config.config, provider);
  if (settings === undefined) throw new Error(`provider ${provider} is not declared`);
  const reads = (id: string): readonly string[] => {
    try {
      const { backend, ...spec } = parse(id);
      return backend === provider.toLowerCase() ? namesOf(spec) : [];
    } catch {
      return [];
    }
  };
  /** A name of the server as people type it here: the short form where it is read as the same name. */
  const typed = (name: string): string | undefined =>
    [`${name}@${provider}`, `ollama:${name}@${provider}`].find((id) => reads(id).includes(name));
  const key = () => sendableKey(config, provider);
  const client = createOllamaClient(network, settings, key, (name) => typed(name) ?? `${name}@${provider}`);
  const named = async (path: string, signal: AbortSignal | undefined): Promise<readonly Json[]> =>
    objects((await client.ask(path, { method: "GET", signal }))["models"]).filter((model) => nameIn(model) !== undefined);
  const hasName = (model: Json): boolean => typed(nameIn(model) ?? "") !== undefined;
  const list = async (signal?: AbortSignal): Promise<readonly Json[]> => (await named("/api/tags", signal)).filter(hasName);
  const running = async (signal?: AbortSignal): Promise<readonly Json[]> => (await named("/api/ps", signal)).filter(hasName);
  /** What the server itself calls a model. */
  const look = async (source: ModelSpec | FileSource, signal?: AbortSignal): Promise<{ readonly name: string; readonly model?: Json }> => {
    const names = namesOf(source);
    const models = await list(signal).catch((error: unknown): readonly Json[] => {
      // it may answer for one model all the same
      if (error instanceof SpellError && error.code === "ollama-error") return [];
      throw error;
    });
    const model = findNamed(models, names);
    return { name: nameIn(model ?? {}) ?? names.at(-1) ?? "", ...(model && { model }) };
  };
  const record = (model: Json, loaded: readonly Json[]): ModelRecord => recordOf(model, client, loaded);

  return {
    name: provider,
    type: "ollama",
    calls: settings.calls,
    async claims(spec, how) {
      // a file named without ./ is no business of a server
      if (how === "sure" || how === "known" || isFileName(spec.name)) return false;
      if (how === "default" || isDeclared(provider)) return true;
      if (platform.looksForServers !== true) return false;
      const models = await list(AbortSignal.timeout(glanceMs)).catch(() => undefined);
      if (models === undefined) return { reason: `no Ollama server was found at ${client.url}`, isServerThere: false };
      if (findNamed(models, namesOf(spec)) !== undefined) return true;
      return { reason: `the Ollama server at ${client.url} does not have it`, isServerThere: true };
    },
    async find(source, { contextSize = settings.contextSize, threads = 0, signal: asking }) {
      const { name } = await look(source, asking);
      const load = { contextSize, threads };
      return {
        id: client.idOf(name),
        key: `${name} ${JSON.stringify(load)}`,
        open: ({ signal }) => openOllamaModel(client, name, network.clock, settings, load, signal),
      };
    },
    async status() {
      try {
        const { version } = await client.ask("/api/version");
        if (typeof version !== "string")
          throw new SpellError("ollama-error", `${client.url} does not answer like an Ollama server`, { where: client.url });
        return { configured: true, url: client.url, running: true, models: (await list()).length, version: version.slice(0, 40) };
      } catch (error) {
        return { configured: true, url: client.url, running: false, models: 0, error: messageOf(error) };
      }
    },
    async list(signal) {
      const [all, loaded] = await Promise.all([named("/api/tags", signal), running(signal)]);
      const models = all.filter(hasName);
      const message = `${all.length - models.length} models of the Ollama server at ${client.url} are left out: their names are none that Ollama takes`;
      if (models.length < all.length) platform.log({ level: "warn", message });
      return models.map((model) => record(model, loaded));
    },
    available: async (filter) => examples.filter((model) => passes(model, filter)),
    async info(source, { signal }) {
      const { name, model = { name } } = await look(source, signal);
      const shown = await client.ask("/api/show", { body: { model: name }, signal, name });
      return infoOf(shown, record(model, await running(signal)));
    },
    offer: async (spec) => ({
      id: client.idOf(namesOf(spec).at(-1) ?? ""),
      backend: "ollama",
      sizeBytes: undefined,
      missingBytes: undefined,
    }),
    async pull(spec, { signal, onProgress, onEvent }) {
      const { name, model: before } = await look(spec, signal);
      const [modelId, backend] = [client.idOf(name), "ollama"];
      const progress = createPullProgress(network.clock, onProgress);
      const layers = new Map<string, { readonly bytes: number; readonly total: number }>();
      const sum = (key: "bytes" | "total"): number => [...layers.values()].reduce((all, layer) => all + layer[key], 0);
      let status = "";
      for await (const line of pulling(client.lines("/api/pull", { body: { model: name, stream: true }, signal }))) {
        status = (textOf(line["status"]) ?? "").slice(0, 200);
        const [layer, total] = [textOf(line["digest"]), numberOf(line["total"])];
        if (layer !== undefined && total !== undefined) layers.set(layer, { bytes: numberOf(line["completed"]) ?? 0, total });
        const [bytes, totalBytes] = [sum("bytes"), layers.size === 0 ? undefined : sum("total")];
        onEvent?.({ type: "server-progress", model: modelId, status, bytes, totalBytes });
        progress.tell({
          modelId,
          backend,
          status: /^verifying|^writing/.test(status) ? "verifying" : "downloading",
          bytes,
          total: totalBytes,
        });
      }
      if (status !== "success")
        throw new SpellError("ollama-error", `${client.url} ended the pull of ${name} without success`, { where: client.url });
      const { model: after } = await look(spec, signal);
      return progress.end({
        modelId,
        backend,
        status: "complete",
        percentComplete: 100,
        bytesDownloaded: sum("bytes"),
        bytesTotal: numberOf(after?.["size"]),
        verified: "sha256",
        alreadyPresent: before !== undefined && before["digest"] === after?.["digest"],
      });
    },
    async remove(spec) {
      const { name, model } = await look(spec);
      await client.ask("/api/delete", { method: "DELETE", body: { model: name }, name });
      return { modelId: client.idOf(name), freedBytes: numberOf(model?.["size"]) ?? 0, keptFiles: [] };
    },
    async running(signal) {
      const found = await running(signal).catch((error: unknown): readonly Json[] => {
        if (!(error instanceof SpellError) || signal?.aborted === true || isDeclared(provider)) throw error;
        platform.log({ level: "info", message: `${provider} is left out: ${error.message}` });
        return [];
      });
      return found.map((model) => ({
        modelId: client.idOf(nameIn(model) ?? ""),
        backend: "ollama",
        sizeBytes: numberOf(model["size"]) ?? 0,
        gpuBytes: numberOf(model["size_vram"]) ?? 0,
        contextLength: positiveOf(model["context_length"]),
        expiresAt: timeOf(model["expires_at"]),
      }));
    },
  };
}

/** A pull whose failure says who pulls. */
async function* pulling(lines: AsyncIterable<Json>): AsyncGenerator<Json, void, undefined> {
  try {
    yield* lines;
  } catch (error) {
    if (!(error instanceof SpellError) || error.code !== "ollama-error") throw error;
    throw error.with({ hint: "The server itself fetches its models: check the name, and whether the server reaches its registry." });
  }
}

function nameIn(model: Json): string | undefined {
  return textOf(model["name"]) ?? textOf(model["model"]);
}

/**
 * What a spec may be called on a server: as it stands, and with the tag that is meant where none is named.
 * @throws SpellError spec-syntax
 */
function namesOf(spec: ModelSpec | FileSource): readonly string[] {
  if (isModelSpec(spec)) {
    if (spec.kind === "name") return tagged(spec.name, spec.variant);
    if (spec.kind === "registry") return tagged(printServerName(spec), spec.tag);
    if (spec.kind === "hf" && spec.file === undefined && spec.revision === undefined)
      return tagged(`hf.co/${spec.owner}/${spec.repo}`, spec.variant);
  }
  const what = isModelSpec(spec) ? printModelSpec(spec) : "a file";
  throw new SpellError("spec-syntax", `${what}: an Ollama server has names; it opens no files, revisions or addresses`);
}

function tagged(name: string, tag: string | undefined): readonly string[] {
  return tag === undefined ? [name, `${name}:latest`] : [`${name}:${tag}`];
}

/** Ollama keeps the case of a name and reads it in any. */
function findNamed(models: readonly Json[], names: readonly string[]): Json | undefined {
  const by = (same: (name: string, wanted: string) => boolean): Json | undefined =>
    names.map((wanted) => models.find((model) => same(nameIn(model) ?? "", wanted))).find((model) => model !== undefined);
  return by((name, wanted) => name === wanted) ?? by((name, wanted) => name.toLowerCase() === wanted.toLowerCase());
}

function recordOf(model: Json, client: OllamaClient, loaded: readonly Json[]): ModelRecord {
  const name = nameIn(model) ?? "";
  const details = isObject(model["details"]) ? model["details"] : {};
  return {
    id: client.idOf(name),
    backend: "ollama",
    format: "ollama",
    architecture: textOf(details["family"]) ?? null,
    parameterCount: parametersOf(textOf(details["parameter_size"])),
    quantization: textOf(details["quantization_level"]) ?? null,
    sizeBytes: numberOf(model["size"]) ?? 0,
    modifiedAt: timeOf(model["modified_at"]) ?? null,
    source: "ollama",
    revision: textOf(model["digest"])?.slice(0, 12) ?? null,
    license: null,
    verified: "sha256",
    bundled: false,
    loaded: loaded.some((each) => nameIn(each) === name),
    path: null,
    aliases: [],
  };
}

/** "1.2B", "134.52M" */
function parametersOf(text = ""): number | null {
  const [, digits, unit = ""] = /^([\d.]+)([KMB])$/.exec(text) ?? [];
  const factor = { K: 1e3, M: 1e6, B: 1e9 }[unit];
  return factor === undefined ? null : Math.round(Number(digits) * factor);
}

function infoOf(shown: Json, record: ModelRecord): ModelInfo {
  const facts = isObject(shown["model_info"]) ? shown["model_info"] : {};
  const details = isObject(shown["details"]) ? shown["details"] : {};
  const architecture = architectureOf(shown) ?? null;
  const fact = (key: string): number | null => positiveOf(facts[key]) ?? null;
  const capabilities = Array.isArray(shown["capabilities"]) ? shown["capabilities"] : [];
  return {
    ...record,
    architecture,
    parameterCount: fact("general.parameter_count") ?? record.parameterCount,
    quantization: textOf(details["quantization_level"]) ?? null,
    license: textOf(shown["license"])?.split("\n", 1)[0]?.trim().slice(0, 120) ?? null,
    contextLength: contextOf(shown) ?? null,
    embeddingLength: fact(`${architecture}.embedding_length`),
    blockCount: fact(`${architecture}.block_count`),
    vocabSize: null,
    chatTemplate: textOf(shown["template"]) ?? null,
    capabilities: capabilities.filter((each): each is string => typeof each === "string"),
    licenseUrl: null,
    files: [],
    fits: null,
    device: null,
    notes: [],
  };
}

/** Names people use with Ollama; shipped, so that the list needs no network. */
const examples: readonly AvailableModel[] = (
  [
    ["llama3.2:1b", "Llama 3.2 1B Instruct", 1_321_098_329],
    ["llama3.2:3b", "Llama 3.2 3B Instruct", 2_019_393_189],
    ["qwen2.5:0.5b", "Qwen2.5 0.5B Instruct", 397_821_319],
    ["gemma3:1b", "Gemma 3 1B", 815_319_791],
    ["phi3:mini", "Phi-3 mini", 2_176_178_913],
    ["mistral:7b", "Mistral 7B Instruct", 4_113_301_824],
  ] as const
).map(([name, description, sizeBytes]) => ({
  name,
  backend: "ollama",
  kind: "chat",
  variants: [],
  defaultVariant: name.split(":")[1] ?? null,
  sizeBytes,
  parameterCount: null,
  license: null,
  description: `${description} (example)`,
  prompt: null,
  recommended: false,
  installed: false,
  spec: `${name}@ollama`,
  source: "example",
}));

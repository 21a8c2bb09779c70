/** A running Ollama server as a backend. */
import { SpellError } from "../../errors.ts";
import { isModelSpec, type ModelSpec, printModelSpec } from "../../spec/model-spec.ts";
import type { Backend, BackendHost, FileSource } from "../backend.ts";
import type { AvailableModel, ModelInfo, ModelRecord, PullOptions, PullResult } from "../models.ts";
import { createPullProgress } from "../pull-progress.ts";
import { createOllamaClient, type OllamaClient, type OllamaModel } from "./client.ts";
import { openOllamaModel } from "./model.ts";
import { ollamaSettings } from "./settings.ts";

/** A server that nobody configured must answer within this. */
const glanceMs = 300;

export function createOllama({ config, network, platform, isDeclared }: BackendHost, provider: string): Backend {
  const settings = ollamaSettings(config.config, provider);
  if (settings === undefined) throw new Error(`provider ${provider} is not declared`);
  const client = createOllamaClient(network, settings, provider);
  return {
    name: provider,
    type: "ollama",
    calls: settings.calls,
    async claims(spec, how) {
      // a file named without ./ is no business of a server
      if (how === "known" || /\.(gguf|safetensors|onnx)$/i.test(spec.name)) return false;
      if (how === "default" || isDeclared(provider)) return true;
      if (platform.looksForServers !== true) return false;
      const models = await client.list(AbortSignal.timeout(glanceMs)).catch(() => undefined);
      if (models === undefined) return { reason: `no Ollama server was found at ${client.url}` };
      return models.some(({ name }) => name === nameOf(spec)) || { reason: `the Ollama server at ${client.url} does not have it` };
    },
    async find(source, { device: _, quantization: __, contextSize = settings.contextSize, threads = 0 }) {
      const name = nameOf(source);
      const load = { contextSize, threads };
      return {
        id: client.idOf(name),
        key: `${name} ${JSON.stringify(load)}`,
        open: ({ signal }) => openOllamaModel(client, name, network.clock, settings, load, signal),
      };
    },
    async status() {
      try {
        const [version, models] = [await client.version(), await client.list()];
        return { configured: true, url: client.url, running: true, models: models.length, version };
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        return { configured: true, url: client.url, running: false, models: 0, error: message };
      }
    },
    async list(signal) {
      const [models, running] = await Promise.all([client.list(signal), client.running(signal)]);
      return models.map((model) =>
        recordOf(
          model,
          client,
          running.some(({ name }) => name === model.name),
        ),
      );
    },
    available: async () => examples,
    info: (source, { signal }) => infoOf(client, nameOf(source), signal),
    offer: async (spec) => ({ id: client.idOf(nameOf(spec)), backend: "ollama", sizeBytes: undefined, missingBytes: undefined }),
    pull: (spec, options) => pullModel(client, nameOf(spec), network.clock, options),
    async remove(spec) {
      const name = nameOf(spec);
      const before = (await client.list()).find((model) => model.name === name);
      await client.remove(name);
      return { modelId: client.idOf(name), freedBytes: before?.sizeBytes ?? 0, keptFiles: [] };
    },
    running: async (signal) =>
      (await client.running(signal)).map(({ name, sizeBytes, gpuBytes, contextSize, expiresAt }) => ({
        modelId: client.idOf(name),
        backend: "ollama",
        sizeBytes,
        gpuBytes,
        contextLength: contextSize,
        expiresAt,
      })),
  };
}

/** `name:tag` as the server knows it. @throws SpellError spec-syntax */
function nameOf(spec: ModelSpec | FileSource): string {
  if (isModelSpec(spec)) {
    if (spec.kind === "name") return `${spec.name.toLowerCase()}:${spec.variant ?? "latest"}`;
    if (spec.kind === "registry") return `${spec.namespace === undefined ? "" : `${spec.namespace}/`}${spec.name}:${spec.tag ?? "latest"}`;
    if (spec.kind === "hf") return `hf.co/${spec.owner}/${spec.repo}:${spec.variant ?? "latest"}`;
  }
  const what = isModelSpec(spec) ? printModelSpec(spec) : "a file";
  throw new SpellError("spec-syntax", `${what}: an Ollama server has names; it opens no files or addresses`);
}

function recordOf(model: OllamaModel, client: OllamaClient, loaded: boolean): ModelRecord {
  return {
    id: client.idOf(model.name),
    backend: "ollama",
    format: "ollama",
    architecture: model.family ?? null,
    parameterCount: model.parameterCount ?? null,
    quantization: model.quantization ?? null,
    sizeBytes: model.sizeBytes,
    modifiedAt: model.modifiedAt ?? null,
    source: "ollama",
    revision: model.digest?.slice(0, 12) ?? null,
    license: null,
    verified: "sha256",
    bundled: false,
    loaded,
    path: null,
    aliases: [],
  };
}

async function infoOf(client: OllamaClient, name: string, signal: AbortSignal | undefined): Promise<ModelInfo> {
  const details = await client.show(name, signal);
  const model = (await client.list(signal)).find((each) => each.name === name);
  const running = await client.running(signal);
  return {
    ...recordOf(
      model ?? { name, sizeBytes: 0 },
      client,
      running.some((each) => each.name === name),
    ),
    architecture: details.architecture ?? null,
    parameterCount: details.parameterCount ?? model?.parameterCount ?? null,
    quantization: details.quantization ?? null,
    license: details.license ?? null,
    contextLength: details.contextLength ?? null,
    embeddingLength: details.embeddingLength ?? null,
    blockCount: details.blockCount ?? null,
    vocabSize: null,
    chatTemplate: details.template ?? null,
    capabilities: details.capabilities,
    licenseUrl: null,
    files: [],
    fits: null,
    device: null,
    notes: [],
  };
}

/** By the server itself, with its own progress. */
async function pullModel(
  client: OllamaClient,
  name: string,
  clock: Parameters<typeof createPullProgress>[0],
  { signal, onProgress, onEvent }: PullOptions,
): Promise<PullResult> {
  const modelId = client.idOf(name);
  const backend = "ollama";
  const look = async () => (await client.list(signal)).find((model) => model.name === name);
  const before = await look();
  const progress = createPullProgress(clock, onProgress);
  let fetched = 0;
  await client.pull(
    name,
    ({ status, bytes, totalBytes }) => {
      const isVerifying = /^verifying|^writing/.test(status);
      fetched = bytes;
      onEvent?.({ type: "server-progress", model: modelId, status, bytes, totalBytes });
      progress.tell({ modelId, backend, status: isVerifying ? "verifying" : "downloading", bytes, total: totalBytes });
    },
    signal,
  );
  const after = await look();
  return progress.end({
    modelId,
    backend,
    status: "complete",
    percentComplete: 100,
    bytesDownloaded: fetched,
    bytesTotal: after?.sizeBytes,
    verified: "sha256",
    alreadyPresent: before !== undefined && before.digest === after?.digest,
  });
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
  recommended: false,
  installed: false,
  spec: `${name}@ollama`,
  source: "example",
}));

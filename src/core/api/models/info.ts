/** What a model says about itself, and whether it would run here. Reads headers; nothing is loaded. */
import { contextLengthOf, type FoundModel, findModel, type PreviewOptions, previewDevice } from "../../backends/candle.ts";
import { summarizeModel } from "../../backends/summary.ts";
import { listStored, type ModelManifest } from "../../download/manifest.ts";
import { baseName, type PlannedFile, type PullPlan } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import { type ByteSource, httpSource } from "../../formats/byte-source.ts";
import { findEntry } from "../../hub/catalogue.ts";
import { isGpu } from "../../spec/devices.ts";
import type { ModelSpec } from "../../spec/model-spec.ts";
import { type ModelContext, parse } from "./context.ts";
import { find, resolve } from "./find.ts";
import { backendOf, ollamaName } from "./names.ts";
import { planCandle } from "./plan.ts";
import { recordOf, recordOfFound, recordOfOllama } from "./record-of.ts";
import type { ModelInfo, ModelRecord } from "./records.ts";

export interface InfoOptions {
  /** Reads the headers at their source; no weights are fetched. */
  readonly remote?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function info(context: ModelContext, text: string, { remote, signal }: InfoOptions = {}): Promise<ModelInfo> {
  const spec = parse(text);
  if ((await backendOf(context, spec)) === "ollama") return infoOllama(context, ollamaName(spec), signal);
  if (remote === true && spec.kind !== "path") return infoRemote(context, spec, signal);
  const source = await resolve(context, spec, signal);
  const found = await findModel(source, context.platform, signal);
  const stored = typeof source === "string" ? undefined : await find(context, spec);
  const entry = spec.kind === "name" ? findEntry(await context.catalogue(), spec.name) : undefined;
  const record =
    stored === undefined
      ? recordOfFound(context, found)
      : recordOf(
          context,
          (await listStored(context.platform.store)).models.find(({ manifest }) => manifest.id === stored.manifest.id) ?? stored,
        );
  const known = await infoOfFound(context, found, record, stored?.manifest);
  // The catalogue has the name of a licence as people write it; of others' files their own word counts.
  return { ...known, license: (found.bundled ? entry?.license : known.license) ?? entry?.license ?? null };
}

/** By the server's own words. */
async function infoOllama({ ollama }: ModelContext, name: string, signal?: AbortSignal): Promise<ModelInfo> {
  const details = await ollama.show(name, signal);
  const model = (await ollama.list(signal)).find((each) => each.name === name);
  const running = await ollama.running(signal);
  return {
    ...recordOfOllama(model ?? { name, sizeBytes: 0 }, ollama.idOf(name)),
    architecture: details.architecture ?? null,
    parameter_count: details.parameterCount ?? model?.parameterCount ?? null,
    quantization: details.quantization ?? null,
    license: details.license ?? null,
    loaded: running.some((each) => each.name === name),
    context_length: details.contextLength ?? null,
    embedding_length: details.embeddingLength ?? null,
    block_count: details.blockCount ?? null,
    vocab_size: null,
    chat_template: details.template ?? null,
    capabilities: details.capabilities,
    license_url: null,
    files: [],
    fits: null,
    device: null,
    notes: [],
  };
}

async function infoRemote(context: ModelContext, spec: ModelSpec, signal: AbortSignal | undefined): Promise<ModelInfo> {
  const plan = await planCandle(context, spec, signal === undefined ? {} : { signal });
  const found = await findModel({ id: plan.id, files: await openPlan(context, plan, signal) }, context.platform, signal);
  const record: ModelRecord = {
    ...recordOfFound(context, found),
    id: plan.id,
    source: plan.source,
    revision: plan.revision ?? null,
    license: plan.license ?? null,
    path: null,
    modified_at: null,
  };
  const info = await infoOfFound(context, found, record);
  return {
    ...info,
    files: plan.files.map((file) =>
      file.kind === "remote"
        ? { path: file.remote.path, size_bytes: file.remote.size ?? 0, sha256: file.remote.sha256 ?? null }
        : { path: file.external.path, size_bytes: file.external.source.size, sha256: file.external.sha256 ?? null },
    ),
  };
}

/** As it will be after a pull: in files, where the host has files. Engines that read those alone count then. */
export function onceHere({ platform }: ModelContext, found: FoundModel): FoundModel {
  if (!platform.files.available) return found;
  return { ...found, files: found.files.map((file) => ({ ...file, path: file.path ?? file.name })) };
}

/** Files of a plan where they are: on the network they are read by ranges. */
export function openPlan(context: ModelContext, { files }: PullPlan, signal?: AbortSignal): Promise<readonly ByteSource[]> {
  const open = async (file: PlannedFile): Promise<ByteSource> => {
    if (file.kind === "external") return file.external.source;
    const { url, secret, path } = file.remote;
    // Redirects and secrets are the same matter here as in a download, so the same function asks.
    return httpSource(url, remoteFetch(context, secret), { name: baseName(path), signal });
  };
  return Promise.all(files.map(open));
}

async function infoOfFound(context: ModelContext, found: FoundModel, record: ModelRecord, manifest?: ModelManifest): Promise<ModelInfo> {
  const facts = summarizeModel(found);
  const { fits, device } = await lookAhead(context, record.path === null ? onceHere(context, found) : found);
  return {
    ...record,
    architecture: facts.architecture,
    quantization: facts.quantization, // of T5 the form that was asked for
    context_length: facts.contextLength,
    embedding_length: facts.embeddingLength,
    block_count: facts.blockCount,
    vocab_size: facts.vocabSize,
    chat_template: facts.chatTemplate ?? null,
    capabilities: facts.capabilities,
    license_url: manifest?.license_url ?? null,
    files:
      manifest?.files.map(({ path, size, sha256 }) => ({ path, size_bytes: size, sha256: sha256 ?? null })) ??
      found.files.map(({ path, name, size }) => ({ path: path ?? name, size_bytes: size, sha256: null })),
    fits,
    device,
    notes: facts.notes,
  };
}

/** Where a load would compute and whether it would fit. Nothing is loaded. */
export async function lookAhead(
  { platform, usual }: ModelContext,
  found: FoundModel,
  options: PreviewOptions = {},
): Promise<Pick<ModelInfo, "fits" | "device"> & { readonly contextLength: number }> {
  const contextLength = contextLengthOf(found, options.contextSize, usual);
  const preview = await previewDevice(found, platform, usual, options).catch((error: unknown) => {
    if (error instanceof SpellError && error.code === "device-unavailable") return undefined;
    throw error;
  });
  if (preview === undefined) return { fits: null, device: null, contextLength };
  const { needs, ...report } = preview;
  const device = report.chosen ?? "cpu";
  const needed = Math.ceil(needs.memoryBytes);
  const available = isGpu(device) ? null : (platform.freeMemory?.() ?? null);
  return {
    fits: { device, needed_bytes: needed, available_bytes: available, ok: available === null || needed <= available },
    device: report,
    contextLength,
  };
}

function remoteFetch(context: ModelContext, secret: string | undefined): typeof globalThis.fetch {
  return (input, init) => {
    const headers = new Headers(init?.headers);
    if (secret !== undefined) headers.set("authorization", secret);
    return context.network.fetch(input, { ...init, headers, credentials: "omit" });
  };
}

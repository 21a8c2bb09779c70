/** What a model says about itself, and whether it would run here. Reads headers; nothing is loaded. */
import { listStored, type ModelManifest } from "../../download/manifest.ts";
import type { PlannedFile, PullPlan } from "../../download/pull.ts";
import { request } from "../../download/request.ts";
import type { RemoteFile } from "../../download/transfer.ts";
import { SpellError } from "../../errors.ts";
import { baseName } from "../../file-names.ts";
import { type ByteSource, httpSource } from "../../formats/byte-source.ts";
import { findEntry } from "../../hub/catalogue.ts";
import { isGpu } from "../../spec/devices.ts";
import { isModelSpec, type ModelSpec } from "../../spec/model-spec.ts";
import type { FileSource } from "../backend.ts";
import type { InfoOptions, ModelInfo, ModelRecord } from "../models.ts";
import { bundledModels } from "./bundled.ts";
import type { CandleContext } from "./context.ts";
import { find } from "./find.ts";
import { filesOfModel } from "./layout.ts";
import { locate } from "./locate.ts";
import { planPull } from "./plan.ts";
import { contextLengthOf, type DeviceQuestion, type FoundModel, previewDevice, readModel } from "./read.ts";
import { notesOf, recordOf, recordOfFound } from "./record-of.ts";
import { summarizeModel } from "./summary.ts";

export async function info(context: CandleContext, source: ModelSpec | FileSource, { remote, signal }: InfoOptions): Promise<ModelInfo> {
  const spec = isModelSpec(source) ? source : undefined;
  const isBundled = spec?.kind === "name" && bundledModels.has(spec.name.toLowerCase());
  if (remote === true && spec !== undefined && spec.kind !== "path" && !isBundled) return infoRemote(context, spec, signal);
  const found = await readModel(await locate(context, source, signal), signal);
  const stored = spec === undefined || found.bundled ? undefined : await find(context, spec);
  const entry = spec?.kind === "name" ? findEntry(await context.catalogue(), spec.name) : undefined;
  const record =
    stored === undefined
      ? recordOfFound(context, found)
      : recordOf(
          context,
          (await listStored(context.platform.store)).models.find(({ manifest }) => manifest.id === stored.manifest.id) ?? stored,
        );
  const known = await infoOfFound(context, found, record, stored?.manifest);
  // The catalogue has the name of a licence as people write it; of others' files their own word counts.
  const notes = remote === true && isBundled ? [`${known.id} is part of the package; no network is needed to read it`] : [];
  return {
    ...known,
    notes: [...notes, ...known.notes],
    license: (found.bundled ? entry?.license : known.license) ?? entry?.license ?? null,
  };
}

async function infoRemote(context: CandleContext, spec: ModelSpec, signal: AbortSignal | undefined): Promise<ModelInfo> {
  const plan = await planPull(context, spec, { signal });
  const found = await readModel(await filesOfModel(plan.id, await openPlan(context, plan, signal)), signal);
  const record: ModelRecord = {
    ...recordOfFound(context, found),
    id: plan.id,
    source: plan.source,
    revision: plan.revision ?? null,
    license: plan.license ?? null,
    path: null,
    modifiedAt: null,
  };
  const info = await infoOfFound(context, found, record);
  return {
    ...info,
    files: plan.files.map((file) =>
      file.kind === "remote"
        ? { path: file.remote.path, sizeBytes: file.remote.size ?? 0, sha256: file.remote.sha256 ?? null }
        : { path: file.external.path, sizeBytes: file.external.source.size, sha256: file.external.sha256 ?? null },
    ),
  };
}

/** As it will be after a pull: in files, where the host has files. Engines that read those alone count then. */
export function onceHere({ platform }: CandleContext, found: FoundModel): FoundModel {
  if (!platform.files.available) return found;
  return { ...found, files: found.files.map((file) => ({ ...file, path: file.path ?? file.name })) };
}

/** Files of a plan where they are: on the network they are read by ranges. */
export function openPlan(context: CandleContext, { files }: PullPlan, signal?: AbortSignal): Promise<readonly ByteSource[]> {
  const open = async (file: PlannedFile): Promise<ByteSource> => {
    if (file.kind === "external") return file.external.source;
    // Redirects, hosts and secrets are the same matter here as in a download, so the same function asks.
    return httpSource(file.remote.url, remoteFetch(context, file.remote), { name: baseName(file.remote.path), signal });
  };
  return Promise.all(files.map(open));
}

async function infoOfFound(context: CandleContext, found: FoundModel, record: ModelRecord, manifest?: ModelManifest): Promise<ModelInfo> {
  const facts = summarizeModel(found);
  const packed = found.bundled ? bundledModels.get(found.id)?.files : undefined;
  const { fits, device } = await lookAhead(context, record.path === null ? onceHere(context, found) : found);
  return {
    ...record, // its fields come first
    ...facts,
    ...record,
    architecture: facts.architecture,
    quantization: facts.quantization, // of T5 the form that was asked for
    licenseUrl: manifest?.license_url ?? null,
    files:
      manifest?.files.map(({ path, size, sha256 }) => ({ path, sizeBytes: size, sha256: sha256 ?? null })) ??
      found.files.map(({ path, name, size }) => ({
        path: path ?? name,
        sizeBytes: size,
        sha256: packed?.find((file) => file.name === baseName(name))?.sha256 ?? null,
      })),
    fits,
    device,
    notes: [...notesOf(facts, manifest?.files[0]?.path ?? found.files[0]?.name), ...facts.notes],
  };
}

/** Where a load would compute and whether it would fit. Nothing is loaded. */
export async function lookAhead(
  { platform, defaults }: CandleContext,
  found: FoundModel,
  options: DeviceQuestion = {},
): Promise<Pick<ModelInfo, "fits" | "device"> & { readonly contextLength: number }> {
  const contextLength = contextLengthOf(found, options.contextSize, defaults);
  const preview = await previewDevice(found, platform, defaults, options).catch((error: unknown) => {
    if (error instanceof SpellError && error.code === "device-unavailable") return undefined;
    throw error;
  });
  if (preview === undefined) return { fits: null, device: null, contextLength };
  const { needs, ...report } = preview;
  const device = report.chosen ?? "cpu";
  const needed = Math.ceil(needs.memoryBytes);
  const available = isGpu(device) ? null : (platform.freeMemory?.() ?? null);
  return {
    fits: { device, neededBytes: needed, availableBytes: available, ok: available === null || needed <= available },
    device: report,
    contextLength,
  };
}

function remoteFetch({ network }: CandleContext, { secret, isTrusted, allowHosts, path }: RemoteFile): typeof globalThis.fetch {
  return async (input, { method, headers, signal } = {}) => {
    const asked = { method: method === "HEAD" ? ("HEAD" as const) : undefined, headers: Object.fromEntries(new Headers(headers)) };
    const access = { signal: signal ?? undefined, secret, isTrusted, allowHosts, what: path };
    return (await request(String(input), network, { ...asked, ...access })).response;
  };
}

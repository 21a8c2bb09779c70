/**
 * The panel of stored models: what this browser keeps of models that somebody brought, and what it may keep. Bytes lie in the store of
 * the library, under their hash; a manifest, written last, makes a model of them.
 */
import { type ArtifactStore, type ManifestKey, type Spell, SpellError, summarizeModel } from "../src/browser/index.ts";
import { button, find, make } from "./elements.ts";
import { formatBytes, plural } from "./format.ts";
import type { ModelChoice } from "./sources.ts";

interface StoredFile {
  readonly path: string;
  readonly size: number;
  readonly sha256?: string;
  readonly blob: string;
  /** milliseconds since the epoch */
  readonly modified_ms: number;
}

/** As the library writes and reads it. */
interface Manifest {
  readonly schema: 1;
  readonly id: string;
  readonly source: "file";
  readonly files: readonly StoredFile[];
  readonly format: "gguf" | "safetensors" | "onnx";
  readonly architecture: string;
  readonly quantization: string;
  readonly parameter_count: number;
  readonly context_length: number;
  readonly verified: "none";
  /** seconds since the epoch */
  readonly created_at: number;
}

export interface StoredModel {
  readonly key: ManifestKey;
  readonly id: string;
  readonly bytes: number;
  readonly files: readonly StoredFile[];
}

export interface StoredActions {
  /** Opens a stored model. */
  open(model: StoredModel): void;
  remove(model: StoredModel): void;
}

const panel = find("stored", HTMLDivElement);
const chunkBytes = 4 * 1024 * 1024;

/** Every model of the store whose files it holds itself, whoever put it there. */
export async function listStored(store: ArtifactStore): Promise<readonly StoredModel[]> {
  const models: StoredModel[] = [];
  for (const key of await store.listManifests()) {
    const manifest = await store.readManifest(key);
    if (!isManifest(manifest)) continue;
    models.push({ key, id: manifest.id, files: manifest.files, bytes: manifest.files.reduce((sum, { size }) => sum + size, 0) });
  }
  return models;
}

/** What lies in a browser's storage may be of another version of this page, or another name of a model. */
function isManifest(value: unknown): value is Pick<Manifest, "id" | "files"> {
  const { id, files } = (value ?? {}) as Partial<Manifest>;
  const isWhole = ({ path, size, blob }: Partial<StoredFile>): boolean =>
    typeof path === "string" && typeof size === "number" && typeof blob === "string";
  return typeof id === "string" && Array.isArray(files) && files.length > 0 && files.every(isWhole);
}

/** @throws SpellError store-evicted where the browser has removed files of it */
export async function openStored(store: ArtifactStore, { key, id, files, bytes }: StoredModel): Promise<ModelChoice> {
  const opened = await Promise.all(
    files.map(async ({ path, blob }) => {
      const source = await store.openBlob(blob, path);
      if (source.blob !== undefined) return new File([source.blob], path);
      return new File([new Uint8Array(await source.read(0, source.size))], path);
    }),
  );
  return { key: `stored:${key.join("/")}`, label: id, source: opened, bytes };
}

/**
 * Copies files into the store, the manifest last: a model is there completely or not at all.
 * @throws SpellError store-quota before anything is written where it cannot fit; store-full, run-aborted
 */
export async function keepFiles(
  { platform: { store }, inspect }: Spell,
  id: string,
  files: readonly File[],
  onBytes: (done: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const facts = summarizeModel(await inspect(files, { signal }));
  const wanted = files.reduce((sum, { size }) => sum + size, 0);
  const space = await store.space();
  if (space !== undefined && space.free < wanted * 1.05) {
    throw new SpellError("store-quota", `${id} takes ${formatBytes(wanted)}; this browser still allows ${formatBytes(space.free)}`, {
      hint: "Remove a stored model. It runs from its file meanwhile.",
      details: { neededBytes: wanted, availableBytes: space.free },
    });
  }
  let done = 0;
  const kept: StoredFile[] = [];
  for (const file of files) {
    const part = await store.openPart(await partKey(file));
    try {
      await part.truncate(0);
      for (let offset = 0; offset < file.size; offset += chunkBytes) {
        if (signal.aborted) throw new SpellError("run-aborted", "aborted by the caller");
        const bytes = new Uint8Array(await file.slice(offset, offset + chunkBytes).arrayBuffer());
        await part.write(offset, bytes);
        done += bytes.byteLength;
        onBytes(done);
      }
      const { digest, size, modifiedMs } = await part.commit({ size: file.size }, signal);
      kept.push({ path: file.name, size, sha256: digest.slice("sha256-".length), blob: digest, modified_ms: modifiedMs });
    } catch (error) {
      await part.discard().catch(() => undefined);
      throw error;
    }
  }
  const manifest: Manifest = {
    schema: 1,
    id,
    source: "file",
    files: kept,
    format: facts.format,
    architecture: facts.architecture,
    quantization: facts.quantization,
    parameter_count: facts.parameterCount ?? 0,
    context_length: facts.contextLength,
    verified: "none",
    created_at: Math.floor(Date.now() / 1000),
  };
  await store.writeManifest(["as", id.toLowerCase().slice(0, 100)], manifest);
  await store.persist();
}

/** Two tabs that keep the same file at once work on parts of their own, and end with one blob. */
async function partKey({ name, size, lastModified }: File): Promise<string> {
  const text = new TextEncoder().encode(`${name}\0${size}\0${lastModified}`);
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", text))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Removes a model, and the bytes no other one uses. @returns bytes freed */
export async function removeStored(store: ArtifactStore, model: StoredModel): Promise<number> {
  await store.removeManifest(model.key);
  const used = new Set((await listStored(store)).flatMap(({ files }) => files.map(({ blob }) => blob)));
  let freed = 0;
  for (const { blob } of model.files) if (!used.has(blob)) freed += await store.removeBlob(blob);
  return freed;
}

export async function showStored(store: ArtifactStore, { open, remove }: StoredActions): Promise<void> {
  const models = await listStored(store);
  const space = await store.space();
  const total = models.reduce((sum, { bytes }) => sum + bytes, 0);
  const summary =
    models.length === 0
      ? "Nothing yet. A model from a file or an address can be kept here, and then needs neither."
      : `${plural(models.length, "model")}, ${formatBytes(total)}`;
  const rows = models.map((model) =>
    make(
      "li",
      {},
      make("span", { class: "name", text: model.id }),
      make("span", { class: "size", text: formatBytes(model.bytes) }),
      labelled(
        button("Open", () => open(model)),
        `Open ${model.id}`,
      ),
      labelled(
        button("Delete", () => remove(model), "quiet danger"),
        `Delete ${model.id}`,
      ),
    ),
  );
  panel.replaceChildren(
    make("p", { text: summary }),
    ...(rows.length === 0 ? [] : [make("ul", { class: "shelf" }, ...rows)]),
    make("p", {
      class: "note",
      // without storage of its own a browser keeps models for as long as the page is open
      text:
        space === undefined
          ? `Kept in ${store.place}, until this page closes`
          : `${formatBytes(space.free)} more may be kept in ${store.place}`,
    }),
  );
}

function labelled(control: HTMLButtonElement, name: string): HTMLButtonElement {
  control.setAttribute("aria-label", name);
  return control;
}

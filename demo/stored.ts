/**
 * The panel of stored models, and the free storage of this browser. Pulled models and kept files are in the library's store,
 * under their hash; a manifest, written last, makes a model of them.
 */
import { type ArtifactStore, type ModelManifest, type Spell, SpellError } from "../src/browser/index.ts";
import { button, find, make, named } from "./elements.ts";
import { formatBytes, plural } from "./format.ts";

export interface StoredModel {
  /** a model spec */
  readonly id: string;
  readonly bytes: number;
}

export interface StoredActions {
  open(model: StoredModel): void;
  remove(model: StoredModel): void;
}

const panel = find("stored", HTMLDivElement);
const chunkBytes = 4 * 1024 * 1024;

/**
 * Copies files into the store, the manifest last: a model is complete or absent.
 * @returns its name in the store
 * @throws SpellError store-quota before anything is written, if it cannot fit; store-full, run-aborted
 */
export async function keepFiles(
  { platform: { store }, models }: Spell,
  label: string,
  files: readonly File[],
  onBytes: (done: number) => void,
  signal: AbortSignal,
): Promise<string> {
  const id = await nameFor(label, models);
  const facts = await models.info(files, { signal });
  const wanted = files.reduce((sum, { size }) => sum + size, 0);
  const space = await store.space();
  if (space !== undefined && space.free < wanted * 1.05) {
    throw new SpellError("store-quota", `${id} needs ${formatBytes(wanted)}; this browser has ${formatBytes(space.free)} of storage left`, {
      hint: "Delete a stored model. Meanwhile it runs from its file.",
      details: { neededBytes: wanted, availableBytes: space.free },
    });
  }
  let done = 0;
  const kept: ModelManifest["files"][number][] = [];
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
  const manifest: ModelManifest = {
    schema: 1,
    id,
    source: "file",
    files: kept,
    format: facts.format as ModelManifest["format"],
    architecture: facts.architecture ?? "unknown",
    quantization: facts.quantization ?? "unknown",
    parameter_count: facts.parameterCount ?? 0,
    context_length: facts.contextLength ?? 0,
    verified: "none",
    created_at: Math.floor(Date.now() / 1000),
  };
  await store.writeManifest(["as", id.toLowerCase()], manifest);
  await store.persist();
  return id;
}

/** A short, plain name from any file name; never the name of another model. */
async function nameFor(label: string, { available }: Spell["models"]): Promise<string> {
  const plain =
    label
      .replace(/[^A-Za-z0-9._-]+/g, "-")
      .replace(/\.{2,}/g, ".")
      .replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "")
      .slice(0, 70) || "model";
  const isTaken = (await available({ backend: "candle" })).some(({ name }) => name.toLowerCase() === plain.toLowerCase());
  return isTaken ? `${plain}-file` : plain;
}

/** The same file has the same key, in every tab. */
async function partKey({ name, size, lastModified }: File): Promise<string> {
  const text = new TextEncoder().encode(`${name}\0${size}\0${lastModified}`);
  return [...new Uint8Array(await crypto.subtle.digest("SHA-256", text))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param damaged errors of models that cannot be read; shown below the list */
export async function showStored(
  store: ArtifactStore,
  models: readonly StoredModel[],
  damaged: readonly SpellError[],
  { open, remove }: StoredActions,
): Promise<void> {
  const space = await store.space();
  const total = models.reduce((sum, { bytes }) => sum + bytes, 0);
  const summary =
    models.length === 0
      ? "No models stored. Models that you pull, or keep from a file, are stored here and work offline."
      : `${plural(models.length, "model")}, ${formatBytes(total)}`;
  const rows = models.map((model) => rowOf(model, { open, remove }));
  const hadFocus = panel.contains(document.activeElement);
  panel.replaceChildren(
    make("p", { text: summary }),
    ...(rows.length === 0 ? [] : [make("ul", { class: "shelf" }, ...rows)]),
    ...damaged.map(({ message }) => make("p", { class: "note", text: message })),
    make("p", {
      class: "note",
      // without persistent storage models last as long as the page is open
      text: space === undefined ? `Stored in ${store.place} until this page closes` : `${formatBytes(space.free)} free in ${store.place}`,
    }),
  );
  if (hadFocus) (panel.querySelector("button") ?? panel).focus();
}

/** A model with its buttons. Delete asks first, in the same place. */
function rowOf(model: StoredModel, { open, remove }: StoredActions): HTMLLIElement {
  const { id, bytes } = model;
  const ask = named(
    button(
      "Delete",
      () => {
        row.replaceChildren(name, question, forGood, keep);
        keep.focus();
      },
      "quiet danger",
    ),
    `Delete ${id}`,
  );
  const forGood = named(
    button("Delete", () => remove(model), "quiet danger"),
    `Delete ${id} for good`,
  );
  const keep = named(
    button("Keep", () => {
      row.replaceChildren(...shown);
      ask.focus();
    }),
    `Keep ${id}`,
  );
  const name = make("span", { class: "name", text: id });
  const question = make("span", { class: "size", text: "Delete it for good?", attributes: { role: "status" } });
  const openIt = named(
    button("Open", () => open(model)),
    `Open ${id}`,
  );
  const shown = [name, make("span", { class: "size", text: formatBytes(bytes) }), openIt, ask];
  const row = make("li", {}, ...shown);
  return row;
}

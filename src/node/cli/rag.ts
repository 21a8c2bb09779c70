/** `llmspell rag ingest|search|ask|stats|remove|export`: one's own files, searched and asked. */
import { existsSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openRag, type RagSpell, takenBy } from "../../core/api/open-rag.ts";
import { SpellError } from "../../core/errors.ts";
import { embedderLoad, loadEmbedder } from "../../core/rag/model-texts.ts";
import type { Rag, RagDocument, RagHit, RagPlace, SearchOptions } from "../../core/rag/types.ts";
import { unknownCollection } from "../../core/rag/unknown.ts";
import { definedOnly } from "../../core/values.ts";
import { homeFolder } from "../home.ts";
import { checkText, flagNumber, flagText } from "./args.ts";
import { confirm } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatBytes, plural } from "./format.ts";
import type { Progress } from "./progress.ts";
import type { FoundFile } from "./rag-files.ts";
import type { Screen } from "./render.ts";
import { loadEmbeddings } from "./session.ts";
import { shellQuote } from "./shell-quote.ts";
import { visibleText } from "./terminal.ts";

/** Characters of a passage that a list shows. */
const shownCharacters = 400;
/** Passages that wait for the next batch of files: a file of the index for each few is one more to read. */
const fewChunks = 100;
/** Files that an embedding model reads before they are saved: what is cut off loses no more. */
const slowFiles = 50;
/** Places of a passage's copies that a list shows. */
const shownCopies = 10;

/**
 * A command is a run of its own, so its index is on disk: in `rag.vector_storage.persistence_path`, else in the home folder.
 * @param asks whether vectors are made in any case: a model that is not here is told before anything else
 * @param makes a collection that is not there yet @param load of a model that is asked for on the way; default: the spell's
 */
export async function withRag<T>(
  context: Context,
  asks: boolean,
  work: (rag: Rag, place: RagPlace) => Promise<T>,
  { makes = false, load }: { readonly makes?: boolean; readonly load?: RagSpell["embeddings"] } = {},
): Promise<T> {
  const { config, flags } = context;
  const settings = (await config()).config.rag;
  if (asks) await needModel(context);
  const { persistence_path: path } = settings.vector_storage;
  const persistence_path = path === "" ? join(homeFolder(), "rag", "default") : path;
  const spell = await context.openSpell();
  const { platform, embeddings, rerank } = spell;
  const rag = await openRag(
    { platform, config: spell.config, embeddings: load ?? embeddings, rerank },
    { ...settings, vector_storage: { ...settings.vector_storage, persistence_path } },
  );
  try {
    const place = definedOnly({ collection: flagText(flags, "collection"), tenantId: flagText(flags, "tenant") });
    if (!makes && place.collection !== undefined) await checkCollection(rag, place);
    return await work(rag, place);
  } catch (error) {
    throw inWords(error);
  } finally {
    await rag.close();
  }
}

/** Loads the embedding model, where there is one. @throws SpellError with what fetches it */
async function needModel(context: Context): Promise<void> {
  const { config } = await context.config();
  const { embedding, tenants } = config.rag;
  const { default_provider: provider, model } = embedding;
  if (provider === "lexical" || model === "") return;
  const name = model.includes("@") ? model : `${model}@${provider}`;
  const takes = takenBy(config, name.slice(name.lastIndexOf("@") + 1));
  const loaded = await loadEmbedder((options) => loadEmbeddings(context, name, options), embedderLoad(embedding, takes)).catch(
    (error: unknown) => {
      // all that is missing at once: a model takes long to fetch
      const isUntold = tenants.require_tenant_id && flagText(context.flags, "tenant") === undefined;
      throw isUntold && error instanceof SpellError ? error.with({ actions: [...error.actions, nameTenant] }) : error;
    },
  );
  await loaded.dispose();
}

/** @throws SpellError rag-unknown for one that is not there */
async function checkCollection(rag: Rag, { collection = "", tenantId }: RagPlace): Promise<void> {
  const names = await rag.collections(tenantId);
  if (names.includes(collection)) return;
  // opens it, which refuses a name that none can have
  if ((await rag.stats({ collection, tenantId })).documents > 0) return;
  throw unknownCollection(collection, names, "--collection", "rag ingest");
}

const nameTenant = { kind: "use-option", name: "tenant", value: "NAME" } as const;

function inWords(error: unknown): unknown {
  if (error instanceof SpellError && error.code === "rag-tenant" && error.where === "rag.tenants.require_tenant_id")
    return error.with({ hint: "Name a tenant:", actions: [nameTenant] });
  if (error instanceof SpellError && error.code === "rag-input" && error.where === "threshold")
    return new SpellError("usage-value", `--${error.message}`, { where: "--threshold", cause: error });
  if (error instanceof SpellError && error.code === "rag-input" && error.where === "collection")
    return new SpellError("usage-value", `--${error.message}`, { where: "--collection", cause: error });
  if (error instanceof SpellError && error.code === "rag-tenant" && error.where === "tenant_id")
    return new SpellError("usage-value", `--${error.message}`, { where: "--tenant", cause: error });
  return error;
}

export function ragIngest(context: Context): Promise<number> {
  const { operands, screen, interrupt } = context;
  let progress: Progress | undefined;
  const work = async (rag: Rag, place: RagPlace): Promise<number> => {
    const { findFiles, isInside } = await import("./rag-files.ts");
    const { files, folders, links, others, hidden, odd, unread } = await findFiles(operands);
    const { config, get } = await context.config();
    const limit = config.rag.ingest;
    // the default is about calls of programs: here it is how many files are handed over at once
    if (files.length > limit.max_documents && get("rag.ingest.max_documents")?.origin !== "default")
      throw new SpellError("rag-input", `expected at most ${limit.max_documents} documents in one call, got ${files.length}`, {
        where: "rag.ingest.max_documents",
        hint: "Name fewer files at once, or raise rag.ingest.max_documents.",
      });
    // where nothing is there yet vectors are made in any case
    const known = await rag.documents(place).catch(() => undefined);
    if ((known ?? []).length === 0 && files.length > 0) await needModel(context);
    progress = screen.progress("reading files");
    const isSlow = config.rag.embedding.default_provider !== "lexical";
    const skipped: Skipped[] = [...odd];
    const vanished = new Set<string>();
    const warnings = new Set<string>();
    let [documents, unchanged, chunks, embedded, tokens, done, seen, unsaved] = [0, 0, 0, 0, 0, 0, 0, 0];
    try {
      for (const batch of batchesOf(files, isSlow ? Math.min(slowFiles, limit.max_documents) : limit.max_documents)) {
        const given = batch.map((file): RagDocument => {
          const { path, name, version } = file;
          return { id: path, name, version, bytes: () => read(file, limit.max_document_mb), metadata: { path } };
        });
        const named = new Map(batch.flatMap(({ path, given }) => (given === undefined ? [] : [[path, given] as const])));
        const result = await rag.ingest(given, {
          ...place,
          // however it is named this time
          keepsSource: true,
          signal: interrupt.signal,
          onSkip(error, { id = "", name = id }) {
            const given = named.get(id);
            // results have its name alone; who named it knows it by its path
            if (given !== undefined)
              throw error.message.startsWith(`${name}:`) ? error.with({ message: given + error.message.slice(name.length) }) : error;
            if (error.details?.["isGone"] === true) vanished.add(id);
            else skipped.push({ source: name, reason: error.message, ...(error.code === "rag-package" ? { error } : {}) });
          },
          onProgress({ id }) {
            done += 1;
            progress?.say(oneLine(id));
            progress?.count(done, files.length, "files");
          },
        });
        done = seen += batch.length;
        progress?.count(done, files.length, "files");
        documents += result.documents;
        unchanged += result.unchanged;
        chunks += result.chunks;
        embedded += result.embedded;
        tokens += result.tokens;
        for (const warning of result.warnings) warnings.add(warning);
        unsaved += result.chunks;
        if (unsaved > 0 && unsaved < fewChunks && done < files.length && !isSlow) continue;
        unsaved = 0;
        await rag.save({
          onProgress({ done: linked, of }) {
            progress?.say("linking passages");
            progress?.count(linked, of, "passages");
          },
        });
      }
      const kept = new Set(files.map(({ path }) => path).filter((path) => !vanished.has(path)));
      // what could not be opened before was mended on the way
      const isIn = (id: string, all: readonly string[]): boolean => all.some((folder) => id === folder || isInside(id, folder));
      const gone = (known ?? (await rag.documents(place))).filter((id) => !kept.has(id) && isIn(id, folders) && !isIn(id, unread));
      const removed = gone.length === 0 ? 0 : await rag.remove(gone, place);
      progress.end();
      progress = undefined;
      noteSkipped(screen, skipped);
      if (links.length > 0)
        screen.note(`left out: ${plural(links.length, "link")}, such as ${oneLine(links[0] ?? "")}; name what they lead to`);
      if (others.length > 0)
        screen.note(`left out: ${plural(others.length, "file")}, hidden or of no kind that is read, such as ${oneLine(others[0] ?? "")}`);
      if (hidden.length > 0)
        screen.note(`left out: ${plural(hidden.length, "hidden folder")}, such as ${oneLine(hidden[0] ?? "")}; name one to index it`);
      const ruledOut = gone.filter((id) => existsSync(id));
      if (ruledOut.length > 0)
        screen.note(
          `removed: ${plural(ruledOut.length, "document")} whose file is there, but left out by .gitignore or in a hidden folder, such as ${oneLine(ruledOut[0] ?? "")}`,
        );
      for (const warning of warnings) screen.note(warning);
      screen.document({
        status: "ok",
        documents,
        unchanged,
        removed,
        chunks,
        embedded,
        tokens,
        skipped: skipped.map((each) => skippedFields(screen, each)),
        links,
        others: others.length,
        warnings: [...warnings],
      });
      const more = [
        unchanged > 0 ? `${unchanged} unchanged` : "",
        removed > 0 ? `${removed} gone` : "",
        skipped.length > 0 ? `${skipped.length} left out` : "",
      ];
      screen.writeOwn(`${[plural(documents, "document"), plural(chunks, "passage"), ...more].filter((part) => part !== "").join(", ")}\n`);
      return 0;
    } finally {
      progress?.end();
    }
  };
  // where nothing changed no model is asked for
  const load: RagSpell["embeddings"] = async (name, options) => {
    progress?.end();
    try {
      return await loadEmbeddings(context, name, options);
    } finally {
      progress = screen.progress("reading files");
    }
  };
  return withRag(context, false, work, { makes: true, load });
}

interface Skipped {
  readonly source: string;
  readonly reason: string;
  /** that a person can mend */
  readonly error?: SpellError | undefined;
}

/** What one package would read is told of once. */
function noteSkipped(screen: Screen, skipped: readonly Skipped[]): void {
  const byPackage = new Map<unknown, Skipped[]>();
  for (const each of skipped) {
    const name = each.error?.details?.["package"];
    if (name === undefined) screen.note(`left out: ${oneLine(each.reason)}`);
    else byPackage.set(name, [...(byPackage.get(name) ?? []), each]);
  }
  for (const [{ reason, error }, ...more] of byPackage.values() as Iterable<[Skipped, ...Skipped[]]>)
    screen.note(
      `left out: ${oneLine(reason)}${more.length > 0 ? `; ${plural(more.length, "file")} more like it` : ""}`,
      error?.actions ?? [],
    );
}

function skippedFields(screen: Screen, { source, reason, error }: Skipped): unknown {
  if (error === undefined) return { source, reason };
  const { hint, commands } = screen.errorFields(error);
  return { source, reason, hint, commands };
}

/** @throws SpellError usage-value for a question without words */
export async function ragSearch(context: Context): Promise<number> {
  const { operands, screen } = context;
  const question = checkText(operands.join(" "), "QUERY");
  return withRag(context, true, async (rag, place) => {
    const options = searchOptions(context);
    const results = await rag.search(question, { ...place, ...options });
    // results that have to do with nothing look like the others
    const isUnbounded = options.threshold === undefined && (await context.config()).config.rag.search.threshold === 0;
    screen.document({ status: "ok", total: results.length, results }, ["results"]);
    for (const [i, hit] of results.entries()) {
      const text = visibleText(hit.content ?? "").replaceAll(/\s+/g, " ");
      const short = text.length > shownCharacters ? `${text.slice(0, shownCharacters)}…` : text;
      screen.writeOwn(
        `${i > 0 ? "\n" : ""}${screen.out.word(`${i + 1}.`)} ${screen.out.heading(titleOf(hit))} ${screen.out.dim(hit.score.toFixed(3))}\n`,
      );
      screen.write(`${short}\n`);
      screen.writeOwn(copiesOf(hit, screen));
    }
    if (results.length === 0) await noteNothing(context, rag, place);
    else if (isUnbounded) screen.note("the best there are, near or not; --threshold 0.3 leaves weak ones out");
    return 0;
  });
}

export function ragStats(context: Context): Promise<number> {
  const { screen } = context;
  return withRag(context, false, async (rag, place) => {
    const stats = await rag.stats({ ...place, checks: true });
    const collections = await rag.collections(place.tenantId);
    const { deadChunks: dead_chunks, ...rest } = stats;
    screen.document({ status: "ok", ...rest, dead_chunks, collections });
    const lines = {
      collection: stats.collection,
      tenant: stats.tenant,
      documents: String(stats.documents),
      passages: String(stats.chunks),
      vectors: `${stats.embedder}, ${stats.dimensions} numbers`,
      size: formatBytes(stats.bytes),
      folder: stats.place,
      collections: collections.join(", "),
    };
    for (const [name, value] of Object.entries(lines))
      if (value !== "") screen.writeOwn(`${screen.out.word(`${name}:`)} ${visibleText(value)}\n`);
    for (const advice of stats.advice) screen.note(advice);
    return 0;
  });
}

export function ragRemove(context: Context): Promise<number> {
  const { operands, flags, screen } = context;
  const all = flags.has("all");
  if (all === operands.length > 0)
    throw new SpellError("usage-value", `expected documents or --all; got ${all ? "both" : "neither"}`, { where: "--all" });
  // an empty variable of a shell: as a path it would be the folder one is in, and all that is below
  if (operands.some((operand) => operand.trim() === ""))
    throw new SpellError("usage-value", "expected documents, got an empty name", { where: "DOCUMENT" });
  return withRag(context, false, async (rag, place) => {
    const { isInside, realOf } = await import("./rag-files.ts");
    const known = await rag.documents(place);
    const wanted = new Set<string>();
    if (all) for (const id of known) wanted.add(id);
    for (const operand of operands) {
      const path = await realOf(operand);
      const fitting = known.filter((id) => id === operand || id === path || isInside(id, path));
      if (fitting.length === 0)
        throw new SpellError("rag-unknown", `no document ${operand} in the index`, {
          where: operand,
          hint: "See what there is with rag export.",
        });
      for (const id of fitting) wanted.add(id);
    }
    if (wanted.size > 0 && !flags.has("yes"))
      await confirm(context, `Remove ${plural(wanted.size, "document")} from the index? Files stay.`, "nothing was removed");
    const removed = await rag.remove([...wanted], place);
    // what is told is done
    await rag.save();
    screen.document({ status: "ok", removed });
    screen.writeOwn(`${plural(removed, "document")} removed\n`);
    return 0;
  });
}

export function ragExport(context: Context): Promise<number> {
  const { screen } = context;
  return withRag(context, false, async (rag, place) => {
    const chunks: unknown[] = [];
    for await (const chunk of rag.export(place)) {
      if (screen.json) chunks.push(chunk);
      else screen.write(`${JSON.stringify(chunk)}\n`);
    }
    screen.document({ status: "ok", total: chunks.length, passages: chunks }, ["passages"]);
    return 0;
  });
}

export function searchOptions({ flags, interrupt }: Context): SearchOptions {
  return {
    ...definedOnly({ topK: flagNumber(flags, "top-k"), threshold: flagNumber(flags, "threshold"), rerankModel: flagText(flags, "rerank") }),
    signal: interrupt.signal,
  };
}

/** `notes/trip.md > Packing` */
export function titleOf({ source, heading }: Pick<RagHit, "source" | "heading">): string {
  return oneLine([source, heading].filter((part) => part !== "").join(" > "));
}

/** Where the same text stands too: a line, or nothing. */
export function copiesOf({ copies = [] }: RagHit, { out }: Pick<Context["screen"], "out">): string {
  if (copies.length === 0) return "";
  const shown = copies.slice(0, shownCopies).map((copy) => titleOf(copy));
  const more = copies.length > shownCopies ? `, and ${copies.length - shownCopies} more` : "";
  return `${out.dim(`the same text: ${shown.join(", ")}${more}`)}\n`;
}

/** Names of files may hold anything: what stands in a line stays there, and acts on no terminal that it reaches later. */
function oneLine(text: string): string {
  return visibleText(text.replaceAll(/[\r\n\u2028\u2029]+/g, " "));
}

export async function noteNothing({ screen }: Context, rag: Rag, place: RagPlace): Promise<void> {
  const { documents } = await rag.stats(place);
  if (documents === 0) screen.note("the index is empty:", [{ kind: "shell", line: ingestLine(place) }]);
  else screen.note("nothing was found");
}

/** What fills an index: the same one. */
export function ingestLine({ collection, tenantId }: RagPlace): string {
  const named = [
    ["--collection", collection],
    ["--tenant", tenantId],
  ].flatMap(([flag = "", value]) => (value === undefined ? [] : [flag, shellQuote(value)]));
  return ["llmspell rag ingest FOLDER", ...named].join(" ");
}

/** Bytes of files that are in memory at once, beside the first one. */
const batchBytes = 32_000_000;

/** A file of fewer bytes is read at once. */
const shortBytes = 1_000_000;

/** In their order, so many and so large at most; one that is larger is alone. */
function* batchesOf(files: readonly FoundFile[], most: number): Generator<readonly FoundFile[]> {
  let batch: FoundFile[] = [];
  let bytes = 0;
  for (const file of files) {
    if (batch.length === most || (batch.length > 0 && bytes + file.size > batchBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(file);
    bytes += file.size;
  }
  if (batch.length > 0) yield batch;
}

/** @throws SpellError rag-input for one that is too large; store-denied, with `isGone` in its details where it is not there any more */
async function read({ path, name, size }: FoundFile, mostMegabytes: number): Promise<Uint8Array> {
  if (size > mostMegabytes * 1_000_000)
    throw new SpellError("rag-input", `${name}: expected at most ${mostMegabytes} MB, got ${formatBytes(size)}`, {
      where: "rag.ingest.max_document_mb",
      hint: "Divide it, or raise rag.ingest.max_document_mb.",
    });
  try {
    // asking a thread for a short file takes several times as long as reading it
    return size < shortBytes ? readFileSync(path) : await readFile(path);
  } catch (cause) {
    const { unreadable } = await import("./rag-files.ts");
    throw unreadable(path, cause);
  }
}

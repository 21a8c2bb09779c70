/**
 * All segments of a folder as one collection. Nobody locks: whoever saves adds a file under a new name; a document is where its newest stamp is; a merged
 * segment names those it stands for. A crash leaves at most a file that nobody looks at, and the next merge removes it.
 */
import { SpellError } from "../errors.ts";
import type { SearchFolder } from "../platform.ts";
import { memoryFolder } from "./memory-folder.ts";
import { rank } from "./rank.ts";
import { type NewDocument, openSegment, type Segment, SegmentGone, writeSegment } from "./segment.ts";
import type { Chunk, Collection, CollectionSettings, IndexedDocument } from "./types.ts";

/** chunks of a segment at most */
const mostChunks = 20_000;
/** Segments with fewer chunks are put together when there are more than `mostSmall`. */
const small = 1000;
const mostSmall = 8;
/** share of dead chunks from which a merge pays */
const mostDead = 0.2;
const ending = ".seg";

/** A document and the segment that it is in. */
export interface Place {
  readonly segment: Segment;
  /** in segment.documents */
  readonly at: number;
}

let lastStamp = 0;
/** Microseconds, rising in this process. */
function nextStamp(): number {
  lastStamp = Math.max(lastStamp + 1, Date.now() * 1000);
  return lastStamp;
}

/** @throws SpellError rag-damaged, rag-version, rag-model, store-* */
export async function openCollection(folder: SearchFolder, settings: CollectionSettings): Promise<Collection> {
  const { embedder, metric, storeText } = settings;
  const opened = new Map<string, Segment>();
  const added = new Map<string, NewDocument>();
  const dropped = new Map<string, number>();
  /** what was added, as a segment; made anew when it is asked for */
  let pending: Promise<Segment | undefined> | undefined;
  let isSettled = false;
  let live = new Map<string, Place>();
  /** where the vector of a text is; made when it is asked for */
  let vectorAt: Map<string, readonly [segment: Segment, chunk: number]> | undefined;
  let segments: readonly Segment[] = [];

  /** Which segment has each document: the newest stamp, and of equal ones the later name. */
  const settle = (all: readonly Segment[]): void => {
    const gone = new Set(all.flatMap(({ replaces }) => replaces));
    segments = all.filter(({ name }) => !gone.has(name));
    const drops = new Map(dropped);
    for (const { drops: own } of segments) for (const [id, stamp] of own) if (stamp > (drops.get(id) ?? 0)) drops.set(id, stamp);
    vectorAt = undefined;
    live = new Map();
    for (const segment of segments) {
      for (const [at, { id, stamp }] of segment.documents.entries()) {
        if (stamp <= (drops.get(id) ?? 0)) continue;
        const other = live.get(id);
        const known = other?.segment.documents[other.at]?.stamp ?? 0;
        if (other === undefined || stamp > known || (stamp === known && segment.name > other.segment.name)) live.set(id, { segment, at });
      }
    }
  };

  const refresh = async (): Promise<void> => {
    const names = (await folder.list()).filter((name) => name.endsWith(ending));
    for (const name of names) {
      if (opened.has(name)) continue;
      try {
        const segment = await openSegment(folder, name);
        const { id, dimensions } = segment.embedder;
        if (id !== embedder.id || dimensions !== embedder.dimensions)
          throw new SpellError(
            "rag-model",
            `${folder.place} holds vectors of ${id} (${dimensions} numbers); expected those of ${embedder.id} (${embedder.dimensions})`,
            { where: folder.place, details: { stored: id, asked: embedder.id } },
          );
        opened.set(name, segment);
      } catch (error) {
        if (!(error instanceof SegmentGone)) throw error;
      }
    }
    for (const name of opened.keys()) if (!names.includes(name)) opened.delete(name);
    settle([...opened.values()]);
  };

  const toBytes = (documents: readonly NewDocument[], replaces: readonly string[] = []) =>
    writeSegment({ embedder, documents, replaces, drops: [...dropped], storeText });

  /** Saved segments and what waits to be saved. */
  const current = async (): Promise<void> => {
    pending ??= (async () => {
      if (added.size === 0) return undefined;
      const own = memoryFolder();
      await own.write(`~${ending}`, writeSegment({ embedder, documents: [...added.values()], replaces: [], drops: [], storeText: true }));
      return openSegment(own, `~${ending}`);
    })();
    const waiting = await pending;
    if (isSettled) return;
    isSettled = true;
    settle([...opened.values(), ...(waiting === undefined ? [] : [waiting])]);
  };

  /** Again, where a merge of somebody else has taken a file away meanwhile. */
  const steadily = async <T>(work: () => Promise<T>): Promise<T> => {
    for (let tries = 0; ; tries += 1) {
      await current();
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof SegmentGone) || tries === 3) throw error;
        await refresh();
      }
    }
  };

  const changed = (): void => {
    pending = undefined;
    isSettled = false;
  };

  const checkVectors = ({ id, chunks }: IndexedDocument): void => {
    for (const [i, { vector }] of chunks.entries()) {
      if (vector.length !== embedder.dimensions)
        throw new SpellError(
          "rag-model",
          `document ${id}: expected vectors of ${embedder.dimensions} numbers, got ${vector.length} (chunk ${i})`,
        );
      if (!vector.every(Number.isFinite))
        throw new SpellError("run-nan", `document ${id}: the vector of chunk ${i} has a number that is none`);
    }
  };

  const write = async (documents: readonly NewDocument[], replaces: readonly string[]): Promise<void> => {
    let group: NewDocument[] = [];
    let count = 0;
    const groups = [group];
    for (const document of documents) {
      if (count > 0 && count + document.chunks.length > mostChunks) {
        group = [];
        groups.push(group);
        count = 0;
      }
      group.push(document);
      count += document.chunks.length;
    }
    // the last one stands for what it replaces: until it is there, what is replaced is
    for (const [i, each] of groups.entries()) {
      const name = `${nextStamp().toString(36)}-${crypto.randomUUID().slice(0, 8)}${ending}`;
      await folder.write(name, toBytes(each, i === groups.length - 1 ? replaces : []));
    }
  };

  const read = async (id: string): Promise<NewDocument | undefined> => {
    const waiting = added.get(id);
    if (waiting !== undefined) return waiting;
    const place = live.get(id);
    const document = place?.segment.documents[place.at];
    if (place === undefined || document === undefined) return undefined;
    const chunks = [];
    for (let chunk = document.from; chunk < document.from + document.count; chunk += 1) {
      const facts = place.segment.chunks[chunk];
      if (facts === undefined) continue;
      const text = await place.segment.text(chunk);
      const counted = text === undefined ? await place.segment.wordsOf(chunk) : undefined;
      chunks.push({ ...facts, text: text ?? "", counted, vector: await place.segment.vector(chunk) });
    }
    return { id, title: document.title, metadata: document.metadata, stamp: document.stamp, chunks };
  };

  await refresh();
  const collection: Collection = {
    add(documents) {
      documents.forEach(checkVectors);
      for (const document of documents) {
        dropped.delete(document.id);
        added.set(document.id, { ...document, stamp: nextStamp() });
      }
      changed();
      settleWaiting();
    },
    remove(ids) {
      let removed = 0;
      for (const id of ids) {
        if (!live.has(id) && !added.has(id)) continue;
        removed += 1;
        added.delete(id);
        dropped.set(id, nextStamp());
        live.delete(id);
      }
      changed();
      return removed;
    },
    get(id) {
      const waiting = added.get(id);
      if (waiting !== undefined) return { metadata: waiting.metadata, chunks: waiting.chunks.length };
      const place = live.get(id);
      const document = place?.segment.documents[place.at];
      return document === undefined ? undefined : { metadata: document.metadata, chunks: document.count };
    },
    documents: () => [...new Set([...live.keys(), ...added.keys()])].sort(),
    knownVector: (hash) =>
      steadily(async () => {
        vectorAt ??= new Map(segments.flatMap((segment) => segment.chunks.map((facts, chunk) => [facts.hash, [segment, chunk]] as const)));
        const [segment, chunk] = vectorAt.get(hash) ?? [];
        if (segment !== undefined && chunk !== undefined) return segment.vector(chunk);
        return undefined;
      }),
    search: (query) => steadily(() => rank({ segments, live, metric, embedder }, query)),
    chunksOf: (id) =>
      steadily(async () => {
        const document = await read(id);
        return (document?.chunks ?? []).map(({ text, headings, start, end }): Chunk => ({ text, headings, start, end }));
      }),
    stats() {
      const waiting = [...added.values()].reduce((sum, { chunks: own }) => sum + own.length, 0);
      const saved = [...opened.values()];
      const kept = [...live].reduce((sum, [id, { segment, at }]) => (added.has(id) ? sum : sum + (segment.documents[at]?.count ?? 0)), 0);
      return {
        documents: collection.documents().length,
        chunks: kept + waiting,
        deadChunks: saved.reduce((sum, { count }) => sum + count, 0) - kept,
        segments: saved.map(({ name, count }) => ({ name, chunks: count, scan: "exact" })),
        bytes: saved.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    },
    async save() {
      if (added.size === 0 && dropped.size === 0) return;
      await write([...added.values()], []);
      added.clear();
      dropped.clear();
      changed();
      await refresh();
      await collection.merge();
    },
    async refresh() {
      changed();
      await refresh();
    },
    async merge(force = false) {
      const saved = [...opened.values()];
      const all = saved.reduce((sum, { count }) => sum + count, 0);
      const pays =
        saved.filter(({ count }) => count < small).length > mostSmall || (all > 0 && collection.stats().deadChunks > all * mostDead);
      if (!force && !pays) return;
      if (added.size > 0 || dropped.size > 0) {
        await write([...added.values()], []);
        added.clear();
        dropped.clear();
        changed();
        await refresh();
      }
      await steadily(async () => {
        const old = [...opened.keys()];
        const documents = [];
        for (const id of live.keys()) {
          const document = await read(id);
          if (document !== undefined) documents.push(document);
        }
        // What was dropped is in none of these any more, but somebody may still write an older document.
        for (const { drops } of opened.values())
          for (const [id, stamp] of drops) if (stamp > (dropped.get(id) ?? 0)) dropped.set(id, stamp);
        await write(documents, old);
        dropped.clear();
        for (const name of old) await folder.remove(name);
      });
      changed();
      await refresh();
    },
  };

  /** Documents that wait are known at once, where get() and documents() look. */
  function settleWaiting(): void {
    for (const id of added.keys()) live.delete(id);
  }
  return collection;
}

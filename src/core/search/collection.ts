/**
 * All segments of a folder as one collection. Nobody locks: whoever saves adds a file under a new name; a document is where its newest stamp is; a merged
 * segment names those it stands for. A crash leaves at most a file that nobody looks at, and the next merge removes it.
 */
import { SpellError } from "../errors.ts";
import type { SearchFolder } from "../platform.ts";
import type { Chunk, Collection, CollectionSettings, Graph, GraphThreads, IndexedDocument, Metadata } from "../spec/search-index.ts";
import { memoryFolder } from "./memory-folder.ts";
import { nearness } from "./nearness.ts";
import { type Kept, keepDocuments, rank } from "./rank.ts";
import { rowScan } from "./row-scan.ts";
import { type NewDocument, openSegment, quantize, type Segment, SegmentGone, writeSegment } from "./segment.ts";

/** chunks of a segment at most: as it is saved, and after a merge */
const [mostSaved, mostMerged] = [20_000, 200_000];
/** A graph takes minutes to build, and saves some milliseconds of each query; smaller segments are looked at in less. */
const leastInGraph = 20_000;
/** Segments with fewer chunks are put together when there are more than `mostSmall`. */
const small = 1000;
const mostSmall = 8;
/** share of dead chunks from which a merge pays */
const mostDead = 0.2;
const ending = ".seg";
/** of a file that is damaged: it stays for who wants to look, and nothing reads it */
const asideEnding = ".damaged";

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

export interface CollectionHost {
  readonly graphThreads?: GraphThreads | undefined;
  /** Called when a graph was built. */
  readonly onGraph?: ((built: { readonly rows: number; readonly threads: number }) => void) | undefined;
  /** Told of chunks that have their neighbours while a graph is built. */
  readonly onLinked?: ((done: number, of: number) => void) | undefined;
  /** Opens what is whole; the rest is for mend(). Default: what is damaged is an error. */
  readonly mends?: boolean | undefined;
}

/** @throws SpellError rag-damaged, rag-version, rag-model, store-* */
export async function openCollection(
  folder: SearchFolder,
  settings: CollectionSettings,
  { graphThreads, onGraph, onLinked, mends = false }: CollectionHost = {},
): Promise<Collection> {
  const { embedder, metric, storeText, graph } = settings;
  const opened = new Map<string, Segment>();
  const added = new Map<string, NewDocument>();
  const dropped = new Map<string, number>();
  /** metadata for saved documents of these stamps, to be saved */
  const restated = new Map<string, { readonly stamp: number; readonly metadata: Metadata }>();
  /** whether the next save writes anew what an older version wrote */
  let renews = false;
  /** what was added, as a segment; made anew when it is asked for */
  let pending: Promise<Segment | undefined> | undefined;
  let isSettled = false;
  let live = new Map<string, Place>();
  /** where the vector of a text is; made when it is asked for */
  let vectorAt: Map<string, readonly [segment: Segment, chunk: number]> | undefined;
  let segments: readonly Segment[] = [];
  let alive = new Map<Segment, Kept>();
  let last: Promise<unknown> = Promise.resolve();

  /** One after the other: what is written is what was there when it began. */
  const alone = <T>(work: () => Promise<T>): Promise<T> => {
    const done = last.then(work);
    last = done.catch(() => undefined);
    return done;
  };

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
    const restatements = segments.flatMap((segment) => segment.restated.map((each) => ({ name: segment.name, each })));
    restatements.sort((one, other) => (one.name < other.name ? -1 : 1));
    for (const { each } of restatements) say(...each);
    for (const [id, { stamp, metadata }] of restated) say(id, stamp, metadata);
    const living = new Map<Segment, number[]>(segments.map((segment) => [segment, []]));
    for (const { segment, at } of live.values()) living.get(segment)?.push(at);
    alive = new Map([...living].map(([segment, documents]) => [segment, keepDocuments(segment, documents)]));
  };

  const say = (id: string, stamp: number, metadata: Metadata): void => {
    const { segment, at = 0 } = live.get(id) ?? {};
    if (segment?.documents[at]?.stamp === stamp) segment.restate(at, metadata);
  };

  /** What was set aside, until it is told. */
  const aside: string[] = [];
  const setAside = async (name: string, { message }: SpellError): Promise<void> => {
    const size = await folder.size(name);
    const bytes = size === undefined ? undefined : await folder.read(name, 0, size);
    opened.delete(name);
    // another program was first
    if (bytes === undefined) return;
    const kept = name.replace(ending, asideEnding);
    await folder.write(kept, [bytes]);
    await folder.remove(name);
    aside.push(`${message}; it was set aside as ${kept}: what it held is to be ingested again`);
  };

  const refresh = async (sets = false): Promise<void> => {
    const names = (await folder.list()).filter((name) => name.endsWith(ending));
    for (const name of names) {
      if (opened.has(name)) continue;
      try {
        const segment = await openSegment(folder, name, metric);
        const { id, dimensions } = segment.embedder;
        if (id !== embedder.id || dimensions !== embedder.dimensions)
          throw new SpellError(
            "rag-model",
            `${folder.place} holds vectors of ${id} (${dimensions} numbers); expected those of ${embedder.id} (${embedder.dimensions})`,
            { where: folder.place, details: { stored: id, asked: embedder.id } },
          );
        opened.set(name, segment);
      } catch (error) {
        if (sets && isDamaged(error)) await setAside(name, error);
        else if (!(error instanceof SegmentGone)) throw error;
      }
    }
    for (const name of opened.keys()) if (!names.includes(name)) opened.delete(name);
    settle([...opened.values()]);
  };

  /** Saved segments and what waits to be saved. */
  const current = async (): Promise<void> => {
    pending ??= (async () => {
      if (added.size === 0) return undefined;
      const own = memoryFolder();
      await own.write(`~${ending}`, writeSegment({ embedder, documents: [...added.values()], replaces: [], drops: [], storeText: true }));
      return openSegment(own, `~${ending}`, metric);
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

  /** @param replaces names of segments that these documents come from; none: they are new */
  const write = async (documents: readonly NewDocument[], replaces: readonly string[] = []): Promise<void> => {
    const gone = [...dropped];
    const said = [...restated];
    const groups = inGroups(documents, replaces.length > 0 ? mostMerged : mostSaved);
    // the last one stands for what it replaces: until it is there, what is replaced is
    for (const [i, each] of groups.entries()) {
      const name = `${nextStamp().toString(36)}-${crypto.randomUUID().slice(0, 8)}${ending}`;
      const own = i === groups.length - 1 ? replaces : [];
      const links = replaces.length > 0 ? await link(each) : undefined;
      const segment = { embedder, documents: each, replaces: own, drops: gone, storeText, graph: links };
      const metadata = i > 0 ? [] : said.map(([id, { stamp, metadata: own }]) => [id, stamp, own] as const);
      await folder.write(name, writeSegment({ ...segment, restated: metadata }, folder.crc32));
    }
    // what was added or removed meanwhile waits for the next time
    for (const document of documents) if (added.get(document.id) === document) added.delete(document.id);
    for (const [id, stamp] of gone) if (dropped.get(id) === stamp) dropped.delete(id);
    for (const [id, own] of said) if (restated.get(id) === own) restated.delete(id);
    changed();
    await refresh();
  };

  const link = async (documents: readonly NewDocument[]): Promise<Graph | undefined> => {
    const count = documents.reduce((sum, { chunks }) => sum + chunks.length, 0);
    if (graph === undefined || count < (graph.least ?? leastInGraph)) return undefined;
    const { dimensions } = embedder;
    const { rows, scales } = quantize(documents, dimensions);
    const near = nearness(metric, rowScan(rows, dimensions), scales);
    const threads = Math.min(graph.threads ?? 1, graphThreads?.most ?? 1);
    const { factors, biases } = near;
    const tell = (done: number): void => onLinked?.(done, count);
    // where there is no room for threads one goes on alone
    const shared =
      threads < 2
        ? undefined
        : await graphThreads?.build({ rows, dimensions, factors, biases }, graph, threads, tell).catch(() => undefined);
    const alone = async (): Promise<Graph> => {
      const { buildGraph } = await import("./graph.ts");
      return buildGraph(near, graph, () => new Promise((resolve) => setTimeout(resolve, 0)), tell);
    };
    const built = shared ?? (await alone());
    onGraph?.({ rows: count, threads: shared === undefined ? 1 : threads });
    return built;
  };

  const flush = async (): Promise<void> => {
    if (added.size > 0 || dropped.size > 0 || restated.size > 0) await write([...added.values()]);
  };

  /** Written by an older version. One with a graph stays: to build it again takes minutes. */
  const outdated = (): readonly Segment[] => [...opened.values()].filter(({ isOld, walk }) => isOld && walk === undefined);

  /** Segments that a merge would put together: the small ones where there are many, those with much that is dead, and those that want a graph. */
  const worthMerging = (): readonly Segment[] => {
    const saved = [...opened.values()];
    const all = saved.filter(({ count }) => count < small);
    const dead = saved.filter((segment) => segment.count - (alive.get(segment)?.count ?? 0) > segment.count * mostDead);
    return [...new Set([...(all.length > mostSmall ? all : []), ...dead, ...(renews ? outdated() : []), ...worthLinking(saved)])];
  };

  /** Those without a graph, and as many of the others as one segment takes, when what has none is enough for one, and half of what has one. */
  const worthLinking = (saved: readonly Segment[]): readonly Segment[] => {
    if (graph === undefined) return [];
    const living = (segment: Segment): number => alive.get(segment)?.count ?? 0;
    const sum = (some: readonly Segment[]): number => some.reduce((total, segment) => total + living(segment), 0);
    const [bare, linked] = [saved.filter(({ walk }) => walk === undefined), saved.filter(({ walk }) => walk !== undefined)];
    if (sum(bare) < Math.max(graph.least ?? leastInGraph, sum(linked) / 2)) return [];
    const bySize = (some: readonly Segment[]): readonly Segment[] => [...some].sort((a, b) => living(a) - living(b));
    const fitting: Segment[] = [];
    for (const segment of [...bySize(bare), ...bySize(linked)]) if (sum([...fitting, segment]) <= mostMerged) fitting.push(segment);
    return fitting;
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

  await refresh(mends);
  const collection: Collection = {
    add(documents) {
      documents.forEach(checkVectors);
      for (const document of documents) {
        dropped.delete(document.id);
        restated.delete(document.id);
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
        restated.delete(id);
        dropped.set(id, nextStamp());
        live.delete(id);
      }
      changed();
      return removed;
    },
    restate(documents) {
      for (const { id, metadata } of documents) {
        const waiting = added.get(id);
        const { segment, at = 0 } = live.get(id) ?? {};
        const saved = segment?.documents[at];
        if (waiting !== undefined) added.set(id, { ...waiting, metadata });
        else if (saved !== undefined) {
          restated.set(id, { stamp: saved.stamp, metadata });
          segment?.restate(at, metadata);
        }
      }
      changed();
      settleWaiting();
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
    search: (query) => steadily(() => rank({ segments, alive, metric, graph }, query)),
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
        segments: saved.map(({ name, count, walk }) => ({ name, chunks: count, scan: walk === undefined ? "exact" : "graph" })),
        bytes: saved.reduce((sum, { bytes }) => sum + bytes, 0),
      };
    },
    save: () =>
      alone(async () => {
        if (added.size === 0 && dropped.size === 0 && restated.size === 0 && !renews) return;
        await flush();
        await merge(worthMerging());
        renews = false;
      }),
    refresh: () =>
      alone(async () => {
        changed();
        await refresh();
      }),
    mend: () =>
      alone(async () => {
        for (const [name, segment] of opened) {
          try {
            await segment.check();
          } catch (error) {
            if (isDamaged(error)) await setAside(name, error);
            else if (!(error instanceof SegmentGone)) throw error;
          }
        }
        const isNew = (await folder.list()).some((name) => name.endsWith(ending) && !opened.has(name));
        if (isNew || aside.length > 0) {
          changed();
          await refresh(true);
        }
        renews ||= outdated().length > 0;
        return aside.splice(0);
      }),
    check: () =>
      steadily(async () => {
        for (const segment of opened.values()) await segment.check();
      }),
    merge: (force = false) =>
      alone(async () => {
        await flush();
        await refresh();
        await merge(force ? [...opened.values()] : worthMerging());
      }),
  };

  /** Writes what lives in segments anew, then removes them. What others have taken away meanwhile is theirs. */
  async function merge(old: readonly Segment[]): Promise<void> {
    if (old.length === 0) return;
    const names = new Set(old.map(({ name }) => name));
    const documents: NewDocument[] = [];
    try {
      for (const [id, { segment }] of live) {
        const document = names.has(segment.name) ? await read(id) : undefined;
        if (document !== undefined) documents.push(document);
      }
    } catch (error) {
      if (!(error instanceof SegmentGone)) throw error;
      await refresh();
      return;
    }
    // What was dropped is in none of these any more, but somebody may still write an older document.
    for (const { restated: own } of old)
      for (const [id, stamp, metadata] of own) {
        const { segment, at = 0 } = live.get(id) ?? {};
        const isElsewhere = segment !== undefined && !names.has(segment.name) && segment.documents[at]?.stamp === stamp;
        // the newest of what was said is what the document has
        if (isElsewhere && !restated.has(id)) restated.set(id, { stamp, metadata: segment.documents[at]?.metadata ?? metadata });
      }
    for (const { drops } of old) for (const [id, stamp] of drops) if (stamp > (dropped.get(id) ?? 0)) dropped.set(id, stamp);
    // what holds nothing needs no file that stands for it
    if (documents.length > 0 || dropped.size > 0 || restated.size > 0) await write(documents, [...names]);
    for (const name of names) await folder.remove(name);
    await refresh();
  }

  /** Documents that wait are known at once, where get() and documents() look. */
  function settleWaiting(): void {
    for (const id of added.keys()) live.delete(id);
  }
  return collection;
}

function isDamaged(error: unknown): error is SpellError {
  return error instanceof SpellError && error.code === "rag-damaged";
}

/** Documents in their order, together with at most so many chunks; one with more is alone. At least one group. */
function inGroups(documents: readonly NewDocument[], most: number): readonly (readonly NewDocument[])[] {
  let group: NewDocument[] = [];
  const groups = [group];
  let count = 0;
  for (const document of documents) {
    if (count > 0 && count + document.chunks.length > most) {
      group = [];
      groups.push(group);
      count = 0;
    }
    group.push(document);
    count += document.chunks.length;
  }
  return groups;
}

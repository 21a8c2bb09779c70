/**
 * A graph of near neighbours (HNSW: Malkov and Yashunin, arXiv 1603.09320) over rows of 8 bits. It depends on the rows, their order and the settings, and
 * on nothing else: products are whole numbers, ties go by number, levels come from a hash.
 * Rows are added in batches. Each new row looks for its neighbours in the graph as it was before the batch, and among its elders in the batch; then the old
 * rows take their new neighbours in order.
 */

import type { Graph, GraphSettings } from "../spec/search-index.ts";
import { Heap, nearestFirst } from "./heap.ts";
import { type Nearness, nearOf, type Weight } from "./nearness.ts";
import { mostGathered } from "./row-scan.ts";

/** @param pause lets others run between two batches @param onRows rows that have their neighbours */
export async function buildGraph(
  near: Nearness,
  settings: GraphSettings,
  pause: () => Promise<void>,
  onRows?: (done: number) => void,
): Promise<Graph> {
  const { count } = near.scan;
  const graph = emptyGraph(count, settings, (bytes) => new ArrayBuffer(bytes));
  const walk = new Walk(near, graph);
  for (const [from, to] of batches(count, settings.batchSize)) {
    for (let row = from; row < to; row += 1) walk.choose(row, from, settings.efConstruction);
    const chosen = walk.chosen(from, to);
    for (let row = from; row < to; row += 1) walk.tell(row, chosen[row - from] ?? []);
    walk.enter(from, to);
    onRows?.(to);
    await pause();
  }
  return { ...graph, entry: walk.entry };
}

/** @param room makes the memory of a part */
export function emptyGraph(count: number, settings: GraphSettings, room: (bytes: number) => ArrayBufferLike): Graph {
  const { m } = settings;
  const levels = new Uint8Array(room(count));
  let above = 0;
  for (let row = 0; row < count; row += 1) {
    levels[row] = levelOf(row, settings);
    above += levels[row] as number;
  }
  return {
    m,
    entry: 0,
    levels,
    bottom: new Uint32Array(room(4 * count * (1 + 2 * m))),
    upper: new Uint32Array(room(4 * above * (1 + m))),
  };
}

/** Rows that are added together, as [from, to). A graph of few rows knows little: small steps first. The first row is there from the beginning. */
export function* batches(count: number, size: number): Generator<readonly [from: number, to: number]> {
  for (let from = Math.min(1, count); from < count; ) {
    const to = Math.min(count, from + Math.min(size, Math.max(1, from >> 3)));
    yield [from, to];
    from = to;
  }
}

/** A row has level l or more with probability m^−l. */
function levelOf(row: number, { m, seed, layers }: GraphSettings): number {
  const hash = mix(seed, row);
  let level = 0;
  for (let least = 2 ** 32 / m; level < layers - 1 && hash < least; least /= m) level += 1;
  return level;
}

function mix(seed: number, row: number): number {
  let hash = Math.imul(seed ^ 0x9e37_79b9, 0x85eb_ca6b) ^ Math.imul((row + 0x7f4a_7c15) | 0, 0xc2b2_ae35);
  hash = Math.imul(hash ^ (hash >>> 16), 0x21f0_aaad);
  hash = Math.imul(hash ^ (hash >>> 15), 0x735a_2d97);
  return (hash ^ (hash >>> 15)) >>> 0;
}

interface Found {
  readonly score: number;
  readonly row: number;
}

/** Walks through a graph; one walk at a time. */
export class Walk {
  private readonly near: Nearness;
  private readonly graph: Graph;
  private readonly seen: Uint32Array;
  private readonly upperAt: Uint32Array;
  private round = 0;
  private readonly open = new Heap(false);
  private readonly best = new Heap(true);
  /** where every search begins */
  entry: number;

  constructor(near: Nearness, graph: Graph) {
    this.near = near;
    this.graph = graph;
    this.entry = graph.entry;
    const { count } = near.scan;
    this.seen = new Uint32Array(count);
    this.upperAt = new Uint32Array(count);
    let above = 0;
    for (let row = 0; row < count; row += 1) {
      this.upperAt[row] = above;
      above += graph.levels[row] as number;
    }
  }

  /** Rows near the question that the scan was asked, nearest first. @param of the question's own @param ef rows that are held on the way, at least the result's */
  search(of: Weight, ef: number): readonly Found[] {
    const { count } = this.near.scan;
    if (count === 0) return [];
    const { levels } = this.graph;
    const { entry } = this;
    let start: Found = { row: entry, score: this.scoreOf(-1, of, entry) };
    for (let level = levels[entry] as number; level > 0; level -= 1) start = this.level(-1, of, start, 1, level)[0] ?? start;
    return this.level(-1, of, start, ef, 0);
  }

  /** Writes the own links of a new row. @param from the first row of its batch */
  choose(row: number, from: number, ef: number): void {
    const { graph, entry } = this;
    const own = this.weightOf(row);
    const [level, top] = [graph.levels[row] as number, graph.levels[entry] as number];
    let start: Found = { row: entry, score: this.scoreOf(row, own, entry) };
    for (let l = top; l > level; l -= 1) start = this.level(row, own, start, 1, l)[0] ?? start;
    for (let l = level; l >= 0; l -= 1) {
      const found = l <= top ? [...this.level(row, own, start, ef, l)] : [];
      start = found[0] ?? start;
      for (let elder = from; elder < row; elder += 1) {
        if ((graph.levels[elder] as number) >= l) found.push({ row: elder, score: this.scoreOf(row, own, elder) });
      }
      this.write(row, l, this.select(found.sort(nearestFirst).slice(0, ef), graph.m));
    }
  }

  /** Copies of the links that the rows of a batch chose, from level 0 up: what is told to one of them changes its list. */
  chosen(from: number, to: number): readonly (readonly Uint32Array[])[] {
    return Array.from({ length: to - from }, (_, i) =>
      Array.from({ length: 1 + (this.graph.levels[from + i] as number) }, (_level, level) => this.list(from + i, level).slice()),
    );
  }

  /**
   * Puts a new row into the lists of those it chose.
   * @param chosen by level
   * @param part of `parts`: only the lists of its own rows are written
   */
  tell(row: number, chosen: readonly Uint32Array[], part = 0, parts = 1): void {
    const { graph } = this;
    for (let level = chosen.length - 1; level >= 0; level -= 1) {
      const most = level === 0 ? 2 * graph.m : graph.m;
      for (const other of chosen[level] ?? []) {
        if (other % parts !== part) continue;
        const links = this.list(other, level);
        if (links.length < most) {
          this.append(other, level, row);
          continue;
        }
        const own = this.weightOf(other);
        const { scan } = this.near;
        scan.ids.set(links);
        scan.ids[links.length] = row;
        const products = scan.gather(other, links.length + 1);
        const found = Array.from({ length: links.length + 1 }, (_, i) => {
          const each = scan.ids[i] as number;
          return { row: each, score: nearOf(this.near, own, each, products[i] as number) };
        });
        this.write(other, level, this.select(found.sort(nearestFirst), most));
      }
    }
  }

  /** After a batch: searches begin at the first row of the topmost level. */
  enter(from: number, to: number): void {
    const { levels } = this.graph;
    for (let row = from; row < to; row += 1) if ((levels[row] as number) > (levels[this.entry] as number)) this.entry = row;
  }

  /** Best first through one level. */
  private level(asked: number, of: Weight, start: Found, ef: number, level: number): readonly Found[] {
    const { near, seen, open, best } = this;
    const { scan } = near;
    this.round += 1;
    const round = this.round;
    open.clear();
    best.clear();
    seen[start.row] = round;
    open.push(start.score, start.row);
    best.push(start.score, start.row);
    while (open.size > 0) {
      if (best.size >= ef && open.topScore < best.topScore) break;
      const row = open.topRow;
      open.pop();
      let fresh = 0;
      const links = this.list(row, level);
      for (let i = 0; i < links.length; i += 1) {
        const link = links[i] as number;
        if (seen[link] === round) continue;
        seen[link] = round;
        scan.ids[fresh] = link;
        fresh += 1;
      }
      if (fresh === 0) continue;
      const products = scan.gather(asked, fresh);
      for (let i = 0; i < fresh; i += 1) {
        const link = scan.ids[i] as number;
        const score = nearOf(near, of, link, products[i] as number);
        if (best.size < ef) {
          open.push(score, link);
          best.push(score, link);
        } else if (score > best.topScore) {
          open.push(score, link);
          best.replaceTop(score, link);
        }
      }
    }
    return best.sorted();
  }

  /** Of the nearest those that are nearer to the base than to every one taken before: they lead into different directions. */
  private select(found: readonly Found[], most: number): readonly number[] {
    if (found.length <= most) return found.map(({ row }) => row);
    const taken: number[] = [];
    const { near } = this;
    for (const { row, score } of found) {
      if (taken.length === most) break;
      near.scan.ids.set(taken);
      const products = near.scan.gather(row, taken.length);
      const own = this.weightOf(row);
      let isApart = true;
      for (let i = 0; isApart && i < taken.length; i += 1) isApart = nearOf(near, own, taken[i] as number, products[i] as number) <= score;
      if (isApart) taken.push(row);
    }
    return taken;
  }

  private weightOf(row: number): Weight {
    return { factor: this.near.factors[row] as number, bias: this.near.biases[row] as number };
  }

  /** @param asked a row, or −1: the question */
  private scoreOf(asked: number, of: Weight, row: number): number {
    const { scan } = this.near;
    scan.ids[0] = row;
    return nearOf(this.near, of, row, scan.gather(asked, 1)[0] as number);
  }

  private list(row: number, level: number): Uint32Array {
    const links = level === 0 ? this.graph.bottom : this.graph.upper;
    const at = this.placeOf(row, level);
    return links.subarray(at + 1, at + 1 + (links[at] as number));
  }

  private write(row: number, level: number, rows: readonly number[]): void {
    const links = level === 0 ? this.graph.bottom : this.graph.upper;
    const at = this.placeOf(row, level);
    links[at] = rows.length;
    links.set(rows, at + 1);
  }

  private append(row: number, level: number, other: number): void {
    const links = level === 0 ? this.graph.bottom : this.graph.upper;
    const at = this.placeOf(row, level);
    const length = (links[at] as number) + 1;
    links[at + length] = other;
    links[at] = length;
  }

  /** of a list's length */
  private placeOf(row: number, level: number): number {
    const { m } = this.graph;
    return level === 0 ? row * (1 + 2 * m) : ((this.upperAt[row] as number) + level - 1) * (1 + m);
  }
}

/** @returns what is wrong with a graph that was read; undefined for one whose links can be followed */
export function faultOf({ m, entry, levels, bottom, upper }: Graph, count: number): string | undefined {
  const above = levels.reduce((sum, level) => sum + level, 0);
  if (!Number.isInteger(m) || m < 2 || 2 * m > mostGathered) return `m is ${m}`;
  if (levels.length !== count || bottom.length !== count * (1 + 2 * m) || upper.length !== above * (1 + m))
    return `it is not of ${count} rows`;
  if (!Number.isInteger(entry) || entry < 0 || (entry >= count && count > 0)) return `it begins at row ${entry} of ${count}`;
  return faultOfLists(bottom, 1 + 2 * m, () => 0, levels, count) ?? faultOfLists(upper, 1 + m, levelsOfLists(levels), levels, count);
}

function faultOfLists(
  lists: Uint32Array,
  width: number,
  levelOfList: (list: number) => number,
  levels: Uint8Array,
  count: number,
): string | undefined {
  for (let at = 0; at < lists.length; at += width) {
    const length = lists[at] as number;
    if (length >= width) return `a row has ${length} links of ${width - 1}`;
    const level = levelOfList(at / width);
    for (let i = at + 1; i <= at + length; i += 1) {
      const row = lists[i] as number;
      if (row >= count || (levels[row] as number) < level) return `a link leads to row ${row} of ${count}, level ${level}`;
    }
  }
  return undefined;
}

function levelsOfLists(levels: Uint8Array): (list: number) => number {
  const all: number[] = [];
  for (const level of levels) for (let l = 1; l <= level; l += 1) all.push(l);
  return (list) => all[list] ?? 0;
}

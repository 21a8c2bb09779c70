/**
 * A graph of near neighbours (HNSW: Malkov and Yashunin, arXiv 1603.09320) over rows of 8 bits. It depends on the rows, their order and the settings, and
 * on nothing else: products are whole numbers, ties go by number, levels come from a hash.
 * Rows are added in batches. Each new row looks for its neighbours in the graph as it was before the batch, and among its elders in the batch; then the old
 * rows take their new neighbours in order.
 */

import type { GraphSettings } from "../spec/search-index.ts";
import { Heap, nearestFirst } from "./heap.ts";
import { type Nearness, nearOf, type Weight } from "./nearness.ts";
import { mostGathered } from "./row-scan.ts";

/** Links as a segment keeps them. A list is its length, then that many rows, then room. */
export interface Graph {
  /** links of a row in upper levels; twice as many at the bottom */
  readonly m: number;
  /** where every search begins: a row of the topmost level */
  readonly entry: number;
  /** level of each row */
  readonly levels: Uint8Array;
  /** a list of 1 + 2m numbers for each row */
  readonly bottom: Uint32Array;
  /** a list of 1 + m numbers for each level above 0 of each row, in the order of rows and levels */
  readonly upper: Uint32Array;
}

/** @param pause lets others run between two batches */
export async function buildGraph(near: Nearness, settings: GraphSettings, pause: () => Promise<void>): Promise<Graph> {
  const { m, efConstruction, batchSize } = settings;
  const { count } = near.scan;
  const levels = Uint8Array.from({ length: count }, (_, row) => levelOf(row, settings));
  const above = levels.reduce((sum, level) => sum + level, 0);
  const graph = {
    m,
    entry: 0,
    levels,
    bottom: new Uint32Array(count * (1 + 2 * m)),
    upper: new Uint32Array(above * (1 + m)),
  };
  const walk = new Walk(near, graph);
  let done = Math.min(1, count);
  while (done < count) {
    // a graph of few rows knows little: small steps first
    const to = Math.min(count, done + Math.min(batchSize, Math.max(1, done >> 3)));
    for (let row = done; row < to; row += 1) walk.choose(row, done, efConstruction);
    for (let row = done; row < to; row += 1) walk.tell(row);
    for (let row = done; row < to; row += 1) if ((levels[row] as number) > (levels[graph.entry] as number)) graph.entry = row;
    done = to;
    await pause();
  }
  return graph;
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

  constructor(near: Nearness, graph: Graph) {
    this.near = near;
    this.graph = graph;
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
    const { entry, levels } = this.graph;
    let start: Found = { row: entry, score: this.scoreOf(-1, of, entry) };
    for (let level = levels[entry] as number; level > 0; level -= 1) start = this.level(-1, of, start, 1, level)[0] ?? start;
    return this.level(-1, of, start, ef, 0);
  }

  /** Writes the own links of a new row. @param from the first row of its batch */
  choose(row: number, from: number, ef: number): void {
    const { graph } = this;
    const own = this.weightOf(row);
    const [level, top] = [graph.levels[row] as number, graph.levels[graph.entry] as number];
    let start: Found = { row: graph.entry, score: this.scoreOf(row, own, graph.entry) };
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

  /** Puts a new row into the lists of those it chose. */
  tell(row: number): void {
    const { graph } = this;
    for (let level = graph.levels[row] as number; level >= 0; level -= 1) {
      const most = level === 0 ? 2 * graph.m : graph.m;
      for (const other of [...this.list(row, level)]) {
        const links = this.list(other, level);
        if (links.length < most) {
          this.write(other, level, [...links, row]);
          continue;
        }
        const own = this.weightOf(other);
        const found = [...links, row].map((each) => ({ row: each, score: this.scoreOf(other, own, each) }));
        this.write(other, level, this.select(found.sort(nearestFirst), most));
      }
    }
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
    const { bottom, upper, m } = this.graph;
    const links = level === 0 ? bottom : upper;
    const at = level === 0 ? row * (1 + 2 * m) : ((this.upperAt[row] as number) + level - 1) * (1 + m);
    return links.subarray(at + 1, at + 1 + (links[at] as number));
  }

  private write(row: number, level: number, rows: readonly number[]): void {
    const { bottom, upper, m } = this.graph;
    const links = level === 0 ? bottom : upper;
    const at = level === 0 ? row * (1 + 2 * m) : ((this.upperAt[row] as number) + level - 1) * (1 + m);
    links[at] = rows.length;
    links.set(rows, at + 1);
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

/** What an index keeps beside a document, and who finds it. */
import { isObject } from "../json.ts";
import type { Metadata } from "../spec/search-index.ts";
import type { SearchOptions } from "./types.ts";

export interface Kept {
  readonly own: Metadata;
  readonly source: string;
  /** of all that its chunks are made of */
  readonly hash: string;
  /** of bytes that were read, where the document says it (prepare.ts) */
  readonly version?: string | undefined;
  /** where one index has those of several */
  readonly tenant?: string | undefined;
  readonly scope?: string | undefined;
  readonly scopeId?: string | undefined;
  /** milliseconds since the epoch at which it is gone */
  readonly until?: number | undefined;
}

export const sessionScope = "session";
const divider = "\u001f";

/** Ids of one index: two tenants or scopes may name their documents alike. */
export function innerId(id: string, { tenant = "", scope = "", scopeId = "" }: Pick<Kept, "tenant" | "scope" | "scopeId">): string {
  return tenant + scope + scopeId === "" ? id : [tenant, scope, scopeId, id].join(divider);
}

export function outerId(id: string): string {
  return id.split(divider).at(-1) ?? id;
}

const read = new WeakMap<Metadata, Kept>();

/** Of our own making; what another program wrote there has none of it. */
export function keptOf(metadata: Metadata): Kept {
  const known = read.get(metadata);
  if (known !== undefined) return known;
  const { own, source, hash, ...rest } = metadata as Partial<Kept>;
  const kept = { ...rest, own: isObject(own) ? own : {}, source: typeof source === "string" ? source : "", hash: String(hash ?? "") };
  read.set(metadata, kept);
  return kept;
}

/** @param tenant undefined where the index has those of one alone */
export function finds(
  kept: Kept,
  tenant: string | undefined,
  { scope, scopeId, filters = {} }: Pick<SearchOptions, "scope" | "scopeId" | "filters">,
  time: number,
): boolean {
  if (kept.tenant !== tenant || isOver(kept, time)) return false;
  if (scope === undefined ? kept.scope === sessionScope : kept.scope !== scope) return false;
  if (scopeId !== undefined && kept.scopeId !== scopeId) return false;
  return Object.entries(filters).every(([name, wanted]) => {
    const value = Object.hasOwn(kept.own, name) ? kept.own[name] : undefined;
    return (Array.isArray(wanted) ? wanted : [wanted]).some((each) =>
      Array.isArray(value) ? value.some((inner) => isSame(inner, each)) : isSame(value, each),
    );
  });
}

function isOver({ until }: Kept, time: number): boolean {
  return until !== undefined && until <= time;
}

function isSame(a: unknown, b: unknown): boolean {
  return a === b || (typeof a === "object" && typeof b === "object" && JSON.stringify(a) === JSON.stringify(b));
}

/**
 * Where indexes lie: a folder for each collection, and with `rag.multi_tenant` a folder of collections for each tenant. A small file in the root names each.
 */
import type { RagConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import { isObject } from "../json.ts";
import type { Platform, SearchFolder, SharedIndexes } from "../platform.ts";
import { memoryFolder } from "../search/memory-folder.ts";
import { hashOf } from "./hash.ts";
import type { RagPlace } from "./types.ts";

export interface FoundPlace {
  readonly tenant: string;
  readonly collection: string;
}

export interface Places {
  /** @throws SpellError rag-tenant, rag-input */
  read(place: RagPlace): FoundPlace;
  /** of its index, in the root: the same for all tenants where they share one */
  path(place: FoundPlace): Promise<string>;
  folder(place: FoundPlace): Promise<SearchFolder>;
  /** @throws SpellError rag-tenant where there would be too many */
  check(place: FoundPlace): Promise<void>;
  /** It has something now: it is listed, and its name written with the next save(). */
  note(place: FoundPlace): void;
  save(): Promise<void>;
  list(): Promise<readonly FoundPlace[]>;
  readonly place: string;
}

export const defaultCollection = "default";
const ending = ".place";
const asideEnding = ".damaged";

/**
 * @param open a folder of the host; undefined: everything stays in memory
 * @param shared where the places of a database are written down, in place of files
 */
export function createPlaces(
  { vector_storage, multi_tenant, tenants }: RagConfig,
  open: Platform["searchFolder"],
  shared?: () => Promise<Pick<SharedIndexes, "place" | "places" | "note">>,
): Places {
  const inMemory = new Map<string, SearchFolder>();
  const root = vector_storage.persistence_path;
  const at = async (path: string): Promise<SearchFolder> => {
    if (open !== undefined) return open(path === "" ? root : `${root}/${path}`);
    const folder = inMemory.get(path) ?? memoryFolder();
    inMemory.set(path, folder);
    return folder;
  };
  const pathOf = async ({ tenant, collection }: FoundPlace): Promise<string> =>
    multi_tenant ? `t-${(await hashOf(tenant)).slice(0, 32)}/${collection}` : collection;
  const noted = new Map<string, FoundPlace>();
  const keyOf = ({ tenant, collection }: FoundPlace): string => JSON.stringify({ tenant, collection });
  const sorted = (found: readonly FoundPlace[]): readonly FoundPlace[] =>
    [...found].sort((a, b) => (a.tenant + a.collection < b.tenant + b.collection ? -1 : 1));
  /** Those whose name is written. @param sets aside what is damaged: an index in a folder keeps its name @returns what was told of it */
  const written = async (sets = false): Promise<readonly FoundPlace[]> => {
    if (shared !== undefined) return sorted((await (await shared()).places()).flatMap((each) => placeOf(each) ?? []));
    const folder = await at("");
    const found: FoundPlace[] = [];
    for (const name of await folder.list()) {
      if (!name.endsWith(ending)) continue;
      const size = await folder.size(name);
      const bytes = size === undefined ? undefined : await folder.read(name, 0, size);
      const place = parsed(bytes);
      if (place === undefined && sets) {
        if (bytes !== undefined) await folder.write(name.replace(ending, asideEnding), [bytes]);
        await folder.remove(name);
        continue;
      }
      if (place === undefined)
        throw new SpellError("rag-damaged", `${folder.place}: expected the name of a collection in ${name}, got other bytes`, {
          where: folder.place,
        });
      found.push(place);
    }
    return sorted(found);
  };
  return {
    place: open === undefined ? "memory" : root,
    read({ collection = defaultCollection, tenantId }) {
      if (!/^[a-z0-9][a-z0-9-]{0,59}$/.test(collection))
        throw new SpellError("rag-input", `collection: expected 1–60 of a–z, 0–9, -; got ${JSON.stringify(collection.slice(0, 80))}`, {
          where: "collection",
        });
      if (tenantId === undefined && tenants.require_tenant_id)
        throw new SpellError("rag-tenant", "a tenant is required (rag.tenants.require_tenant_id); the call names none", {
          where: "rag.tenants.require_tenant_id",
        });
      const tenant = tenantId ?? tenants.default_tenant_id;
      if (tenant === "" || tenant.length > 200)
        throw new SpellError("rag-tenant", `tenant: expected 1–200 characters, got ${tenant.length}`, { where: "tenant_id" });
      return { tenant, collection };
    },
    path: pathOf,
    folder: async (place) => at(await pathOf(place)),
    async check(place) {
      const known = [...(await written(true)), ...noted.values()];
      const all = new Set(known.map(({ tenant }) => tenant));
      if (!all.has(place.tenant) && all.size >= tenants.max_tenants)
        throw new SpellError("rag-tenant", `expected at most ${tenants.max_tenants} tenants, got one more`, {
          where: "rag.tenants.max_tenants",
        });
    },
    note: (place) => void noted.set(keyOf(place), place),
    async save() {
      if (noted.size === 0) return;
      // one folder holds all tenants: its name says nothing of them
      const known = new Set((await written(true)).map(keyOf));
      for (const [key, { tenant, collection }] of noted) {
        const place = { tenant, collection };
        if (!known.has(key)) {
          if (shared === undefined) {
            const name = `${(await hashOf(JSON.stringify(place))).slice(0, 32)}${ending}`;
            await (await at("")).write(name, [new TextEncoder().encode(JSON.stringify({ format: 1, ...place }))]);
          } else await (await shared()).note({ format: 1, ...place });
        }
        noted.delete(key);
      }
    },
    async list() {
      const known = await written();
      const keys = new Set(known.map(keyOf));
      return sorted([...known, ...[...noted].flatMap(([key, place]) => (keys.has(key) ? [] : [place]))]);
    },
  };
}

function parsed(bytes: Uint8Array | undefined): FoundPlace | undefined {
  try {
    return placeOf(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return undefined;
  }
}

function placeOf(value: unknown): FoundPlace | undefined {
  if (!isObject(value) || value["format"] !== 1) return undefined;
  const { tenant, collection } = value;
  return typeof tenant === "string" && typeof collection === "string" ? { tenant, collection } : undefined;
}

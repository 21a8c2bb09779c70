/** What scripts keep between calls and runs: JSON values by scope and key. */
import type { RuntimeConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import type { Platform, RecordStore } from "../platform.ts";
import { memoryRecords } from "../store/memory-records.ts";
import { once } from "../values.ts";

/** Every call may throw SpellError state-disabled, store-*. */
export interface State {
  /** Durable when it returns, where the backend is `file`. @throws SpellError state-full */
  save(scope: string, key: string, value: unknown): Promise<void>;
  /** @returns undefined for a missing key. @throws SpellError store-corrupt */
  load(scope: string, key: string): Promise<unknown>;
  /** @returns whether it was there */
  delete(scope: string, key: string): Promise<boolean>;
  /** in order */
  listKeys(scope: string): Promise<readonly string[]>;
  /** in order */
  listScopes(): Promise<readonly string[]>;
  /** @returns how many there were */
  clear(scope: string): Promise<number>;
  close(): Promise<void>;
}

const section = "runtime.state_persistence";

/** Opens nothing; the first call does. With the backend `memory` what was saved goes with this object. */
export function createState(settings: RuntimeConfig["state_persistence"], platform: Pick<Platform, "name" | "records">): State {
  const open = once(async (): Promise<RecordStore> => {
    if (!settings.enabled) {
      throw new SpellError("state-disabled", `State is switched off: ${section}.enabled is false`, {
        where: `${section}.enabled`,
        actions: [{ kind: "use-profile", profile: "state" }],
      });
    }
    if (settings.backend_type === "memory") return memoryRecords();
    if (platform.records === undefined) {
      throw new SpellError("state-disabled", `${section}.backend_type is file, and ${platform.name} keeps no files`, {
        where: `${section}.backend_type`,
        hint: 'Set it to "memory": values then last as long as the run.',
      });
    }
    return platform.records(settings.directory);
  });
  return {
    async save(scope, key, value) {
      const most = settings.max_state_size_bytes;
      const size = await (await open()).put(scope, key, JSON.stringify(value), most);
      if (size <= most) return;
      throw new SpellError("state-full", `State: expected at most ${most} bytes in all scopes together, got ${size}`, {
        where: `${section}.max_state_size_bytes`,
        details: { limit: most, size },
      });
    },
    async load(scope, key) {
      const store = await open();
      const text = await store.get(scope, key);
      if (text === undefined) return undefined;
      try {
        return JSON.parse(text) as unknown;
      } catch (cause) {
        throw new SpellError("store-corrupt", `${scope}/${key}: expected JSON in ${store.place}, got other text`, {
          where: store.place,
          hint: "Save the value again, or delete the key.",
          cause,
        });
      }
    },
    delete: async (scope, key) => (await open()).remove(scope, key),
    listKeys: async (scope) => [...(await (await open()).list(scope))].sort(),
    listScopes: async () => [...(await (await open()).tables())].sort(),
    clear: async (scope) => (await open()).clear(scope),
    async close() {
      // one that could not be opened is closed
      await open().then(
        (store) => store.close(),
        () => undefined,
      );
    },
  };
}

/** What scripts keep between calls and runs: JSON values by scope and key. */
import type { RuntimeConfig, StorageConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import { lazyRecords, parseRecord, type RecordsHost } from "../store/open-records.ts";

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

/** The parts of a configuration that say where it lies. */
export interface KeptConfig {
  readonly runtime: Pick<RuntimeConfig, "state_persistence">;
  readonly storage: StorageConfig;
}

const section = "runtime.state_persistence";

/** Opens nothing; the first call does. With the backend `memory` what was saved goes with this object. */
export function createState({ runtime, storage }: KeptConfig, platform: RecordsHost): State {
  const settings = runtime.state_persistence;
  const { open, close } = lazyRecords(
    {
      what: "State",
      disabled: "state-disabled",
      enabled: { value: settings.enabled, key: `${section}.enabled`, profile: "state" },
      backend: { value: settings.backend_type, key: `${section}.backend_type` },
      directory: settings.directory,
      space: "state",
      storage,
    },
    platform,
  );
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
      return text === undefined ? undefined : parseRecord(text, `${scope}/${key}`, store);
    },
    delete: async (scope, key) => (await open()).remove(scope, key),
    listKeys: async (scope) => [...(await (await open()).list(scope))].sort(),
    listScopes: async () => [...(await (await open()).tables())].sort(),
    clear: async (scope) => (await open()).clear(scope),
    close,
  };
}

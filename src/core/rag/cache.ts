/** Values that are kept for a while: the ones used last, up to a number of units. */
export interface Cache<V> {
  get(key: string): V | undefined;
  set(key: string, value: V, units?: number): void;
  clear(): void;
}

/** @param most units that all values may have together; one value without `units` is one @param ttlMs age at which a value is gone */
export function createCache<V>(most: number, ttlMs: number, now: () => number): Cache<V> {
  const values = new Map<string, { readonly value: V; readonly at: number; readonly units: number }>();
  let all = 0;
  const drop = (key: string): void => {
    all -= values.get(key)?.units ?? 0;
    values.delete(key);
  };
  return {
    get(key) {
      const found = values.get(key);
      if (found === undefined) return undefined;
      values.delete(key);
      if (now() - found.at <= ttlMs) {
        values.set(key, found);
        return found.value;
      }
      all -= found.units;
      return undefined;
    },
    set(key, value, units = 1) {
      drop(key);
      if (units > most) return;
      values.set(key, { value, at: now(), units });
      all += units;
      for (const oldest of values.keys()) {
        if (all <= most) break;
        drop(oldest);
      }
    },
    clear() {
      values.clear();
      all = 0;
    },
  };
}

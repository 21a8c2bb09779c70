/** Values of one source of a configuration, flat: what is merged, and where each came from. */
import type { ProviderType } from "./compiled.generated.ts";
import type { ConfigValue } from "./key.ts";
import { isProviderType } from "./keys.ts";

/** One value with where it came from. */
export interface Entry {
  readonly value: ConfigValue;
  /** "default", "profile:NAME", "file:PATH:LINE", "env:VARIABLE", "object" */
  readonly origin: string;
}

/** Values of one source by dotted path; `providers.NAME.provider_type` is there for every provider it declares. */
export type Layer = ReadonlyMap<string, Entry>;

/** Of two layers the second wins, key by key. Associative. */
export function mergeLayers(...layers: readonly Layer[]): Layer {
  const [first = new Map(), ...others] = layers.filter(({ size }) => size > 0);
  return others.length === 0 ? first : new Map([first, ...others].flatMap((layer) => [...layer]));
}

/** Types of all providers of a layer, by name. */
export function declaredTypes(layer: Layer): ReadonlyMap<string, ProviderType> {
  const found = new Map<string, ProviderType>();
  for (const [path, { value }] of layer) {
    if (!path.startsWith("providers.") || !path.endsWith(".provider_type")) continue;
    if (typeof value === "string" && isProviderType(value)) found.set(path.slice("providers.".length, -".provider_type".length), value);
  }
  return found;
}

/** Of a built-in profile, whose values were checked when the package was built and stand in their canonical form. */
export function layerOf(values: Readonly<Record<string, unknown>>, origin: string): Layer {
  const layer = new Map<string, Entry>();
  const visit = (table: Readonly<Record<string, unknown>>, prefix: string): void => {
    for (const [name, value] of Object.entries(table)) {
      const path = `${prefix}${name}`;
      if (typeof value !== "object" || Array.isArray(value)) layer.set(path, { value: value as ConfigValue, origin });
      else {
        // a provider whose type is its name
        if (prefix === "providers.") layer.set(`${path}.provider_type`, { value: name, origin });
        visit(value as Readonly<Record<string, unknown>>, `${path}.`);
      }
    }
  };
  visit(values, "");
  return layer;
}

/** A path as TOML writes it; long names are cut. */
export function showPath(parts: readonly string[]): string {
  return parts.map((part) => (/^[A-Za-z0-9_-]{1,80}$/.test(part) ? part : JSON.stringify(part.slice(0, 80)))).join(".");
}

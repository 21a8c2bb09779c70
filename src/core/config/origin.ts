/** Where a value was written, for messages. */
import type { ResolvedConfig } from "./resolve.ts";

/** @returns the origin of a key's value, such as "env:VARIABLE"; of one that nobody wrote, what was loaded */
export function originOf({ source, get }: Pick<ResolvedConfig, "source" | "get">, key: string): string {
  const { origin = "default" } = get(key) ?? {};
  return origin === "default" ? source : origin;
}

import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * Path of a compiled entry of this folder or below it, for a new thread or process. Tests run this file from source, and Node 20 cannot start
 * TypeScript: they use the compiled file in dist, so build before testing.
 * A path, not `new URL(…, import.meta.url)`: bundlers of servers would put a file of their own in its place.
 * @param name entry without extension, such as "engines/engine-child"
 */
export function builtFile(name: string, extension = "js"): string {
  const here = fileURLToPath(import.meta.url);
  return join(dirname(here), here.endsWith(".ts") ? "../../dist/node" : ".", `${name}.${extension}`);
}

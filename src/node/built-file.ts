import { fileURLToPath } from "node:url";

/**
 * Path of a compiled entry of this folder or below it, for a new thread or process. Tests run this file from source, and Node 20 cannot start
 * TypeScript: they use the compiled file in dist, so build before testing.
 * @param name entry without extension, such as "engines/engine-child"
 */
export function builtFile(name: string): string {
  const here = import.meta.url;
  return fileURLToPath(here.endsWith(".ts") ? new URL(`../../dist/node/${name}.js`, here) : new URL(`./${name}.js`, here));
}

import { fileURLToPath } from "node:url";

/**
 * Address of a compiled entry of this folder or below it, for a new thread or process. Tests run this file from source, where Node cannot
 * start TypeScript: they take the compiled twin in dist, so the project is built before its tests.
 * @param name entry without ending, such as "engines/engine-child"
 */
export function builtFile(name: string): string {
  const here = import.meta.url;
  return fileURLToPath(here.endsWith(".ts") ? new URL(`../../dist/node/${name}.js`, here) : new URL(`./${name}.js`, here));
}

import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";

/** @returns the arguments by which a child finds packages under Yarn's Plug'n'Play, as this process does; none elsewhere */
export function packageArguments(): string[] {
  if (process.versions["pnp"] === undefined) return [];
  const finder = createRequire(import.meta.url).resolve("pnpapi");
  return ["--require", finder, "--experimental-loader", pathToFileURL(join(dirname(finder), ".pnp.loader.mjs")).href];
}

/** Opens one file of a bundled model inside this package. */
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Platform } from "../core/platform.ts";
import { openFileSource } from "./file-source.ts";

/** A path, not `new URL(…, import.meta.url)`: bundlers of servers would put a file of their own in its place. */
export const bundledFile: Platform["bundled"] = (model, file) =>
  openFileSource(join(dirname(fileURLToPath(import.meta.url)), "../../builtins/models", model, file));

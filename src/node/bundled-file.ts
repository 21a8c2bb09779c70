/** Opens one file of a bundled model inside this package. */
import { fileURLToPath } from "node:url";
import type { Platform } from "../core/platform.ts";
import { openFileSource } from "./file-source.ts";

export const bundledFile: Platform["bundled"] = (model, file) =>
  openFileSource(fileURLToPath(new URL(`../../builtins/models/${model}/${file}`, import.meta.url)));

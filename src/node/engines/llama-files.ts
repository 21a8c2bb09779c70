/** Where node-llama-cpp and its binaries lie, for its code in a file of ours (tools/llama-package.mjs). */
import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { packageFolder } from "./packages.ts";

const folder = packageFolder("node-llama-cpp");

/** @param path within the package @returns a file: address */
export const packageFile = (path: string): string => pathToFileURL(join(folder, path)).href;

/** A package beside it, which need not be one beside ours. @returns a file: address @throws Error where it is not installed */
export const packageBeside = (name: string): string => pathToFileURL(createRequire(packageFile("package.json")).resolve(name)).href;

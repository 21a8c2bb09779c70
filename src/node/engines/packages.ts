/** The packages of engines: whether one is installed, its folder and version, and the line that installs it. Nothing is imported. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

/** How the optional packages are installed. Where install scripts are left out, they would only fetch what npm brings anyway. */
const installArguments: Readonly<Record<string, string>> = {
  "node-llama-cpp": "--ignore-scripts node-llama-cpp@3",
  "onnxruntime-node": "--ignore-scripts onnxruntime-node@1.30.0",
  "@huggingface/transformers": "--ignore-scripts @huggingface/transformers@4",
  libsql: "--ignore-scripts libsql@0.5",
  postgres: "postgres@3",
  "@modelcontextprotocol/sdk": "@modelcontextprotocol/sdk@1",
  // Dawn, with the binaries of every system
  webgpu: "webgpu@0.6.2",
  // 1.8 asks for Node 22
  unpdf: "--ignore-scripts unpdf@1.7.0",
  mammoth: "--ignore-scripts mammoth@1.13",
};

/** A line for a shell. */
export function installCommand(name: string): string {
  return `npm install ${installArguments[name] ?? `${name}@3`}`;
}

/** The package with node-llama-cpp's binary for a GPU of this machine. Metal has none: it comes with the main one. */
export function llamaBinary(gpu: "cuda" | "vulkan", os: NodeJS.Platform = process.platform): string {
  return `@node-llama-cpp/${os === "win32" ? "win" : os}-${process.arch}-${gpu}`;
}

/**
 * Resolves without importing: an import takes up to 0.3 s and belongs into the child.
 * @param from file of the package that asks; this one by default
 */
export function isInstalled(name: string, from: string = import.meta.url): boolean {
  try {
    resolve(name, from);
    return true;
  } catch (error) {
    // an installed package may hide its entry
    return (error as NodeJS.ErrnoException).code === "ERR_PACKAGE_PATH_NOT_EXPORTED";
  }
}

/** Not `require.resolve`: bundlers of servers take that for a module they have to find now. */
function resolve(name: string, from: string): string {
  return createRequire(from).resolve(name);
}

/** An optional package that is CommonJS. Not `import()`: bundlers of servers take that for a module that has to be there. */
export function requirePackage(name: string): unknown {
  const from = import.meta.url;
  return createRequire(from)(name);
}

/** Folder of an installed package. node-llama-cpp hides its package.json. */
export function packageFolder(name: string): string {
  const here = import.meta.url;
  return name === "node-llama-cpp" ? dirname(dirname(resolve(name, here))) : dirname(resolve(`${name}/package.json`, here));
}

export function packageVersion(name: string): string {
  return String((JSON.parse(readFileSync(join(packageFolder(name), "package.json"), "utf8")) as { version?: unknown }).version);
}

/** For programs of their own, which import sources: Node 20 knows no TypeScript, and `dist` has no file for each source of Node. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = new URL("../../", import.meta.url);

/**
 * Bundles files of src into one module with the exports of them all. To itself it lies in src/node: children come from `dist`, as in every test.
 * @param {readonly string[]} files below src, such as "node/file-source.ts"
 * @returns {Promise<{ readonly href: string, remove(): void }>}
 */
export async function fromSource(files) {
  // below the checkout, where packages are found
  const cache = fileURLToPath(new URL(".cache/", root));
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "source-"));
  const outfile = join(folder, "module.mjs");
  await build({
    stdin: {
      contents: files.map((file) => `export * from "./src/${file}";`).join("\n"),
      resolveDir: fileURLToPath(root),
    },
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    packages: "external",
    define: { "import.meta.url": JSON.stringify(new URL("src/node/index.ts", root).href) },
    logLevel: "warning",
  });
  return { href: pathToFileURL(outfile).href, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

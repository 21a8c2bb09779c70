/**
 * "llmspell" and "llmspell/browser" for pages without a bundler: the compiler's output is a file for each source, which such a page would fetch one
 * after the other. Here what a page needs to load a model is one file, with the packages it imports; the rest are chunks, fetched when they are needed.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { licences } from "./llama-package.mjs";

const lazyImport = /\bimport\("(\.[^"]+)"\)/g;
/** Imported when they are needed, but needed by every page that loads a model: in the one file. */
const together = /^(browser\/(engines\/worker-runtime|store)|core\/(backends\/(candle|unknown)|bert|config|gguf|hub|store|t5))/;
/** Engines, and what their packages name by address, are found by the page's import map. */
const engines = ["onnxruntime-web/*", "@wllama/*"];

/** @param dist folder of the compiler's output; writes dist/page */
export async function bundlePage(/** @type {string} */ dist) {
  const within = (/** @type {string} */ path) => relative(dist, path).replaceAll("\\", "/");
  const target = (/** @type {string} */ path, /** @type {string} */ specifier) => within(join(dirname(path), specifier));
  const sources = readdirSync(dist, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".js"));
  const lazyFiles = new Set(
    sources.flatMap((name) =>
      [...readFileSync(join(dist, name), "utf8").matchAll(lazyImport)].map(([, to = ""]) => target(join(dist, name), to)),
    ),
  );
  const fewerFiles = {
    name: "fewer-files",
    setup(/** @type {import("esbuild").PluginBuild} */ { onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        const file = within(path);
        if (file.startsWith("..")) return undefined;
        /** @type {string[]} */
        const imports = [];
        let contents = readFileSync(path, "utf8").replace(lazyImport, (lazy, /** @type {string} */ specifier) => {
          if (!together.test(target(path, specifier))) return lazy;
          imports.push(`import * as lazy${imports.length} from "${specifier}";`);
          return `Promise.resolve(lazy${imports.length - 1})`;
        });
        // A chunk is what the same entries reach: what is there before it anyway stays in one piece.
        if (file === "browser/index.js" || (lazyFiles.has(file) && !together.test(file))) {
          imports.push(`import "${join(dist, "browser/main.js").replaceAll("\\", "/")}";`);
        }
        // its files lie beside dist/browser, not beside this bundle
        if (file === "browser/addresses.js") contents = contents.replaceAll('new URL("./', 'new URL("../browser/');
        return { contents: `${contents}\n${imports.join(" ")}\n` };
      });
    },
  };
  const { metafile } = await build({
    absWorkingDir: dirname(dist),
    entryPoints: { llmspell: "dist/browser/main.js", index: "dist/browser/index.js" },
    outdir: `${dist}/page`,
    bundle: true,
    splitting: true,
    chunkNames: "[name]-[hash]",
    format: "esm",
    target: "es2022",
    minify: true,
    metafile: true,
    // the library's own mark says that files do nothing when imported; here they are imported for what is there before them
    ignoreAnnotations: true,
    legalComments: "linked",
    external: engines,
    plugins: [fewerFiles],
    logLevel: "warning",
  });
  writeFileSync(`${dist}/page/LICENSES.txt`, licences(Object.keys(metafile.inputs)));
}

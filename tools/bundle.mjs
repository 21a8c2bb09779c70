/**
 * Puts together what Node runs. The compiler writes one file for each source; Node finds, reads and links each on its own, and a run of the
 * CLI takes 140 of them. Pages, edge runtimes and bundlers go on with those files. Here the entries of Node get chunks instead: readable, with source
 * maps to src, packages left outside. Children share nothing with their parent's process, so they get chunks of their own.
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";
import { bundleLlama, llamaPackage } from "./llama-package.mjs";

/**
 * Entries of one process, by their output. A program that takes `llmspell/core` beside `llmspell` must get one SpellError, not two:
 * so the neutral entries are here again.
 */
const inParent = {
  "node/main": "node/main.js",
  "node/index": "node/index.js",
  "node/cli/early": "node/cli/early.js",
  "node/cli/program": "node/cli/program.js",
  "node/scripts/host": "node/scripts/host.js",
  "node/scripts/spawn": "node/scripts/spawn.js",
  "node/engines/fork-engine": "node/engines/fork-engine.js",
  "node/core": "core/index.js",
  "node/testing": "core/testing/index.js",
  "node/ai-sdk": "core/ai-sdk/index.js",
  "node/edge": "edge/index.js",
  "node/bundlers": "node/bundlers.js",
};
const inChildren = {
  "node/engines/engine-child": "node/engines/engine-child.js",
  "node/engines/onnx-thread": "node/engines/onnx-thread.js",
  "node/engines/web-worker-scope": "node/engines/web-worker-scope.js",
  "node/isolate-child": "node/isolate-child.js",
  "node/rag/read-document-thread": "node/rag/read-document-thread.js",
  "node/rag/graph-thread": "node/rag/graph-thread.js",
};

/** Each is one file: a script's process starts as soon as that is read. */
const scriptChildren = {
  "node/scripts/lua-child": "node/scripts/lua-child.js",
  "node/scripts/javascript-child": "node/scripts/javascript-child.js",
};

/** As the compiler wrote it: it answers `--version` from one file more. */
const unbundled = /^node\/cli\/main\.js/;
const program = "node/cli/program.js";
const generate = "node/cli/generate.js";
/** Run before anything else is read, with what they import. */
const first = ["cli/early", "scripts/spawn", "engines/fork-engine", "engines/graphics", "engines/packages", "home"].map(
  (name) => `node/${name}.js`,
);
/** Imported when they are needed. Core's other files of that kind are for pages: in Node one file more costs more than what is in it. */
const apart =
  /^(node|core\/(t5|scripts|toolbox|workflow|serve|sessions|grammar|backends\/(anthropic|openai|ollama)))\/|^core\/api\/open-rag/;
const lazyImport = /\bimport\("(\.[^"]+)"\)/g;

/** @param dist folder of the compiler's output; files of dist/node that are bundled are taken away */
export async function bundleNode(/** @type {string} */ dist) {
  const within = (/** @type {string} */ path) => relative(dist, path).replaceAll("\\", "/");
  const target = (/** @type {string} */ path, /** @type {string} */ specifier) => within(join(dirname(path), specifier));
  const read = (/** @type {string} */ path) => readFileSync(path, "utf8");

  const lazyFiles = new Set(
    readdirSync(dist, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".js"))
      .flatMap((name) => [...read(join(dist, name)).matchAll(lazyImport)].map(([, specifier = ""]) => target(join(dist, name), specifier))),
  );
  /** Chunks are what the same entries reach. Where each imports what was there before it anyway, what was there stays whole. */
  const earlier = (/** @type {string} */ file) => {
    if (/^(core\/(testing|ai-sdk)|edge)\/index\.js$/.test(file)) return ["core/index.js"];
    if (file === generate) return [program, "node/main.js"];
    if (file === "node/cli/help.js") return [program];
    if (!lazyFiles.has(file) || !apart.test(file) || file === program || first.includes(file)) return [];
    return [file.startsWith("node/cli/") ? generate : "node/main.js"];
  };

  const fewerFiles = {
    name: "fewer-files",
    setup(/** @type {import("esbuild").PluginBuild} */ { onLoad }) {
      onLoad({ filter: /\.js$/ }, ({ path }) => {
        /** @type {string[]} */
        const imports = [];
        const text = read(path).replace(lazyImport, (lazy, /** @type {string} */ specifier) => {
          if (apart.test(target(path, specifier))) return lazy;
          imports.push(`import * as lazy${imports.length} from "${specifier}";`);
          return `Promise.resolve(lazy${imports.length - 1})`;
        });
        imports.push(...earlier(within(path)).map((file) => `import "${join(dist, file).replaceAll("\\", "/")}";`));
        // at the end, so that lines stay where the source map says
        return { contents: text.replace(/\n?(?=\/\/# sourceMappingURL=)/, () => `\n${imports.join(" ")}\n`) };
      });
    },
  };

  await bundleLlama(dist);
  const llamaApart = {
    name: "llama-apart",
    setup(/** @type {import("esbuild").PluginBuild} */ { onResolve }) {
      // as chunks in dist/node see it
      onResolve({ filter: /\/llama-package\.js$/ }, () => ({ path: `./${llamaPackage.slice("node/".length)}.js`, external: true }));
    },
  };
  const options = /** @type {const} */ ({
    absWorkingDir: dist,
    outdir: dist,
    allowOverwrite: true,
    bundle: true,
    splitting: true,
    chunkNames: "node/[name]-[hash]",
    format: "esm",
    platform: "node",
    target: "node20.19",
    packages: "external",
    sourcemap: true,
    // a trace needs names and lines, no texts
    sourcesContent: false,
    metafile: true,
    logLevel: "warning",
  });
  const built = await Promise.all([
    // the library's own mark says that files do nothing when imported; here they are imported for the chunk they come with
    build({ ...options, entryPoints: inParent, plugins: [fewerFiles], ignoreAnnotations: true }),
    build({ ...options, entryPoints: inChildren, plugins: [llamaApart] }),
    build({ ...options, entryPoints: scriptChildren, splitting: false, minifySyntax: true, minifyWhitespace: true, sourcemap: false }),
  ]);
  const outputs = /** @type {import("esbuild").Metafile["outputs"]} */ (
    Object.assign({}, ...built.map(({ metafile }) => metafile.outputs))
  );
  for (const output of Object.keys(outputs).filter((name) => name.endsWith(".js"))) {
    // A class that speaks of itself became `var SpellError = class _SpellError`, and errors would be printed with that name.
    const text = read(join(dist, output));
    const names = [...text.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => name);
    if (names.length > 0) writeFileSync(join(dist, output), text.replace(new RegExp(`\\b_(${names.join("|")})\\b`, "g"), "$1"));
  }
  for (const [output, { inputs }] of Object.entries(outputs)) {
    // these say where others lie, seen from dist/node
    const finder = Object.keys(inputs).find((input) => /^node\/((built|bundled)-file|engines\/llama-start)\.js$/.test(input));
    if (finder !== undefined && dirname(output) !== "node") throw new Error(`${finder} is in ${output}, and would not find what it names`);
  }
  for (const name of readdirSync(join(dist, "node"), { recursive: true, encoding: "utf8" })) {
    const file = `node/${name.replaceAll("\\", "/")}`;
    if (/\.js(\.map)?$/.test(name) && outputs[file] === undefined && !unbundled.test(file) && file !== `${llamaPackage}.js`)
      rmSync(join(dist, file));
  }
}

/**
 * Compiles src into dist. dist goes first: the compiler leaves outputs of deleted sources behind, and they would be packed.
 * One output per source file, for pages, edge runtimes and bundlers; models stay where they are, llama.cpp gets our kernels (merge-kernels.mjs). Three things are bundled: the workers of a page,
 * each with the packages it imports, as a worker has no import map and could not find them without a bundler; what a page without a bundler fetches
 * (bundle-page.mjs); and what Node runs (bundle.mjs).
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { posix } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundleNode } from "./bundle.mjs";
import { bundlePage } from "./bundle-page.mjs";
import { configFiles } from "./config.mjs";
import { mergeKernels } from "./engine-wasm.mjs";
import { writeBundled, writeCatalogue, writeKernels, writePreludes, writeVersion } from "./generate.mjs";
import { copyScriptEngines } from "./script-engines.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;

writeVersion();
writeCatalogue();
writeBundled();
writePreludes();
writeKernels();
rmSync(dist, { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript-native/bin/tsc`, "-b", "src/node", "src/browser", "src/edge"],
  { cwd: root, stdio: "inherit" },
);
if (status !== 0) process.exit(status ?? 1);
mergeKernels();

// A key without a description, two keys of one variable, a profile that does not fit the schema: none of them leaves this machine.
await configFiles();

// The compiler gives relative imports their .js ending, but not the addresses of workers and children; bundlers look those up as written.
const address = /(new URL\("\.{1,2}\/[^"]+)\.ts(", import\.meta\.url\))/g;
for (const path of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
  if (!path.endsWith(".js")) continue;
  const before = readFileSync(`${dist}/${path}`, "utf8");
  const after = before.replace(address, "$1.js$2");
  if (after !== before) writeFileSync(`${dist}/${path}`, after);
}

const forPages = /** @type {const} */ ({
  absWorkingDir: dist,
  outdir: `${dist}/browser`,
  allowOverwrite: true,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  logLevel: "warning",
});

/**
 * ONNX Runtime's programs stay files of their own, which bundlers serve as they are: its threads start from its own address.
 * A program names its wasm as lying beside it, and itself by its old name. onnx-web.ts always says where the wasm is, and no page is a file: left as
 * they are, these addresses would only make bundlers look for what is not there.
 */
const programs = { "onnxruntime-web/wasm": "ort-wasm", "onnxruntime-web/webgpu": "ort-webgpu" };
const unusedAddresses = {
  name: "unused-addresses",
  setup(/** @type {import("esbuild").PluginBuild} */ { onLoad }) {
    onLoad({ filter: /ort\.\w+\.bundle\.min\.mjs$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8")
        .replaceAll(/(new URL\("[\w.-]+\.wasm",)import\.meta\.url\)/g, "$1self.location.href)")
        .replaceAll(/new (\w+)\("ort\.\w+\.bundle\.min\.mjs",import\.meta\.url\)/g, "new $1(import.meta.url)"),
    }));
  },
};
await build({
  ...forPages,
  entryPoints: Object.entries(programs).map(([name, program]) => ({ in: name, out: `engines/${program}` })),
  plugins: [unusedAddresses],
});

// Each worker is whole: no bundler has to split it, which Vite refuses unless it is told to. Addresses of wasm stay as they are written: bundlers look for them.
await build({
  ...forPages,
  entryPoints: readdirSync(`${dist}/browser`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("-worker.js"))
    .map((name) => `${dist}/browser/${name}`),
  outbase: `${dist}/browser`,
  external: Object.keys(programs),
});
const onnxWorker = `${dist}/browser/engines/onnx-worker.js`;
writeFileSync(
  onnxWorker,
  Object.entries(programs).reduce(
    (text, [name, program]) => {
      const address = `new URL("./${program}.js", import.meta.url)`;
      const after = text.replace(`import("${name}")`, `import(/* webpackIgnore: true */ /* @vite-ignore */ ${address}.href)`);
      if (after === text) throw new Error(`${onnxWorker} does not import ${name}`);
      return after;
    },
    readFileSync(onnxWorker, "utf8"),
  ),
);

/**
 * When Vite develops, it copies a package into one file of its cache, away from the workers and models that lie beside the package's files. It leaves
 * a package alone whose entry is not named as compiled JavaScript is; so bundlers get entries named .jsx, with nothing in them but the real one.
 */
for (const entry of ["main", "index"]) writeFileSync(`${dist}/browser/${entry}.jsx`, `export * from "./${entry}.js";\n`);

/**
 * Parcel makes scripts of all it finds by an address, also of what has to stay as it is. So for it (`alias` in package.json) the addresses are
 * no forms that a bundler finds, but those of files that copyFiles() of llmspell/bundlers put beside the page.
 */
const addresses = readFileSync(`${dist}/browser/addresses.js`, "utf8");
writeFileSync(
  `${dist}/browser/addresses-beside-page.js`,
  addresses
    .replaceAll(
      /new URL\("([^"]+)", import\.meta\.url\)/g,
      (_, path) => `new URL("${posix.join("llmspell/dist/browser", path)}", document.baseURI)`,
    )
    .replaceAll(/new Worker\((new URL\([^)]+\)),/g, "start($1,")
    .replace(/\/\/# sourceMappingURL=.*\n?/, "const start = (url, options) => new Worker(url, options);\n"),
);

await bundlePage(dist); // before files that only Node needs as they are go
await bundleNode(dist);
copyScriptEngines(`${dist}/scripts`);

const bin = `${dist}/node/cli/main.js`;
if (existsSync(bin)) chmodSync(bin, 0o755);

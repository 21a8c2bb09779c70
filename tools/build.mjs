/**
 * Compiles src into dist. dist goes first: the compiler leaves outputs of deleted sources behind, and they would be packed.
 * One output per source file, for pages, edge runtimes and bundlers; wasm and models stay where they are. Two things are bundled: the workers of a page,
 * each with the packages it imports, as a worker has no import map and could not find them without a bundler; and what Node runs (bundle.mjs).
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { bundleNode } from "./bundle.mjs";
import { configFiles } from "./config.mjs";
import { writeBundled, writeCatalogue, writeVersion } from "./generate.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;

writeVersion();
writeCatalogue();
writeBundled();
rmSync(dist, { recursive: true, force: true });
const { status } = spawnSync(
  process.execPath,
  [`${root}node_modules/typescript-native/bin/tsc`, "-b", "src/node", "src/browser", "src/edge"],
  { cwd: root, stdio: "inherit" },
);
if (status !== 0) process.exit(status ?? 1);

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

/**
 * onnxruntime-web names its wasm as lying beside it, which it does not after bundling. onnx.ts always says where it is; left as it is, the
 * address would only make bundlers of pages warn of a file they do not find.
 */
const unusedAddresses = {
  name: "unused-addresses",
  setup(/** @type {import("esbuild").PluginBuild} */ { onLoad }) {
    onLoad({ filter: /ort\.\w+\.bundle\.min\.mjs$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll(/(new URL\("[\w.-]+\.wasm",)import\.meta\.url\)/g, "$1self.location.href)"),
    }));
  },
};

// Addresses of the other wasm files stay as they are written: bundlers of pages look for them.
await build({
  entryPoints: readdirSync(`${dist}/browser`, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith("-worker.js"))
    .map((name) => `${dist}/browser/${name}`),
  outdir: `${dist}/browser`,
  outbase: `${dist}/browser`,
  allowOverwrite: true,
  bundle: true,
  splitting: true,
  chunkNames: "chunks/[name]-[hash]",
  format: "esm",
  target: "es2022",
  minify: true,
  legalComments: "linked",
  logLevel: "warning",
  plugins: [unusedAddresses],
});

await bundleNode(dist);

const bin = `${dist}/node/cli/main.js`;
if (existsSync(bin)) chmodSync(bin, 0o755);

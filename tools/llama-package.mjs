/**
 * Puts node-llama-cpp's JavaScript into one file of dist. The package stays the user's own, with its binaries and every file it reads: its code
 * finds them where it is installed (src/node/engines/llama-files.ts), and another version than the one below is imported as it lies.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

export const llamaPackage = "node/engines/llama-package";
const root = fileURLToPath(new URL("..", import.meta.url));
const addresses = /\bimport\.meta\.url\b/g;
/** Where its reader of GGUF files makes an array of one. */
const arrays = "const arrayValues = [];";
const binaries = /\bimport\(("@node-llama-cpp\/[^"]+")\)/g;

/**
 * Not taken along, as half of the file would be what no caller of ours reaches: cloning llama.cpp (we never compile), downloads, what shows their
 * progress, and chats (templates are core's, decoding ours).
 */
const unused =
  /^(?:simple-git|ipull|ora|stdout-update|slice-ansi|@huggingface\/jinja)$|^\..*\/(?:chatWrappers\/|LlamaChat\/|LlamaChatSession\/|LlamaCompletion\.js|LlamaDecisionContext\/|createModelDownloader\.js)/;

/** @param dist folder of the compiler's output, before its files are put together */
export async function bundleLlama(/** @type {string} */ dist) {
  const folder = join(root, "node_modules/node-llama-cpp");
  const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const start = readFileSync(join(dist, "node/engines/llama-start.js"), "utf8");
  if (!start.includes(`packedVersion = "${version}"`))
    throw new Error(`src/node/engines/llama-start.ts: expected packedVersion = "${version}", which is installed`);
  const arrayHelper = JSON.stringify(join(dist, "node/engines/llama-arrays.js"));
  const helper = JSON.stringify(join(dist, "node/engines/llama-files.js"));
  let binariesFound = 0;
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { [llamaPackage]: join(dist, `${llamaPackage}.js`) },
    outdir: dist,
    allowOverwrite: true,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20.19",
    minifySyntax: true,
    minifyWhitespace: true,
    metafile: true,
    logLevel: "warning",
    external: ["electron", "@reflink/reflink"],
    banner: { js: 'import { createRequire as requireFrom } from "node:module"; const require = requireFrom(import.meta.url);' },
    plugins: [
      {
        name: "node-llama-cpp",
        setup({ onLoad, onResolve }) {
          onResolve({ filter: unused }, ({ path }) => ({ path, namespace: "unused" }));
          // names that a CommonJS module lacks are undefined, and no fault of the build
          onLoad({ filter: /./, namespace: "unused" }, () => ({ contents: "module.exports = {};" }));
          onLoad({ filter: /node-llama-cpp[\\/]dist[\\/].*\.js$/ }, ({ path }) => {
            const text = readFileSync(path, "utf8");
            if (/[\\/]GgufV2Parser\.js$/.test(path)) {
              if (text.split(arrays).length !== 2) throw new Error(`${path} has not one "${arrays}": look at it again`);
              const skip = "if (isLongArray(arrayLength)) return passArray(this._fileReader, readOffset, arrayType, Number(arrayLength));";
              return { contents: `import { isLongArray, passArray } from ${arrayHelper};\n${text.replace(arrays, `${skip} ${arrays}`)}` };
            }
            binariesFound += [...text.matchAll(binaries)].length;
            const within = JSON.stringify(path.slice(folder.length + 1).replaceAll("\\", "/"));
            const contents = text.replace(addresses, `packageFile(${within})`).replace(binaries, "import(packageBeside($1))");
            return { contents: contents === text ? text : `import { packageBeside, packageFile } from ${helper};\n${contents}` };
          });
        },
      },
    ],
  });
  if (binariesFound < 10)
    throw new Error(`node-llama-cpp names ${binariesFound} packages of binaries, expected at least 10: look at ${folder} again`);
  writeFileSync(join(dist, `${llamaPackage}.LICENSES.txt`), licences(Object.keys(metafile.inputs)));
}

/** The licence of each package whose code is in a file. */
export function licences(/** @type {readonly string[]} */ inputs) {
  const folders = new Set(inputs.flatMap((input) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []));
  return [...folders]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8"));
      const file = readdirSync(join(root, folder)).find((entry) => /^licen[cs]e/i.test(entry));
      const text = file === undefined ? "(its package holds no text)" : readFileSync(join(root, folder, file), "utf8").trim();
      return `${name} ${version} (${license})\n\n${text}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}

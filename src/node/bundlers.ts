/**
 * "llmspell/bundlers", for bundlers that leave `new URL("…", import.meta.url)` as it is: puts the workers, engines and models of a page
 * into a folder `llmspell` beside the bundle, where it finds them.
 */
import { cpSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";

/** What of esbuild's plugins is used here. */
interface EsbuildBuild {
  readonly initialOptions: { metafile?: boolean | undefined; readonly absWorkingDir?: string | undefined };
  onLoad(options: { readonly filter: RegExp }, load: (file: { readonly path: string }) => { readonly contents: string } | undefined): void;
  onEnd(end: (result: { readonly metafile?: { readonly outputs: Outputs } | undefined }) => void): void;
}
type Outputs = Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>;

export interface EsbuildFilesPlugin {
  readonly name: string;
  setup(build: EsbuildBuild): void;
}

/** What of Rollup's plugins is used here. */
interface RollupContext {
  emitFile(file: { readonly type: "asset"; readonly fileName: string; readonly source: Uint8Array }): string;
}
interface RollupChunk {
  readonly type: "asset" | "chunk";
  readonly fileName: string;
  readonly moduleIds?: readonly string[] | undefined;
}

export interface RollupFilesPlugin {
  readonly name: string;
  transform(code: string, id: string): { readonly code: string; readonly map: null } | undefined;
  generateBundle(this: RollupContext, options: unknown, bundle: Readonly<Record<string, RollupChunk>>): void;
}

/** `plugins: [esbuildFiles()]`. The bundle must be written to a folder, as a module: `format: "esm"`. */
export function esbuildFiles(): EsbuildFilesPlugin {
  return {
    name: "llmspell-files",
    setup({ initialOptions, onLoad, onEnd }) {
      initialOptions.metafile = true;
      onLoad({ filter: /[\\/]addresses\.js$/ }, ({ path }) => (path === addresses ? { contents: besideBundle() } : undefined));
      onEnd(({ metafile }) => {
        const place = initialOptions.absWorkingDir ?? process.cwd();
        for (const [output, { inputs }] of Object.entries(metafile?.outputs ?? {})) {
          if (Object.keys(inputs).some((input) => join(place, input) === addresses)) copyFiles(join(place, dirname(output)));
        }
      });
    },
  };
}

/** `plugins: [nodeResolve({ browser: true }), rollupFiles()]`, with `format: "es"`. */
export function rollupFiles(): RollupFilesPlugin {
  return {
    name: "llmspell-files",
    transform: (_, id) => (id === addresses ? { code: besideBundle(), map: null } : undefined),
    generateBundle(_, bundle) {
      for (const { fileName, moduleIds } of Object.values(bundle)) {
        if (moduleIds?.includes(addresses) !== true) continue;
        for (const [name, from] of pageFiles()) {
          this.emitFile({ type: "asset", fileName: posix.join(posix.dirname(fileName), name), source: readFileSync(from) });
        }
      }
    },
  };
}

/** Copies the files into `llmspell` in this folder, by hand. @param folder that of the page which Parcel built */
export function copyFiles(folder: string): void {
  for (const [name, from] of pageFiles()) cpSync(from, join(folder, name));
}

/** The one module of pages that names files. */
const addresses = fileURLToPath(new URL("../browser/addresses.js", import.meta.url));
const address = /new URL\("([^"]+)",\s*import\.meta\.url\)/g;

const besideBundle = (): string =>
  readFileSync(addresses, "utf8").replaceAll(address, (_, specifier: string) => `new URL("./${nameOf(specifier)}", import.meta.url)`);

/** @returns path beside the bundle → file */
function pageFiles(): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const specifier of addressesIn(addresses)) {
    const name = nameOf(specifier);
    const from = join(dirname(addresses), specifier);
    files.set(name, from);
    // a worker stays as it is: what it names lies where it says, seen from the worker
    if (!name.endsWith("-worker.js")) continue;
    for (const asked of addressesIn(from)) {
      const found = asked.startsWith(".") ? join(dirname(from), asked) : createRequire(from).resolve(asked);
      files.set(posix.join(posix.dirname(name), asked), found);
    }
  }
  return files;
}

const addressesIn = (path: string): readonly string[] =>
  [...readFileSync(path, "utf8").matchAll(address)].map(([, specifier = ""]) => specifier);

/** As in the package, so that whatever names another file beside it finds it. */
const nameOf = (specifier: string): string => posix.join("llmspell/dist/browser", specifier);

/**
 * "llmspell/bundlers": plugins for bundlers that leave `new URL("…", import.meta.url)` as it is. They put the workers, engines and models of a page
 * into a folder `llmspell` beside the bundle, and name them there.
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
      const files = new PageFiles();
      onLoad({ filter: /[\\/]dist[\\/]browser[\\/].+\.js$/ }, ({ path }) => {
        const contents = files.take(path, () => readFileSync(path, "utf8"));
        return contents === undefined ? undefined : { contents };
      });
      onEnd(({ metafile }) => {
        const place = initialOptions.absWorkingDir ?? process.cwd();
        for (const [output, { inputs }] of Object.entries(metafile?.outputs ?? {})) {
          if (output.endsWith(".map")) continue;
          const asked = files.of(Object.keys(inputs).map((input) => join(place, input)));
          for (const [name, from] of asked) cpSync(from, join(place, dirname(output), name));
        }
      });
    },
  };
}

/** `plugins: [nodeResolve({ browser: true }), rollupFiles()]`, with `format: "es"`. */
export function rollupFiles(): RollupFilesPlugin {
  const files = new PageFiles();
  return {
    name: "llmspell-files",
    transform(code, id) {
      const taken = files.take(id, () => code);
      return taken === undefined ? undefined : { code: taken, map: null };
    },
    generateBundle(_, bundle) {
      for (const { fileName, moduleIds } of Object.values(bundle)) {
        for (const [name, from] of files.of(moduleIds ?? [])) {
          this.emitFile({ type: "asset", fileName: posix.join(posix.dirname(fileName), name), source: readFileSync(from) });
        }
      }
    },
  };
}

const ours = fileURLToPath(new URL("../browser/", import.meta.url));
const address = /new URL\("([^"]+)",\s*import\.meta\.url\)/g;

/** Which file of ours asks for which files beside the bundle. */
class PageFiles {
  /** by module: path beside the bundle → file */
  readonly #byModule = new Map<string, ReadonlyMap<string, string>>();

  /** @returns the module's code with its addresses beside the bundle, or undefined where it has none, or is not ours */
  take(path: string, read: () => string): string | undefined {
    if (!path.startsWith(ours)) return undefined;
    const code = read();
    const files = new Map(filesOf(code, path));
    if (files.size === 0) return undefined;
    this.#byModule.set(path, files);
    return code.replaceAll(address, (_, specifier: string) => `new URL("./${nameOf(specifier)}", import.meta.url)`);
  }

  of(modules: readonly string[]): ReadonlyMap<string, string> {
    return new Map(modules.flatMap((path) => [...(this.#byModule.get(path) ?? [])]));
  }
}

/** A worker stays as it is, so what it asks for lies as it is named there, seen from the worker. */
function filesOf(code: string, path: string): readonly (readonly [string, string])[] {
  return [...code.matchAll(address)].flatMap(([, specifier = ""]) => {
    const from = specifier.startsWith(".") ? join(dirname(path), specifier) : createRequire(path).resolve(specifier);
    const own = [nameOf(specifier), from] as const;
    return from.startsWith(ours) ? [own, ...filesOf(readFileSync(from, "utf8"), from)] : [own];
  });
}

const nameOf = (specifier: string): string => `llmspell/${specifier.replace(/^(\.{1,2}\/)+/, "")}`;

/** Which WebAssembly of wllama runs: the build this Node can run, with our kernels (dist/wasm) or, for bug reports, as its packages have it. */
import { join } from "node:path";
import { SpellError } from "../../core/errors.ts";
import { canRunDefaultBuild, kernelsName } from "../../engines/wllama/features.ts";
import { builtFile } from "../built-file.ts";
import { packageFolder, packageVersion } from "./packages.ts";

/** The variable that turns the kernels off; children get it from their parent. */
export const kernelsVariable = "LLMSPELL_WASM_KERNELS";

/** @throws SpellError env-value */
export function hasKernels(env: NodeJS.ProcessEnv = process.env): boolean {
  const asked = env[kernelsVariable] ?? "";
  if (asked === "" || asked === "on") return true;
  if (asked === "off") return false;
  throw new SpellError("env-value", `${kernelsVariable}: expected on, off; got ${JSON.stringify(asked.slice(0, 40))}`, {
    where: kernelsVariable,
    actions: [{ kind: "unset-variables", names: [kernelsVariable] }],
  });
}

export interface WllamaBuild {
  readonly build: "default" | "compat";
  /** "3.13.0, kernels 1a2b3c4d": what measurements and tests hold for */
  readonly version: string;
  readonly wasm: string;
  /** The program of the compat build; the other's is in the package's JavaScript. */
  readonly program: string | undefined;
}

/** @throws SpellError env-value */
export function wllamaBuild(): WllamaBuild {
  const build = canRunDefaultBuild() ? "default" : "compat";
  const isOwn = hasKernels();
  const folder = packageFolder(build === "default" ? "@wllama/wllama" : "@wllama/wllama-compat");
  return {
    build,
    version: `${packageVersion("@wllama/wllama")}, ${isOwn ? kernelsName() : "without kernels"}`,
    wasm: isOwn ? builtFile(`../wasm/wllama-${build}`, "wasm") : join(folder, build === "default" ? "esm/wasm" : "wasm", "wllama.wasm"),
    program: build === "default" ? undefined : join(folder, "wasm/wllama.js"),
  };
}

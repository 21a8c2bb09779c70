// node build.mjs: bundles main.js into out/app, and puts the workers, engines and models beside it.
import { cpSync } from "node:fs";
import { build } from "esbuild";
import { esbuildFiles } from "llmspell/bundlers";

await build({
  entryPoints: ["main.js"],
  bundle: true,
  format: "esm",
  target: "es2022",
  outdir: "out/app",
  plugins: [esbuildFiles()],
});
cpSync("index.html", "out/index.html");

/** Vite plugin: compiles the demo's service worker, which must know every file of the build, and writes the page's policy into it. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { transformSync } from "esbuild";
import { documentPolicy } from "./serve.mjs";

const source = fileURLToPath(new URL("../demo/service-worker/sw.ts", import.meta.url));
/** Kept when they are first used, not at the first visit: engines, models, and the editor of scripts. */
const large = /\.(wasm|gguf|safetensors)$|\/script-view-[^/]*\.js$/;
/** A page's own tag may not speak of who may frame it; only headers can. */
const inTag = documentPolicy.replace("; frame-ancestors 'none'", "");

/** @returns {import("vite").Plugin} */
export function serviceWorker() {
  return {
    name: "service-worker",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "content-security-policy", content: inTag }, injectTo: "head-prepend" },
    ],
    writeBundle({ dir }) {
      if (dir === undefined) return;
      const all = readdirSync(dir, { recursive: true, encoding: "utf8" })
        .map((path) => path.replaceAll("\\", "/"))
        .filter((path) => path !== "sw.js" && statSync(join(dir, path)).isFile())
        .sort();
      const hash = createHash("sha256");
      for (const path of all) hash.update(path).update(large.test(path) ? "" : readFileSync(join(dir, path)));
      const code = readFileSync(source, "utf8");
      hash.update(code);
      const files = {
        version: hash.digest("hex").slice(0, 12),
        shell: all.filter((path) => !large.test(path)),
        all,
        policy: documentPolicy,
      };
      const { code: script } = transformSync(code, { loader: "ts", target: "es2022", define: { files: JSON.stringify(files) } });
      writeFileSync(join(dir, "sw.js"), script);
    },
  };
}

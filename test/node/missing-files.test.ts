import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "vite";
import { expect, it } from "vitest";
import manifest from "../../package.json" with { type: "json" };
import { missingFiles } from "../../tools/missing-files.mjs";

it("the build of the demo page makes what the page fetches, and fails where a file is not there", async () => {
  expect(manifest.scripts["demo:build"]).toBe("node tools/engine-wasm.mjs && node tools/script-engines.mjs && vite build");
  const root = mkdtempSync(join(tmpdir(), "llmspell-page-"));
  try {
    writeFileSync(join(root, "index.html"), '<script type="module" src="./main.js"></script>');
    writeFileSync(join(root, "main.js"), 'document.title = new URL("./lua.wasm", import.meta.url).href;');
    const built = () => build({ root, configFile: false, logLevel: "silent", plugins: [missingFiles()] });
    await expect(built()).rejects.toThrow('files that the page needs are not there: "./lua.wasm"');
    writeFileSync(join(root, "lua.wasm"), Buffer.alloc(8));
    await built();
  } finally {
    rmSync(root, { recursive: true });
  }
});

import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { build } from "vite";
import { describe, expect, inject, it } from "vitest";

const folder = inject("folder");

async function bundle(entry: string): Promise<{ readonly names: readonly string[]; readonly code: string }> {
  const place = join(folder, "page", entry.replace("/", "-"));
  mkdirSync(place, { recursive: true });
  writeFileSync(join(place, "index.html"), `<script type="module" src="./main.js"></script>`);
  writeFileSync(join(place, "main.js"), `import { load } from "${entry}";\nglobalThis.load = load;\n`);
  await build({ root: place, configFile: false, logLevel: "error", worker: { format: "es" }, build: { target: "es2022" } });
  const names = readdirSync(join(place, "dist"), { recursive: true }).map(String);
  const code = names
    .filter((name) => name.endsWith(".js"))
    .map((name) => readFileSync(join(place, "dist", name), "utf8"))
    .join("\n");
  return { names, code };
}

describe.each(["llmspell", "llmspell/browser"])("a vite build of a page that imports %s", (entry) => {
  it("succeeds without Node's modules or the native runtime", async () => {
    const { names, code } = await bundle(entry);
    expect(names.some((name) => name.endsWith(".js"))).toBe(true);
    // What the page loads later lies beside it: nothing comes from elsewhere.
    expect(names.filter((name) => name.endsWith(".wasm")).length).toBeGreaterThanOrEqual(2);
    // ONNX Runtime's own glue names node:fs behind a check of its surroundings; nothing may import it.
    expect(code).not.toMatch(/(?:\bfrom|\bimport\(?)\s*["'](?:node:|node-llama-cpp|onnxruntime-node)/);
    expect(code).not.toMatch(/node-llama-cpp["']/);
  });
});

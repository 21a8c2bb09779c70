/** Examples for pages, as they stand, against the installed package, in a real browser: with a bundler, with another, and with none. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build as esbuild } from "esbuild";
import type { Browser } from "playwright";
import { build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { once } from "../../src/core/values.ts";
import { isolation, policy, serve } from "../../tools/serve.mjs";
import { isLong, root } from "../support.ts";
import { run } from "./support.ts";
import { openBrowser, visit } from "./visitor.ts";

const folder = inject("folder");
/** bytes, compressed: what every page pays before it asks for a model */
const mostEntryBytes = 40_000;
/** What `spell.rag()` loads to ingest and search; graphs, cutting by meaning, backups and Postgres come when they are needed. */
const mostRetrievalBytes = 25_000;

/** Built by the first test that wants it: everything it asks of a bundler is in its own configuration file. */
const viteExample = once(() => vite({ root: join(folder, "vite"), base: "./", logLevel: "error" }));

let browser: Browser;
beforeAll(async () => {
  for (const name of ["page", "serve", "vite", "esbuild"]) cpSync(join(root, "examples", name), join(folder, name), { recursive: true });
  browser = await openBrowser();
});
afterAll(() => browser?.close());

describe("a page", () => {
  it("without a bundler finds everything by its import map", async () => {
    const { url, close } = await serve(folder, { headers: () => isolation });
    await visit(browser, `${url}page/index.html`, async (page) => {
      await page.waitForFunction("document.title === 'done'", undefined, { timeout: 60_000 });
      expect((await page.locator("#story").textContent())?.length).toBeGreaterThan(80);
    });
    await close();
  });

  if (isLong)
    it("has an address of models in itself: what a service worker is asked, it lists, streams, and ends where its reader leaves", async () => {
      const { url, close } = await serve(folder, { headers: () => isolation });
      await visit(browser, `${url}serve/index.html`, async (page) => {
        await page.waitForFunction("document.title === 'done'", undefined, { timeout: 60_000 });
        expect((await page.locator("#story").textContent())?.length).toBeGreaterThan(80);
        const log = page.locator("#log");
        expect(await log.textContent()).toBe("GET /v1/models 200\nPOST /v1/chat/completions 200\n");
        const left = await page.evaluate(async () => {
          const ask = (body: object, signal?: AbortSignal) =>
            fetch("/v1/completions", {
              ...{ method: "POST", headers: { "content-type": "application/json" }, signal: signal ?? null },
              body: JSON.stringify({ model: "tiny-stories", prompt: "Once", stream: true, ...body }),
            });
          const abort = new AbortController();
          const reader = (await ask({ max_tokens: 400 }, abort.signal)).body?.getReader();
          const first = await reader?.read();
          abort.abort();
          // the model is free again: the next one does not wait for 400 tokens
          const next = await (await ask({ max_tokens: 2 })).text();
          const wrong = await ask({ model: "nobody" });
          return { first: first?.value?.length ?? 0, next, wrong: [wrong.status, await wrong.json()] as const };
        });
        expect(left.first).toBeGreaterThan(10);
        expect(left.next.trim().endsWith("data: [DONE]")).toBe(true);
        expect(left.wrong).toMatchObject([404, { error: { code: "model_not_found" } }]);
        await log.getByText("POST /v1/completions 200, left").waitFor();
      });
      await close();
      // what is told is what ran
      const told = readFileSync(join(root, "docs/serve.md"), "utf8");
      for (const name of ["sw.js", "page.js"]) {
        const [code = ""] = told.split(`// ${name}\n`)[1]?.split("\n```") ?? [];
        expect(code.length).toBeGreaterThan(100);
        expect(readFileSync(join(root, "examples/serve", name), "utf8"), name).toContain(code);
      }
    });

  it("from Vite translates under a policy of nothing but wasm-unsafe-eval and workers, also served below a folder", async () => {
    await viteExample();
    const assets = join(folder, "vite/dist/assets");
    for (const name of readdirSync(assets).filter((file) => file.endsWith(".js"))) {
      // ONNX Runtime's own glue names node:fs behind a check of its surroundings; nothing may import it.
      const imports = /(?:\bfrom|\bimport\(?)\s*["'](?:node:|node-llama-cpp|onnxruntime-node)/.test(
        readFileSync(join(assets, name), "utf8"),
      );
      expect(imports, name).toBe(false);
    }
    const { url, close } = await serve(join(folder, "vite"), {
      headers: () => ({ ...isolation, "content-security-policy": policy.replace(/ https:[^;]+/, "") }),
    });
    await visit(browser, `${url}dist/index.html`, async (page) => {
      await page.locator("#french", { hasText: "ready" }).waitFor({ timeout: 60_000 });
      await page.getByRole("button", { name: "Translate" }).click();
      await page.locator("#french", { hasText: /gare/ }).waitFor();
    });
    await close();
  });

  if (isLong) {
    it("from esbuild runs a file that was chosen, and says what is wrong with one that is no model", async () => {
      const place = join(folder, "esbuild");
      // its script imports esbuild, which is at hand here and not in the installed folder
      const script = readFileSync(join(place, "build.mjs"), "utf8");
      writeFileSync(join(place, "build.mjs"), script.replace('from "esbuild"', `from ${JSON.stringify(import.meta.resolve("esbuild"))}`));
      expect(await run(process.execPath, ["build.mjs"], place)).toMatchObject({ status: 0 });
      const { url, close } = await serve(join(place, "out"), { headers: () => isolation });
      await visit(browser, url, async (page) => {
        await page.getByLabel("GGUF file").setInputFiles(join(root, "builtins/models/tiny-stories/tiny-stories.gguf"));
        await page.locator("#story", { hasText: /.{80}/s }).waitFor({ timeout: 60_000 });
        await page
          .getByLabel("GGUF file")
          .setInputFiles({ name: "page.gguf", mimeType: "", buffer: Buffer.from("<!doctype html>Sign in") });
        await page.locator("#story", { hasText: "[gguf-magic]" }).waitFor();
      });
      await close();
    });
  }
});

describe("a page whose bundler brings no files", () => {
  it("is told the line that it lacks", async () => {
    const out = join(folder, "bare");
    await esbuild({
      stdin: {
        contents: `import { load } from "llmspell";
load("tiny-stories").catch(({ code, hint }) => (document.body.textContent = code + " " + hint));`,
        resolveDir: folder,
      },
      bundle: true,
      format: "esm",
      outfile: join(out, "main.js"),
    });
    writeFileSync(join(out, "index.html"), '<!doctype html><title>bare</title><body><script type="module" src="main.js"></script>');
    const { url, close } = await serve(out);
    await visit(browser, url, (page) => page.getByText(/net-status .*llmspell\/bundlers.*browserPlatform\(\{ models/).waitFor());
    await close();
  });
});

describe("what a page pays", () => {
  /** The files of a bundle of `contents`, and what one of them cannot start without. */
  async function bundled(contents: string) {
    const { metafile, outputFiles } = await esbuild({
      stdin: { contents, resolveDir: folder },
      bundle: true,
      splitting: true,
      format: "esm",
      minify: true,
      conditions: ["browser"],
      outdir: "out",
      metafile: true,
      write: false,
    });
    const neededBy = (...starts: readonly string[]): ReadonlySet<string> => {
      const needed = new Set(starts);
      for (const path of needed) {
        for (const { path: next, kind } of metafile.outputs[path]?.imports ?? []) if (kind === "import-statement") needed.add(next);
      }
      return needed;
    };
    const filesOf = (names: readonly string[]) => {
      const files = outputFiles.filter(({ path }) => names.some((name) => path.replaceAll("\\", "/").endsWith(name)));
      expect(files).toHaveLength(names.length);
      return { files, bytes: files.reduce((sum, { contents: each }) => sum + gzipSync(each).byteLength, 0) };
    };
    const outputOf = (module: string): string => {
      const found = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint?.endsWith(module));
      if (found === undefined) throw new Error(`${module} is in no file of its own`);
      return found[0];
    };
    return { entry: neededBy("out/stdin.js"), neededBy, filesOf, outputOf };
  }

  it(`is at most ${mostEntryBytes} bytes, compressed, before it asks for a model; engines come when they are needed`, async () => {
    const { entry, filesOf } = await bundled('export { load, collect } from "llmspell";');
    const { files, bytes } = filesOf([...entry]);
    expect(bytes).toBeLessThanOrEqual(mostEntryBytes);
    for (const { text } of files) {
      for (const engineWord of ["createCompletion", "InferenceSession"]) expect(text.includes(engineWord)).toBe(false);
    }
  });

  it(`is at most ${mostRetrievalBytes} bytes more, compressed, for retrieval`, async () => {
    const { entry, neededBy, filesOf, outputOf } = await bundled('export { createSpell } from "llmspell";');
    const retrieval = neededBy(outputOf("core/api/open-rag.js"), outputOf("browser/store/search-folder.js"));
    const { bytes } = filesOf([...retrieval].filter((name) => !entry.has(name)));
    expect(bytes).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(mostRetrievalBytes);
  });

  it("brings every engine it can need: both builds of llama.cpp and of ONNX Runtime", async () => {
    await viteExample();
    const names = readdirSync(join(folder, "vite/dist/assets"));
    expect(names.filter((name) => name.endsWith(".wasm")).map((name) => name.replace(/-[\w-]{8}\.wasm$/, ""))).toEqual(
      expect.arrayContaining(["wllama-compat", "wllama-default", "ort-wasm-simd-threaded", "ort-wasm-simd-threaded.asyncify"]),
    );
    expect(names.filter((name) => /^wllama-.*\.wasm$/.test(name))).toHaveLength(2);
  });
});

/** What goes wrong on the demo page is told, with a way on; and what headers and policies do to it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { documentPolicy, isolation, policy, serve } from "../../tools/serve.mjs";
import { isLong } from "../support.ts";
import {
  alert,
  answer,
  ask,
  devices,
  generate,
  model,
  ready,
  set,
  sharedBrowser,
  site,
  stored,
  story,
  tinyStories,
  visit,
} from "./support.ts";

const browser = sharedBrowser();

describe("what goes wrong is told", () => {
  it("a page saved as a model: an alert with code and hint, and the way back", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await page
        .locator("#file-input")
        .setInputFiles({ name: "model.gguf", mimeType: "", buffer: Buffer.from("<!doctype html><p>Sign in") });
      await expect.poll(() => alert(page).textContent()).toMatch(/an HTML page.*Log in.*gguf-magic/s);
      await alert(page).getByRole("button", { name: "Back to tiny-stories" }).click();
      await ready(page, "tiny-stories");
      expect(await alert(page).count()).toBe(0);
      expect(await page.locator("option", { hasText: "model.gguf" }).count()).toBe(0);
    });
  });

  it("a model that does not load leaves nothing of the one before it: the panel says what this browser offers", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await set(page, "Max tokens", "2");
      await ask(page, story);
      await expect.poll(() => devices(page).textContent()).toContain("through wllama");
      await page.locator("#file-input").setInputFiles({ name: "none.gguf", mimeType: "", buffer: Buffer.from("no model") });
      await expect.poll(() => alert(page).textContent()).toMatch(/none\.gguf.*gguf-magic/s);
      await expect.poll(() => devices(page).textContent()).toContain("This browser offers");
    });
  });

  it("files that were dropped: one that is no model, and two models, which become choices", async () => {
    await visit(browser(), {}, async ({ page }) => {
      const data = await page.evaluateHandle(
        "(() => { const data = new DataTransfer(); data.items.add(new File([new Uint8Array(64)], 'zeros.gguf')); return data; })()",
      );
      await page.dispatchEvent("body", "drop", { dataTransfer: data });
      await expect.poll(() => alert(page).textContent()).toMatch(/zeros\.gguf.*gguf-magic/s);

      await page
        .locator("#file-input")
        .setInputFiles(["b.gguf", "tiny-stories.gguf"].map((name) => ({ name, mimeType: "", buffer: readFileSync(tinyStories) })));
      await ready(page, "b.gguf");
      await answer(page).getByText("2 models were given.").waitFor();
      expect(await alert(page).count()).toBe(0);
      await model(page).selectOption({ label: "tiny-stories.gguf" });
      await ready(page, "tiny-stories.gguf");
    });
  });

  it("an address this page may not fetch from, and one without a file", async () => {
    await visit(browser(), { expected: /Content Security Policy|example\.invalid|404/ }, async ({ page }) => {
      await page.getByRole("button", { name: "Get a model" }).click();
      const field = page.getByRole("textbox", { name: "Address of a model" });
      const complaint = () => page.evaluate("document.activeElement.validationMessage");
      await field.fill("https://example.invalid/model.gguf");
      await page.getByRole("button", { name: "Fetch" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/example\.invalid.*huggingface\.co.*net-status/s);
      for (const text of ["not a url", "nothing-here.gguf", "https://", ""]) {
        await field.fill(text);
        await page.getByRole("button", { name: "Fetch" }).click();
        expect(await complaint()).toBe("Expected an address that begins with https://");
        expect(await alert(page).count()).toBe(0);
      }
      const name = page.getByRole("searchbox", { name: "Hugging Face repository" });
      for (const text of ["a/b/c d", ""]) {
        await name.fill(text);
        await page.getByRole("button", { name: "Look up" }).click();
        expect(await complaint()).toBe("Expected a name such as qwen, or OWNER/REPO, without spaces.");
      }
      await field.fill("/nothing-here.gguf");
      await page.getByRole("button", { name: "Fetch" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/404.*net-status/s);
    });
  });

  it("R16 a store without room: store-quota with needed and allowed; the model runs from its file meanwhile", async () => {
    await visit(browser(), {}, async ({ page, context }) => {
      const session = await context.newCDPSession(page);
      await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.url()).origin, quotaSize: 1_000_000 });
      await page.locator("#file-input").setInputFiles(tinyStories);
      await ready(page, "tiny-stories.gguf");
      await page.getByRole("button", { name: "Keep in this browser" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/store-quota/);
      await expect.poll(() => stored(page).textContent()).toContain("No models stored");
      await set(page, "Max tokens", "5");
      expect((await ask(page, story)).startsWith(story)).toBe(true);
    });
  });

  it("R3 a device that is not there, with the way to one that is", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await page.getByRole("combobox", { name: "Device" }).selectOption("webgpu"); // the software adapter has no shader-f16
      await expect.poll(() => alert(page).textContent()).toMatch(/shader-f16.*device-unavailable/s);
      await alert(page).getByRole("button", { name: "Use WebAssembly" }).click();
      await ready(page, "tiny-stories");
    });
  });
});

describe("R22 headers and policies", () => {
  it("without isolation headers the service worker supplies them", async () => {
    await visit(browser(), { serve: { headers: () => ({}) } }, async ({ page }) => {
      await expect.poll(() => page.evaluate("crossOriginIsolated").catch(() => false)).toBe(true);
      await expect.poll(() => devices(page).textContent()).not.toContain("1 thread because");
    });
  });

  if (isLong) {
    it("and where it may not, one thread computes, and the page says why", async () => {
      await visit(browser(), { serve: { headers: () => ({}) }, context: { serviceWorkers: "block" } }, async ({ page }) => {
        await set(page, "Max tokens", "5");
        expect((await ask(page, story)).startsWith(story)).toBe(true);
        expect(await devices(page).textContent()).toMatch(/1 thread because the page is not cross-origin isolated/);
      });
    });
  }

  it("a policy that forbids WebAssembly, a missing engine: the message names the header, the address", async () => {
    const strict = policy.replace(" 'wasm-unsafe-eval'", "");
    const headers = () => ({ "content-security-policy": strict, ...isolation });
    await visit(
      browser(),
      { serve: { headers }, context: { serviceWorkers: "block" }, expected: /Content Security Policy|wasm/i },
      async ({ page }) => {
        await generate(page).click();
        await expect.poll(() => alert(page).textContent()).toMatch(/wasm-unsafe-eval.*device-unavailable/s);
      },
    );
    const status = (path: string) => (path.endsWith(".wasm") ? 404 : undefined);
    await visit(
      browser(),
      { serve: { status }, context: { serviceWorkers: "block" }, expected: /404|wasm|WebAssembly/i },
      async ({ page }) => {
        await generate(page).click();
        await expect.poll(() => alert(page).textContent()).toMatch(/\/assets\/wllama-.*\.wasm.*404/s);
        await model(page).selectOption({ label: "tiny-t5-en-fr: English to French, 7 MB" });
        await expect.poll(() => alert(page).textContent()).toMatch(/\/assets\/ort-.*\.wasm.*404/s);
      },
    );
  });

  it("O3 the page comes with its policy, isolated, with Trusted Types; a host without headers gets the policy from the page itself", async () => {
    const { url, close } = await serve(site);
    const { headers } = await fetch(url);
    expect(headers.get("content-security-policy")).toBe(documentPolicy);
    expect(documentPolicy.startsWith(policy)).toBe(true);
    expect(policy).toBe(
      "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:; connect-src 'self' https://huggingface.co https://*.hf.co; img-src 'self'; style-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    );
    expect(headers.get("cross-origin-opener-policy")).toBe("same-origin");
    expect(headers.get("cross-origin-embedder-policy")).toBe("require-corp");
    await close();
    const html = readFileSync(join(site, "index.html"), "utf8");
    const tag = /http-equiv="content-security-policy" content="([^"]+)"/.exec(html)?.[1]?.replaceAll("&#39;", "'");
    expect(tag).toBe(documentPolicy.replace("; frame-ancestors 'none'", ""));
    expect(html).not.toMatch(/<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=/);
  });
});

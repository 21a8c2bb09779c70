/** What people do on the demo page, in a real browser, on the built site. Every test also wants a silent console and no request to another origin. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { documentPolicy, isolation, policy, serve } from "../../tools/serve.mjs";
import golden from "../golden/tiny-stories.json" with { type: "json" };
import {
  alert,
  answer,
  ask,
  devices,
  generate,
  launch,
  model,
  prompt,
  ready,
  set,
  site,
  stop,
  stored,
  tinyStories,
  tinyT5,
  visit,
} from "./support.ts";

let browser: Browser;
beforeAll(async () => {
  browser = await launch();
});
afterAll(() => browser?.close());

const story = "Once upon a time";
const expected = golden.data.prompts.find((entry) => entry.prompt === story)?.text.trim() ?? "";

describe("a full run", () => {
  it("streams both bundled models, and works offline after a reload", async () => {
    await visit(browser, {}, async ({ page, cut }) => {
      await set(page, "Temperature", "0");
      await set(page, "Repeat penalty", "1");
      await set(page, "Most tokens", "12");
      const told = await ask(page, story);
      expect(told.startsWith(story)).toBe(true);
      expect(told.length).toBeGreaterThan(story.length + 20);
      expect(expected.startsWith(told.slice(story.length).trim())).toBe(true);
      await expect.poll(() => devices(page).textContent()).toMatch(/WebAssembly.*wllama/);
      await expect.poll(() => page.getByLabel("Figures of the last answer").textContent()).toMatch(/First token.*Speed.*tok\/s/);

      await set(page, "Most tokens", "");
      await model(page).selectOption({ label: "tiny-t5-en-fr: English to French, 7 MB" });
      await ready(page, "tiny-t5-en-fr");
      expect(await ask(page, "Where is the train station?")).toMatch(/gare/);
      // a prompt that names its task is left as it is
      expect(await ask(page, "translate English to French: Hello world")).toBe("Bonjour le monde");
      await set(page, "Beams", "3");
      await set(page, "Answers", "2");
      await ask(page, "Where is the train station?");
      expect(await answer(page).getByRole("list", { name: "All answers, best first" }).getByRole("listitem").count()).toBe(2);

      await cut();
      await page.reload();
      await expect.poll(() => page.evaluate("crossOriginIsolated")).toBe(true);
      expect((await ask(page, story)).length).toBeGreaterThan(story.length + 20);
      await model(page).selectOption({ label: "tiny-t5-en-fr: English to French, 7 MB" });
      await ready(page, "tiny-t5-en-fr");
      expect(await ask(page, "Hello world")).toBe("Bonjour le monde");
    });
  });

  it("runs a T5 folder and a GGUF file from the disk, keeps one, and has it after a reload until it is deleted", async () => {
    await visit(browser, {}, async ({ page }) => {
      await page.locator("#folder-input").setInputFiles(tinyT5);
      await ready(page, "model.safetensors");
      await set(page, "Task", "translate English to French: ");
      expect(await ask(page, "Hello world")).toBe("Bonjour le monde");

      const chooser = page.waitForEvent("filechooser");
      await page.getByRole("button", { name: "Load file" }).click();
      await (await chooser).setFiles(tinyStories);
      await ready(page, "tiny-stories.gguf");
      await page.getByRole("button", { name: "Keep in this browser" }).click();
      await stored(page).getByRole("button", { name: "Delete tiny-stories.gguf" }).waitFor();
      expect(await stored(page).textContent()).toContain("3.1 MB");

      await page.reload();
      await stored(page).getByRole("button", { name: "Open tiny-stories.gguf" }).click();
      await ready(page, "tiny-stories.gguf");
      await set(page, "Most tokens", "8");
      expect((await ask(page, story)).length).toBeGreaterThan(story.length);
      await stored(page).getByRole("button", { name: "Delete tiny-stories.gguf" }).click();
      await expect.poll(() => stored(page).textContent()).toContain("Nothing yet");
    });
  });
});

describe("E12 E15 an older browser", () => {
  it("without promise integration takes the compat build, from the page's own origin", async () => {
    await visit(browser, { context: { serviceWorkers: "block" } }, async ({ page, context }) => {
      await context.route(/engine-worker-[^/]+\.js$/, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `delete WebAssembly.Suspending;${await response.text()}` });
      });
      await page.reload();
      await set(page, "Temperature", "0");
      await set(page, "Repeat penalty", "1");
      await set(page, "Most tokens", "8");
      const told = (await ask(page, story)).slice(story.length).trim();
      expect(told.length).toBeGreaterThan(15);
      expect(expected.startsWith(told)).toBe(true);
      expect(await devices(page).textContent()).toContain("compat build");
    });
  });
});

describe("R7 stopping", () => {
  it("ends an answer at once, keeps its text, and the next one works", async () => {
    await visit(browser, {}, async ({ page }) => {
      await set(page, "Temperature", "2");
      await set(page, "Most tokens", "4000");
      await prompt(page).fill(story);
      await prompt(page).press("Enter");
      await expect
        .poll(async () => (await answer(page).locator(".said").textContent())?.length ?? 0, { timeout: 60_000 })
        .toBeGreaterThan(60);
      await page.keyboard.press("Escape");
      await answer(page).getByText("Stopped.").waitFor({ timeout: 2000 });
      const text = (await answer(page).locator(".said").textContent()) ?? "";
      expect(text.startsWith(story)).toBe(true);
      await set(page, "Most tokens", "5");
      expect((await ask(page, story)).startsWith(story)).toBe(true);
      expect(await answer(page).locator(".said").first().textContent()).toBe(text);
    });
  });

  it("ends a load", async () => {
    await visit(browser, {}, async ({ page }) => {
      await generate(page).click();
      await stop(page).and(page.locator(":enabled")).click();
      await stop(page).and(page.locator(":disabled")).waitFor({ timeout: 2000 });
      expect(await alert(page).count()).toBe(0);
      expect((await ask(page, story)).length).toBeGreaterThan(story.length);
    });
  });
});

describe("what goes wrong is told", () => {
  it("a page saved as a model: an alert with code and hint, and the way back", async () => {
    await visit(browser, {}, async ({ page }) => {
      await page
        .locator("#file-input")
        .setInputFiles({ name: "model.gguf", mimeType: "", buffer: Buffer.from("<!doctype html><p>Sign in") });
      await expect.poll(() => alert(page).textContent()).toMatch(/an HTML page.*Log in.*gguf-magic/s);
      await alert(page).getByRole("button", { name: "Back to tiny-stories" }).click();
      await ready(page, "tiny-stories");
      expect(await alert(page).count()).toBe(0);
    });
  });

  it("a file that was dropped", async () => {
    await visit(browser, {}, async ({ page }) => {
      const data = await page.evaluateHandle(
        "(() => { const data = new DataTransfer(); data.items.add(new File([new Uint8Array(64)], 'zeros.gguf')); return data; })()",
      );
      await page.dispatchEvent("body", "drop", { dataTransfer: data });
      await expect.poll(() => alert(page).textContent()).toMatch(/zeros\.gguf.*gguf-magic/s);
    });
  });

  it("an address this page may not fetch from, and one without a file", async () => {
    await visit(browser, { expected: /Content Security Policy|example\.invalid|404/ }, async ({ page }) => {
      await page.getByRole("button", { name: "Load URL" }).click();
      await page.getByRole("textbox", { name: "Address of a model" }).fill("https://example.invalid/model.gguf");
      await page.getByRole("button", { name: "Fetch" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/example\.invalid.*huggingface\.co.*net-status/s);
      await page.getByRole("textbox", { name: "Address of a model" }).fill("nothing-here.gguf");
      await page.getByRole("button", { name: "Fetch" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/404.*net-status/s);
    });
  });

  it("R16 a store without room: store-quota with needed and allowed; the model runs from its file meanwhile", async () => {
    await visit(browser, {}, async ({ page, context }) => {
      const session = await context.newCDPSession(page);
      await session.send("Storage.overrideQuotaForOrigin", { origin: new URL(page.url()).origin, quotaSize: 1_000_000 });
      await page.locator("#file-input").setInputFiles(tinyStories);
      await ready(page, "tiny-stories.gguf");
      await page.getByRole("button", { name: "Keep in this browser" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/store-quota/);
      await expect.poll(() => stored(page).textContent()).toContain("Nothing yet");
      await set(page, "Most tokens", "5");
      expect((await ask(page, story)).startsWith(story)).toBe(true);
    });
  });

  it("R3 a device that is not there, with the way to one that is", async () => {
    await visit(browser, {}, async ({ page }) => {
      await page.getByRole("combobox", { name: "Device" }).selectOption("webgpu"); // the software adapter has no shader-f16
      await expect.poll(() => alert(page).textContent(), { timeout: 30_000 }).toMatch(/shader-f16.*device-unavailable/s);
      await alert(page).getByRole("button", { name: "Take WebAssembly" }).click();
      await ready(page, "tiny-stories");
    });
  });
});

describe("what is kept", () => {
  it("R15 a tab closed while a model is being kept: the next visit has it whole or not at all, and keeping it again works", async () => {
    const bytes = readFileSync(tinyStories);
    // large enough that its keeping can be cut short; what follows the model belongs to nobody
    const file = { name: "large.gguf", mimeType: "", buffer: Buffer.concat([bytes, Buffer.alloc(20_000_000)]) };
    await visit(browser, {}, async ({ page, context, url }) => {
      let tab = page;
      for (const delayMs of [10, 80]) {
        await tab.locator("#file-input").setInputFiles(file);
        await ready(tab, "large.gguf");
        await tab.getByRole("button", { name: "Keep in this browser" }).click();
        await tab.waitForTimeout(delayMs);
        await tab.close();
        tab = await context.newPage();
        await tab.goto(url);
        await stored(tab)
          .getByText(/may be kept/)
          .waitFor();
        if ((await stored(tab).getByRole("listitem").count()) === 1) {
          await stored(tab).getByRole("button", { name: "Open large.gguf" }).click();
          await ready(tab, "large.gguf");
          await stored(tab).getByRole("button", { name: "Delete large.gguf" }).click();
        }
      }
      await tab.locator("#file-input").setInputFiles(file);
      await ready(tab, "large.gguf");
      await tab.getByRole("button", { name: "Keep in this browser" }).click();
      await stored(tab).getByRole("button", { name: "Open large.gguf" }).waitFor();
    });
  });

  it("R17 bytes that the browser has evicted: store-evicted, and the way to clear up", async () => {
    await visit(browser, {}, async ({ page }) => {
      await page.locator("#file-input").setInputFiles(tinyStories);
      await ready(page, "tiny-stories.gguf");
      await page.getByRole("button", { name: "Keep in this browser" }).click();
      await stored(page).getByRole("button", { name: "Open tiny-stories.gguf" }).waitFor();
      await page.evaluate(`navigator.storage.getDirectory().then((root) => root.removeEntry("llmspell", { recursive: true }))`);
      await page.reload();
      await stored(page).getByRole("button", { name: "Open tiny-stories.gguf" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/tiny-stories\.gguf.*store-evicted/s);
      await alert(page).getByRole("button", { name: "Delete tiny-stories.gguf" }).click();
      await expect.poll(() => stored(page).textContent()).toContain("Nothing yet");
    });
  });

  it("R19 a browser without storage of its own keeps models in memory, and says so", async () => {
    await visit(browser, {}, async ({ page, context }) => {
      await context.addInitScript("delete StorageManager.prototype.getDirectory");
      await page.reload();
      await page.locator("#file-input").setInputFiles(tinyStories);
      await ready(page, "tiny-stories.gguf");
      await page.getByRole("button", { name: "Keep in this browser" }).click();
      await stored(page).getByRole("button", { name: "Open tiny-stories.gguf" }).waitFor();
      await expect.poll(() => stored(page).textContent()).toMatch(/memory/);
    });
  });
});

describe("R21 a page that is frozen", () => {
  it("goes on when it is thawed", async () => {
    await visit(browser, {}, async ({ page, context }) => {
      await set(page, "Most tokens", "120");
      await prompt(page).fill(story);
      await generate(page).click();
      await expect
        .poll(async () => (await answer(page).locator(".said").textContent())?.length ?? 0, { timeout: 60_000 })
        .toBeGreaterThan(30);
      const session = await context.newCDPSession(page);
      await session.send("Page.setWebLifecycleState", { state: "frozen" });
      await new Promise((resolve) => setTimeout(resolve, 12_000)); // beyond the silence that counts as death
      await session.send("Page.setWebLifecycleState", { state: "active" });
      await stop(page).and(page.locator(":disabled")).waitFor({ timeout: 30_000 });
      expect(await alert(page).count()).toBe(0);
      expect((await ask(page, story)).length).toBeGreaterThan(story.length);
    });
  });
});

describe("R18 two tabs", () => {
  it("keep the same model at once, and both have it", async () => {
    await visit(browser, {}, async ({ page, context, url }) => {
      const other = await context.newPage();
      await other.goto(url);
      await Promise.all(
        [page, other].map(async (tab) => {
          await tab.locator("#file-input").setInputFiles(tinyStories);
          await ready(tab, "tiny-stories.gguf");
          await tab.getByRole("button", { name: "Keep in this browser" }).click();
          await stored(tab).getByRole("button", { name: "Delete tiny-stories.gguf" }).waitFor();
        }),
      );
      await page.reload();
      await expect.poll(() => stored(page).getByRole("listitem").count()).toBe(1);
    });
  });
});

describe("R22 headers and policies", () => {
  it("without isolation headers the service worker supplies them", async () => {
    await visit(browser, { serve: { headers: () => ({}) } }, async ({ page }) => {
      await expect.poll(() => page.evaluate("crossOriginIsolated").catch(() => false), { timeout: 20_000 }).toBe(true);
      await expect.poll(() => devices(page).textContent()).not.toContain("1 thread because");
    });
  });

  it("and where it may not, one thread computes, and the page says why", async () => {
    await visit(browser, { serve: { headers: () => ({}) }, context: { serviceWorkers: "block" } }, async ({ page }) => {
      await set(page, "Most tokens", "5");
      expect((await ask(page, story)).startsWith(story)).toBe(true);
      expect(await devices(page).textContent()).toMatch(/1 thread because the page is not cross-origin isolated/);
    });
  });

  it("a policy that forbids WebAssembly, a missing engine: the message names the header, the address", async () => {
    const strict = policy.replace(" 'wasm-unsafe-eval'", "");
    const headers = () => ({ "content-security-policy": strict, ...isolation });
    await visit(
      browser,
      { serve: { headers }, context: { serviceWorkers: "block" }, expected: /Content Security Policy|wasm/i },
      async ({ page }) => {
        await generate(page).click();
        await expect.poll(() => alert(page).textContent(), { timeout: 30_000 }).toMatch(/wasm-unsafe-eval.*device-unavailable/s);
      },
    );
    const status = (path: string) => (path.endsWith(".wasm") ? 404 : undefined);
    await visit(browser, { serve: { status }, context: { serviceWorkers: "block" }, expected: /404|wasm/i }, async ({ page }) => {
      await generate(page).click();
      await expect.poll(() => alert(page).textContent(), { timeout: 30_000 }).toMatch(/\/assets\/wllama-.*\.wasm.*404/s);
      await model(page).selectOption({ label: "tiny-t5-en-fr: English to French, 7 MB" });
      await expect.poll(() => alert(page).textContent(), { timeout: 30_000 }).toMatch(/\/assets\/ort-.*\.wasm.*404/s);
    });
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

describe("O2 text stays text", () => {
  it("whatever a model's name, a prompt or an answer holds", async () => {
    const hostile = `<script>window.hit=1</script><img src=x onerror="window.hit=2"><svg onload="window.hit=3">[x](javascript:window.hit=4)![](http://evil.invalid/?d=1)<iframe srcdoc="<script>parent.hit=5</script>"></textarea><style>@import "http://evil.invalid"</style><a href="data:text/html,x">x</a>{{1+1}}<form id=prompt>`;
    await visit(browser, {}, async ({ page }) => {
      await set(page, "Most tokens", "5");
      expect((await ask(page, hostile)).startsWith(hostile)).toBe(true);
      await page
        .locator("#file-input")
        .setInputFiles({ name: "<img src=x onerror=hit=6>.gguf", mimeType: "", buffer: Buffer.from("no model") });
      await expect.poll(() => alert(page).textContent()).toContain("<img src=x onerror=hit=6>.gguf");
      expect(await page.evaluate("window.hit")).toBeUndefined();
      expect(await page.locator("main :is(script, iframe, img), #log :is(a, style, form, svg)").count()).toBe(0);
    });
  });
});

describe("people", () => {
  it("reach everything by keyboard, in the order they read it", async () => {
    await visit(browser, {}, async ({ page }) => {
      const names: string[] = [];
      for (let step = 0; step < 14; step += 1) {
        await page.keyboard.press("Tab");
        names.push(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"));
      }
      const order = ["model", "load-file", "load-folder", "load-address", "log", "prompt", "generate", "clear"];
      expect(names.filter((name) => order.includes(name))).toEqual(order);
    });
  });

  it.each([390, 1280])("see a page that fits %i pixels, light and dark", async (width) => {
    for (const colorScheme of ["light", "dark"] as const) {
      await visit(browser, { context: { viewport: { width, height: 800 }, colorScheme } }, async ({ page }) => {
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
        const [ink, paper] = (await page.evaluate(
          "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]",
        )) as [string, string];
        expect(contrast(ink, paper)).toBeGreaterThan(7);
      });
    }
  });
});

/** WCAG contrast of two colours as the browser reports them. */
function contrast(a: string, b: string): number {
  const luminance = (color: string): number => {
    const [r = 0, g = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map((value) => {
      const share = Number(value) / 255;
      return share <= 0.03928 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  };
  const [light = 0, dark = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (light + 0.05) / (dark + 0.05);
}

import { describe, expect, it } from "vitest";
import { isLong } from "../support.ts";
import {
  alert,
  answer,
  ask,
  devices,
  generate,
  model,
  prompt,
  ready,
  set,
  sharedBrowser,
  stop,
  story,
  storyText,
  visit,
} from "./support.ts";

const browser = sharedBrowser();

describe("E12 E15 an older browser", () => {
  it("without promise integration takes the compat build, from the page's own origin", async () => {
    await visit(browser(), { context: { serviceWorkers: "block" } }, async ({ page, context }) => {
      await context.route(/wllama-worker-[^/]+\.js$/, async (route) => {
        const response = await route.fetch();
        await route.fulfill({ response, body: `delete WebAssembly.Suspending;${await response.text()}` });
      });
      await page.reload();
      await set(page, "Temperature", "0");
      await set(page, "Repeat penalty", "1");
      await set(page, "Max tokens", "8");
      const told = (await ask(page, story)).slice(story.length).trim();
      expect(told.length).toBeGreaterThan(15);
      expect(storyText.startsWith(told)).toBe(true);
      expect(await devices(page).textContent()).toContain("compat build");
    });
  });
});

describe("R7 stopping", () => {
  it("ends an answer at once, keeps its text, and the next one works", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await set(page, "Temperature", "2");
      await set(page, "Max tokens", "4000");
      await prompt(page).fill(story);
      await prompt(page).press("Enter");
      await expect
        .poll(async () => (await answer(page).locator(".said").textContent())?.length ?? 0, { timeout: 60_000 })
        .toBeGreaterThan(60);
      await page.keyboard.press("Escape");
      await answer(page).getByText("Stopped.").waitFor({ timeout: 10_000 });
      const text = (await answer(page).locator(".said").textContent()) ?? "";
      expect(text.startsWith(story)).toBe(true);
      await set(page, "Max tokens", "5");
      expect((await ask(page, story)).startsWith(story)).toBe(true);
      expect(await answer(page).locator(".said").first().textContent()).toBe(text);
    });
  });

  it("ends a load", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await generate(page).click();
      await stop(page).and(page.locator(":enabled")).click();
      await stop(page).and(page.locator(":disabled")).waitFor({ timeout: 10_000 });
      expect(await alert(page).count()).toBe(0);
      expect((await ask(page, story)).length).toBeGreaterThan(story.length);
    });
  });
});

if (isLong) {
  describe("R21 a page that is frozen", () => {
    it("goes on when it is thawed", async () => {
      await visit(browser(), {}, async ({ page, context }) => {
        await set(page, "Max tokens", "120");
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
}

describe("O2 text stays text", () => {
  it("whatever a model's name, a prompt or an answer holds", async () => {
    const hostile = `<script>window.hit=1</script><img src=x onerror="window.hit=2"><svg onload="window.hit=3">[x](javascript:window.hit=4)![](http://evil.invalid/?d=1)<iframe srcdoc="<script>parent.hit=5</script>"></textarea><style>@import "http://evil.invalid"</style><a href="data:text/html,x">x</a>{{1+1}}<form id=prompt>`;
    await visit(browser(), {}, async ({ page }) => {
      await set(page, "Max tokens", "5");
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

describe("the last answer", () => {
  it("keeps the keyboard at Regenerate, is stopped by another device, and is marked as partial after a reload", async () => {
    await visit(browser(), {}, async ({ page }) => {
      const said = answer(page).locator(".said");
      const length = async (): Promise<number> => (await said.last().textContent())?.length ?? 0;
      const again = page.getByRole("button", { name: "Regenerate" });
      await set(page, "Max tokens", "4");
      await ask(page, story);
      await again.focus();
      await page.keyboard.press("Enter");
      await expect.poll(() => page.evaluate("document.activeElement.textContent")).toBe("Regenerate");
      expect(await said.count()).toBe(1);

      await set(page, "Temperature", "2");
      await set(page, "Max tokens", "4000");
      await again.click();
      await expect.poll(length).toBeGreaterThan(60);
      await page.getByLabel("Device", { exact: true }).selectOption("wasm");
      await answer(page).getByText("Stopped.").waitFor();
      await ready(page, "tiny-stories");
      expect(await alert(page).count()).toBe(0);

      await prompt(page).fill(story);
      await generate(page).click();
      await expect.poll(() => said.count()).toBe(2);
      await expect.poll(length).toBeGreaterThan(60);
      await page.reload();
      await answer(page).getByText("The answer ended early.").waitFor();
      expect(await said.count()).toBe(2);
    });
  });
});

describe("a wrong parameter", () => {
  it("is told below its field, which gets the keyboard, in the words of the page; no answer is added and none is lost", async () => {
    await visit(browser(), {}, async ({ page }) => {
      const focused = (): Promise<unknown> => page.evaluate("document.activeElement.id");
      const wrong = page.locator("small.wrong");
      await set(page, "Max tokens", "0");
      await prompt(page).fill(story);
      expect(await wrong.textContent()).toBe("Expected an integer, 1 … 131072");
      await generate(page).click();
      await expect.poll(focused).toBe("maxTokens");
      expect(await answer(page).locator(".turn").count()).toBe(0);
      await set(page, "Max tokens", "4");
      expect(await wrong.count()).toBe(0);

      await model(page).selectOption({ index: 1 });
      await ready(page, "tiny-t5-en-fr");
      const told = await ask(page, "Hello world");
      await set(page, "Answers", "3");
      await page.getByRole("button", { name: "Regenerate" }).click();
      await expect.poll(focused).toBe("numReturnSequences");
      expect(await wrong.textContent()).toBe("Expected at most the number of beams (1), got 3");
      expect(await answer(page).locator(".said").allTextContents()).toEqual([told]);
      expect(await alert(page).count()).toBe(0);
    });
  });
});

/** Models that the demo page keeps: closed tabs, evicted bytes, no storage, two tabs. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isLong } from "../support.ts";
import { alert, deleteStored, ready, sharedBrowser, stored, tinyStories, visit } from "./support.ts";

const browser = sharedBrowser();
const folder = mkdtempSync(join(tmpdir(), "llmspell-kept-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what is kept", () => {
  if (isLong) {
    it("R15 a tab closed while a model is being kept: the next visit has it whole or not at all, and keeping it again works", async () => {
      // large enough that its keeping can be cut short; what follows the model belongs to nobody
      const file = join(folder, "large.gguf");
      writeFileSync(file, Buffer.concat([readFileSync(tinyStories), Buffer.alloc(20_000_000)]));
      await visit(browser(), {}, async ({ page, context, url }) => {
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
            .getByText(/free in this browser/)
            .waitFor();
          if ((await stored(tab).getByRole("listitem").count()) === 1) {
            await stored(tab).getByRole("button", { name: "Open large.gguf" }).click();
            await ready(tab, "large.gguf");
            await deleteStored(tab, "large.gguf");
          }
        }
        await tab.locator("#file-input").setInputFiles(file);
        await ready(tab, "large.gguf");
        await tab.getByRole("button", { name: "Keep in this browser" }).click();
        await stored(tab).getByRole("button", { name: "Open large.gguf" }).waitFor();
      });
    });
  }

  it("R17 bytes that the browser has evicted: store-evicted, and the way to clear up", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await page.locator("#file-input").setInputFiles(tinyStories);
      await ready(page, "tiny-stories.gguf");
      await page.getByRole("button", { name: "Keep in this browser" }).click();
      await stored(page).getByRole("button", { name: "Open tiny-stories.gguf" }).waitFor();
      await page.evaluate(`navigator.storage.getDirectory().then((root) => root.removeEntry("llmspell", { recursive: true }))`);
      await page.reload();
      await stored(page).getByRole("button", { name: "Open tiny-stories.gguf" }).click();
      await expect.poll(() => alert(page).textContent()).toMatch(/tiny-stories\.gguf.*store-evicted/s);
      await alert(page).getByRole("button", { name: "Delete tiny-stories.gguf" }).click();
      await expect.poll(() => stored(page).textContent()).toContain("No models stored");
    });
  });

  it("R19 a browser without storage of its own keeps models in memory, and says so", async () => {
    await visit(browser(), {}, async ({ page, context }) => {
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

describe("R18 two tabs", () => {
  it("keep the same model at once, both have it, and both know when one deletes it, which asks first", async () => {
    await visit(browser(), {}, async ({ page, context, url }) => {
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

      await stored(page).getByRole("button", { name: "Delete tiny-stories.gguf" }).click();
      expect(await page.evaluate("document.activeElement.textContent")).toBe("Keep");
      await page.keyboard.press("Enter");
      expect(await page.evaluate("document.activeElement.textContent")).toBe("Delete");
      expect(await stored(page).textContent()).toContain("1 model,");
      await deleteStored(page, "tiny-stories.gguf");
      for (const tab of [page, other]) await expect.poll(() => stored(tab).textContent()).toContain("No models stored");
      expect(await page.evaluate("document.activeElement.id")).toBe("stored");
    });
  });
});

/** The Search view of the demo page: lines ranked by words, and by a model that somebody brings. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright";
import { expect, it } from "vitest";
import { bertGolden, writeBert } from "../fixtures/bert-writer.ts";
import { isLong } from "../support.ts";
import { alert, sharedBrowser, tinyT5, visit } from "./support.ts";

const browser = sharedBrowser();
const phone = { viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true };
const results = (page: Page) => page.getByRole("list", { name: "Results" }).getByRole("listitem");
const question = (page: Page) => page.getByRole("searchbox", { name: "Question" });
const lines = (page: Page) => page.getByRole("textbox", { name: "Lines" });
const status = (page: Page) => page.locator("#search-status");
const minilm = bertGolden.models.find(({ name }) => name === "minilm")!;
const open = async (page: Page): Promise<void> => {
  await page.getByRole("tab", { name: "Search" }).click();
  await status(page).getByText("leaves this tab").waitFor();
};

it("ranks lines by their words while one types, also on a phone, and is fetched when it is first shown", async () => {
  await visit(browser(), { context: phone }, async ({ page }) => {
    const imported = () => page.evaluate('performance.getEntriesByType("resource").some(({ name }) => name.includes("search-view"))');
    expect(await imported()).toBe(false);
    await open(page);
    expect(await imported()).toBe(true);
    await question(page).fill("when will I get my refund?");
    await expect.poll(() => results(page).first().textContent()).toContain("Refunds take five working days.");
    expect(await results(page).first().locator(".score").textContent()).toMatch(/^0\.\d\d$/);
    await lines(page).fill(`<b>bold</b> claims\nthe weather\n\n${"wide".repeat(200)}`);
    await question(page).fill("bold");
    await expect.poll(() => results(page).locator(".line").allTextContents()).toEqual(["<b>bold</b> claims"]);
    await question(page).fill("xylophone");
    await status(page).getByText("No line has a word in common").waitFor();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
    const small = await page.evaluate(`[...document.querySelectorAll("button, select, input, textarea, a")]
      .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches(".skip, .visually-hidden"))
      .map((element) => [element.id || element.textContent, Math.round(element.getBoundingClientRect().height)])
      .filter(([, height]) => height < 44)`);
    expect(small).toEqual([]);
  });
});

if (isLong) {
  it("ranks them by the vectors of a model from a folder, and says what is wrong with another file", async () => {
    const folder = mkdtempSync(join(tmpdir(), "llmspell-search-"));
    mkdirSync(join(folder, "1_Pooling"));
    for (const [file, bytes] of writeBert(bertGolden, minilm)) writeFileSync(join(folder, file), bytes);
    try {
      await visit(browser(), {}, async ({ page }) => {
        await open(page);
        const [first = "", second = ""] = bertGolden.texts;
        await lines(page).fill(`${second}\n${first}`);
        await page.locator("#search input[webkitdirectory]").setInputFiles(folder);
        await question(page).fill(first);
        // a text is most like itself
        await expect.poll(() => results(page).allTextContents()).toEqual([`${first}1.00`, expect.stringContaining(second)]);
        await page.locator("#search input[type=file]:not([webkitdirectory])").setInputFiles(join(tinyT5, "config.json"));
        await alert(page).getByText("gguf-magic").waitFor();
        await page.getByRole("button", { name: "Match words" }).click();
        await expect.poll(() => results(page).first().textContent()).toContain(first);
      });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

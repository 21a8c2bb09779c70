import type { Page } from "playwright";
import { describe, expect, it } from "vitest";
import { readChat } from "../../src/node/cli/chat-file.ts";
import { tinyLlama } from "../fixtures/gguf/models.ts";
import { writeGguf } from "../fixtures/gguf-writer.ts";
import { isLong } from "../support.ts";
import { alert, answer, ask, generate, model, prompt, ready, set, settings, sharedBrowser, story, visit } from "./support.ts";

const browser = sharedBrowser();
const chatModel = { name: "small-chat.gguf", mimeType: "", buffer: Buffer.from(writeGguf(tinyLlama())) };
const phone = { viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true };

describe("a conversation", () => {
  if (isLong) {
    it("goes on after a reload, once its model is loaded again, and ends with Clear", async () => {
      await visit(browser(), {}, async ({ page }) => {
        const tokens = page.locator("[data-figure=Tokens]");
        await page.locator("#file-input").setInputFiles(chatModel);
        await ready(page, "small-chat.gguf");
        // the box does not keep the words of a model that continues stories
        expect(await prompt(page).inputValue()).toBe("");
        await page.getByRole("button", { name: "Name five uses of an old newspaper." }).waitFor();
        await set(page, "Max tokens", "4");
        const first = await ask(page, "first question");
        const alone = Number((await tokens.textContent())?.split(" ")[0]);
        await page.reload();
        await expect.poll(() => answer(page).textContent()).toContain("first question");
        expect(await answer(page).locator(".said").textContent()).toBe(first);
        await expect.poll(() => answer(page).textContent()).toContain("Load it again to go on");
        await page.locator("#file-input").setInputFiles(chatModel);
        await ready(page, "small-chat.gguf");
        await set(page, "Max tokens", "4");
        await ask(page, "second question");
        expect(await answer(page).locator(".turn").count()).toBe(2);
        // the model was sent the first turn too
        expect(Number((await tokens.textContent())?.split(" ")[0])).toBeGreaterThan(alone * 1.8);
        await page.getByRole("button", { name: "Clear" }).click();
        await page.reload();
        await expect.poll(() => answer(page).textContent()).toContain("The answer appears here");
      });
    });
  }

  if (isLong) {
    it("of a bundled model is there after a reload, and Regenerate puts another answer in place of the last", async () => {
      await visit(browser(), {}, async ({ page }) => {
        await set(page, "Max tokens", "12");
        await set(page, "Seed", "1");
        await ask(page, "Lily found");
        const old = await ask(page, story);
        await page.reload();
        await expect.poll(() => answer(page).locator(".said").last().textContent()).toBe(old);
        await set(page, "Max tokens", "12");
        await set(page, "Seed", "2");
        await page.getByRole("button", { name: "Regenerate" }).click();
        await expect.poll(() => answer(page).locator(".said").last().textContent()).not.toBe(old);
        await page.locator("#stop:disabled").waitFor();
        expect(await answer(page).locator(".turn").count()).toBe(2);
        expect(await answer(page).locator(".said").last().textContent()).toMatch(/^Once upon a time/);
        // another model begins another conversation
        await model(page).selectOption({ index: 1 });
        await ready(page, "tiny-t5-en-fr");
        expect(await answer(page).locator(".turn").count()).toBe(0);
      });
    });
  }

  it("takes its last question back with Edit, and is a file that llmspell chat reads with Save", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await set(page, "Max tokens", "8");
      await set(page, "Top k", "20");
      const first = await ask(page, "Lily found");
      await answer(page).getByText("Cut off after 8 tokens").waitFor();
      await ask(page, story);
      await page.getByRole("button", { name: "Edit the question" }).click();
      expect(await prompt(page).inputValue()).toBe(story);
      expect(await answer(page).locator(".said").allTextContents()).toEqual([first]);
      await page.reload();
      await expect.poll(() => answer(page).locator(".said").allTextContents()).toEqual([first]);
      await ask(page, "One day");

      await set(page, "Top k", "20");
      const started = page.waitForEvent("download");
      await page.getByRole("button", { name: "Save the conversation" }).click();
      const file = await started;
      expect(file.suggestedFilename()).toBe("conversation.json");
      const saved = await readChat(await file.path());
      expect(saved).toMatchObject({ model: "tiny-stories", system: undefined, options: { topK: 20 } });
      expect(saved.messages.map(({ role }) => role)).toEqual(["user", "assistant", "user", "assistant"]);
      expect(saved.messages[0]?.content).toBe("Lily found");
      expect(`Lily found${saved.messages[1]?.content}`).toBe(first);

      for (const left of [1, 0]) {
        await page.getByRole("button", { name: "Edit the question" }).click();
        expect(await answer(page).locator(".turn").count()).toBe(left);
      }
      expect(await answer(page).textContent()).toContain("The answer appears here");
      expect(await page.getByRole("button", { name: "Save the conversation" }).isVisible()).toBe(false);
    });
  });

  it("copies an answer and its code, and shows Markdown under the page's policy", async () => {
    await visit(browser(), { context: { permissions: ["clipboard-read", "clipboard-write"] } }, async ({ page }) => {
      const said = "Use **this**:\n\n```js\nalert(1)\n```\n\n<img src=x onerror=hit=1>";
      const turn = { layout: "chat", model: "m", asked: "how?", said, notes: ["Stopped."] };
      await page.evaluate(
        `sessionStorage.setItem("llmspell-conversation", ${JSON.stringify(JSON.stringify({ owner: "files:m:1", turns: [turn] }))})`,
      );
      await page.reload();
      await answer(page).locator("pre code").waitFor();
      expect(await answer(page).locator("strong").textContent()).toBe("this");
      expect(await answer(page).locator("img").count()).toBe(0);
      await page.getByRole("button", { name: "Copy code" }).click();
      await page.getByText("Copied").waitFor();
      expect(await page.evaluate("navigator.clipboard.readText()")).toBe("alert(1)");
      await page.getByRole("button", { name: "Copy answer" }).click();
      await expect.poll(() => page.evaluate("navigator.clipboard.readText()")).toBe(said);
    });
  });

  if (isLong) {
    it("that something else wrote into the storage is left out", async () => {
      await visit(browser(), {}, async ({ page }) => {
        for (const text of ["no JSON", "[]", '{"owner":"x","turns":[{"layout":"chat","said":1}]}', '{"owner":"x","turns":[null]}']) {
          await page.evaluate(`sessionStorage.setItem("llmspell-conversation", ${JSON.stringify(text)})`);
          await page.reload();
          await expect.poll(() => answer(page).textContent()).toContain("The answer appears here");
        }
      });
    });
  }
});

describe("offline", () => {
  it("the line says so when it is true: the first answer comes without a network, though none was asked for before", async () => {
    await visit(browser(), {}, async ({ page, context, cut }) => {
      await page.getByText("Works offline", { exact: true }).waitFor({ timeout: 60_000 });
      await cut();
      await context.setOffline(true);
      await page.reload();
      await page.getByText("Offline", { exact: true }).waitFor();
      await set(page, "Max tokens", "8");
      expect((await ask(page, story)).length).toBeGreaterThan(story.length);
    });
  });

  it("what is not kept is said: net-offline beside the prompt", async () => {
    const status = (path: string): number | undefined => (path.endsWith(".gguf") ? 503 : undefined);
    await visit(browser(), { serve: { status }, context: phone, expected: /503|ERR_/ }, async ({ page, context, cut }) => {
      await page.getByText("Page kept; model not yet").waitFor();
      await cut();
      await context.setOffline(true);
      await page.getByText("Offline; model not kept").waitFor();
      await generate(page).click();
      await expect.poll(() => alert(page).textContent()).toContain("net-offline");
      expect(await alert(page).textContent()).toContain("tiny-stories cannot be fetched");
      await expect.poll(() => isInView(page, "problem")).toBe(true);
    });
  });
});

describe("a phone", () => {
  it("has the prompt in view before and after an answer, and targets of 44 pixels", async () => {
    await visit(browser(), { context: phone }, async ({ page }) => {
      expect(await isInView(page, "prompt")).toBe(true);
      // nothing lies below the prompt
      expect(await page.evaluate("document.documentElement.scrollHeight - innerHeight")).toBeLessThanOrEqual(0);
      await set(page, "Max tokens", "60");
      await ask(page, story);
      expect(await isInView(page, "prompt")).toBe(true);
      expect(await isInView(page, "generate")).toBe(true);
      expect(await isInView(page, "log")).toBe(true);
      const small = (): Promise<unknown> =>
        page.evaluate(`[...document.querySelectorAll("button, select, input, textarea, summary, a")]
        .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches(".skip, .visually-hidden, [type=checkbox]"))
        .map((element) => [element.id || element.textContent, Math.round(element.getBoundingClientRect().height)])
        .filter(([, height]) => height < 44)`);
      await page.getByRole("button", { name: "Get a model" }).click();
      expect(await small()).toEqual([]);
      await page.getByRole("button", { name: "Get a model" }).click();
      await settings(page).click();
      expect(await small()).toEqual([]);
    });
  });

  it("has its settings in a sheet, which closes with Done, Escape, a touch beside it, and when a model is chosen in it", async () => {
    await visit(browser(), { context: phone }, async ({ page }) => {
      const sheet = page.getByRole("complementary", { name: "Settings" });
      expect(await sheet.isVisible()).toBe(false);
      const closers = [
        () => page.getByRole("button", { name: "Done" }).click(),
        () => page.keyboard.press("Escape"),
        () => page.touchscreen.tap(200, 20),
        () => page.getByLabel("Device", { exact: true }).selectOption("wasm"),
      ];
      for (const close of closers) {
        await settings(page).click();
        await sheet.getByLabel("Temperature").waitFor();
        await close();
        await sheet.waitFor({ state: "hidden" });
      }
      await ready(page, "tiny-stories");
    });
  });
});

/** Whether all of it can be seen, nothing above it. */
function isInView(page: Page, id: string): Promise<unknown> {
  return page.evaluate(`(() => {
    const element = document.getElementById("${id}");
    const { left, right, top, bottom } = element.getBoundingClientRect();
    if (top < 0 || bottom > innerHeight) return false;
    return [top + 2, bottom - 2].every((y) => element.contains(document.elementFromPoint((left + right) / 2, y)));
  })()`);
}

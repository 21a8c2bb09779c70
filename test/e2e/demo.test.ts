import { describe, expect, it } from "vitest";
import {
  answer,
  ask,
  deleteStored,
  devices,
  model,
  ready,
  set,
  sharedBrowser,
  stored,
  story,
  storyText,
  tinyStories,
  tinyT5,
  visit,
} from "./support.ts";

const browser = sharedBrowser();

describe("a full run", () => {
  it("streams both bundled models, and works offline after a reload", async () => {
    await visit(browser(), {}, async ({ page, cut }) => {
      await set(page, "Temperature", "0");
      await set(page, "Repeat penalty", "1");
      await set(page, "Max tokens", "12");
      const told = await ask(page, story);
      expect(told.startsWith(story)).toBe(true);
      expect(told.length).toBeGreaterThan(story.length + 20);
      expect(storyText.startsWith(told.slice(story.length).trim())).toBe(true);
      await expect.poll(() => devices(page).textContent()).toMatch(/WebAssembly.*wllama/);
      await expect.poll(() => page.getByLabel("Figures of the last answer").textContent()).toMatch(/First token.*Speed.*tok\/s/);

      await set(page, "Max tokens", "");
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
      // the conversation goes on, with its model
      await expect.poll(() => model(page).inputValue()).toBe("bundled:tiny-t5-en-fr");
      await model(page).selectOption({ label: "tiny-stories: short stories, 3 MB" });
      await ready(page, "tiny-stories");
      expect((await ask(page, story)).length).toBeGreaterThan(story.length + 20);
      await model(page).selectOption({ label: "tiny-t5-en-fr: English to French, 7 MB" });
      await ready(page, "tiny-t5-en-fr");
      expect(await ask(page, "Hello world")).toBe("Bonjour le monde");
    });
  });

  it("runs a T5 folder and a GGUF file from the disk, keeps one, and has it after a reload until it is deleted", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await page.locator("#folder-input").setInputFiles(tinyT5);
      await ready(page, "tiny-t5-en-fr");
      expect(await model(page).locator(":checked").textContent()).toBe("tiny-t5-en-fr");
      await set(page, "Task", "translate English to French: ");
      expect(await ask(page, "Hello world")).toBe("Bonjour le monde");

      await page.getByRole("button", { name: "Get a model" }).click();
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
      await set(page, "Max tokens", "8");
      expect((await ask(page, story)).length).toBeGreaterThan(story.length);
      await deleteStored(page, "tiny-stories.gguf");
      await expect.poll(() => stored(page).textContent()).toContain("No models stored");
    });
  });
});

describe("people", () => {
  it("reach everything by keyboard, in the order they read it", async () => {
    await visit(browser(), {}, async ({ page }) => {
      const names: string[] = [];
      for (let step = 0; step < 14; step += 1) {
        await page.keyboard.press("Tab");
        names.push(await page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"));
      }
      const order = ["model", "get-models", "log", "prompt", "generate", "clear"];
      expect(names.filter((name) => order.includes(name))).toEqual(order);
    });
  });

  it.each([320, 390, 1280])("see a page that fits %i pixels, light and dark", async (width) => {
    for (const colorScheme of ["light", "dark"] as const) {
      await visit(browser(), { context: { viewport: { width, height: 800 }, colorScheme } }, async ({ page }) => {
        expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(width);
        const [ink, paper] = (await page.evaluate(
          "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]",
        )) as [string, string];
        expect(contrast(ink, paper)).toBeGreaterThan(7);
        await page.getByRole("button", { name: "Get a model" }).click();
        const [hint, field] = (await page.evaluate(
          `[getComputedStyle(address, "::placeholder").color, getComputedStyle(address).backgroundColor]`,
        )) as [string, string];
        expect(contrast(hint, field)).toBeGreaterThan(4.5);
      });
    }
  });
});

describe("the header", () => {
  it.each([320, 390, 700, 1280])("stays where it is at %i pixels, whatever is said of the network and shown below", async (width) => {
    await visit(browser(), { context: { viewport: { width, height: 800 } } }, async ({ page }) => {
      const places = (text: string): Promise<unknown> =>
        page.evaluate(`(() => {
          offline.textContent = "${text}";
          const tabs = document.querySelector(".tabs").getBoundingClientRect();
          const below = document.querySelector(".layout").getBoundingClientRect();
          return [tabs.left, tabs.top, below.top, document.documentElement.scrollWidth].map(Math.round);
        })()`);
      const first = await places("");
      for (const text of ["Page kept; model not yet", "Offline; model not kept", "Works offline"])
        expect(await places(text)).toEqual(first);
      for (const view of ["Script", "Search"]) {
        await page.getByRole("tab", { name: view }).click();
        expect(await places("Works offline")).toEqual(first);
      }
    });
  });

  it("stands above parameters whose choices are not cut off", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await page.getByText("Parameters").click();
      const [wide = 0, needed = 0] = (await page.evaluate(`(() => {
        const shown = preset.getBoundingClientRect().width;
        preset.style.width = "auto";
        preset.style.justifySelf = "start";
        return [shown, preset.getBoundingClientRect().width];
      })()`)) as number[];
      expect(wide).toBeGreaterThanOrEqual(needed);
    });
  });
});

describe("the guide", () => {
  it("holds the documents of the package, with links between them, and no markup", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await page.getByRole("link", { name: "Guide to library and program" }).click();
      const text = page.getByRole("main");
      await text.getByRole("heading", { name: "What runs where" }).waitFor();
      expect(await text.textContent()).not.toContain("<!--");
      await text.getByRole("link", { name: "docs/install.md" }).first().click();
      await text.getByRole("heading", { name: "Install" }).first().waitFor();
      await page.getByRole("navigation").getByRole("link", { name: "parameters" }).click();
      await text.getByRole("columnheader", { name: "command line" }).first().waitFor();
      expect(await page.getByRole("navigation").locator("[aria-current]").textContent()).toBe("parameters");
      expect(await page.evaluate("document.documentElement.scrollWidth - innerWidth")).toBeLessThanOrEqual(0);
      await page.getByRole("link", { name: "Try it" }).click();
      await model(page).waitFor();
    });
  });
});

describe("the theme", () => {
  it("is the system's, or the one that was chosen, from the first moment of the next visit", async () => {
    await visit(browser(), { context: { colorScheme: "light" }, expected: /ERR_FAILED .*assets/ }, async ({ page }) => {
      const paper = (): Promise<unknown> => page.evaluate("getComputedStyle(document.body).backgroundColor");
      const bars = (): Promise<unknown> =>
        page.evaluate(
          `[...document.querySelectorAll("meta[name=theme-color]")].filter(({ media }) => matchMedia(media).matches).map(({ content }) => content)`,
        );
      const theme = page.getByRole("combobox", { name: "Theme" });
      const light = await paper();
      expect(await bars()).toEqual(["#f6f3ec"]);
      await theme.selectOption("dark");
      const dark = await paper();
      expect(dark).not.toBe(light);
      expect(await bars()).toEqual(["#13111d"]);
      // before any module of the page runs
      await page.route(/\/assets\/.*\.js$/, (route) => route.abort());
      await page.context().addInitScript("delete Navigator.prototype.serviceWorker");
      await page.reload();
      expect([await paper(), await theme.inputValue()]).toEqual([dark, "dark"]);
      await theme.selectOption("");
      expect([await paper(), await bars()]).toEqual([light, ["#f6f3ec"]]);
      await page.emulateMedia({ colorScheme: "dark" });
      expect([await paper(), await bars()]).toEqual([dark, ["#13111d"]]);
    });
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

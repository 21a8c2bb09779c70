/** The Script view of the demo page: what a script prints while it runs, how it ends, and what the page keeps of it. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright";
import { describe, expect, it } from "vitest";
import { cli } from "../node/cli/support.ts";
import { isLong, root, some } from "../support.ts";
import { alert, ask, model, set, sharedBrowser, story, visit } from "./support.ts";

const browser = sharedBrowser();
const phone = { viewport: { width: 390, height: 800 }, isMobile: true, hasTouch: true };

const tab = (page: Page, name: string) => page.getByRole("tab", { name });
const editor = (page: Page) => page.getByRole("textbox", { name: "Script" });
const language = (page: Page) => page.getByRole("combobox", { name: "Language" });
const example = (page: Page) => page.getByRole("combobox", { name: "Example" });
const start = (page: Page) => page.getByRole("button", { name: "Run", exact: true });
const stop = (page: Page) => page.getByRole("button", { name: "Stop" });
/** All that was printed, without the lines of the log. */
const printed = async (page: Page): Promise<string> =>
  String(
    await page.evaluate(
      `[...document.querySelector("#output pre").childNodes].filter(({ nodeType }) => nodeType === Node.TEXT_NODE).map(({ data }) => data).join("")`,
    ),
  );

async function open(page: Page): Promise<void> {
  await tab(page, "Script").click();
  await editor(page).waitFor();
}

/** In place of all that stands there, as a person does it: what a driver fills in behind the editor's back comes with inline style. */
async function write(page: Page, text: string): Promise<void> {
  await editor(page).focus();
  await page.keyboard.press("ControlOrMeta+a");
  await page.keyboard.insertText(text);
}

async function run(page: Page, source: string, engine = "lua"): Promise<void> {
  await language(page).selectOption(engine);
  await write(page, source);
  await start(page).click();
}

const over = (page: Page) => page.locator("#stop-script:disabled").waitFor({ timeout: 60_000 });

describe("the Script view", () => {
  it.each(
    some(
      [
        ["lua", 'for i = 1, 3 do print("piece " .. i) Utils.sleep(0.4) end\nreturn { pieces = 3 }'],
        ["javascript", 'for (let i = 1; i <= 3; i++) { print("piece", i); await Utils.sleep(0.4); }\nexport default { pieces: 3 };'],
      ] as const,
      2,
    ),
  )("shows what a %s script prints while it runs, then its result and its time", async (engine, source) => {
    await visit(browser(), {}, async ({ page }) => {
      await open(page);
      await run(page, source, engine);
      await expect.poll(() => printed(page), { interval: 20 }).toBe("piece 1\n");
      expect(await stop(page).isEnabled()).toBe(true);
      await over(page);
      expect(await printed(page)).toBe("piece 1\npiece 2\npiece 3\n");
      expect(await page.locator("#result pre").textContent()).toBe('{\n  "pieces": 3\n}');
      expect(await page.locator("[data-figure=Time]").textContent()).toMatch(/^\d+\.\d s$/);
      expect(await page.locator("#script-status").textContent()).toContain("Done after");
    });
  });

  it("runs over the models of the page, with arguments, and shows no markup", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await open(page);
      await page.getByRole("textbox", { name: "Arguments" }).fill("'Lily and Tom' --animal=\"a dog\" last");
      await run(
        page,
        `print(ARGS[1], ARGS[2], ARGS.animal, "<b>not bold</b>")
local answer = LocalLLM.generate("tiny-stories", "Once upon a time", { max_tokens = 5, temperature = 0 })
print(answer.completion_tokens, answer.device.chosen)
Logger.error("told apart")`,
      );
      await over(page);
      expect(await printed(page)).toBe("Lily and Tom\tlast\ta dog\t<b>not bold</b>\n5\twasm\n");
      expect(await page.locator("#output .told.error").textContent()).toBe("error: told apart\n");
      expect(await page.locator("#output b").count()).toBe(0);
      expect(await page.locator("#script-models").textContent()).toContain("tiny-stories, tiny-t5-en-fr");
    });
  });

  it.each(
    some(
      [
        ["lua", 'print("on")\nwhile true do end'],
        ["javascript", 'print("on");\nwhile (true);'],
      ] as const,
      2,
    ),
  )("ends an endless %s script at once, while the page answers", async (engine, source) => {
    await visit(browser(), {}, async ({ page }) => {
      await open(page);
      await run(page, source, engine);
      await expect.poll(() => printed(page)).toBe("on\n");
      const waited = Number(
        await page.evaluate("new Promise((done) => { const at = performance.now(); setTimeout(() => done(performance.now() - at), 0); })"),
      );
      expect(waited).toBeLessThan(1000);
      await stop(page).click();
      await over(page);
      expect(await page.getByRole("log", { name: "Output" }).textContent()).toBe("on\nStopped.");
      expect(await alert(page).count()).toBe(0);
      await run(page, engine === "lua" ? "print(1)" : "print(1);", engine);
      await expect.poll(() => printed(page)).toBe("1\n");
    });
  });

  it("ends an answer under way with the script, and the other view goes on with the same model", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await open(page);
      await run(
        page,
        'LocalLLM.generate("tiny-stories", "Once", { max_tokens = 400, seed = 1, on_token = function(text) io.write(text) end })',
      );
      await expect.poll(async () => (await printed(page)).length, { interval: 20 }).toBeGreaterThan(20);
      await stop(page).click();
      await over(page);
      const said = await printed(page);
      await tab(page, "Prompt").click();
      await set(page, "Max tokens", "4");
      expect((await ask(page, story)).startsWith(story)).toBe(true);
      await tab(page, "Script").click();
      expect(await printed(page)).toBe(said);
    });
  });

  it.each(
    some(
      [
        ["lua", 'print("before")\n\nlocal none = nil\nprint(none.field)\n', 4, "script-error"],
        ["lua", "print(1)\nlocal = 5\n", 2, "script-syntax"],
        ["javascript", 'print("before");\n\nconst none = undefined;\nprint(none.field);\n', 4, "script-error"],
        ["lua", 'print(1)\nprint(2)\nLocalLLM.generate("no-such-model", "Once")\n', 3, "model-unknown"],
      ] as const,
      2,
    ),
  )("shows an error of %s with hint and code, at its line, with the way there (%#)", async (engine, source, line, code) => {
    await visit(browser(), {}, async ({ page }) => {
      await open(page);
      await run(page, source, engine);
      await alert(page).waitFor();
      expect(await alert(page).locator("code").textContent()).toBe(code);
      expect((await alert(page).locator(".hint").textContent())?.length).toBeGreaterThan(10);
      expect(await page.locator(".cm-line.cm-fault").textContent()).toBe(source.split("\n")[line - 1]);
      expect(await page.locator(".cm-gutterElement.cm-fault").textContent()).toBe(String(line));
      await alert(page)
        .getByRole("button", { name: `Go to line ${line}` })
        .click();
      await page.keyboard.press("Home");
      await page.keyboard.insertText("here ");
      expect(await page.locator(".cm-line.cm-fault").textContent()).toBe(`here ${source.split("\n")[line - 1]}`);
      await alert(page).getByRole("button", { name: "Dismiss" }).click();
      expect(await page.locator(".cm-fault").count()).toBe(0);
    });
  });

  it("keeps text, language and arguments over a reload, and a text for each language", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await open(page);
      await language(page).selectOption("lua");
      await write(page, 'print("kept")');
      await page.getByRole("textbox", { name: "Arguments" }).fill("--one 1");
      await language(page).selectOption("javascript");
      await write(page, 'print("this too");');
      await page.reload();
      expect(await tab(page, "Script").getAttribute("aria-selected")).toBe("true");
      await expect.poll(() => editor(page).textContent()).toBe('print("this too");');
      expect(await page.getByRole("textbox", { name: "Arguments" }).inputValue()).toBe("--one 1");
      expect(await language(page).inputValue()).toBe("javascript");
      await language(page).selectOption("lua");
      expect(await editor(page).textContent()).toBe('print("kept")');
      for (const text of ["no JSON", "[]", '{"language":"lua","texts":{"lua":1},"args":""}']) {
        await page.evaluate(`addEventListener("pagehide", () => sessionStorage.setItem("llmspell-script", ${JSON.stringify(text)}))`);
        await page.reload();
        await expect.poll(() => editor(page).textContent()).toContain("The text as it comes");
      }
    });
  });

  it("the examples run, in both languages, with the arguments of their commands", async () => {
    await visit(browser(), {}, async ({ page }) => {
      await open(page);
      const all = (await page.evaluate("[...document.querySelectorAll('#example option')].map(({ value }) => value)")) as string[];
      const names = all.filter((name) => name !== "");
      expect(names.length).toBeGreaterThanOrEqual(18);
      // all take a minute: with LLMSPELL_LONG=1
      for (const name of isLong ? names : names.filter((_, i) => i % 12 === 0)) {
        for (const engine of ["lua", "javascript"]) {
          await language(page).selectOption(engine);
          await example(page).selectOption(name);
          await start(page).click();
          await page.locator("#run:enabled").waitFor({ timeout: 60_000 });
          const said = `${await page.getByRole("log", { name: "Output" }).textContent()} ${await page.locator("#script-problem").textContent()}`;
          expect(await page.locator("#script-problem").isVisible(), `${name} ${engine}: ${said}`).toBe(false);
          expect((await printed(page)).trim(), name).not.toBe("");
        }
      }
    });
  });

  it("is within reach of the keyboard: arrows between the tabs, Tab indents, Escape and Tab leave, Control and Enter run", async () => {
    await visit(browser(), {}, async ({ page }) => {
      const focused = (): Promise<unknown> =>
        page.evaluate("document.activeElement.shadowRoot?.activeElement?.getAttribute('aria-label') ?? document.activeElement.id");
      await tab(page, "Prompt").focus();
      await page.keyboard.press("ArrowRight");
      expect(await focused()).toBe("script-tab");
      await editor(page).waitFor();
      expect(await page.getByRole("tabpanel", { name: "Script" }).isVisible()).toBe(true);
      expect(await model(page).isVisible()).toBe(false);
      await page.keyboard.press("End");
      expect(await focused()).toBe("search-tab");
      await page.keyboard.press("ArrowRight");
      expect(await focused()).toBe("prompt-tab");
      expect(await model(page).isVisible()).toBe(true);
      await page.keyboard.press("ArrowRight");
      for (const expected of ["language", "example", "Script"]) {
        await page.keyboard.press("Tab");
        expect(await focused()).toBe(expected);
      }
      await write(page, "print(1)");
      await page.keyboard.press("Home");
      await page.keyboard.press("Tab");
      expect(await focused()).toBe("Script");
      expect(await editor(page).textContent()).toBe("  print(1)");
      await page.keyboard.press("Control+Enter");
      await expect.poll(() => printed(page)).toBe("1\n");
      await over(page);
      expect(await editor(page).textContent()).toBe("  print(1)");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Tab");
      expect(await focused()).toBe("arguments");
      await page.keyboard.press("Shift+Tab");
      await page.keyboard.press("Escape");
      await page.keyboard.press("Shift+Tab");
      expect(await focused()).toBe("example");
    });
  });

  it("fits a phone, with targets of 44 pixels", async () => {
    await visit(browser(), { context: phone }, async ({ page }) => {
      await open(page);
      await run(page, 'print(("wide "):rep(200))\nerror("here")');
      await alert(page).waitFor();
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
      const small = await page.evaluate(`[...document.querySelectorAll("button, select, input, textarea, summary, a")]
        .filter((element) => element.checkVisibility({ visibilityProperty: true }) && !element.matches(".skip, .visually-hidden"))
        .map((element) => [element.id || element.textContent, Math.round(element.getBoundingClientRect().height)])
        .filter(([, height]) => height < 44)`);
      expect(small).toEqual([]);
    });
  });

  it("is fetched when it is first shown, and works offline from then on", async () => {
    await visit(browser(), {}, async ({ page, context, cut }) => {
      const asked: string[] = [];
      context.on("request", (request) => asked.push(request.url()));
      await page.getByText("Works offline", { exact: true }).waitFor({ timeout: 60_000 });
      expect(asked.filter((address) => /script-view-.*\.js$|(lua|quickjs)-[^/]*\.wasm$/.test(address))).toEqual([]);
      await open(page);
      await expect
        .poll(() =>
          page.evaluate(
            `caches.keys().then((names) => caches.open(names[0])).then((cache) => cache.keys()).then((all) => all.filter(({ url }) => /script-view-.*\\.js$|(lua|quickjs)-[^/]*\\.wasm$/.test(url)).length)`,
          ),
        )
        .toBe(3);
      await cut();
      await context.setOffline(true);
      await page.reload();
      await editor(page).waitFor();
      for (const engine of ["lua", "javascript"]) {
        await run(
          page,
          "print(LocalLLM !== undefined ? 1 : 2)".replace("!== undefined ? 1 : 2", engine === "lua" ? "and 1" : "&& 1"),
          engine,
        );
        await expect.poll(() => printed(page)).toBe("1\n");
        await over(page);
      }
    });
  });

  if (isLong) {
    it("takes a script that is dropped on the page, and leaves models to the other view", async () => {
      await visit(browser(), {}, async ({ page }) => {
        const drop = async (name: string, text: string): Promise<void> => {
          const data = await page.evaluateHandle(
            `(() => { const data = new DataTransfer(); data.items.add(new File([${JSON.stringify(text)}], ${JSON.stringify(name)})); return data; })()`,
          );
          await page.dispatchEvent("body", "drop", { dataTransfer: data });
        };
        await drop("mine.js", "print(42);");
        await expect.poll(() => editor(page).textContent()).toBe("print(42);");
        expect(await language(page).inputValue()).toBe("javascript");
        const started = page.waitForEvent("download");
        await page.getByRole("button", { name: "Save the script" }).click();
        const saved = await started;
        expect(saved.suggestedFilename()).toBe("script.js");
        expect(readFileSync(await saved.path(), "utf8")).toBe("print(42);");
        await drop("none.gguf", "no model");
        await expect.poll(() => alert(page).textContent()).toMatch(/none\.gguf.*gguf-magic/s);
        expect(await tab(page, "Prompt").getAttribute("aria-selected")).toBe("true");
      });
    });
  }
});

describe("one file, run by the command line and in the page", () => {
  const languages = [
    ["lua", "lua"],
    ["javascript", "js"],
  ] as const;
  // a model answers four times: with LLMSPELL_LONG=1
  it.each([...(isLong ? ([["getting-started/02-generate", languages]] as const) : []), ["features/state", languages] as const])(
    "%s prints the same bytes",
    async (name, asked) => {
      await visit(browser(), {}, async ({ page }) => {
        await open(page);
        for (const [engine, ending] of asked) {
          const path = `examples/scripts/${name}.${ending}`;
          const { status, stdout } = await cli(["run", path, "--device", "wasm"]);
          expect(status).toBe(0);
          await run(page, readFileSync(join(root, path), "utf8"), engine);
          await over(page);
          expect(Buffer.from(await printed(page))).toEqual(Buffer.from(stdout));
        }
      });
    },
  );
});

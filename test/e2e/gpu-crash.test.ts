/** R1 through the front door: Chromium's GPU process falls while the demo page translates on WebGPU. A browser of its own, because all of its pages lose. */
import { expect, it } from "vitest";
import { alert, answer, ask, launch, model, prompt, ready, set, visit } from "./support.ts";

it("R1 the browser's GPU process falls between tokens: an alert with device-lost, the text so far stays, and the next answer comes", async () => {
  const browser = await launch();
  try {
    await visit(browser, { expected: /GPU|WebGPU|context|device/i }, async ({ page }) => {
      await page.getByRole("combobox", { name: "Device" }).selectOption("wasm");
      await model(page).selectOption({ label: "tiny-t5-en-fr: English to French, 7 MB" });
      await ready(page, "tiny-t5-en-fr");
      await page.getByRole("combobox", { name: "Device" }).selectOption("webgpu");
      await ready(page, "tiny-t5-en-fr");
      await set(page, "Max tokens", "400");
      // a long input, so that the answer is under way for seconds
      await prompt(page).fill(
        "There is a police car parked outside our house, and the teacher gave way to the students, and I wonder what it is.",
      );
      await prompt(page).press("Enter");
      const said = answer(page).locator(".said").last();
      await expect.poll(async () => (await said.textContent())?.length ?? 0, { timeout: 60_000 }).toBeGreaterThan(2);
      const devtools = await browser.newBrowserCDPSession();
      await devtools.send("Browser.crashGpuProcess");
      await expect.poll(() => alert(page).textContent()).toMatch(/device-lost/);
      expect((await said.textContent())?.length).toBeGreaterThan(2);
      await page.getByRole("combobox", { name: "Device" }).selectOption("wasm");
      await ready(page, "tiny-t5-en-fr");
      expect(await ask(page, "Hello world")).toBe("Bonjour le monde");
    });
  } finally {
    await browser.close();
  }
}, 180_000);

/** A person with a browser. */
import { type Browser, chromium, type Page } from "playwright";
import { expect } from "vitest";
import { findChromium } from "../../tools/chromium.mjs";

export function openBrowser(): Promise<Browser> {
  const executablePath = findChromium();
  return chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: ["--no-sandbox", "--disable-background-networking"],
  });
}

/** Opens a page, and fails the test on anything that went wrong beside what it looks at: an engine fetched twice or in part, a second look for an adapter. */
export async function visit(browser: Browser, url: string, look: (page: Page) => Promise<void>): Promise<void> {
  const page = await browser.newPage();
  const faults: string[] = [];
  const origin = new URL(url).origin;
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => message.type() === "error" && !message.text().includes("404") && faults.push(message.text()));
  const engines = new Set<string>();
  page.on("requestfailed", (request) => request.url().endsWith(".wasm") && faults.push(`${request.failure()?.errorText} ${request.url()}`));
  let looks = 0;
  page.on("console", (message) => message.text().includes("No available adapters") && ++looks > 1 && faults.push(message.text()));
  page.on("request", (request) => {
    const asked = request.url();
    if (asked.endsWith(".wasm") && engines.size === engines.add(asked).size) faults.push(`asked again ${asked}`);
    if (!asked.startsWith(origin) && !asked.startsWith("blob:") && !asked.startsWith("data:")) faults.push(`asked ${asked}`);
  });
  await page.goto(url);
  await look(page);
  expect(faults).toEqual([]);
  await page.close();
}

/** What test/package/door shows once both kinds of model have answered, the second with threads. */
export async function seeDoor(page: Page): Promise<void> {
  await page.locator("#french", { hasText: /gare/ }).waitFor({ timeout: 90_000 });
  expect((await page.locator("#story").textContent())?.length).toBeGreaterThan(80);
}

/** The built demo page in a real browser: what went wrong beside what a test looks at fails the test. */
import { join } from "node:path";
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from "playwright";
import { afterAll, beforeAll, expect } from "vitest";
import { findChromium } from "../../tools/chromium.mjs";
import { type ServeOptions, serve } from "../../tools/serve.mjs";
import golden from "../golden/tiny-stories.json" with { type: "json" };
import { root } from "../support.ts";

export const site = join(root, "demo/dist");
export const tinyStories = join(root, "builtins/models/tiny-stories/tiny-stories.gguf");
export const tinyT5 = join(root, "builtins/models/tiny-t5-en-fr");

export function launch(): Promise<Browser> {
  const executablePath = findChromium();
  return chromium.launch({
    ...(executablePath === undefined ? {} : { executablePath }),
    args: [
      "--no-sandbox",
      "--disable-background-networking",
      "--disable-component-update",
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--enable-features=Vulkan",
      "--disable-gpu-sandbox",
    ],
  });
}

export interface Visit {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly url: string;
  /** Console errors, page errors, and requests to other origins so far. */
  readonly faults: string[];
  /** Ends the server, as a network that is gone. */
  cut(): Promise<void>;
}

export interface VisitOptions {
  readonly serve?: ServeOptions;
  /** after the page's address: `?name=value` */
  readonly search?: string;
  readonly context?: BrowserContextOptions;
  /** Faults this test is about. */
  readonly expected?: RegExp;
}

/** Starts a browser for the tests of a file. @returns it, once they run */
export function sharedBrowser(): () => Browser {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());
  return () => browser;
}

export const story = "Once upon a time";
/** What a story of tiny-stories begins with, greedily. */
export const storyText = golden.data.prompts.find((entry) => entry.prompt === story)?.text.trim() ?? "";

/** Opens the page on a server of its own, runs the steps, and wants no fault at the end. */
export async function visit(browser: Browser, options: VisitOptions, steps: (visit: Visit) => Promise<void>): Promise<void> {
  const server = await serve(site, options.serve);
  const context = await browser.newContext(options.context);
  const faults: string[] = [];
  const watch = (page: Page): void => {
    page.on("pageerror", (error) => faults.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning")
        faults.push(`console ${message.type()}: ${message.text()} ${message.location().url}`);
    });
  };
  context.on("page", watch);
  context.on("request", (request) => {
    const address = request.url();
    if (!address.startsWith(server.url) && !address.startsWith("blob:")) faults.push(`asked ${address}`);
  });
  try {
    const page = await context.newPage();
    const url = `${server.url}${options.search ?? ""}`;
    await page.goto(url);
    await steps({ page, context, url, faults, cut: server.close });
    // Said by the driver itself, where a test forbids the service worker.
    const ours = faults.filter((fault) => !fault.includes("blocked by Playwright"));
    expect(ours.filter((fault) => options.expected?.test(fault) !== true)).toEqual([]);
  } finally {
    await context.close();
    await server.close();
  }
}

export const model = (page: Page) => page.getByRole("combobox", { name: "Model" });
export const prompt = (page: Page) => page.getByRole("textbox", { name: "Prompt" });
export const generate = (page: Page) => page.getByRole("button", { name: "Generate", exact: true });
export const stop = (page: Page) => page.getByRole("button", { name: "Stop" });
export const answer = (page: Page) => page.getByRole("log", { name: "Answer" });
export const devices = (page: Page) => page.getByRole("region", { name: "Devices" });
export const stored = (page: Page) => page.getByRole("region", { name: "Stored models" });
export const alert = (page: Page) => page.getByRole("alert");
export const settings = (page: Page) => page.getByRole("button", { name: "Settings" });
const said = (page: Page) => answer(page).locator(".said").last();

/** Sets a parameter by its label; on a phone in the sheet. */
export async function set(page: Page, label: string, value: string): Promise<void> {
  if (await settings(page).isVisible()) {
    await settings(page).click();
    await page.getByLabel(label, { exact: true }).fill(value);
    return page.getByRole("button", { name: "Done" }).click();
  }
  const details = page.locator("details.parameters");
  if ((await details.getAttribute("open")) === null) await page.getByText("Parameters").click();
  await page.getByLabel(label, { exact: true }).fill(value);
}

/** Asks, and waits for the end. @returns what the model made of it */
export async function ask(page: Page, text: string): Promise<string> {
  const before = await answer(page).locator(".said").count();
  await prompt(page).fill(text);
  await generate(page).click();
  await expect.poll(() => answer(page).locator(".said").count(), { timeout: 60_000 }).toBe(before + 1);
  await stop(page).and(page.locator(":disabled")).waitFor({ timeout: 60_000 });
  return (await said(page).textContent()) ?? "";
}

/** Deletes a stored model, and says yes when asked. */
export async function deleteStored(page: Page, id: string): Promise<void> {
  await stored(page)
    .getByRole("button", { name: `Delete ${id}`, exact: true })
    .click();
  await stored(page)
    .getByRole("button", { name: `Delete ${id} for good` })
    .click();
}

/** Waits until a model is ready. */
export async function ready(page: Page, id: string): Promise<void> {
  await page.locator("#facts", { hasText: id }).waitFor({ timeout: 60_000 });
}

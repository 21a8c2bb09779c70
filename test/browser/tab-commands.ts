/** Other tabs, for tests in a page: opened beside the test's own, reloaded, closed and killed as it happens to people. */
import type {} from "@vitest/browser-playwright"; // what its commands are handed
import type { BrowserContext, Page } from "playwright";
import type { BrowserCommandContext } from "vitest/node";

declare module "vitest/browser" {
  interface BrowserCommands {
    /**
     * @param quota bytes: the tab is in a profile of its own, whose origin has so much room. Absent: it shares the storage of this page.
     * @returns its number
     */
    openTab(origin: string, quota?: number): Promise<number>;
    /** Calls an exported function of test/browser/in-tab.ts there. */
    inTab(tab: number, name: string, ...args: readonly unknown[]): Promise<unknown>;
    reloadTab(tab: number): Promise<void>;
    closeTab(tab: number): Promise<void>;
  }
}

const tabs: { readonly page: Page; readonly own: BrowserContext | undefined }[] = [];
/** Modules of tests import through this name of the test runner. */
const page =
  "<!doctype html><title>tab</title><script>globalThis.__vitest_browser_runner__ = { wrapDynamicImport: (load) => load() };</script>";
const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

function tabOf(tab: number): Page {
  const found = tabs[tab];
  if (found === undefined) throw new Error("openTab comes first");
  return found.page;
}

export const tabCommands = {
  async openTab({ context }: BrowserCommandContext, origin: string, quota?: number): Promise<number> {
    const own = quota === undefined ? undefined : await context.browser()?.newContext();
    const tab = await (own ?? context).newPage();
    await tab.route(`${origin}/tab`, (route) => route.fulfill({ contentType: "text/html", headers: isolated, body: page }));
    if (quota !== undefined) {
      const session = await tab.context().newCDPSession(tab);
      // before the origin has asked for room: what a database was granted once it keeps for a while
      await session.send("Storage.overrideQuotaForOrigin", { origin, quotaSize: quota });
    }
    await tab.goto(`${origin}/tab`);
    return tabs.push({ page: tab, own }) - 1;
  },
  inTab: (_: unknown, tab: number, name: string, ...args: readonly unknown[]): Promise<unknown> =>
    tabOf(tab).evaluate(`import("/test/browser/in-tab.ts").then((tab) => tab[${JSON.stringify(name)}](...${JSON.stringify(args)}))`),
  async reloadTab(_: unknown, tab: number): Promise<void> {
    await tabOf(tab).reload();
  },
  async closeTab(_: unknown, tab: number): Promise<void> {
    await tabOf(tab).close();
    await tabs[tab]?.own?.close();
  },
};

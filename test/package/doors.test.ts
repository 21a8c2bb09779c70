/** One page, built by each bundler as it comes, with no setting: from the installed package, in a real browser. More of them in test/long/doors.test.ts. */
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Browser } from "playwright";
import { createServer, preview, build as vite } from "vite";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import webpack from "webpack";
import { isolation, serve } from "../../tools/serve.mjs";
import { root } from "../support.ts";
import { openBrowser, seeDoor, visit } from "./visitor.ts";

const place = join(inject("folder"), "door");

let browser: Browser;
beforeAll(async () => {
  cpSync(join(root, "test/package/door"), place, { recursive: true });
  browser = await openBrowser();
});
afterAll(() => browser?.close());

describe("a page without a setting", () => {
  it("is built by webpack", async () => {
    const output = join(place, "webpack");
    mkdirSync(output);
    // a bundle of webpack is no module
    writeFileSync(join(output, "index.html"), readFileSync(join(place, "index.html"), "utf8").replace('type="module"', "defer"));
    const stats = await new Promise<webpack.Stats | undefined>((resolve, reject) => {
      webpack({ context: place, entry: "./main.js", mode: "development", output: { path: output } }, (error, made) =>
        error === null ? resolve(made) : reject(error),
      );
    });
    expect(stats?.toString({ all: false, errors: true, warnings: true })).toBe("");
    const { url, close } = await serve(output, { headers: () => isolation });
    await visit(browser, url, seeDoor);
    await close();
  });

  it("is built by Vite", async () => {
    await vite({ root: place, configFile: false, logLevel: "error" });
    const server = await preview({ root: place, configFile: false, logLevel: "error", preview: { port: 0, headers: isolation } });
    await visit(browser, server.resolvedUrls?.local[0] ?? "", seeDoor);
    await server.close();
  });

  it("is served by Vite while it is written", async () => {
    const server = await createServer({ root: place, configFile: false, logLevel: "error", server: { port: 0, headers: isolation } });
    await server.listen();
    await visit(browser, server.resolvedUrls?.local[0] ?? "", seeDoor);
    await server.close();
  });
});

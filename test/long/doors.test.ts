/** The page of test/package/doors.test.ts from the other bundlers, a server and a page of Next.js, and the package managers that are not npm. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser } from "playwright";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isolation, serve } from "../../tools/serve.mjs";
import { install, pack } from "../package/install.ts";
import { installed, run, userEnvironment } from "../package/support.ts";
import { openBrowser, seeDoor, visit } from "../package/visitor.ts";
import { root } from "../support.ts";

const place = mkdtempSync(join(tmpdir(), "llmspell-doors-"));
const { tarball } = pack(place);
let browser: Browser;
beforeAll(async () => {
  browser = await openBrowser();
});
afterAll(async () => {
  await browser?.close();
  rmSync(place, { recursive: true, force: true });
});

/** A folder of a user with the page and these packages beside llmspell. */
function project(name: string, manifest: Readonly<Record<string, unknown>>, ...packages: readonly string[]): string {
  const folder = join(place, name);
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name, version: "1.0.0", private: true, ...manifest }));
  if (packages.length > 0) install(folder, tarball, ...packages);
  for (const file of ["index.html", "main.js"]) cpSync(join(root, "test/package/door", file), join(folder, file));
  return folder;
}

const node = (folder: string, ...args: readonly string[]): ReturnType<typeof run> => run(process.execPath, args, folder);

async function seeOutput(folder: string): Promise<void> {
  const { url, close } = await serve(folder, { headers: () => isolation });
  await visit(browser, url, seeDoor);
  await close();
}

describe("a page with one documented line", () => {
  it("is built by Rollup", async () => {
    const folder = project("rollup", { type: "module" }, "rollup@4.68.8", "@rollup/plugin-node-resolve@16.0.3");
    writeFileSync(
      join(folder, "rollup.config.js"),
      `import { nodeResolve } from "@rollup/plugin-node-resolve";
import { rollupFiles } from "llmspell/bundlers";
export default { input: "main.js", output: { dir: "out" }, plugins: [nodeResolve({ browser: true }), rollupFiles()] };
`,
    );
    expect(await node(folder, "node_modules/rollup/dist/bin/rollup", "-c")).toMatchObject({ status: 0 });
    cpSync(join(folder, "index.html"), join(folder, "out/index.html"));
    await seeOutput(join(folder, "out"));
  });

  it("is built by Parcel", async () => {
    const folder = project("parcel", {}, "parcel@2.16.4");
    expect(await node(folder, "node_modules/parcel/lib/bin.js", "build", "index.html")).toMatchObject({ status: 0 });
    expect(await node(folder, "-e", 'import("llmspell/bundlers").then(({ copyFiles }) => copyFiles("dist"))')).toMatchObject({ status: 0 });
    await seeOutput(join(folder, "dist"));
  });
});

describe("a page without a setting", () => {
  it("is built, previewed and served while it is written by Vite 7", async () => {
    const folder = project("vite", { type: "module" }, "vite@7.3.8");
    const { build, createServer, preview } = (await import(join(folder, "node_modules/vite/dist/node/index.js"))) as typeof import("vite");
    const options = { root: folder, configFile: false, logLevel: "error" } as const;
    await build(options);
    const built = await preview({ ...options, preview: { port: 0, headers: isolation } });
    await visit(browser, built.resolvedUrls?.local[0] ?? "", seeDoor);
    await built.close();
    const server = await createServer({ ...options, server: { port: 0, headers: isolation } });
    await server.listen();
    await visit(browser, server.resolvedUrls?.local[0] ?? "", seeDoor);
    await server.close();
  });

  it("is built by webpack for production", async () => {
    const folder = project("webpack", { type: "module" }, "webpack@5.113.0", "webpack-cli@7.3.1");
    expect(await node(folder, "node_modules/webpack/bin/webpack.js", "--entry", "./main.js", "--mode", "production")).toMatchObject({
      status: 0,
    });
    const html = readFileSync(join(folder, "index.html"), "utf8");
    writeFileSync(join(folder, "dist/index.html"), html.replace('type="module"', "defer"));
    await seeOutput(join(folder, "dist"));
  });
});

const page = `"use client";
import { load } from "llmspell";
import { useEffect, useState } from "react";

export default function Page() {
  const [story, setStory] = useState("");
  const [french, setFrench] = useState("");
  useEffect(() => {
    const tell = async () => {
      const { text } = await (await load("tiny-stories")).generate("Once upon a time", { maxTokens: 30 });
      setStory(text);
      const translator = await load("tiny-t5-en-fr");
      setFrench((await translator.generate("translate English to French: Where is the train station?")).text);
    };
    tell();
  }, []);
  return <><p id="story">{story}</p><p id="french">{french}</p></>;
}
`;
const layout =
  'export default function Layout({ children }) {\n  return <html lang="en"><head><link rel="icon" href="data:," /></head><body>{children}</body></html>;\n}\n';
const route = `import { load } from "llmspell";

export const dynamic = "force-dynamic";
export async function GET() {
  const model = await load("tiny-stories");
  const { text } = await model.generate("Once upon a time", { maxTokens: 30 });
  await model.dispose();
  return Response.json({ text });
}
`;

describe("Next.js", () => {
  let folder: string;
  beforeAll(() => {
    folder = project("next", {}, "next@16.4.6", "react@19.3.1", "react-dom@19.3.1");
    mkdirSync(join(folder, "app/story"), { recursive: true });
    for (const [name, text] of [
      ["page.js", page],
      ["layout.js", layout],
      ["story/route.js", route],
    ] as const) {
      writeFileSync(join(folder, "app", name), text);
    }
  });

  it.each(["--turbopack", "--webpack"])("%s runs a client component and a route handler without a setting", async (bundler) => {
    const next = join(folder, "node_modules/next/dist/bin/next");
    const env = userEnvironment({ NEXT_TELEMETRY_DISABLED: "1" });
    const built = spawn(process.execPath, [next, "build", bundler], { cwd: folder, env, stdio: "ignore" });
    expect(await new Promise((resolve) => built.on("close", resolve))).toBe(0);
    const server = spawn(process.execPath, [next, "start", "-p", "0"], { cwd: folder, env, stdio: ["ignore", "pipe", "ignore"] });
    try {
      const url = await new Promise<string>((resolve, reject) => {
        let told = "";
        server.stdout.setEncoding("utf8").on("data", (text: string) => {
          told += text;
          const found = /http:\/\/localhost:\d+/.exec(told)?.[0];
          if (found !== undefined && told.includes("Ready")) resolve(found);
        });
        server.on("close", () => reject(new Error(told)));
      });
      await visit(browser, `${url}/`, seeDoor);
      const { text } = (await (await fetch(`${url}/story`)).json()) as { readonly text: string };
      expect(text.length).toBeGreaterThan(80);
    } finally {
      server.kill();
    }
  });
});

describe("package managers", () => {
  const tell =
    'import { load } from "llmspell";\nconst model = await load("tiny-stories");\nconsole.log((await model.generate("Once", { maxTokens: 8 })).text);\nawait model.dispose();\n';
  const cli = ["generate", "Once upon a time", "--max-tokens", "8"];

  it("pnpm installs it", async () => {
    const folder = project("pnpm", { type: "module" });
    const pnpm = join(installed("pnpm", "10.34.9"), "bin/pnpm.cjs");
    expect(await node(folder, pnpm, "add", tarball)).toMatchObject({ status: 0 });
    writeFileSync(join(folder, "tell.js"), tell);
    expect(await node(folder, "tell.js")).toMatchObject({ status: 0, stdout: expect.stringMatching(/\w/) });
    expect(await node(folder, pnpm, "exec", "llmspell", ...cli)).toMatchObject({ status: 0, stdout: expect.stringMatching(/\w/) });
  });

  it.each(["node-modules", "pnp"])("yarn installs it with nodeLinker %s", async (nodeLinker) => {
    // WebAssembly of GGUF is read from disk, not from an archive
    const dependenciesMeta = { "@wllama/wllama": { unplugged: true }, "@wllama/wllama-compat": { unplugged: true } };
    const folder = project(`yarn-${nodeLinker}`, { type: "module", ...(nodeLinker === "pnp" ? { dependenciesMeta } : {}) });
    writeFileSync(join(folder, ".yarnrc.yml"), `nodeLinker: ${nodeLinker}\nenableTelemetry: false\nenableGlobalCache: false\n`);
    writeFileSync(join(folder, "yarn.lock"), "");
    const yarn = join(installed("@yarnpkg/cli-dist", "4.18.1"), "bin/yarn.js");
    expect(await node(folder, yarn, "add", `llmspell@file:${tarball}`)).toMatchObject({ status: 0 });
    writeFileSync(join(folder, "tell.js"), tell);
    expect(await node(folder, yarn, "node", "tell.js")).toMatchObject({ status: 0, stdout: expect.stringMatching(/\w/) });
    expect(await node(folder, yarn, "llmspell", ...cli)).toMatchObject({ status: 0, stdout: expect.stringMatching(/\w/) });
  });
});

/** Demo build, worker format, and the two main test projects. The package suite and the long one have configurations of their own. */
import { existsSync } from "node:fs";
import { playwright } from "@vitest/browser-playwright";
import { defineConfig } from "vitest/config";
import { hubCommands } from "./test/browser/hub-commands.ts";
import { serviceCommands } from "./test/browser/service-commands.ts";
import { tabCommands } from "./test/browser/tab-commands.ts";
import { missingFiles } from "./tools/missing-files.mjs";
import { serviceWorker } from "./tools/service-worker.mjs";

/** Threads in a page need it to be isolated from other origins. */
const isolated = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

const chromiumPath = [process.env["CHROMIUM_PATH"], "/usr/bin/chromium", "/usr/bin/google-chrome"].find(
  (path) => path !== undefined && existsSync(path),
);
const chromium = playwright({
  launchOptions: {
    ...(chromiumPath === undefined ? {} : { executablePath: chromiumPath }),
    args: [
      "--no-sandbox", // containers run as root
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--no-first-run",
      // WebGPU on a processor, where there is no graphics card: slow, and right
      "--enable-unsafe-webgpu",
      "--use-webgpu-adapter=swiftshader",
      "--enable-features=Vulkan",
      "--disable-gpu-sandbox",
    ],
  },
});

/** What a page or a process shows comes soon, and on a busy machine later; vitest's own second is too little. */
const patient = { poll: { timeout: 30_000 } };

/** For tests in Node. A test that hangs is over after a minute; no bound of time is tighter than what a busy machine may need. */
const inNode = {
  setupFiles: ["test/support/no-warnings.ts"],
  execArgv: ["--expose-gc", "--trace-warnings"],
  testTimeout: 60_000,
  hookTimeout: 60_000,
  expect: patient,
};

/**
 * Files that take most of their time for WebGPU on a processor, or for another copy of what runs elsewhere: all in the long run, `LLMSPELL_LONG=1` before
 * `npm run test:browser` and the others.
 */
const isLong = process.env["LLMSPELL_LONG"] === "1";
const onlyLong = isLong
  ? []
  : [
      "test/browser/engines/devices.test.ts",
      "test/browser/engines/exported-devices.test.ts",
      "test/browser/t5-webgpu.test.ts",
      "test/e2e/gpu-crash.test.ts",
      "test/node/engines/exported-devices.test.ts",
      "test/node/engines/t5-webgpu.test.ts",
    ];

export default defineConfig({
  root: "demo",
  base: "./", // it may lie in any folder of any host
  server: { headers: isolated },
  worker: { format: "es" }, // the default, iife, cannot split code
  plugins: [missingFiles(), serviceWorker()],
  build: {
    outDir: "dist",
    emptyOutDir: true,
    rollupOptions: { input: ["index", "guide"].map((page) => `${import.meta.dirname}/demo/${page}.html`) },
    target: "es2022",
    assetsInlineLimit: 0, // the policy lets no data: address be fetched
    chunkSizeWarningLimit: 1000,
  },
  test: {
    root: import.meta.dirname,
    // What engines do in children and workers is not counted.
    coverage: {
      provider: "v8",
      include: ["src/core/**", "src/node/*.ts"],
      reportsDirectory: ".cache/coverage",
      reportOnFailure: true,
      reporter: ["text", "html"],
    },
    projects: [
      {
        root: import.meta.dirname,
        test: {
          name: "core",
          include: ["test/core/**/*.test.ts"],
          ...inNode,
          // core keeps nothing at module level, so its files share their imports
          isolate: false,
          maxWorkers: 3,
        },
      },
      {
        root: import.meta.dirname,
        test: {
          name: "unit",
          include: ["test/node/**/*.test.ts", "test/engines/**/*.test.ts"],
          exclude: onlyLong,
          ...inNode,
          // what engines keep between runs stays out of the home of whoever runs the tests
          env: { LLMSPELL_HOME: `${import.meta.dirname}/.cache/test-home` },
          // half of the time tests wait, for a child, a timeout or a server; more at once and engines that spin disturb each other
          maxWorkers: 3,
        },
      },
      {
        root: import.meta.dirname,
        test: {
          name: "webgpu",
          include: ["test/webgpu/**/*.test.ts"],
          ...inNode,
          globalSetup: ["test/webgpu/setup.ts"],
          env: { LLMSPELL_HOME: `${import.meta.dirname}/.cache/test-home` },
        },
      },
      {
        root: import.meta.dirname,
        test: {
          name: "demo",
          include: ["test/e2e/**/*.test.ts"],
          exclude: onlyLong,
          globalSetup: ["test/e2e/build.ts"],
          // most of the time a page waits
          maxWorkers: 2,
          testTimeout: 180_000, // the longest take half a minute beside the package suite
          hookTimeout: 60_000,
          expect: patient,
        },
      },
      {
        root: import.meta.dirname,
        server: { headers: isolated },
        optimizeDeps: {
          exclude: ["@wllama/wllama", "@wllama/wllama-compat", "onnxruntime-web"],
          include: [
            ...["@huggingface/tokenizers", "@huggingface/transformers", "hash-wasm", "idb", "idb-keyval", "smol-toml"],
            ...["@modelcontextprotocol/sdk/client/index.js", "@modelcontextprotocol/sdk/client/streamableHttp.js"],
          ],
        },
        test: {
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          exclude: onlyLong,
          env: { LLMSPELL_LONG: isLong ? "1" : "" },
          testTimeout: 60_000,
          hookTimeout: 60_000,
          expect: patient,
          browser: {
            enabled: true,
            headless: true,
            screenshotFailures: false,
            provider: chromium,
            commands: { ...hubCommands, ...serviceCommands, ...tabCommands },
            instances: [{ browser: "chromium" }],
          },
        },
      },
    ],
  },
});

import { defineConfig } from "vitest/config";

/** The packed package, examples and the gates themselves. Needs `dist`; installs from the npm registry. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    name: "package",
    include: ["test/package/**/*.test.ts"],
    globalSetup: ["test/package/install.ts"],
    testTimeout: 120_000,
    hookTimeout: 300_000,
    fileParallelism: false,
  },
});

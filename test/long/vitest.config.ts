import { defineConfig } from "vitest/config";

/** Repeats, kill storms, fuzzing: minutes to hours, by hand. Results go where a change is described. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    name: "long",
    // goldens again, on runtimes that are too slow for every change
    include: ["test/long/**/*.test.ts", "test/node/golden.test.ts", "test/node/t5-golden.test.ts"],
    env: { LLMSPELL_LONG: "1", LLMSPELL_HOME: new URL("../../.cache/test-home", import.meta.url).pathname },
    testTimeout: 3_600_000,
    fileParallelism: false,
  },
});

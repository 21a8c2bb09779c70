import { defineConfig } from "vitest/config";

/** Repeats, kill storms, fuzzing: minutes to hours, by hand. Results go where a change is described. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: {
    name: "long",
    // goldens and fuzzing again: all answers, on slow runtimes too, and many more random files
    include: [
      "test/long/**/*.test.ts",
      ...["golden", "t5-golden", "t5-model", "exported", "llama-engine"].map((name) => `test/node/${name}.test.ts`),
      ...["protobuf", "gguf/properties", "formats/safetensors", "serve/hostile"].map((name) => `test/core/${name}.test.ts`),
    ],
    env: { LLMSPELL_LONG: "1", LLMSPELL_HOME: new URL("../../.cache/test-home", import.meta.url).pathname },
    testTimeout: 3_600_000,
    hookTimeout: 600_000,
    fileParallelism: false,
    execArgv: ["--expose-gc"],
  },
});

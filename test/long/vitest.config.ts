import { defineConfig } from "vitest/config";

/** Repeats, kill storms, fuzzing: minutes to hours, by hand. Results go where a change is described. */
export default defineConfig({
  root: new URL("../..", import.meta.url).pathname,
  test: { name: "long", include: ["test/long/**/*.test.ts"], testTimeout: 3_600_000, fileParallelism: false },
});

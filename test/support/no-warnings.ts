/**
 * Set up in front of every file of tests in Node: what the runtime warns of is a leak in the library or in a test, so it fails the run.
 * Files that nobody closed are told of when their handles are collected; that is brought about after the last test.
 */
import { afterAll, beforeAll } from "vitest";

function fail(warning: Error): void {
  if (warning.name !== "ExperimentalWarning") throw warning;
}

beforeAll(() => {
  process.on("warning", fail);
});
afterAll(async () => {
  globalThis.gc?.();
  // the warning comes in a turn of its own
  await new Promise((resolve) => setTimeout(resolve, 1));
  process.off("warning", fail);
});

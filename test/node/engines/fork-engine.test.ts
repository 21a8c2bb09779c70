import { readFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { forkEngine, smallProcess } from "../../../src/node/engines/fork-engine.ts";
import { linux } from "../../support/only-where.ts";

describe("the process of an engine", () => {
  linux.it.each([
    ["onnxruntime-node", true],
    ["onnxruntime-web", true],
    ["wllama", false],
  ] as const)("of %s is kept small: %s", (engine, isSmall) => {
    const child = forkEngine(engine);
    try {
      const environment = readFileSync(`/proc/${child.pid}/environ`, "utf8").split("\0");
      expect(environment.includes("MALLOC_ARENA_MAX=1")).toBe(isSmall);
      expect(smallProcess.execArgv.every((flag) => child.spawnargs.includes(flag))).toBe(isSmall);
    } finally {
      child.kill("SIGKILL");
    }
  });
});

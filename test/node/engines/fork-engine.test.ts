import { readFileSync } from "node:fs";
import { describe, expect } from "vitest";
import { type EngineName, forkEngine, smallProcess } from "../../../src/node/engines/fork-engine.ts";
import { linux } from "../../support/only-where.ts";

const rows: readonly (readonly [EngineName, boolean])[] = [
  ["onnxruntime-node", true],
  ["onnxruntime-web", true],
  ["wllama", false],
];

describe("the process of an engine", () => {
  for (const [engine, isSmall] of rows) {
    linux.it(`of ${engine} is ${isSmall ? "kept small" : "as Node makes it"}`, () => {
      const child = forkEngine(engine);
      try {
        const environment = readFileSync(`/proc/${child.pid}/environ`, "utf8").split("\0");
        expect(environment.includes("MALLOC_ARENA_MAX=2")).toBe(isSmall);
        expect(smallProcess.execArgv.every((flag) => child.spawnargs.includes(flag))).toBe(isSmall);
      } finally {
        child.kill("SIGKILL");
      }
    });
  }
});

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { type EngineName, forkEngine, smallProcess } from "../../../src/node/engines/fork-engine.ts";
import { linux } from "../../support/only-where.ts";
import { root } from "../../support.ts";

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

  it.each(["tiny-stories", "tiny-t5-en-fr"])(
    "of %s that Node's permissions forbid is device-unavailable, and says what allows it",
    (model) => {
      const permission = process.allowedNodeEnvironmentFlags.has("--permission") ? "--permission" : "--experimental-permission";
      const { status, stderr } = spawnSync(
        process.execPath,
        [permission, "--allow-fs-read=*", "--allow-fs-write=*", `${root}dist/node/cli/main.js`, "generate", "-m", model, "Hello"],
        { encoding: "utf8", env: { ...process.env, NO_COLOR: "1" } },
      );
      expect(stderr).toContain("needs a process of its own; expected Node's permission to start one, got none");
      expect(stderr).toContain("--allow-child-process");
      expect(stderr).toContain("[device-unavailable]");
      expect(stderr).not.toContain("--device cpu");
      expect(status).toBe(4);
    },
  );
});

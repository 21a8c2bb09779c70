/** What `import "llmspell"` costs: parts of Node that are slow to load, and our own code for models, come with their first use. */
import { execFileSync } from "node:child_process";
import { pathToFileURL } from "node:url";
import { describe, expect, it } from "vitest";
import { root } from "../support.ts";

const slow = ["child_process", "worker_threads", "dns"];

/** Parts of Node that a program has loaded after it ran. */
function loadedBy(code: string): readonly string[] {
  const program = `${code}; console.log(JSON.stringify(${JSON.stringify(slow)}.filter((name) => process.moduleLoadList.includes("NativeModule " + name))));`;
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", program], { encoding: "utf8" })) as string[];
}

describe("the entry of Node", () => {
  it("loads none of the slow parts of Node, and neither does a platform", () => {
    const entry = JSON.stringify(pathToFileURL(`${root}/dist/node/index.js`).href);
    expect(loadedBy('import "node:child_process"')).toContain("child_process"); // the list can tell
    expect(loadedBy(`import { nodePlatform, parseModelSpec } from ${entry}; nodePlatform(); parseModelSpec("hf:a/b:Q4_0")`)).toEqual([]);
  });
});

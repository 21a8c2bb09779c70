/** node-llama-cpp's code in one file of the built package: the same engine, without the package's own 400 files. */
import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { packedVersion } from "../../../src/node/engines/llama-start.ts";
import { packageVersion } from "../../../src/node/engines/packages.ts";

const project = new URL("../../../", import.meta.url);
const packed = new URL("dist/node/engines/llama-package.js", project);

/** @returns tokens of a text by the bundled model, and the modules that were loaded meanwhile */
async function loadedBy(specifier: string): Promise<{ readonly tokens: readonly number[]; readonly modules: readonly string[] }> {
  const hook = `import { writeSync } from "node:fs"; export const load = (url, context, next) => (writeSync(2, url + "\\n"), next(url, context));`;
  const program = `
    import { register } from "node:module";
    register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});
    const { getLlama, LlamaLogLevel } = await import(${JSON.stringify(specifier)});
    const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, progressLogs: false, logLevel: LlamaLogLevel.error });
    const model = await llama.loadModel({ modelPath: "builtins/models/tiny-stories/tiny-stories.gguf" });
    console.log(JSON.stringify(model.tokenize("Once upon a time")));
    process.exit(0);`;
  // a file: the engine starts a process like this one to try its binary
  await mkdir(new URL(".cache", project), { recursive: true });
  const file = new URL(`.cache/llama-package-${process.pid}.mjs`, project);
  await writeFile(file, program);
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [fileURLToPath(file)], { cwd: project }).finally(() => rm(file));
  return { tokens: JSON.parse(stdout) as number[], modules: stderr.split("\n").filter((line) => line.startsWith("file:")) };
}

describe("node-llama-cpp in one file", () => {
  it("is what the package is, and reads none of its modules", async () => {
    const [ours, theirs] = [await loadedBy(packed.href), await loadedBy("node-llama-cpp")];
    expect(ours.tokens).toEqual(theirs.tokens);
    const own = /\/node_modules\/node-llama-cpp\/dist\//;
    expect(theirs.modules.filter((module) => own.test(module)).length).toBeGreaterThan(100);
    expect(ours.modules.filter((module) => own.test(module))).toEqual([]);
    // the binaries stay in their package
    expect(ours.modules.some((module) => module.includes("/node_modules/@node-llama-cpp/"))).toBe(true);
  });

  it("has the version that is installed here, no path of a machine, and the licences of what is in it", () => {
    expect(packageVersion("node-llama-cpp")).toBe(packedVersion);
    expect(readFileSync(packed, "utf8")).not.toContain(fileURLToPath(project));
    const licences = readFileSync(new URL("llama-package.LICENSES.txt", packed), "utf8");
    expect(licences).toContain(`node-llama-cpp ${packedVersion} (MIT)`);
    expect(
      [...licences.matchAll(/^\S+ \d+\.\d+\.\d+ \((.+)\)$/gm)]
        .map(([, licence]) => licence)
        .filter((licence) => !/^(MIT|ISC|BlueOak-1\.0\.0)$/.test(licence ?? "")),
    ).toEqual([]);
  });
});

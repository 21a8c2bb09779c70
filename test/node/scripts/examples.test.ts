/** Examples of the globals beside their engines in child processes; the model is a script of its own, its files are the bundled ones. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { openFileSource } from "../../../src/node/file-source.ts";
import { scriptFiles } from "../../../src/node/scripts/files.ts";
import { childScripts } from "../../../src/node/scripts/host.ts";
import { describeExamples } from "../../contract/script-examples.ts";
import { root } from "../../support.ts";

const folder = mkdtempSync(join(tmpdir(), "llmspell-examples-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describeExamples(
  childScripts,
  () => ({
    ...memoryPlatform({ gguf: scriptedRuntime({ answer: () => [" there", " was", " a", " cat"] }) }),
    bundled: (model, file) => openFileSource(join(root, "builtins/models", model, file)),
  }),
  () => scriptFiles(folder, []),
);

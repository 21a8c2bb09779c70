/** Examples of the globals in a page: engines in workers, State in this process, files in memory. */
import { browserPlatform } from "../../../src/browser/platform.ts";
import { workerScripts } from "../../../src/browser/scripts/host.ts";
import type { ScriptFiles } from "../../../src/core/platform.ts";
import { memoryPlatform, scriptedRuntime } from "../../../src/core/testing/index.ts";
import { describeExamples } from "../../contract/script-examples.ts";

function filesInMemory(): ScriptFiles {
  const texts = new Map<string, string>();
  return {
    permit: () => undefined,
    module: async (path) => texts.get(path) ?? "",
    read: async (path) => texts.get(path),
    async bytes(path) {
      const text = texts.get(path);
      return text === undefined ? undefined : new TextEncoder().encode(text);
    },
    write: async (path, text) => void texts.set(path, text),
    exists: async (path) => texts.has(path),
    list: async () => [...texts.keys()],
  };
}

describeExamples(
  workerScripts("suspension"),
  () => ({
    ...memoryPlatform({ gguf: scriptedRuntime({ answer: () => [" there", " was", " a", " cat"] }) }),
    bundled: browserPlatform().bundled,
  }),
  filesInMemory,
);

/** For a file of tests: a scripted hub and registry, and a folder of models that is empty before each test. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach } from "vitest";
import type { LogEntry, Platform } from "../../../src/core/platform.ts";
import { startFaultServer } from "../../support/fault-server.mjs";
import { tinyGguf as gguf, type ModelTestSettings, openLocalLlm, tinyT5 as t5 } from "./local-llm.ts";

export async function scriptedModels() {
  const server = await startFaultServer();
  const folder = mkdtempSync(join(tmpdir(), "llmspell-models-"));
  const logged: LogEntry[] = [];
  afterAll(() => server.close());
  beforeEach(() => {
    mkdirSync(folder, { recursive: true });
    server.reset();
    server.repos.clear();
    server.images.clear();
    server.addRepo("owner/gguf", {
      files: {
        "README.md": Buffer.from("# hi\n"),
        "tiny.Q8_0.gguf": gguf,
        "tiny.Q4_K_M.gguf": Buffer.concat([gguf, Buffer.alloc(64)]),
        "mmproj-F16.gguf": gguf,
      },
    });
    server.addRepo("owner/t5", { files: t5 });
    logged.length = 0;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  const names = (place: string): readonly string[] => {
    const path = join(folder, "models", place);
    return existsSync(path) ? readdirSync(path) : [];
  };
  return {
    server,
    folder,
    /** what the platform was told, since the test began */
    logged,
    open: (settings: ModelTestSettings = {}, more: Partial<Platform> = {}) =>
      openLocalLlm({ folder, url: server.url, logged, settings, more }),
    /** file names of the store */
    blobs: () => names("blobs"),
    parts: () => names("parts"),
  };
}

/** Engines whose file is not what it should be, in their real workers: each load ends, and says what is wrong with the file. */
import { describe, expect, it } from "vitest";
import { createSpell } from "../../../src/browser/index.ts";
import { browserPlatform } from "../../../src/browser/platform.ts";
import { failure } from "../../support/failure.ts";

const served = (text: string, type: string): string => URL.createObjectURL(new Blob([text], { type }));
const missing = new URL("/no-such-engine.wasm", location.href).href;
const closed = "http://localhost:1/engine.wasm";
const page = served("<!doctype html>", "text/html");
const damaged = served("no WebAssembly", "application/wasm");

const platformWith = (wasm: string) =>
  browserPlatform({ wllama: { wasm, compat: { wasm, worker: missing } }, onnx: { wasm, webgpu: wasm } });

describe.each(["tiny-stories", "tiny-t5-en-fr"])("the engine of %s", (model) => {
  it.each([
    ["that is missing", missing, "answered 404"],
    ["whose host does not answer", closed, "no answer"],
    ["that is a page", page, "answered with a page"],
    ["that is damaged", damaged, "does not (start|run)"],
  ])("%s", async (_, wasm, words) => {
    const error = await failure(createSpell({ platform: platformWith(wasm) }).load(model));
    expect(error).toMatchObject({
      code: wasm === damaged ? expect.any(String) : "device-unavailable",
      message: expect.stringMatching(words),
    });
  });
});

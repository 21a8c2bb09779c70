/** The contract in Chromium, on WebAssembly, through the browser's entry. */
import { describe, expect, it } from "vitest";
import { load } from "../../src/browser/index.ts";
import { languageModelContract } from "../contract/language-model.ts";

const prompt = "Once upon a time";
languageModelContract("wllama, WASM in Chromium", { open: () => load("tiny-stories"), prompt });

describe("in a page", () => {
  it("E12 asks no other origin for anything", () => {
    const origins = new Set(performance.getEntriesByType("resource").map(({ name }) => new URL(name).origin));
    expect([...origins].filter((origin) => origin !== location.origin && !origin.startsWith("blob:") && origin !== "null")).toEqual([]);
  });

  it("E14 says how many threads compute, and E13 which device", async () => {
    await using model = await load("tiny-stories", { threads: 1 });
    expect(model.device).toMatchObject({ chosen: "wasm", runtime: "wllama", threads: { prompt: 1, decode: 1, origin: "asked" } });
    expect(model.device!.tried[0]).toMatchObject({
      device: "webgpu",
      ok: false,
      reason: expect.stringMatching(/missing-feature|no-adapter/),
    });
  });

  it("loads a File, and refuses one that is no model before the engine sees it", async () => {
    const bytes = await (await fetch("/builtins/models/tiny-stories/tiny-stories.gguf")).blob();
    await using model = await load(new File([bytes], "mine.gguf"));
    expect(model.id).toBe("mine.gguf");
    await expect(load(new File(["<!doctype html><p>Sign in"], "page.gguf"))).rejects.toMatchObject({ code: "gguf-magic" });
  });

  it("refuses a path and a device that is not there", async () => {
    await expect(load("./model.gguf")).rejects.toMatchObject({ code: "model-unknown" });
    await expect(load("tiny-stories", { device: "webgpu" })).rejects.toMatchObject({ code: "device-unavailable" });
  });
});

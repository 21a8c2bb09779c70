/** What files tell of graphics cards, and where that ends. */
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Verdict } from "../../../src/core/devices/self-test.ts";
import { isSoftwareAdapter } from "../../../src/core/spec/devices.ts";

import { glance, lookAtGraphics, mayHaveCard } from "../../../src/node/engines/graphics.ts";
import { lookAtGpu } from "../../../src/node/engines/llama-start.ts";
import { homeVerdicts } from "../../../src/node/engines/verdict-store.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "graphics-"));
  for (const name of ["lvp_icd.x86_64.json", "radeon_icd.x86_64.json", "vk_swiftshader_icd.json"]) writeFileSync(join(folder, name), "{}");
});
afterAll(() => rmSync(folder, { recursive: true }));

const drivers = (...names: string[]) => lookAtGraphics("linux", { VK_ICD_FILENAMES: names.map((name) => join(folder, name)).join(":") });

describe("Vulkan drivers", () => {
  it("tells software from hardware by the names of their files, and leaves out what is not there", () => {
    const found = drivers("lvp_icd.x86_64.json", "radeon_icd.x86_64.json", "vk_swiftshader_icd.json", "gone.json");
    expect(found.drivers).toEqual([
      { name: "lvp_icd.x86_64", isSoftware: true },
      { name: "radeon_icd.x86_64", isSoftware: false },
      { name: "vk_swiftshader_icd", isSoftware: true },
    ]);
  });

  it("are looked for in the loader's folders where none is named", () => {
    const place = join(folder, "data/vulkan/icd.d");
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "nouveau_icd.json"), "{}");
    const { drivers: found } = lookAtGraphics("linux", { XDG_DATA_HOME: join(folder, "data"), XDG_CONFIG_HOME: join(folder, "none") });
    expect(found).toContainEqual({ name: "nouveau_icd", isSoftware: false });
  });

  it("another driver, or the same one renewed, is another identity: its verdict does not hold any more", () => {
    const before = drivers("radeon_icd.x86_64.json").identity;
    expect(drivers("lvp_icd.x86_64.json").identity).not.toBe(before);
    utimesSync(join(folder, "radeon_icd.x86_64.json"), 1, 1);
    expect(drivers("radeon_icd.x86_64.json").identity).not.toBe(before);
  });

  it("on other systems files do not tell, so the engine has to look", () => {
    for (const os of ["darwin", "win32"] as const) {
      const found = lookAtGraphics(os, {});
      expect(found.hasCard).toBeUndefined();
      expect(mayHaveCard(found)).toBe(true);
      expect(glance(found, true)).toBeUndefined();
    }
  });
});

describe("a glance, for auto", () => {
  const [lvp, radeon] = [
    { name: "lvp_icd", isSoftware: true },
    { name: "radeon_icd", isSoftware: false },
  ];
  it("starts no driver without a card, nor for software alone; looks where there may be one, and whenever it is asked for by name", () => {
    expect(glance({ hasCard: false, drivers: [], identity: "" }, true)).toMatchObject({ ok: false, reason: "no-adapter" });
    expect(glance({ hasCard: false, drivers: [lvp], identity: "" }, true)).toMatchObject({ ok: true, isSoftware: true });
    expect(glance({ hasCard: true, drivers: [lvp], identity: "" }, true)).toMatchObject({ ok: true, isSoftware: true });
    expect(glance({ hasCard: true, drivers: [lvp, radeon], identity: "" }, true)).toBeUndefined();
    expect(glance({ hasCard: true, drivers: [], identity: "" }, true)).toBeUndefined();
    expect(glance({ hasCard: false, drivers: [lvp], identity: "" }, false)).toBeUndefined();
  });
});

it("names under which processors play graphics cards", () => {
  for (const label of [
    "google swiftshader SwiftShader driver 5.0.0",
    "mesa software llvmpipe: Mesa 25.0.7",
    "Microsoft Basic Render Driver",
    "microsoft warp",
  ])
    expect(isSoftwareAdapter(label), label).toBe(true);
  for (const label of ["nvidia ampere", "amd rdna-3", "apple common-3", "intel gen-12lp", "Warpdrive 3000"])
    expect(isSoftwareAdapter(label), label).toBe(false);
});

describe("E19 node-llama-cpp's word for a GPU", () => {
  const gpu = (names: readonly string[], total: number) => ({
    gpu: "vulkan" as const,
    getGpuDeviceNames: async () => names,
    getVramState: async () => ({ total, free: total / 2 }),
  });

  it("counts only with a device that has a name and memory", async () => {
    expect(await lookAtGpu(gpu([], 0), "vulkan")).toMatchObject({ ok: false, reason: "driver-missing" });
    expect(await lookAtGpu(gpu(["NVIDIA RTX"], 0), "vulkan")).toMatchObject({ ok: false });
    expect(await lookAtGpu(gpu([], 8e9), "vulkan")).toMatchObject({ ok: false });
    expect(await lookAtGpu({ ...gpu(["NVIDIA RTX"], 8e9), gpu: false as never }, "vulkan")).toMatchObject({ ok: false });
    const failing = { ...gpu(["NVIDIA RTX"], 8e9), getVramState: () => Promise.reject(new Error("driver gone")) };
    expect(await lookAtGpu(failing, "vulkan")).toMatchObject({ ok: false });
    expect(await lookAtGpu(gpu(["NVIDIA RTX"], 8e9), "vulkan")).toMatchObject({
      ok: true,
      label: "NVIDIA RTX",
      isSoftware: false,
      memoryBytes: 4e9,
    });
    expect(await lookAtGpu(gpu(["llvmpipe (LLVM 15)"], 8e9), "vulkan")).toMatchObject({ ok: true, isSoftware: true });
  });
});

describe("verdicts in the home folder", () => {
  it("are kept by their key; damaged ones are none", async () => {
    const home = join(folder, "home");
    process.env["LLMSPELL_HOME"] = home;
    const verdict: Verdict = { ok: false, ms: 40, reason: "self-test-failed", detail: "wrong" };
    await homeVerdicts().write("a", verdict);
    await homeVerdicts().write("b", { ok: true, ms: 5, reason: "ok" });
    expect(await homeVerdicts().read("a")).toEqual(verdict);
    expect(await homeVerdicts().read("c")).toBeUndefined();
    writeFileSync(
      join(home, "self-tests.json"),
      JSON.stringify({ a: { ok: true, ms: 1, reason: "self-test-failed" }, b: { ok: "yes" }, __proto__: verdict }),
    );
    expect(await homeVerdicts().read("a")).toBeUndefined();
    expect(await homeVerdicts().read("b")).toBeUndefined();
    expect(await homeVerdicts().read("ok")).toBeUndefined();
  });

  it("a home that cannot be written costs a new self-test and nothing else", async () => {
    process.env["LLMSPELL_HOME"] = join(folder, "radeon_icd.x86_64.json");
    await homeVerdicts().write("a", { ok: true, ms: 5, reason: "ok" });
    expect(await homeVerdicts().read("a")).toBeUndefined();
  });
});

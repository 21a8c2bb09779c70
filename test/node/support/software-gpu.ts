/**
 * A graphics card on a processor, for children of these tests: Chromium's SwiftShader, with the Vulkan loader that lies beside it. Slow, and right.
 */
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

const folders = [
  ...(process.env["CHROMIUM_PATH"] === undefined ? [] : [dirname(process.env["CHROMIUM_PATH"])]),
  "/usr/lib/chromium",
  "/usr/lib/chromium-browser",
  "/opt/google/chrome",
];

/** Lets child processes find it from here on. @returns undefined, or why there is none */
export function offerSoftwareGpu(): string | undefined {
  if (process.platform !== "linux" || process.arch !== "x64")
    return `SwiftShader is looked for on Linux x64 only, not on ${process.platform} ${process.arch}`;
  const folder = folders.find((path) => existsSync(join(path, "vk_swiftshader_icd.json")) && existsSync(join(path, "libvulkan.so.1")));
  if (folder === undefined) return `no Chromium with SwiftShader in ${folders.join(", ")}`;
  process.env["VK_ICD_FILENAMES"] = join(folder, "vk_swiftshader_icd.json");
  process.env["LD_LIBRARY_PATH"] = [folder, process.env["LD_LIBRARY_PATH"]].filter((path) => path !== undefined && path !== "").join(":");
  process.env["XDG_RUNTIME_DIR"] ??= "/tmp";
  return undefined;
}

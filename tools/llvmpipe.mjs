/**
 * WebGPU with shader-f16 on a machine without a graphics card, for tests of GGUF on it: the optional package `webgpu` and a driver that computes on the
 * processor, Mesa's llvmpipe. Chromium's own, SwiftShader, has no shader-f16. Both go into .cache, nothing of the system is changed; only test
 * machines need them.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const cache = join(root, ".cache", "llvmpipe");
const link = join(root, "node_modules", "webgpu");
const libraries = join(cache, "mesa", "usr", "lib", "x86_64-linux-gnu");
/** Earlier ones have no shader-f16. */
const leastMesa = 25;

const run = (/** @type {string} */ command, /** @type {string[]} */ args, cwd = cache) =>
  execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 });

/** @returns {string} path of the driver's description, for VK_ICD_FILENAMES */
function findDriver() {
  const description = join(cache, "llvmpipe.json");
  if (!existsSync(description)) fetchDriver(description);
  return description;
}

const mesaVersion = (/** @type {string} */ text) => Number.parseInt(text, 10) || 0;

/** From the archive this machine takes its packages from, backports included; taken apart, not installed. */
function fetchDriver(/** @type {string} */ description) {
  const release = readFileSync("/etc/os-release", "utf8");
  const name = /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1];
  if (!/^ID=debian$/m.test(release) || name === undefined || process.arch !== "x64")
    throw new Error("only Debian's packages are known here");
  const lists = ["/etc/apt/sources.list", ...readdirSync("/etc/apt/sources.list.d").map((file) => `/etc/apt/sources.list.d/${file}`)]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, "utf8"))
    .join("\n");
  const archive = /https?:\/\/\S+\/debian\b(?=\/?\s)/.exec(lists)?.[0];
  if (archive === undefined) throw new Error("apt names no archive of Debian");
  const suites = [name, `${name}-backports`].map((suite) => `deb ${archive} ${suite} main\n`).join("");
  writeFileSync(join(cache, "sources.list"), suites);
  const options = {
    "Dir::Etc::sourcelist": join(cache, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Dir::State::lists": join(cache, "lists"),
  };
  const apt = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  mkdirSync(join(cache, "lists", "partial"), { recursive: true });
  run("apt-get", [...apt, "-qq", "update"]);
  const versions = run("apt-cache", [...apt, "madison", "mesa-vulkan-drivers"])
    .split("\n")
    .map((line) => line.split("|")[1]?.trim() ?? "");
  const version = versions.find((text) => mesaVersion(text) >= leastMesa);
  if (version === undefined) throw new Error(`Debian offers no Mesa ${leastMesa} or later`);
  run("apt-get", [...apt, "-qq", "download", `mesa-vulkan-drivers=${version}`, "libvulkan1"]);
  for (const deb of readdirSync(cache).filter((file) => file.endsWith(".deb"))) {
    run("dpkg", ["-x", deb, "mesa"]);
    rmSync(join(cache, deb));
  }
  const library = join(libraries, "libvulkan_lvp.so");
  const missing = run("ldd", [library]).match(/\S+(?= => not found)/g);
  if (missing !== null) throw new Error(`${missing.join(", ")} are not installed, which Mesa needs`);
  const icd = { file_format_version: "1.0.0", ICD: { api_version: "1.4.0", library_path: library } };
  writeFileSync(`${description}.part`, JSON.stringify(icd));
  renameSync(`${description}.part`, description);
}

/** The earliest version that the package names as its peer, which is the one that was tried. */
function fetchWebGpu() {
  const { peerDependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const version = peerDependencies.webgpu.replace("^", "");
  const folder = join(cache, `webgpu-${version}`);
  if (!existsSync(folder)) {
    const [packed] = JSON.parse(run("npm", ["pack", "--json", `webgpu@${version}`]));
    const part = `${folder}.part`;
    rmSync(part, { recursive: true, force: true });
    mkdirSync(part);
    run("tar", ["-xzf", packed.filename, "-C", part, "--strip-components=1"]);
    rmSync(join(cache, packed.filename));
    renameSync(part, folder);
  }
  return folder;
}

/**
 * @returns {{ readonly env: Record<string, string>, end(): void } | { readonly missing: string }} variables for the tests; `end` takes the package
 *   out of node_modules again
 */
export function startLlvmpipe() {
  try {
    mkdirSync(cache, { recursive: true });
    const driver = findDriver();
    const isOurs = !existsSync(link);
    if (isOurs) {
      rmSync(link, { force: true }); // one that a killed run left, with nothing behind it
      symlinkSync(fetchWebGpu(), link, "dir");
    }
    return {
      // the loader too, where the system has none
      env: { VK_ICD_FILENAMES: driver, LD_LIBRARY_PATH: [libraries, process.env.LD_LIBRARY_PATH ?? ""].filter(Boolean).join(":") },
      end: () => {
        if (isOurs) rmSync(link, { force: true });
      },
    };
  } catch (error) {
    return { missing: error instanceof Error ? error.message.trim().split("\n").slice(-3).join(" ") : String(error) };
  }
}

/**
 * Mends package-lock.json after `npm install`; run it whenever that changed the file.
 *  - Where npm could not fetch a binary package made for another system, it leaves the package out of the lock file, and `npm ci` then refuses the
 *    file everywhere. Such packages are written in by name and version, with the system they are for; they carry no integrity.
 *  - node-llama-cpp's ARM packages say that x64 may have them too (for cross builds). Here each is taken by its own processor only: 33 MB less.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const file = new URL("../package-lock.json", import.meta.url);

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, dev?: boolean, peer?: boolean, os?: string[], cpu?: string[], libc?: string[], optionalDependencies?: Record<string, string> }} Entry */

const systems = /** @type {Record<string, string>} */ ({ win: "win32", mac: "darwin" });
const processors = /** @type {Record<string, string>} */ ({ armv7l: "arm" });

/** What the name of a binary package says it is for: `@rollup/rollup-linux-arm-musleabihf` → linux, arm, musl. */
function systemOf(/** @type {string} */ name) {
  const words = name
    .replace(/^.*?(?=\b(?:aix|android|darwin|freebsd|linux|mac|netbsd|openbsd|openharmony|sunos|win32|win)-)/, "")
    .split("-");
  const [system = "", processor = "", abi = ""] = words;
  const libc = system !== "linux" ? undefined : abi.startsWith("musl") ? "musl" : abi.startsWith("gnu") ? "glibc" : undefined;
  return { os: [systems[system] ?? system], cpu: [processors[processor] ?? processor], ...(libc === undefined ? {} : { libc: [libc] }) };
}

/** @returns names that some package wants as optional and the lock file lacks, with their versions and who asks */
export function missingOptional(/** @type {Record<string, Entry>} */ packages) {
  return Object.values(packages).flatMap((entry) =>
    Object.entries(entry.optionalDependencies ?? {})
      .filter(([name]) => packages[`node_modules/${name}`] === undefined)
      .map(([name, version]) => ({ name, version, asker: entry })),
  );
}

/** @returns ARM packages of node-llama-cpp that would be installed elsewhere too */
export function claimsTooMuch(/** @type {Record<string, Entry>} */ packages) {
  return Object.entries(packages).filter(
    ([path, entry]) => path.startsWith("node_modules/@node-llama-cpp/") && (entry.cpu ?? []).length > 1,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const lock = JSON.parse(readFileSync(file, "utf8"));
  /** @type {Record<string, Entry>} */
  const packages = lock.packages;
  for (const { name, version, asker } of missingOptional(packages)) {
    if (!/^\d+\.\d+\.\d+$/.test(version)) throw new Error(`${name}: wanted an exact version; got ${version}`);
    const role = { ...(asker.dev ? { dev: true } : {}), ...(asker.peer ? { peer: true } : {}) };
    packages[`node_modules/${name}`] = { version, ...role, optional: true, ...systemOf(name) };
    console.log(`${name}@${version}: added, for ${systemOf(name).os} ${systemOf(name).cpu}`);
  }
  for (const [path, entry] of claimsTooMuch(packages)) {
    entry.cpu = systemOf(path).cpu;
    console.log(`${path}: for ${entry.cpu} only`);
  }
  lock.packages = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => (a < b ? -1 : 1)));
  writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`);
}

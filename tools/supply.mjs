/**
 * What we take from others, checked without a network: the lock file, the licences and number of what a user gets, the bytes of the
 * WebAssembly builds. Advisories need the registry and are `npm audit --omit=dev`.
 */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { claimsTooMuch, missingOptional } from "./lock.mjs";

const root = new URL("..", import.meta.url);
const text = (/** @type {string} */ path) => readFileSync(new URL(path, root), "utf8");
const manifest = JSON.parse(text("package.json"));
const lock = JSON.parse(text("package-lock.json"));
/** @type {string[]} */
const faults = [];

/** Licences that ask for no more than a notice. */
/** One of the list, or a choice that holds one: "(MIT OR CC0-1.0)". */
const isAllowed = (/** @type {string | undefined} */ licence) =>
  (licence ?? "")
    .replace(/[()]/g, "")
    .split(" OR ")
    .some((name) => licences.has(name));
const licences = new Set(["MIT", "ISC", "BSD-2-Clause", "BSD-3-Clause", "Apache-2.0", "BlueOak-1.0.0", "0BSD", "Unlicense", "CC0-1.0"]);
/** Direct dependencies of the whole package: each more is one more party to trust. */
const mostDependencies = 25;
const exact = /^(?:npm:(?:typescript|openai)@)?\d+\.\d+\.\d+$/;

const direct = Object.keys(manifest.dependencies ?? {});
if (direct.length > mostDependencies) faults.push(`${direct.length} runtime dependencies, at most ${mostDependencies}`);
for (const section of ["dependencies", "devDependencies"]) {
  for (const [name, range] of Object.entries(manifest[section] ?? {})) {
    if (!exact.test(range)) faults.push(`package.json ${section}.${name}: ${range} is not an exact version`);
  }
}
for (const script of ["preinstall", "install", "postinstall", "prepare"]) {
  if (script in (manifest.scripts ?? {})) faults.push(`package.json scripts.${script}: users run no script of ours on install`);
}
const bins = Object.keys(manifest.bin ?? {});
if (bins.join() !== "llmspell") faults.push(`package.json bin: exactly one, llmspell; got ${bins.join(", ")}`);

/** A binary for another system, written in by tools/lock.mjs: npm had no way to learn its hash where the file was made. */
const isForeign = (/** @type {{ optional?: boolean, os?: string[], cpu?: string[], libc?: string[] }} */ entry) =>
  entry.optional === true &&
  entry.os !== undefined &&
  entry.cpu !== undefined &&
  !(entry.os.includes("linux") && entry.cpu.includes("x64") && !entry.libc?.includes("musl"));

if (missingOptional(lock.packages).length > 0 || claimsTooMuch(lock.packages).length > 0) {
  faults.push("package-lock.json lacks packages of other systems, so `npm ci` refuses it: run `npm run lock`");
}
for (const [path, entry] of Object.entries(/** @type {Record<string, any>} */ (lock.packages))) {
  if (path === "") continue;
  if (entry.link) faults.push(`package-lock.json ${path}: a link; only registry packages`);
  else if (typeof entry.integrity !== "string" && !isForeign(entry)) faults.push(`package-lock.json ${path}: no integrity`);
  if (entry.resolved !== undefined) faults.push(`package-lock.json ${path}: an address; packages come from the registry in use`);
  const shipped = !(entry.dev || entry.devOptional || entry.peer);
  if (shipped && !isAllowed(entry.license)) faults.push(`package-lock.json ${path}: licence ${entry.license} is not on the list`);
}

for (const [path, sha256] of Object.entries(JSON.parse(text("tools/pinned.json")))) {
  if (path.startsWith("dist/")) continue; // the build compares what it makes
  const found = createHash("sha256")
    .update(readFileSync(new URL(path, root)))
    .digest("hex");
  if (found !== sha256) faults.push(`${path}: sha256 ${found}, pinned ${sha256}`);
}

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);

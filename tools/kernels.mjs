/**
 * Compiles src/kernels into src/kernels/kernels-32.wasm and kernels-64.wasm (addresses of 32 and of 64 bits), merges them and pins all three: sources,
 * kernels, results. `--check` compiles and compares bytes instead: nobody commits a binary that its source does not give.
 *
 * The compiler is the package ziglang of PyPI, in this version: `python3 -m ziglang`, or what ZIG names. `--check` fetches it with pip into .cache where it
 * can, and else says so and passes: neither building nor testing needs it.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { builds, readPinned, sha256 } from "./engine-wasm.mjs";
import { merge } from "./merge-kernels.mjs";

const compilerVersion = "0.17.0";
const root = fileURLToPath(new URL("..", import.meta.url));
const folder = `${root}src/kernels`;
const cache = `${root}.cache/kernels`;
const check = process.argv.includes("--check");

/** @typedef {{ command: string, args: string[], env?: Record<string, string> }} Compiler */

/** @returns {Compiler | undefined} */
function findCompiler() {
  const library = `${cache}/ziglang-${compilerVersion}`;
  const [command = "", ...args] = (process.env.ZIG ?? "python3 -m ziglang").split(" ");
  const fetched = { command: "python3", args: ["-m", "ziglang"], env: { PYTHONPATH: library } };
  const isRight = (/** @type {Compiler} */ one) =>
    spawnSync(one.command, [...one.args, "version"], { env: { ...process.env, ...one.env }, encoding: "utf8" }).stdout?.trim() ===
    compilerVersion;
  for (const one of [{ command, args }, fetched]) if (isRight(one)) return one;
  const pip = ["-m", "pip", "install", "--quiet", "--retries", "0", "--timeout", "15", "--target", library, `ziglang==${compilerVersion}`];
  spawnSync("python3", pip, { stdio: "ignore", timeout: 120_000 });
  return isRight(fetched) ? fetched : undefined;
}

function compile(/** @type {Compiler} */ { command, args, env }, /** @type {32 | 64} */ bits) {
  const out = `${cache}/kernels-${bits}.wasm`;
  const sources = readdirSync(folder).filter((name) => name.endsWith(".c"));
  const flags = [
    ...["-target", `wasm${bits}-freestanding`, "-mcpu=generic+simd128+nontrapping_fptoint+sign_ext+atomics", "-O3", "-g0", "-nostdlib"],
    ...["-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror", "-fno-sanitize=all", "-ffp-contract=off"],
    ...["-Wl,--no-entry", "-Wl,--import-memory", "-Wl,--strip-all", "-Wl,--export=__stack_pointer"],
    ...(process.argv.includes("--strict") ? ["-DSTRICT"] : []),
    ...(bits === 64 ? ["-DRELAXED"] : []), // engines with addresses of 64 bits have relaxed SIMD (src/kernels/bytes.c)
  ];
  mkdirSync(cache, { recursive: true });
  const run = spawnSync(command, [...args, "cc", ...flags, "-o", out, ...sources], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (run.status !== 0) throw new Error("the kernels do not compile");
  return readFileSync(out);
}

const compiler = findCompiler();
if (compiler === undefined) {
  console.log(`kernels: not compiled again, as ziglang ${compilerVersion} is not here: pip install ziglang==${compilerVersion}`);
  process.exit(check ? 0 : 1);
}
const pinned = { ...readPinned() };
for (const name of readdirSync(folder).filter((file) => /\.[ch]$/.test(file))) {
  pinned[`src/kernels/${name}`] = sha256(readFileSync(`${folder}/${name}`));
}
/** @type {string[]} */
const faults = [];
for (const { bits, engine, merged } of builds) {
  const path = `src/kernels/kernels-${bits}.wasm`;
  const bytes = compile(compiler, bits);
  if (check) {
    if (!bytes.equals(readFileSync(`${root}${path}`))) faults.push(`${path} is not what its source gives: run npm run kernels`);
    continue;
  }
  writeFileSync(`${root}${path}`, bytes);
  pinned[path] = sha256(bytes);
  pinned[merged] = sha256(merge(readFileSync(`${root}${engine}`), bytes));
  console.log(`${path}: ${bytes.length} bytes`);
}
if (!check) writeFileSync(`${root}tools/pinned.json`, `${JSON.stringify(pinned, null, 2)}\n`);
for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exitCode = 1;

/**
 * Everything a change must pass, on a machine that may have nothing but Node and npm: installs what tests need, runs the checks and
 * every suite, and ends with the totals alone on the last line. A suite that dies counts as one failed test, never as none.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findChromium } from "./chromium.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const minute = 60_000;

/** Runs a command with the terminal's output and no input; npm and its packages are started through the running Node. */
function run(/** @type {string} */ command, /** @type {string[]} */ args, timeout = 10 * minute) {
  console.log(`\n> ${command} ${args.join(" ")}`);
  const npm = process.env.npm_execpath;
  const throughNode = command === "npm" && npm !== undefined && npm.endsWith(".js");
  const { status, error } = spawnSync(throughNode ? process.execPath : command, throughNode ? [npm, ...args] : args, {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
    timeout,
    killSignal: "SIGKILL",
    shell: process.platform === "win32" && !throughNode && command === "npm",
  });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  return status === 0;
}

function end(/** @type {number} */ passed, /** @type {number} */ failed, /** @type {number} */ skipped) {
  console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
  process.exit(failed === 0 && passed > 0 ? 0 : 1);
}

/** The lock that node_modules was installed from is older than the project's own: someone pulled. */
function installed() {
  const marker = `${root}node_modules/.package-lock.json`;
  return existsSync(marker) && statSync(marker).mtimeMs >= statSync(`${root}package-lock.json`).mtimeMs;
}

if (!installed() && !run("npm", ["ci", "--loglevel=error"])) {
  console.error("npm ci failed: without it no test can run");
  end(0, 1, 0);
}

const chromium = findChromium();
if (chromium === undefined)
  console.error("No Chromium was found and none could be installed; set CHROMIUM_PATH to one. The browser suite will fail.");
else console.log(`Chromium: ${chromium}`);

const checked = run("npm", ["run", "--silent", "check"]);
if (!checked) {
  console.error("\nnpm run check failed (counted as one failed test); the suites run all the same, on what can be built");
  run("npm", ["run", "--silent", "build"]);
}

const compiled = run(process.execPath, ["tools/kernels.mjs", "--check"]);

const vitest = "node_modules/vitest/vitest.mjs";
/** @typedef {readonly [name: string, args: readonly string[], minutes: number]} Suite */
/**
 * Those of a list run at the same time: they wait for pages and for npm. Beside the unit suite, whose engines spin, everything takes longer than one after the other.
 * @type {readonly (readonly Suite[])[]}
 */
const stages = [
  [["unit", ["--project", "core", "--project", "unit"], 11]],
  [["webgpu", ["--project", "webgpu"], 4]],
  [
    ["browser", ["--project", "browser"], 13],
    ["demo", ["--project", "demo"], 13],
    ["package", ["--config", "test/package/vitest.config.ts"], 13],
  ],
];

let passed = 0;
/** @type {{ name: string, reason: string }[]} */
const skipped = [];
/** Of tests that failed, and of those that passed only the second time. @type {{ name: string, error: string }[]} */
const failures = [
  ...(checked ? [] : [{ name: "npm run check", error: "its output is above (counted as one failed test)" }]),
  ...(compiled ? [] : [{ name: "npm run kernels", error: "its output is above (counted as one failed test)" }]),
];
/** @type {{ name: string, error: string }[]} */
const again = [];
/** Of suites, and of the files that took longest. @type {{ name: string, seconds: number }[]} */
const times = [];

const tallyOf = (/** @type {string} */ name) => `${root}.cache/verify/${name}.json`;

/** The output of a suite comes when it has ended, so that it does not mix. @returns {Promise<boolean>} */
function runSuite(/** @type {Suite} */ [name, args, minutes]) {
  rmSync(tallyOf(name), { force: true });
  // A race fails once and is listed; what is broken fails twice.
  const all = [vitest, "run", ...args, "--retry=1", "--reporter=default", "--reporter=./tools/tally-reporter.mjs"];
  const env = { ...process.env, LLMSPELL_TALLY: tallyOf(name), ...(chromium === undefined ? {} : { CHROMIUM_PATH: chromium }) };
  console.log(`\n> ${name}: ${all.join(" ")}`);
  const began = performance.now();
  return new Promise((resolve) => {
    const child = spawn(process.execPath, all, { cwd: root, stdio: ["ignore", "pipe", "pipe"], env });
    /** @type {Buffer[]} */
    const output = [];
    const timer = setTimeout(() => child.kill("SIGKILL"), minutes * minute);
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
    child.on("error", (error) => output.push(Buffer.from(`${name}: ${error.message}\n`)));
    // "exit", not "close": something a killed suite left behind may hold its output open
    child.on("exit", (status) => {
      clearTimeout(timer);
      setTimeout(() => {
        process.stdout.write(Buffer.concat(output));
        times.push({ name, seconds: (performance.now() - began) / 1000 });
        resolve(status === 0);
      }, 200);
    });
  });
}

for (const stage of stages) {
  const succeeded = await Promise.all(stage.map(runSuite));
  for (const [index, [name]] of stage.entries()) count(name, succeeded[index] === true);
}

function count(/** @type {string} */ name, /** @type {boolean} */ succeeded) {
  const fail = (/** @type {string} */ error) => failures.push({ name: `suite ${name}`, error });
  if (!existsSync(tallyOf(name))) return fail("died before its end (counted as one failed test)");
  /** @type {{ passed: number, failures: typeof failures, again: typeof failures, skipped: typeof skipped, slowest: typeof times, unhandled: number }} */
  const tally = JSON.parse(readFileSync(tallyOf(name), "utf8"));
  passed += tally.passed;
  failures.push(...tally.failures);
  again.push(...tally.again);
  skipped.push(...tally.skipped);
  times.push(...tally.slowest);
  if (tally.passed + tally.failures.length + tally.skipped.length === 0) fail("ran no test (counted as one failed test)");
  else if (!succeeded && tally.failures.length === 0) {
    fail(`ended with an error outside its tests: ${tally.unhandled} unhandled (counted as one failed test)`);
  }
}

// At the very end, where whoever reads a long log finds them.
console.log("");
for (const { name, seconds } of times.sort((a, b) => b.seconds - a.seconds)) console.log(`${seconds.toFixed(0).padStart(5)} s  ${name}`);
for (const { name, reason } of skipped) console.log(`skipped: ${name} (${reason})`);
for (const { name, error } of again) console.log(`passed only when run again: ${name}\n  ${error.replaceAll("\n", "\n  ")}`);
for (const { name, error } of failures) console.log(`failed: ${name}\n  ${error.replaceAll("\n", "\n  ")}`);
console.log(`${again.length} of ${passed} passed only when run again`);
end(passed, failures.length, skipped.length);

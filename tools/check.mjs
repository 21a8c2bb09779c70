/**
 * `npm run check`: what needs no test to be seen. Steps of a line need what the step before made or found; lines run side by side.
 * The build comes before the types: the compiler takes over what it has checked there.
 */
import { spawn } from "node:child_process";

const lines = [
  ["build", "typecheck", "generated", "publint"],
  ["lint", "layers", "neutral", "unused", "supply"],
];

/** @returns {Promise<boolean>} whether it passed; its output comes whole, so that two do not mix */
function run(/** @type {string} */ step) {
  const npm = process.env.npm_execpath;
  const [command, args] = npm?.endsWith(".js") ? [process.execPath, [npm]] : ["npm", []];
  const started = performance.now();
  return new Promise((resolve) => {
    const child = spawn(command, [...args, "run", "--silent", step], {
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32" && command === "npm",
    });
    /** @type {Buffer[]} */
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => output.push(chunk));
    child.on("error", (error) => output.push(Buffer.from(`${error.message}\n`)));
    child.on("close", (status) => {
      const passed = status === 0;
      console.log(`${passed ? "passed" : "FAILED"}: ${step} (${((performance.now() - started) / 1000).toFixed(1)} s)`);
      process.stdout.write(Buffer.concat(output));
      resolve(passed);
    });
  });
}

const passed = await Promise.all(
  lines.map(async (steps) => {
    for (const step of steps) if (!(await run(step))) return false;
    return true;
  }),
);
if (passed.includes(false)) process.exitCode = 1;

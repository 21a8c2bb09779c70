/**
 * Compiles src into dist. dist goes first: the compiler leaves outputs of deleted sources behind, and they would be packed.
 * It bundles nothing and copies nothing: one output per source file, wasm and models stay where they are.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { configFiles } from "./config.mjs";
import { writeVersion } from "./generate.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = `${root}dist`;

writeVersion();
rmSync(dist, { recursive: true, force: true });
const compiler = createRequire(import.meta.url).resolve("typescript/bin/tsc");
const { status } = spawnSync(process.execPath, [compiler, "-b", "src/node", "src/browser"], { cwd: root, stdio: "inherit" });
if (status !== 0) process.exit(status ?? 1);

// A key without a description, two keys of one variable, a profile that does not fit the schema: none of them leaves this machine.
await configFiles();

// The compiler gives relative imports their .js ending, but not the addresses of workers and children; bundlers look those up as written.
const address = /(new URL\("\.{1,2}\/[^"]+)\.ts(", import\.meta\.url\))/g;
for (const path of readdirSync(dist, { recursive: true, encoding: "utf8" })) {
  if (!path.endsWith(".js")) continue;
  const before = readFileSync(`${dist}/${path}`, "utf8");
  const after = before.replace(address, "$1.js$2");
  if (after !== before) writeFileSync(`${dist}/${path}`, after);
}

const bin = `${dist}/node/cli/main.js`;
if (existsSync(bin)) chmodSync(bin, 0o755);

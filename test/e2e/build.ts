/** Builds the demo page once, as `npm run demo:build` does for a person: without what a test runner adds to the environment. */
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { root } from "../support.ts";

export default function setup(): void {
  const { NODE_ENV: _, ...env } = process.env;
  const vite = fileURLToPath(new URL("../../node_modules/vite/bin/vite.js", import.meta.url));
  execFileSync(process.execPath, [vite, "build", "--logLevel", "error"], { cwd: root, env, stdio: ["ignore", "ignore", "inherit"] });
}

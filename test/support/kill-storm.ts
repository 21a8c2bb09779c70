/** `kill -9` at random moments of a pull, in a real process: after each the blob is absent or correct, and a last pull finishes. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support.ts";

export const bin = join(root, "dist/node/cli/main.js");

export interface PullProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>;
  /** Resolves once standard error has this text. */
  says(text: string): Promise<void>;
  /** Resolves once it has begun to download, or has ended: standard error is silent about short work. */
  begins(): Promise<void>;
}

/** @param home LLMSPELL_HOME @param endpoint HF_ENDPOINT */
export function startPull(home: string, endpoint: string, spec: string): PullProcess {
  const parts = join(home, "models/parts");
  const changed = (): number => (existsSync(parts) ? statSync(parts).mtimeMs : 0);
  const before = changed();
  const child = spawn(process.execPath, [bin, "model", "pull", spec], {
    env: { PATH: process.env["PATH"] ?? "", HOME: home, LLMSPELL_HOME: home, HF_ENDPOINT: endpoint, OLLAMA_HOST: "127.0.0.1:9" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [stdout, stderr] = ["", ""];
  const waiting: { readonly text: string; readonly resolve: () => void }[] = [];
  child.stdout?.on("data", (chunk: Buffer) => {
    stdout += String(chunk);
  });
  child.stderr?.on("data", (chunk: Buffer) => {
    stderr += String(chunk);
    for (const { text, resolve } of waiting) if (stderr.includes(text)) resolve();
  });
  const ended = new Promise<{ status: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on("close", (status) => {
      for (const { resolve: tell } of waiting) tell();
      resolve({ status, stdout, stderr });
    });
  });
  return {
    child,
    ended,
    says: (text) =>
      new Promise((resolve) => {
        if (stderr.includes(text)) resolve();
        else waiting.push({ text, resolve });
      }),
    begins: async () => {
      while (changed() === before && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
    },
  };
}

/** @returns names of blobs whose bytes are not those of their name */
export function wrongBlobs(home: string): readonly string[] {
  const folder = join(home, "models/blobs");
  if (!existsSync(folder)) return [];
  return readdirSync(folder).filter(
    (name) =>
      `sha256-${createHash("sha256")
        .update(readFileSync(join(folder, name)))
        .digest("hex")}` !== name,
  );
}

/** Milliseconds from the beginning of a download within which it is killed: a whole one takes about so long, its hash and its manifest included. */
const killWithinMs = 600;

/**
 * Kills until so many pulls were hit while they ran. One that was quicker counts as none; its model is taken away, so that the next one has work to do.
 * @param random 0 … 1, repeatable
 * @returns how many were quicker, and how often a part was there to go on with
 */
export async function killStorm(
  kills: number,
  home: string,
  endpoint: string,
  spec: string,
  random: () => number,
): Promise<{ readonly finished: number; readonly resumed: number }> {
  let [hit, finished, resumed] = [0, 0, 0];
  while (hit < kills) {
    const pull = startPull(home, endpoint, spec);
    await pull.begins();
    await new Promise((resolve) => setTimeout(resolve, random() * killWithinMs));
    pull.child.kill("SIGKILL");
    const { status } = await pull.ended;
    const wrong = wrongBlobs(home);
    if (wrong.length > 0) throw new Error(`after kill ${hit + 1}: ${wrong.join(", ")}`);
    if (status === null) {
      hit += 1;
      if (existsSync(join(home, "models/parts")))
        resumed += readdirSync(join(home, "models/parts")).some((name) => name.endsWith(".part")) ? 1 : 0;
    } else if (status === 0) {
      finished += 1;
      for (const folder of ["blobs", "manifests"]) rmSync(join(home, "models", folder), { recursive: true, force: true });
    } else throw new Error(`a pull ended with status ${status}`);
  }
  return { finished, resumed };
}

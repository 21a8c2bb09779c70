/** `kill -9` at random moments of a pull, in a real process: after each the blob is absent or correct, and a last pull finishes. */
import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { root } from "../support.ts";

export const bin = join(root, "dist/node/cli/main.js");

export interface PullProcess {
  readonly child: ChildProcess;
  readonly ended: Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }>;
  /** Resolves once standard error has this text. */
  says(text: string): Promise<void>;
}

/** @param home LLMSPELL_HOME @param endpoint HF_ENDPOINT */
export function startPull(home: string, endpoint: string, spec: string): PullProcess {
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

/** @param random 0 … 1, repeatable */
export async function killStorm(kills: number, home: string, endpoint: string, spec: string, random: () => number): Promise<void> {
  for (let kill = 0; kill < kills; kill += 1) {
    const pull = startPull(home, endpoint, spec);
    await pull.says("pulling");
    await new Promise((resolve) => setTimeout(resolve, random() * 400));
    pull.child.kill("SIGKILL");
    await pull.ended;
    const wrong = wrongBlobs(home);
    if (wrong.length > 0) throw new Error(`after kill ${kill + 1}: ${wrong.join(", ")}`);
  }
}

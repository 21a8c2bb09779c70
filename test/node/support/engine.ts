/** Opens real engines in their child processes, and looks at those processes from outside. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, vi } from "vitest";
import type { RemoteRuntime } from "../../../src/core/remote/runtime.ts";
import type { GenerateOptions } from "../../../src/core/spec/generate.ts";
import type { GgufGenerateOptions, GgufHandle, GgufOpenOptions, GgufRuntime, ModelPiece } from "../../../src/core/spec/runtime.ts";
import { resolveDecoderParameters } from "../../../src/core/text/parameters.ts";
import { type ChildRuntimeOptions, childRuntime } from "../../../src/node/engines/child-runtime.ts";
import { openFileSource } from "../../../src/node/file-source.ts";
import { soonMs } from "../../support/soon.ts";
import { root } from "../../support.ts";

export const tinyStories = `${root}builtins/models/tiny-stories/tiny-stories.gguf`;

const folder = mkdtempSync(join(tmpdir(), "llmspell-engine-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// What engines keep between runs stays out of the home of whoever runs the tests; test runs share it, as users' runs do.
process.env["LLMSPELL_HOME"] ??= `${root}.cache/test-home`;

/** A file that is gone after the suite. */
export function temporaryFile(name: string, bytes: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

/** A folder inside the suite's own, not made yet. */
export function temporaryFolder(name: string): string {
  return join(folder, name);
}

export const openOptions: GgufOpenOptions = { device: "cpu", contextLength: 512, batchSize: 128, threads: 1 };

/** node-llama-cpp, and the ids of the processes it started. */
export function nativeRuntime(
  options: Partial<ChildRuntimeOptions> = {},
): RemoteRuntime<GgufOpenOptions, GgufGenerateOptions> & { readonly pids: readonly number[] } {
  const pids: number[] = [];
  const runtime = childRuntime<GgufOpenOptions, GgufGenerateOptions>({
    engine: "node-llama-cpp",
    onSpawn: (pid) => pids.push(pid),
    ...options,
  });
  return { ...runtime, pids };
}

export async function openFile(runtime: GgufRuntime, path: string, options: Partial<GgufOpenOptions> = {}): Promise<GgufHandle> {
  return runtime.open([await openFileSource(path)], { ...openOptions, ...options });
}

export type EndPiece = Extract<ModelPiece, { type: "end" }>;

export interface Answer {
  readonly text: string;
  readonly pieces: readonly string[];
  readonly end: EndPiece;
}

export type AskOptions = Partial<Omit<GgufGenerateOptions, "sampling">> & { readonly sampling?: GenerateOptions };

export function generateOptions({ sampling, ...options }: AskOptions = {}): GgufGenerateOptions {
  const flat = { temperature: 0, topK: 0, topP: 1, repeatPenalty: 1, seed: 1, ...sampling };
  return { maxTokens: 24, stop: [], ...options, sampling: resolveDecoderParameters(flat, {}, () => 1).options.sampling };
}

export async function ask(handle: GgufHandle, prompt: string, options: AskOptions = {}): Promise<Answer> {
  const pieces: string[] = [];
  for await (const piece of handle.generate(prompt, generateOptions(options))) {
    if (piece.type === "end") return { text: pieces.join(""), pieces, end: piece };
    pieces.push(piece.text);
  }
  throw new Error("no end piece");
}

/** Runs far beyond any test; tiny-stories ends its stories, so the end token is made unlikely by drawing wildly. */
export const endless = generateOptions({ maxTokens: 480, sampling: { temperature: 2, seed: 4 } });

/** An answer whose first piece has been read. Nobody reads on, so the engine waits, and it cannot end by itself. */
export async function begun(handle: GgufHandle): Promise<AsyncIterable<ModelPiece>> {
  const pieces = handle.generate("Once upon a time", endless)[Symbol.asyncIterator]();
  await pieces.next();
  return { [Symbol.asyncIterator]: () => pieces };
}

export async function drain(pieces: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of pieces);
}

/** A dead process that nobody has asked for its exit status (where process 1 does not) counts as gone. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
  } catch {
    return false;
  }
}

/** Waits until none of these processes runs. @throws when some still do after a while in which the slowest machine ends them */
export async function gone(pids: readonly number[]): Promise<void> {
  await vi.waitFor(() => expect(pids.filter(isRunning)).toEqual([]), { timeout: soonMs, interval: 10 });
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Does a device compute correctly? One bundled model per architecture answers stored questions. The expected answers come from PyTorch and
 * transformers (test/golden), never from this library. The user's own model is not asked: its answers are unknown.
 */
import { SpellError, toSpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Platform } from "../platform.ts";
import type {
  DeviceReason,
  GgufGenerateOptions,
  GgufOpenOptions,
  ModelHandle,
  Seq2SeqGenerateOptions,
  Seq2SeqOpenOptions,
} from "../spec/runtime.ts";
import { greedy } from "../spec/sampling.ts";

export interface Question<C> {
  readonly prompt: string;
  readonly options: C;
  readonly answer: string;
}

/** What one architecture is asked. `O`: options of open(); `C`: of a call. */
export interface SelfTest<O, C> {
  readonly architecture: "gguf" | "t5";
  /** name of the bundled model */
  readonly model: string;
  readonly files: readonly string[];
  /** options of open(), but for the device */
  readonly open: Omit<O, "device">;
  readonly questions: readonly Question<C>[];
}

export interface Verdict {
  readonly ok: boolean;
  /** load and answers together */
  readonly ms: number;
  readonly reason: Extract<DeviceReason, "ok" | "self-test-failed" | "missing-kernel">;
  /** what went wrong, in a sentence */
  readonly detail?: string | undefined;
  /** No answer in time, which a busy machine may be to blame for: such a verdict is not kept. */
  readonly isLate?: boolean | undefined;
}

/** Whether a record that was kept is one of ours. */
export function isVerdict(value: unknown): value is Verdict {
  if (typeof value !== "object" || value === null) return false;
  const { ok, ms, reason } = value as Record<string, unknown>;
  const isReason = ok === true ? reason === "ok" : reason === "self-test-failed" || reason === "missing-kernel";
  return typeof ok === "boolean" && typeof ms === "number" && isReason;
}

/** Where verdicts are kept: a file in the home folder, a record in the browser. Losing one costs a new self-test and nothing else. */
export interface VerdictStore {
  read(key: string): Promise<Verdict | undefined>;
  write(key: string, verdict: Verdict): Promise<void>;
}

/** A first run compiles shaders, which takes long; a GPU that takes longer than this is of no use. */
const timeoutMs = 60_000;

/** Source of the answer: test/golden/tiny-stories.json (PyTorch). */
export const ggufSelfTest: SelfTest<GgufOpenOptions, GgufGenerateOptions> = {
  architecture: "gguf",
  model: "tiny-stories",
  files: ["tiny-stories.gguf"],
  open: { contextLength: 256, batchSize: 128, threads: 1, bos: "<s>" },
  questions: [
    {
      prompt: "Once upon a time",
      options: { maxTokens: 24, sampling: greedy, stop: [] },
      answer: ", there was a little girl named Lily. She loved to play with her toys and make new friends. One day,",
    },
  ],
};

/** Source of the answers: test/golden/tiny-t5-en-fr.json (transformers 4.57.6). Beams reorder the cache, which greedy text never does. */
export const t5SelfTest: SelfTest<Seq2SeqOpenOptions, Seq2SeqGenerateOptions> = {
  architecture: "t5",
  model: "tiny-t5-en-fr",
  files: ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"],
  open: { variant: "f32", inputLength: 128, threads: 1 },
  questions: [
    {
      prompt: "translate English to French: We are going to the beach tomorrow.",
      options: { maxTokens: 24, sampling: greedy, stop: [], noRepeatNgramSize: 0 },
      answer: "Nous allons à la plage demain.",
    },
    {
      prompt: "translate English to French: What are you reading?",
      options: {
        maxTokens: 24,
        sampling: { kind: "beam", seed: 0, numBeams: 4, lengthPenalty: 1, numReturnSequences: 1 },
        stop: [],
        noRepeatNgramSize: 0,
      },
      answer: "Qu'êtes-vous en train de lire ?",
    },
  ],
};

/**
 * Loads the bundled model, asks the questions, compares. Never throws for what the device does, only when it is stopped from outside.
 * @param open opens the files on the device
 * @throws SpellError run-aborted
 */
export async function runSelfTest<O, C extends { readonly signal?: AbortSignal | undefined }>(
  test: SelfTest<O, C>,
  bundled: Platform["bundled"],
  open: (files: readonly ByteSource[], options: Omit<O, "device"> & { readonly signal: AbortSignal }) => Promise<ModelHandle<C>>,
  signal?: AbortSignal,
): Promise<Verdict> {
  const started = performance.now();
  const timeout = AbortSignal.timeout(timeoutMs);
  const stop = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  let handle: ModelHandle<C> | undefined;
  try {
    const files = await Promise.all(test.files.map((file) => bundled(test.model, file)));
    handle = await open(files, { ...test.open, signal: stop });
    for (const { prompt, options, answer } of test.questions) {
      let text = "";
      for await (const piece of handle.generate(prompt, { ...options, signal: stop })) if (piece.type === "text") text += piece.text;
      if (text !== answer) throw new SpellError("device-self-test", `${test.model}: expected ${quote(answer)}, got ${quote(text)}`);
    }
    return { ok: true, ms: Math.round(performance.now() - started), reason: "ok" };
  } catch (error) {
    const { code, message } = toSpellError(error);
    if (signal?.aborted === true) throw error;
    const isTimeout = code === "run-aborted";
    return {
      ok: false,
      ms: Math.round(performance.now() - started),
      // The graph was refused as it stands: an operator has no kernel there.
      reason: code === "onnx-parse" ? "missing-kernel" : "self-test-failed",
      isLate: isTimeout ? true : undefined,
      detail: isTimeout ? `${test.model} gave no answer within ${timeoutMs / 1000} s` : message,
    };
  } finally {
    await handle?.dispose().catch(() => undefined);
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}

/**
 * States of sequences on disk: a call takes the one that saves most, and leaves one behind. What goes wrong with either is a note; the answer is
 * computed all the same. C++ code reads these files and trusts them, so none is handed over whose hash is not that of its record.
 */
import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import type { Llama, LlamaContextSequence, LlamaModel, Token } from "node-llama-cpp";
import { messageOf, SpellError } from "../../core/errors.ts";
import type { GgufOpenOptions } from "../../core/spec/runtime.ts";
import { once } from "../../core/values.ts";
import { stateFolder } from "../home.ts";
import { type KeptState, sharedLength, shortHash, stateFiles } from "../store/state-files.ts";
import { engineName, engineVersion } from "./llama-start.ts";

/** Fewer tokens are computed faster than a state is read. */
const worthTaking = 8;
/** Fewer tokens are not worth a file. */
const worthKeeping = 32;

export interface StateKeeper {
  /** Brings a state into the sequence where one saves more than the sequence has computed already. */
  take(sequence: LlamaContextSequence, prompt: readonly Token[]): Promise<void>;
  /** Whether the state after a prompt of so many tokens is to be kept: where more than half of it is kept nowhere. */
  wants(promptTokens: number): boolean;
  /** Keeps the state after a prompt but for its last token. */
  keepPrompt(sequence: LlamaContextSequence): Promise<void>;
  /** Keeps the state after an answer. */
  keepAnswer(sequence: LlamaContextSequence): Promise<void>;
  /** What could not be done. */
  readonly notes: readonly string[];
}

export interface StatesOf {
  readonly llama: Llama;
  readonly model: LlamaModel;
  /** path of each file of the model */
  readonly paths: readonly string[];
  readonly contextLength: number;
  /** plain attention lays its values out otherwise than flash attention */
  readonly isPlain: boolean;
  readonly keep: NonNullable<GgufOpenOptions["keep"]>;
}

/** @returns makes the keeper of a call. @param save of the call */
export function llamaStates(of: StatesOf): (save: string | true) => StateKeeper {
  const files = stateFiles(stateFolder());
  const group = once(() => groupOf(of));
  const { model, mostBytes } = of.keep;

  return (save) => {
    const notes: string[] = [];
    /** @returns undefined where it failed, which a note tells */
    const attempt = async <T>(what: string, work: () => Promise<T>): Promise<T | undefined> => {
      try {
        return await work();
      } catch (error) {
        notes.push(`${what}: ${messageOf(error)}`);
        return undefined;
      }
    };
    /** the best there was, whether it was needed or not */
    let found: KeptState | undefined;

    const refuse = (why: string): void => void notes.push(`a kept state was refused, its tokens are computed anew: ${why}`);

    const keep = async (sequence: LlamaContextSequence, name: string | undefined): Promise<void> => {
      const tokens: readonly number[] = sequence.contextTokens;
      const isKept = found?.name === name && found?.tokens.length === tokens.length && found.shared === tokens.length;
      if (tokens.length < worthKeeping || isKept) return;
      await attempt("not kept", async () =>
        files.keep(await group(), { model, name, tokens }, (path) => sequence.saveStateToFile(path), mostBytes),
      );
    };

    return {
      notes,
      async take(sequence, prompt) {
        const wanted = prompt.slice(0, -1);
        const computed = sharedLength(sequence.contextTokens, wanted);
        // Some families cannot take back a part of what they computed.
        const mustFit = sequence.needsCheckpoints;
        const state = await attempt("kept states cannot be read", async () =>
          files.best(
            await group(),
            wanted,
            ({ tokens }, shared) => !mustFit || shared === tokens.length,
            (why) => refuse(why),
          ),
        );
        found = state;
        if (state === undefined || state.shared < computed + worthTaking) return;
        try {
          await files.check(state);
          await sequence.loadStateFromFile(state.path, { acceptRisk: true });
          const has = sequence.contextTokens;
          if (has.length !== state.tokens.length || sharedLength(has, state.tokens) !== has.length)
            throw new SpellError("store-corrupt", `${state.path}: expected the tokens of its record`);
        } catch (error) {
          found = undefined;
          refuse(messageOf(error));
          await sequence.clearHistory();
          await files.drop(state).catch(() => undefined);
        }
      },
      wants(promptTokens) {
        const { shared = 0 } = found ?? {};
        return save === true && promptTokens - shared >= Math.max(worthKeeping, shared);
      },
      keepPrompt: (sequence) => keep(sequence, undefined),
      keepAnswer: (sequence) => (save === true ? Promise.resolve() : keep(sequence, save)),
    };
  };
}

/** One group for each model file, engine and setting that a state depends on. */
async function groupOf({ llama, model, paths, contextLength, isPlain }: StatesOf): Promise<string> {
  const facts = {
    engine: engineName,
    version: engineVersion(),
    release: llama.llamaCppRelease,
    gpu: llama.gpu,
    gpuLayers: model.gpuLayers,
    contextLength,
    isPlain,
    files: await Promise.all(paths.map(identityOf)),
  };
  return shortHash(JSON.stringify(facts));
}

/** Places in a file that are looked at, and bytes of each. */
const samples = 64;
const sampleBytes = 4096;

/**
 * A model file without reading all of it: its size, its time, and bytes from its beginning to its end. Two models of one family have the same header and
 * other weights; whatever writes to a file changes its time.
 */
async function identityOf(path: string): Promise<unknown> {
  const file = await open(path);
  try {
    const { size, mtimeMs } = await file.stat();
    const hash = createHash("sha256");
    const buffer = Buffer.alloc(sampleBytes);
    for (let index = 0; index < samples; index += 1) {
      const at = Math.round(((size - sampleBytes) * index) / (samples - 1));
      const { bytesRead } = await file.read(buffer, 0, sampleBytes, Math.max(0, at));
      hash.update(buffer.subarray(0, bytesRead));
    }
    return { size, mtimeMs, sha256: hash.digest("hex") };
  } finally {
    await file.close();
  }
}

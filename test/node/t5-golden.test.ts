/**
 * The T5 graphs, the decode loop and beam search against transformers on the same weights: the bundled model, and random checkpoints of the
 * shapes of flan-t5-small and t5-small, and small ones of mT5 and UMT5. Where the reference's own best two scores are closer than 1e-3, a difference is counted and shown.
 */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { readSafetensors } from "../../src/core/formats/safetensors.ts";
import type { OnnxRuntime } from "../../src/core/spec/onnx.ts";
import { searchBeams } from "../../src/core/t5/beam-search.ts";
import { readT5Configs } from "../../src/core/t5/config.ts";
import { DecoderState, encode, openT5Session, type T5Session } from "../../src/core/t5/decode.ts";
import { type SearchOptions, searchTokens } from "../../src/core/t5/search.ts";
import { searchMany } from "../../src/core/t5/search-many.ts";
import { sessionWeights } from "../../src/core/t5/session-weights.ts";
import { openNativeOnnx } from "../../src/node/engines/onnx-native.ts";
import { openWebOnnx } from "../../src/node/engines/onnx-web.ts";
import { openFileSource } from "../../src/node/file-source.ts";
import { writeCheckpoint } from "../fixtures/t5-checkpoint.mjs";
import { isLong } from "../support.ts";

interface Golden {
  readonly source: string;
  readonly cases: readonly {
    readonly input: number[];
    readonly greedy: number[];
    readonly margin: number;
    readonly encoder: readonly (readonly [number, number])[];
    readonly logits: readonly (readonly [step: number, values: readonly (readonly [number, number])[]])[];
  }[];
  readonly searches: readonly {
    readonly case: number;
    readonly ends: number[];
    readonly maxTokens: number;
    readonly options: Readonly<Record<string, number>>;
    readonly sequences: readonly { readonly ids: number[]; readonly score?: number }[];
  }[];
}

function searchOptions(maxTokens: number, ends: readonly number[], options: Readonly<Record<string, number>> = {}): SearchOptions {
  const repeatPenalty = options["repetition_penalty"] ?? 1;
  const penalties =
    repeatPenalty === 1 ? undefined : { repeatPenalty, presencePenalty: 0, frequencyPenalty: 0, lastTokens: "all" as const };
  return {
    sampling: { kind: "greedy", seed: 0, penalties },
    maxTokens,
    minTokens: options["min_new_tokens"] ?? 0,
    noRepeatNgramSize: options["no_repeat_ngram_size"] ?? 0,
    suppressTokens: [],
    endIds: new Set(ends),
    startId: 0,
    pause: async () => undefined,
  };
}

async function openSession(folder: string, runtime: OnnxRuntime): Promise<T5Session> {
  const { config } = await readT5Configs(await openFileSource(`${folder}/config.json`), undefined);
  const tensors = await readSafetensors(await openFileSource(`${folder}/model.safetensors`));
  return openT5Session(
    config,
    await sessionWeights({ tensors, config }, [], { variant: "f32", runtime }),
    runtime,
    // another file is tested at the same time
    { threads: 1 },
  );
}

async function greedy(session: T5Session, input: readonly number[], options: SearchOptions): Promise<number[]> {
  const encoded = await encode(session, [input]);
  const ids: number[] = [];
  for await (const id of searchTokens(session, encoded, input, options)) ids.push(id);
  encoded.release();
  return ids;
}

const largestDifference = (got: Float32Array, wanted: readonly (readonly [number, number])[], offset = 0): number =>
  Math.max(...wanted.map(([at, value]) => Math.abs((got[offset + at] ?? Number.NaN) - value)));

/** A third of the searches has each of their options once. */
const runtimes = [
  ["onnxruntime-node", openNativeOnnx, isLong ? 60 : 12],
  ["onnxruntime-web in Node", openWebOnnx, isLong ? 60 : 5],
] as const;

const shapes = ["mt5-tiny", "umt5-tiny", "flan-t5-small", "t5-small"] as const;
for (const shape of shapes) {
  for (const [name, openRuntime, count] of shape === "umt5-tiny" || isLong ? runtimes : runtimes.slice(0, 1)) {
    describe(`random ${shape} on ${name}`, () => {
      const folder = fileURLToPath(new URL(`../../.cache/checkpoints/${shape}`, import.meta.url));
      const golden = JSON.parse(readFileSync(new URL(`../golden/t5/${shape}.json`, import.meta.url), "utf8")) as Golden;
      const cases = golden.cases.slice(0, count);
      let session: T5Session;

      beforeAll(async () => {
        writeCheckpoint(shape, folder);
        session = await openSession(folder, await openRuntime());
      }, 120_000);
      afterAll(async () => {
        await session?.encoder.dispose();
        await session?.decoder.dispose();
      });

      it("encodes within 1e-4 and scores within 1e-3 of the reference", async () => {
        const { vocabSize } = session.config;
        let encoderDifference = 0;
        let logitsDifference = 0;
        for (const { input, encoder, logits, greedy: wanted } of cases) {
          const encoded = await encode(session, [input]);
          encoderDifference = Math.max(encoderDifference, largestDifference(await encoded.hidden.read(), encoder));
          const state = new DecoderState(session, encoded, 1);
          const last = Math.max(...logits.map(([step]) => step));
          const scores = await state.step([0, ...wanted.slice(0, last)]);
          for (const [step, values] of logits) {
            logitsDifference = Math.max(logitsDifference, largestDifference(scores, values, step * vocabSize));
          }
          encoded.release();
        }
        console.log(
          `${shape}, ${name}: largest difference encoder ${encoderDifference.toExponential(1)}, logits ${logitsDifference.toExponential(1)}`,
        );
        expect(encoderDifference).toBeLessThan(1e-4);
        expect(logitsDifference).toBeLessThan(1e-3);
      }, 120_000);

      it("answers greedily with the ids of the reference, a sixth of the inputs one by one, all in batches", async () => {
        const close: unknown[] = [];
        const search = searchOptions(24, [1]);
        const together: number[][] = cases.map(() => []);
        const inputs = cases.map(({ input }) => input);
        for await (const { index, id } of searchMany(session, inputs, search)) together[index]?.push(id);
        const alone: number[][] = [];
        for (const { input } of cases.slice(0, Math.ceil(cases.length / 6))) alone.push(await greedy(session, input, search));
        for (const [at, got] of [...together.entries(), ...alone.entries()]) {
          const { greedy: wanted = [], margin = 0 } = cases[at] ?? {};
          if (margin < 1e-3 && String(got) !== String(wanted)) close.push({ margin, got, wanted });
          else expect(got).toEqual(wanted);
        }
        if (close.length > 0) console.log(`${shape}, ${name}: ${close.length} answers differ at a near tie`, close);
        expect(close.length).toBeLessThanOrEqual((together.length + alone.length) * 0.02);
      }, 120_000);

      it("searches beams, n-grams, penalties and several end tokens like the reference", async () => {
        const searches = golden.searches.slice(0, Math.ceil(golden.searches.length * (count / 60)));
        for (const { case: index, ends, maxTokens, options, sequences } of searches) {
          const input = golden.cases[index]?.input ?? [];
          const label = `case ${index}, ${JSON.stringify(options)}`;
          const search = searchOptions(maxTokens, ends, options);
          const numBeams = options["num_beams"] ?? 1;
          if (numBeams === 1) {
            expect(await greedy(session, input, search), label).toEqual(sequences[0]?.ids);
            continue;
          }
          const encoded = await encode(session, [input]);
          const answers = await searchBeams(session, encoded, {
            ...search,
            sampling: {
              ...search.sampling,
              kind: "beam",
              numBeams,
              lengthPenalty: options["length_penalty"] ?? 1,
              numReturnSequences: options["num_return_sequences"] ?? 1,
            },
          });
          encoded.release();
          expect(
            answers.map(({ ids }) => ids),
            label,
          ).toEqual(sequences.map(({ ids }) => ids));
          answers.forEach(({ score }, rank) => {
            expect(Math.abs(score - (sequences[rank]?.score ?? Number.NaN)), label).toBeLessThan(1e-3);
          });
        }
      }, 240_000);
    });
  }
}

/**
 * A T5Session over plain arrays: scores are a fixed function of the input and of the ids produced so far, and the KV cache holds those ids.
 * So whoever reorders, cuts or drops the wrong row of the cache gets other scores.
 */
import type { OnnxData, OnnxDtype, OnnxGraph, OnnxRuntime, OnnxTensor } from "../../../src/core/spec/onnx.ts";
import type { T5Config } from "../../../src/core/t5/config.ts";
import type { Drafter, T5Session } from "../../../src/core/t5/decode.ts";

const tensor = <D extends OnnxDtype>(dtype: D, data: OnnxData<D>, shape: readonly number[]): OnnxTensor<D> => ({
  dtype,
  shape,
  local: data,
  read: async () => data,
  release: () => undefined,
});

/** Scores of what follows `produced`: numbers in [-4, 4) that any change of a token changes. */
export function scoresAfter(seed: number, input: readonly number[], produced: readonly number[], vocabSize: number): Float32Array {
  let state = seed | 0;
  for (const id of [...input, -1, ...produced]) state = Math.imul(state ^ (id + 77), 0x9e3779b1) ^ (state >>> 15);
  return Float32Array.from({ length: vocabSize }, (_, id) => {
    let mixed = Math.imul(state ^ Math.imul(id + 1, 0x85ebca6b), 0xc2b2ae35);
    mixed ^= mixed >>> 13;
    return ((Math.imul(mixed, 0x27d4eb2f) >>> 0) / 2 ** 32) * 8 - 4;
  });
}

/** @param keepsOutputs whether the decoder joins old and new keys and values itself, as where a device keeps them: half of the seeds */
export function plainSession(seed: number, vocabSize: number, keepsOutputs: boolean = seed % 2 === 1): T5Session {
  const config = { vocabSize, numHeads: 1, dKv: 1, numDecoderLayers: 1, dModel: 1, padTokenId: 0 } as T5Config;
  const runtime = { name: "plain", device: "cpu", keepsOutputs, tensor } as unknown as OnnxRuntime;
  const graph = (run: OnnxGraph["run"]): OnnxGraph => ({
    device: "cpu",
    threads: 1,
    inputs: [],
    outputs: [],
    run,
    dispose: async () => undefined,
  });
  const ids = async (value: OnnxTensor | undefined): Promise<number[]> => Array.from((await value?.read()) ?? [], Number);
  const encoder = graph(async ({ input_ids, attention_mask }) => {
    const [batch = 0, length = 0] = input_ids?.shape ?? [];
    const words = Float32Array.from(await ids(input_ids));
    const mask = await ids(attention_mask);
    // the input itself stands for what cross-attention reads; padding is -1
    const cross = words.map((word, at) => (mask[at] === 1 ? word : -1));
    const value = (): OnnxTensor => tensor("float32", cross.slice(), [batch, 1, length, 1]);
    return { last_hidden_state: tensor("float32", words, [batch, length, 1]), "cross.0.key": value(), "cross.0.value": value() };
  });
  const decoder = graph(async (feeds) => {
    const [batch = 0, each = 0] = feeds["input_ids"]?.shape ?? [];
    const fresh = await ids(feeds["input_ids"]);
    const past = await ids(feeds["past.0.key"]);
    const cross = await ids(feeds["cross.0.key"]);
    const inputs = feeds["cross.0.key"]?.shape[0] ?? 1;
    const room = past.length / batch;
    const before = keepsOutputs ? room : ((await ids(feeds["past_length"]))[0] ?? 0);
    const logits = new Float32Array(batch * each * vocabSize);
    const present = new Float32Array(batch * (before + each));
    for (let row = 0; row < batch; row += 1) {
      const size = cross.length / inputs;
      const input = cross
        .slice((inputs === 1 ? 0 : row) * size)
        .slice(0, size)
        .filter((id) => id >= 0);
      const produced = [...past.slice(row * room, row * room + before), ...fresh.slice(row * each, (row + 1) * each)];
      present.set(produced, row * (before + each));
      for (let position = 0; position < each; position += 1) {
        logits.set(scoresAfter(seed, input, produced.slice(0, before + position + 1), vocabSize), (row * each + position) * vocabSize);
      }
    }
    const rowOf = (at: number): Float32Array => logits.subarray(at * vocabSize, (at + 1) * vocabSize);
    const places = fresh.map((_, at) => at);
    const shape = [batch, each];
    const outputs = {
      logits: tensor("float32", logits, [...shape, vocabSize]),
      best: tensor(
        "int64",
        BigInt64Array.from(places, (at) => BigInt(rowOf(at).indexOf(Math.max(...rowOf(at))))),
        shape,
      ),
      sum: tensor(
        "float32",
        Float32Array.from(places, (at) => rowOf(at).reduce((sum, score) => sum + score, 0)),
        shape,
      ),
    };
    const joined = (): OnnxTensor => tensor("float32", present.slice(), [batch, 1, before + each, 1]);
    const own = (): OnnxTensor => tensor("float32", Float32Array.from(fresh), [batch, 1, each, 1]);
    return keepsOutputs
      ? { ...outputs, "present.0.key": joined(), "present.0.value": joined() }
      : { ...outputs, "fresh.0.key": own(), "fresh.0.value": own() };
  });
  const rows = graph(async ({ logits }) => {
    const scores = Array.from((await logits?.read()) ?? [], Number);
    const each = Array.from({ length: scores.length / vocabSize }, (_, row) => scores.slice(row * vocabSize, (row + 1) * vocabSize));
    return {
      total: tensor(
        "float32",
        Float32Array.from(each, (row) => Math.log(row.reduce((sum, score) => sum + Math.exp(score), 0))),
        [each.length],
      ),
    };
  });
  return { config, runtime, encoder, decoder, rows, decoderFor: async () => decoder, dispose: async () => undefined };
}

/** A copy that writes ahead as often as its pace has it, whatever that costs. */
export function eagerDrafter({ decoder }: T5Session): Drafter {
  return { graph: decoder, now: () => 0, worth: { affords: () => 7, plain: () => undefined, told: () => undefined } };
}

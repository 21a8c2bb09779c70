/**
 * Exported T5 models on transformers.js: it opens the graphs and steps through them; which token comes next is decided by our own search code, so that every
 * parameter means what it means for a checkpoint. Imports no package: the host hands in the module. Used in Node and in browsers.
 */
import { messageOf, SpellError, toSpellError } from "../../core/errors.ts";
import type { ByteSource } from "../../core/formats/byte-source.ts";
import type { DeviceReport, Seq2SeqHandle, Seq2SeqOpenOptions } from "../../core/spec/runtime.ts";
import { acceptExport, type ExportFacts, findExportFiles } from "../../core/t5/export-files.ts";
import { createIdHandle, type IdEngine } from "../../core/t5/handle.ts";
import { checkScores, createChooser, type SearchOptions, takeBreath } from "../../core/t5/search.ts";
import { openTokenizer } from "../../core/text/tokenizer.ts";
import { deferred } from "../../core/values.ts";

/** What is used of @huggingface/transformers 4; its own types are not needed to build this package. */
export interface TransformersModule {
  readonly env: Record<string, unknown>;
  readonly AutoModelForSeq2SeqLM: {
    from_pretrained(name: string, options: Readonly<Record<string, unknown>>): Promise<TransformersModel>;
  };
  readonly Tensor: new (type: string, data: BigInt64Array, shape: readonly number[]) => unknown;
}

export interface TransformersModel {
  forward(inputs: unknown): Promise<unknown>;
  generate(options: Readonly<Record<string, unknown>>): Promise<unknown>;
  dispose(): Promise<unknown>;
}

export interface TransformersHost {
  readonly module: TransformersModule;
  /** as transformers.js calls it: "cpu", "wasm" */
  readonly device: string;
  readonly threads: number;
  readonly report: DeviceReport;
  readonly notes: readonly string[];
  readonly pause: () => Promise<void>;
  readonly now: () => number;
}

/**
 * Checks the files and opens the model.
 * @throws SpellError model-*, tokenizer-*, onnx-parse, onnx-external, device-memory, run-aborted
 */
export async function openExported(
  files: readonly ByteSource[],
  host: TransformersHost,
  options: Omit<Seq2SeqOpenOptions, "device" | "threads">,
): Promise<Seq2SeqHandle> {
  const { signal } = options;
  const found = findExportFiles(files);
  const facts = await acceptExport(found, options.variant, signal);
  const tokenizer = await openTokenizer(found.tokenizer, {
    embeddingRows: facts.config.vocabSize,
    signal,
  });
  options.onProgress?.(0.1);
  const model = await openModel(host, facts, found.byName);
  options.onProgress?.(1);
  const beams = facts.generation.defaults.numBeams ?? 1;
  return createIdHandle({
    engine: generateEngine(model, host.module, facts),
    tokenizer,
    facts,
    device: host.report,
    inputLength: options.inputLength,
    notes: [
      ...facts.notes,
      ...(beams > 1 ? [`generation_config.json asks for ${beams} beams; transformers.js searches none, so answers are greedy`] : []),
      ...host.notes,
    ],
    pause: host.pause,
    now: host.now,
  });
}

/** A name for the model inside transformers.js; its files are found by their own names. */
const modelName = "exported";

async function openModel(
  { module, device, threads }: TransformersHost,
  facts: ExportFacts,
  files: ReadonlyMap<string, ByteSource>,
): Promise<TransformersModel> {
  const { config } = facts;
  // Penalties, lengths and bans of the file are applied by our own code; a second time would be once too often.
  const generation = {
    decoder_start_token_id: config.decoderStartTokenId,
    eos_token_id: config.eosTokenIds,
    pad_token_id: config.padTokenId,
  };
  const serve = async (request: string): Promise<Response | string | undefined> => {
    const name = request.slice(request.lastIndexOf("/") + 1);
    if (name === "generation_config.json") return new Response(JSON.stringify(generation));
    const file = files.get(name);
    if (file === undefined) return undefined;
    // The engine maps graphs that are files; their weights, where they lie apart, are handed over.
    if (file.path !== undefined && name.endsWith(".onnx")) return file.path;
    const bytes = await file.read(0, file.size);
    return new Response(bytes as Uint8Array<ArrayBuffer>, { headers: { "content-length": String(file.size) } });
  };
  const settings = {
    logLevel: 50,
    allowRemoteModels: false,
    allowLocalModels: true,
    localModelPath: "",
    useCustomCache: true,
    customCache: { match: serve, put: async () => undefined },
    useFSCache: false,
    useBrowserCache: false,
    useWasmCache: false,
    useFS: false,
    fetch: async () => new Response(null, { status: 404 }),
  };
  const before = Object.fromEntries(Object.keys(settings).map((key) => [key, module.env[key]]));
  Object.assign(module.env, settings);
  try {
    return await module.AutoModelForSeq2SeqLM.from_pretrained(modelName, {
      dtype: facts.form.dtype,
      device,
      subfolder: "",
      use_external_data_format: Object.fromEntries([...facts.externalFiles].map(([graph, list]) => [graph, list.length])),
      session_options: { intraOpNumThreads: threads, logSeverityLevel: 4 },
    });
  } catch (error) {
    throw openError(error);
  } finally {
    Object.assign(module.env, before);
  }
}

function openError(error: unknown): SpellError {
  if (error instanceof SpellError) return error;
  const text = messageOf(error);
  if (/bad_?alloc|out of memory|allocat/i.test(text)) {
    return new SpellError("device-memory", `the model does not fit into the memory transformers.js can use: ${text.slice(0, 400)}`, {
      cause: error,
    });
  }
  return new SpellError("onnx-parse", `transformers.js does not take the graphs: ${text.slice(0, 400)}`, { cause: error });
}

/** The answer was cut short from our side. */
class Enough extends Error {}

/** generate() of transformers.js, step by step: before each pass after the first it waits until the reader asks for another token. */
function generateEngine(model: TransformersModel, module: TransformersModule, { config }: ExportFacts): IdEngine {
  const forward = model.forward.bind(model);
  let beforePass: () => Promise<void> = async () => undefined;
  model.forward = async (inputs) => {
    await beforePass();
    return forward(inputs);
  };

  return {
    async *search(ids, options) {
      const found: number[] = [];
      let wanted = deferred();
      let news = deferred();
      let isEnough = false;
      beforePass = async () => {
        if (found.length > 0) await wanted.promise;
        if (isEnough) throw new Enough();
        wanted = deferred();
        await takeBreath(options);
      };
      const run = model
        .generate({
          input_ids: int64(module, ids),
          attention_mask: int64(
            module,
            ids.map(() => 1),
          ),
          max_new_tokens: options.maxTokens,
          logits_processor: [
            chooserOf(options, config.vocabSize, (id) => {
              found.push(id);
              news.resolve();
            }),
          ],
        })
        .then(
          () => undefined,
          (error: unknown) => error ?? new Error("generate() failed"),
        );
      const ended = run.then(() => news.resolve());
      try {
        for (let taken = 0; ; taken += 1) {
          if (taken === found.length) await Promise.race([news.promise, ended]);
          news = deferred();
          const id = found[taken];
          if (id === undefined) {
            const error = await run;
            if (error !== undefined) throw toSpellError(error, "run-crash", "transformers.js failed");
            return;
          }
          yield id;
          if (options.endIds.has(id) || found.length >= options.maxTokens) return;
          wanted.resolve();
        }
      } finally {
        isEnough = true;
        wanted.resolve();
        await ended;
      }
    },
    async dispose() {
      await model.dispose();
    },
  };
}

/** Our choice, put into the scores so that the greedy sampler of transformers.js can take nothing else. */
function chooserOf(options: SearchOptions, vocabSize: number, tell: (id: number) => void) {
  const choose = createChooser(options);
  const produced = [options.startId];
  return (_: unknown, logits: { readonly data: Float32Array }) => {
    const scores = logits.data.subarray(logits.data.length - vocabSize);
    if (produced.length === 1) checkScores(scores);
    const id = choose(scores, produced);
    scores.fill(Number.NEGATIVE_INFINITY);
    scores[id] = 0;
    produced.push(id);
    tell(id);
    return logits;
  };
}

function int64({ Tensor }: TransformersModule, values: readonly number[]): unknown {
  return new Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
}

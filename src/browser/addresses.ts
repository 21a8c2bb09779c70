/**
 * What a page of this package loads by address: workers, and the bundled models. Bundlers look for exactly these forms, and serve the files they name.
 * The workers name the engines' files in the same form.
 */

/** webpack puts workers of one name into one file. */
export const workers = {
  wllama: (): Worker => new Worker(new URL("./engines/wllama-worker.ts", import.meta.url), { type: "module", name: "llmspell-wllama" }),
  "onnxruntime-web": (): Worker =>
    new Worker(new URL("./engines/onnx-worker.ts", import.meta.url), { type: "module", name: "llmspell-onnx" }),
  isolate: (): Worker => new Worker(new URL("./isolate-worker.ts", import.meta.url), { type: "module", name: "llmspell-isolate" }),
  opfs: (): Worker => new Worker(new URL("./store/opfs-worker.ts", import.meta.url), { type: "module", name: "llmspell-opfs" }),
} as const;

/** The engines of scripts: a worker for each run, and the WebAssembly file that the build puts there. */
export const scriptEngines = {
  lua: {
    worker: (): Worker => new Worker(new URL("./scripts/lua-worker.ts", import.meta.url), { type: "module", name: "llmspell-lua" }),
    file: (): URL => new URL("../../dist/scripts/lua.wasm", import.meta.url),
  },
  javascript: {
    worker: (): Worker =>
      new Worker(new URL("./scripts/javascript-worker.ts", import.meta.url), { type: "module", name: "llmspell-javascript" }),
    file: (): URL => new URL("../../dist/scripts/quickjs.wasm", import.meta.url),
  },
} as const;

export const bundledFiles: Readonly<Record<string, () => URL>> = {
  "tiny-stories/tiny-stories.gguf": () => new URL("../../builtins/models/tiny-stories/tiny-stories.gguf", import.meta.url),
  "tiny-t5-en-fr/config.json": () => new URL("../../builtins/models/tiny-t5-en-fr/config.json", import.meta.url),
  "tiny-t5-en-fr/generation_config.json": () => new URL("../../builtins/models/tiny-t5-en-fr/generation_config.json", import.meta.url),
  "tiny-t5-en-fr/model.safetensors": () => new URL("../../builtins/models/tiny-t5-en-fr/model.safetensors", import.meta.url),
  "tiny-t5-en-fr/tokenizer.json": () => new URL("../../builtins/models/tiny-t5-en-fr/tokenizer.json", import.meta.url),
  "tiny-t5-en-fr/tokenizer_config.json": () => new URL("../../builtins/models/tiny-t5-en-fr/tokenizer_config.json", import.meta.url),
};

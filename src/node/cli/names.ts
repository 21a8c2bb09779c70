/** Names and words that several commands say. Data only. */

/** Runs right away: it is inside the package. */
export const defaultModel = "tiny-stories";

/** Taken where no model is named for vectors. */
export const defaultEmbedder = "all-minilm-l6-v2";
export const defaultReranker = "bge-reranker-base";

export const exitMeanings: ReadonlyMap<number, string> = new Map([
  [0, "done"],
  [1, "failure while running"],
  [2, "wrong command line or configuration"],
  [3, "model or file cannot be used"],
  [4, "device cannot be used"],
  [5, "network or remote service"],
  [130, "stopped with Ctrl-C"],
]);

/** `candle` alone says nothing to a first reader. */
export function backendLabel(name: string): string {
  return labels.get(name) ?? name;
}

const labels: ReadonlyMap<string, string> = new Map([["candle", "candle (built-in)"]]);

/** Pages to look for models. */
export const modelPages = [
  "Ollama: https://ollama.com/library",
  "Candle: https://huggingface.co/models?pipeline_tag=text-generation",
] as const;

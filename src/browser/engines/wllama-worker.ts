/** Web Worker entry: GGUF models. */
import { serveEngine } from "./serve-engine.ts";
import { wllamaEngine } from "./wllama-engine.ts";

serveEngine((files) => wllamaEngine(files.wllama));

/** Web Worker entry: T5 models. */
import { serveEngine } from "./serve-engine.ts";
import { t5Engine } from "./t5-engine.ts";

serveEngine((files) => t5Engine(files.onnx));

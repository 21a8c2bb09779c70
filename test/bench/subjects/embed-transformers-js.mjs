/** @huggingface/transformers on an optimum export of the same weights. Arguments: FOLDER CHECKPOINT MODULE (its folder in some node_modules) */
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { measureEmbed } from "./embed-input.mjs";

const [folder, checkpoint, module] = process.argv.slice(2);
const loading = performance.now();
const { env, pipeline } = await import(pathToFileURL(`${module}/dist/transformers.node.mjs`).href);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const options = { dtype: "fp32", device: "cpu", session_options: { intraOpNumThreads: 2 } };
const extract = await pipeline("feature-extraction", basename(folder), options);
const loadMs = performance.now() - loading;
await measureEmbed(checkpoint, (texts) => extract([...texts], { pooling: "mean", normalize: true }), { loadMs });
process.exit(0);

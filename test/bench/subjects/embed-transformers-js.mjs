/** @huggingface/transformers on an optimum export of the same weights. Arguments: FOLDER CHECKPOINT MODULE (its folder in some node_modules) */
import { readFileSync } from "node:fs";
import { basename, dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { embedRates } from "./embed-input.mjs";
import { print } from "./t5-input.mjs";

const [folder, checkpoint, module] = process.argv.slice(2);
const loading = performance.now();
const { env, pipeline } = await import(pathToFileURL(`${module}/dist/transformers.node.mjs`).href);
env.allowRemoteModels = false;
env.localModelPath = dirname(folder);
const options = { dtype: "fp32", device: "cpu", session_options: { intraOpNumThreads: 2 } };
const extract = await pipeline("feature-extraction", basename(folder), options);
const loadMs = performance.now() - loading;
const texts = JSON.parse(readFileSync(`${checkpoint}/texts.json`, "utf8"));
print({ ...(await embedRates(texts, (some) => extract([...some], { pooling: "mean", normalize: true }))), loadMs });
process.exit(0);

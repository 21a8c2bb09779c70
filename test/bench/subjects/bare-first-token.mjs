/** The shortest script that streams with node-llama-cpp: what a user would write instead of the CLI. Arguments: MODEL PROMPT */
import { getLlama } from "node-llama-cpp";

const [modelPath, text] = process.argv.slice(2);
const llama = await getLlama({ gpu: false, build: "never", skipDownload: true, progressLogs: false, logLevel: "error" });
const model = await llama.loadModel({ modelPath });
const context = await model.createContext({ contextSize: 4096 });
const sequence = context.getSequence();
let count = 0;
for await (const token of sequence.evaluate(model.tokenize(text, true), { temperature: 0 })) {
  process.stdout.write(model.detokenize([token]));
  count += 1;
  if (count >= 8) break;
}
process.exit(0);

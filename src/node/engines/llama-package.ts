/**
 * What we take of node-llama-cpp. In the built package this is one file with all that stands behind it (tools/llama-package.mjs): importing the
 * package's own 400 files takes 0.4 s of each start.
 */
export { GgufInsights, getLlama, LlamaGrammarEvaluationState, LlamaLogLevel } from "node-llama-cpp";

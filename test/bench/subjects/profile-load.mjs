/** Loads a profile in a fresh process, modules included, and says how long that took after the start. */
const started = performance.now();
const { resolveConfig } = await import("../../../dist/node/index.js");
const imported = performance.now();
const { config } = await resolveConfig({ profile: process.argv[2] ?? "rag-prod" });
if (config.rag.enabled !== true) throw new Error("the profile was not loaded");
const loaded = performance.now();
const again = performance.now();
await resolveConfig({ profile: process.argv[2] ?? "rag-prod" });
console.log(JSON.stringify({ libraryMs: imported - started, profileMs: loaded - imported, againMs: performance.now() - again }));

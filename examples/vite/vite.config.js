/** Threads need a page that is isolated from other origins. Without these headers one thread computes, and a warning says so. */
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default {
  optimizeDeps: { exclude: ["llmspell"] }, // its workers are beside its files, not beside a copy of them
  worker: { format: "es" }, // the default cannot split code
  build: { target: "es2022" },
  server: { headers },
  preview: { headers },
};

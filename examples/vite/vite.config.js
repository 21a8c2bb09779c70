/** Several threads need a page that is isolated from other origins; without these it computes on one, and says so. */
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default {
  optimizeDeps: { exclude: ["llmspell"] }, // its workers are found beside its files, not beside a copy of them
  worker: { format: "es" }, // the default cannot split code
  build: { target: "es2022" },
  server: { headers },
  preview: { headers },
};

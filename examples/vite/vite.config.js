/** Threads need a page that is isolated from other origins. Without these headers one thread computes, and a warning says so. */
const headers = { "Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Embedder-Policy": "require-corp" };

export default {
  server: { headers },
  preview: { headers },
};

/**
 * Serves a folder as the demo page wants to be served: isolated from other origins, so that threads work, and under a policy that lets it
 * fetch models and nothing else. `npm run demo` uses it; tests use it with single headers left out.
 */
import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize, sep } from "node:path";
import { fileURLToPath } from "node:url";

/** The page's policy. Model files come from its own origin or from the Hugging Face Hub; nothing else is ever asked. */
export const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "worker-src 'self' blob:",
  "connect-src 'self' https://huggingface.co https://*.hf.co",
  "img-src 'self'",
  "style-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

/** Of a page itself: no text becomes markup or code. Workers keep to the plain policy, since engines start workers from addresses of their own. */
export const documentPolicy = `${policy}; require-trusted-types-for 'script'; trusted-types default`;

/** Threads need all three. */
export const isolation = {
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

const types = /** @type {Record<string, string>} */ ({
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".webmanifest": "application/manifest+json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
});

const usualHeaders = (/** @type {string} */ path) => ({
  "content-security-policy": /(\/|\.html)$/.test(path) ? documentPolicy : policy,
  ...isolation,
});

/**
 * @typedef {object} ServeOptions
 * @property {number} [port] default: any free one
 * @property {(path: string) => Record<string, string>} [headers] default: policy and isolation
 * @property {(path: string) => number | undefined} [status] an answer without a file: 404, 500
 * @property {(request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse) => boolean} [before] takes requests that
 *   are not for the folder
 */

/**
 * @param {string} folder
 * @param {ServeOptions} [options]
 * @returns {Promise<{ readonly url: string, close(): Promise<void> }>} on this machine's own interface only
 */
export function serve(folder, { port = 0, headers = usualHeaders, status, before } = {}) {
  const root = normalize(folder + sep);
  const server = createServer((request, response) => {
    if (before?.(request, response) === true) return;
    const path = decodeURIComponent(new URL(request.url ?? "/", "http://localhost").pathname);
    const file = normalize(join(root, path.endsWith("/") ? `${path}index.html` : path));
    const stat = file.startsWith(root) ? statSync(file, { throwIfNoEntry: false }) : undefined;
    const refused = status?.(path) ?? (stat?.isFile() ? undefined : 404);
    const common = { "x-content-type-options": "nosniff", "referrer-policy": "no-referrer", ...headers(path) };
    if (refused !== undefined || stat === undefined) {
      response.writeHead(refused ?? 404, common).end();
      return;
    }
    response.writeHead(200, {
      "content-type": types[extname(file)] ?? "application/octet-stream",
      "content-length": stat.size,
      // names of built files change with their content; the page and its service worker keep theirs
      "cache-control": path.includes("/assets/") ? "public, max-age=31536000, immutable" : "no-cache",
      ...common,
    });
    if (request.method === "HEAD") response.end();
    else createReadStream(file).pipe(response);
  });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.listen(port, "127.0.0.1", () => {
      const address = server.address();
      const bound = typeof address === "object" && address !== null ? address.port : port;
      resolve({
        url: `http://localhost:${bound}/`,
        close: () =>
          new Promise((closed) => {
            server.close(() => closed());
            server.closeAllConnections();
          }),
      });
    });
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = "demo/dist", port = "8080"] = process.argv.slice(2);
  const { url } = await serve(folder, { port: Number(port) });
  console.log(`llmspell demo: ${url}   (Ctrl-C ends it)`);
}

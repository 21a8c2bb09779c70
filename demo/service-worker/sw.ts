/**
 * Makes the page work offline, and isolates it from other origins if its host sends no headers for that.
 * `shell` is fetched at once; engines and bundled models are kept once something asks for them. Requests to other origins pass unchanged.
 */
declare const files: {
  readonly version: string;
  readonly shell: readonly string[];
  readonly all: readonly string[];
  readonly policy: string;
};

const scope = self as unknown as ServiceWorkerGlobalScope;
const cacheName = "llmspell-page";

scope.addEventListener("install", (event) => event.waitUntil(install()));
scope.addEventListener("activate", (event) => event.waitUntil(activate()));
scope.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== location.origin || request.headers.has("range")) return;
  event.respondWith(answer(request));
});

/** All or nothing: an incomplete update leaves the old page in place. */
async function install(): Promise<void> {
  const cache = await caches.open(`${cacheName}-${files.version}`);
  await cache.addAll(files.shell.map((path) => new Request(new URL(path, scope.registration.scope), { cache: "no-cache" })));
  await scope.skipWaiting();
}

async function activate(): Promise<void> {
  const kept = new Set(files.all.map((path) => new URL(path, scope.registration.scope).href));
  const current = await caches.open(`${cacheName}-${files.version}`);
  for (const name of await caches.keys()) {
    if (!name.startsWith(`${cacheName}-`) || name === `${cacheName}-${files.version}`) continue;
    // Names of large files change with their content: a file that this version shares is not fetched again.
    const old = await caches.open(name);
    for (const request of await old.keys()) {
      const response = kept.has(request.url) && (await current.match(request)) === undefined ? await old.match(request) : undefined;
      if (response !== undefined) await current.put(request, response);
    }
    await caches.delete(name);
  }
  await scope.clients.claim();
}

/** Files on their way into the cache. A second request for one waits for it: a large file is fetched once. */
const arriving = new Map<string, Promise<unknown>>();

async function answer(request: Request): Promise<Response> {
  const cache = await caches.open(`${cacheName}-${files.version}`);
  const url = new URL(request.url);
  url.search = "";
  url.hash = "";
  const address = url.href === scope.registration.scope ? new URL("index.html", url).href : url.href;
  for (;;) {
    const known = await cache.match(address);
    if (known !== undefined) return isolated(known, request);
    const other = arriving.get(address);
    if (other === undefined) break;
    await other;
  }
  const isOurs = files.all.some((path) => new URL(path, scope.registration.scope).href === address);
  if (!isOurs) return isolated(await fetch(request), request);
  const { promise, resolve } = settled();
  arriving.set(address, promise);
  const done = (): void => {
    arriving.delete(address);
    resolve();
  };
  try {
    // Without the page's own signal: a request that it gives up still keeps the file.
    const response = await fetch(request.url, { credentials: "same-origin" });
    // Full or missing storage must not fail the response.
    if (response.status === 200) void cache.put(address, response.clone()).then(done, done);
    else done();
    return isolated(response, request);
  } catch (error) {
    done();
    throw error;
  }
}

function settled(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined;
  const promise = new Promise<void>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}

/** The response with the headers of isolation; a page also gets its policy. */
function isolated(response: Response, { mode }: Request): Response {
  if (response.status === 0) return response;
  const headers = new Headers(response.headers);
  headers.set("cross-origin-opener-policy", "same-origin");
  headers.set("cross-origin-embedder-policy", "require-corp");
  headers.set("cross-origin-resource-policy", "same-origin");
  if (mode === "navigate" && !headers.has("content-security-policy")) headers.set("content-security-policy", files.policy);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/**
 * A server that plays the Hugging Face Hub, its file network on another origin, and the Ollama registry, over files in memory; and that does
 * what a test plans instead: a status, a reset, a cut, another version, silence …
 *
 * That it plays the hub truly was checked against Hugging Face's own Python client (2026-11-25, huggingface_hub 2.4.0 from PyPI):
 *   node test/support/fault-server.mjs 8899 owner/repo=FOLDER
 *   HF_ENDPOINT=http://127.0.0.1:8899 HF_HUB_DISABLE_XET=1 python3 -c "from huggingface_hub import snapshot_download; print(snapshot_download('owner/repo', cache_dir='/tmp/cache'))"
 *   diff -r FOLDER /tmp/cache/models--owner--repo/snapshots/*
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/**
 * @typedef {object} Repo
 * @property {Readonly<Record<string, Uint8Array>>} files
 * @property {boolean} [gated] answers 401/403 without `token`
 * @property {string} [license]
 * @property {readonly string[]} [tags] of its kind: gguf, t5
 * @property {number} [downloads]
 *
 * @typedef {object} Seen a request that came
 * @property {"hub" | "cdn"} host
 * @property {string} method
 * @property {string} path with its query
 * @property {import("node:http").IncomingHttpHeaders} headers
 * @property {number} sent bytes of the body that were sent
 *
 * @typedef {object} Action what happens instead of the true answer; several may be combined
 * @property {number} [status]
 * @property {Readonly<Record<string, string>>} [headers] added; an empty text takes one away
 * @property {Uint8Array | string} [body]
 * @property {number} [cutAt] bytes of the body after which the connection is reset
 * @property {number} [endAt] bytes of the body after which it is closed in order
 * @property {boolean} [hang] nothing more comes after `cutAt` bytes (0 by default; before the headers when `status` is 0)
 * @property {number} [trickleMs] one byte each so many milliseconds
 * @property {number} [pieceMs] 128 KiB each so many milliseconds
 * @property {boolean} [chunked] no Content-Length
 * @property {boolean} [ignoreRange] 200 and the whole file
 * @property {string} [raw] written to the socket as it stands, which is then closed
 * @property {(seen: Seen) => void} [before]
 */

const hash = (/** @type {string} */ name, /** @type {Uint8Array} */ bytes) => createHash(name).update(bytes).digest("hex");
const gitHash = (/** @type {Uint8Array} */ bytes) => createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex");
/** As on the hub: weights lie in large file storage, texts in git. */
const isLarge = (/** @type {string} */ path) => /\.(gguf|safetensors|bin|onnx|model)$/.test(path);

/**
 * What the real ones let a page on another origin see and send (2026-01, github.com/huggingface/datasets/issues/7931): of the file network a range,
 * but no header that a browser asks about beforehand, such as If-Range or Authorization.
 */
const crossOrigin = {
  hub: {
    expose:
      "X-Repo-Commit, X-Request-Id, X-Error-Code, X-Error-Message, ETag, Link, Accept-Ranges, Content-Range, X-Linked-Size, X-Linked-ETag",
    allow: "authorization, range",
  },
  cdn: {
    expose: "Accept-Ranges, Content-Range, Content-Type, Content-Disposition, ETag, X-Cache",
    allow: "Content-Range, Content-Type, Content-Disposition, ETag",
  },
};

/** @param {{ port?: number, token?: string, cdn?: string }} [options] `cdn`: where redirects to files lead, for a server that stands before this one */
export async function startFaultServer({ port = 0, token = "hf_secret", cdn: cdnBase } = {}) {
  /** @type {Map<string, Repo>} */
  const repos = new Map();
  /** @type {Map<string, Uint8Array>} plain files under /files/ */
  const files = new Map();
  /** @type {Map<string, { manifest: unknown, blobs: Map<string, Uint8Array> }>} */
  const images = new Map();
  /** @type {{ match: RegExp | string, actions: Action[], host?: "hub" | "cdn" }[]} */
  let plans = [];
  /** @type {Seen[]} */
  const seen = [];
  /** @type {Set<import("node:net").Socket>} */
  const sockets = new Set();

  const commitOf = (/** @type {Repo} */ repo) =>
    hash(
      "sha1",
      Buffer.from(
        Object.entries(repo.files)
          .map(([path, bytes]) => `${path} ${hash("sha256", bytes)}`)
          .join("\n"),
      ),
    );

  /** @returns {Action | undefined} */
  const planned = (/** @type {Seen} */ one) => {
    const plan = plans.find(
      ({ match, actions, host }) =>
        actions.length > 0 &&
        (host === undefined || host === one.host) &&
        (typeof match === "string" ? one.path.includes(match) : match.test(`${one.method} ${one.path}`)),
    );
    return plan?.actions.shift();
  };

  /**
   * Sends bytes with ranges, and whatever the action spoils.
   * @param {import("node:http").IncomingMessage} request @param {import("node:http").ServerResponse} response
   * @param {Uint8Array} bytes @param {Record<string, string>} headers @param {Action} action @param {Seen} one
   */
  async function send(request, response, bytes, headers, action, one) {
    let body = typeof action.body === "string" ? Buffer.from(action.body) : (action.body ?? bytes);
    const total = body.length;
    let status = 200;
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const isCurrent =
      request.headers["if-range"] === undefined || request.headers["if-range"] === (action.headers?.["etag"] ?? headers["etag"]);
    if (range !== null && isCurrent && action.ignoreRange !== true && action.status === undefined) {
      const from = Number(range[1]);
      const to = range[2] === "" ? total - 1 : Math.min(Number(range[2]), total - 1);
      if (from >= total) {
        status = 416;
        headers = { ...headers, "content-range": `bytes */${total}` };
        body = new Uint8Array(0);
      } else {
        status = 206;
        headers = { ...headers, "content-range": `bytes ${from}-${to}/${total}` };
        body = body.subarray(from, to + 1);
      }
    }
    const all = { "accept-ranges": "bytes", "content-length": String(body.length), ...headers, ...action.headers };
    if (action.chunked === true) all["content-length"] = "";
    for (const [name, value] of Object.entries(all)) if (value !== "") response.setHeader(name, value);
    response.statusCode = action.status ?? status;
    if (request.method === "HEAD") {
      response.end();
      return;
    }
    const stop = action.cutAt ?? action.endAt ?? (action.hang === true ? 0 : undefined);
    const part = stop === undefined ? body : body.subarray(0, stop);
    response.on("error", () => undefined);
    if (action.trickleMs !== undefined) {
      for (let at = 0; at < part.length && !response.destroyed; at += 1) {
        response.write(part.subarray(at, at + 1));
        one.sent += 1;
        await new Promise((resolve) => setTimeout(resolve, action.trickleMs));
      }
    } else if (action.pieceMs !== undefined) {
      for (let at = 0; at < part.length && !response.destroyed; at += 131_072) {
        response.write(part.subarray(at, at + 131_072));
        one.sent += Math.min(131_072, part.length - at);
        await new Promise((resolve) => setTimeout(resolve, action.pieceMs));
      }
    } else if (part.length > 0) {
      one.sent += part.length;
      await new Promise((resolve) => response.write(part, () => resolve(undefined)));
    } else response.flushHeaders();
    if (action.hang === true) return;
    if (action.cutAt !== undefined) {
      // what was written reaches the client first
      await new Promise((resolve) => setTimeout(resolve, 30));
      response.socket?.resetAndDestroy();
    } else if (action.endAt !== undefined) {
      await new Promise((resolve) => setTimeout(resolve, 30));
      response.socket?.end();
      response.socket?.destroySoon();
    } else response.end();
  }

  const json = (
    /** @type {import("node:http").ServerResponse} */ response,
    /** @type {number} */ status,
    /** @type {unknown} */ value,
    /** @type {Record<string, string>} */ headers = {},
  ) => {
    response.writeHead(status, { "content-type": "application/json; charset=utf-8", ...headers });
    response.end(JSON.stringify(value));
  };

  /** @param {"hub" | "cdn"} host @returns {import("node:http").RequestListener} */
  const listener = (host) => async (request, response) => {
    const path = request.url ?? "/";
    /** @type {Seen} */
    const one = { host, method: request.method ?? "GET", path, headers: request.headers, sent: 0 };
    seen.push(one);
    response.setHeader("access-control-allow-origin", "*");
    response.setHeader("access-control-expose-headers", crossOrigin[host].expose);
    response.setHeader("cross-origin-resource-policy", "cross-origin");
    if (request.method === "OPTIONS") {
      response
        .writeHead(204, { "access-control-allow-methods": "GET, HEAD", "access-control-allow-headers": crossOrigin[host].allow })
        .end();
      return;
    }
    const action = planned(one) ?? {};
    action.before?.(one);
    if (action.raw !== undefined) {
      request.socket.write(action.raw, "latin1", () => request.socket.end());
      return;
    }
    if (action.hang === true && action.status === 0) return;
    if (action.status !== undefined && (action.status < 200 || action.status > 299)) {
      response.writeHead(action.status, { ...action.headers }).end(action.body ?? "");
      return;
    }
    try {
      await serve(host, path, request, response, action, one);
    } catch (error) {
      if (!response.headersSent) response.writeHead(500);
      response.end(String(error));
    }
  };

  /** Public repositories of that name with all those tags, the most fetched first, as GET /api/models lists them. @param {URLSearchParams} query */
  function search(query) {
    const text = (query.get("search") ?? "").toLowerCase();
    return [...repos]
      .filter(([id, { tags = [] }]) => id.toLowerCase().includes(text) && query.getAll("filter").every((tag) => tags.includes(tag)))
      .map(([id, { tags = [], downloads = 0 }]) => ({ id, modelId: id, likes: 0, private: false, downloads, tags }))
      .sort((a, b) => b.downloads - a.downloads)
      .slice(0, Number(query.get("limit") ?? 1000));
  }

  /** @type {(host: "hub" | "cdn", path: string, request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse, action: Action, one: Seen) => Promise<void>} */
  async function serve(host, path, request, response, action, one) {
    const url = new URL(path, "http://x");
    const parts = url.pathname
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
    const authorised = request.headers.authorization === `Bearer ${token}`;
    if (host === "cdn") {
      const digest = parts[1] ?? "";
      for (const repo of repos.values()) {
        for (const bytes of Object.values(repo.files)) {
          if (hash("sha256", bytes) === digest)
            return send(
              request,
              response,
              bytes,
              { etag: `"${digest.slice(0, 32)}"`, "content-type": "application/octet-stream" },
              action,
              one,
            );
        }
      }
      for (const image of images.values()) {
        const bytes = image.blobs.get(`sha256:${digest}`);
        if (bytes !== undefined) return send(request, response, bytes, { etag: `"${digest.slice(0, 32)}"` }, action, one);
      }
      response.writeHead(404).end();
      return;
    }
    if (parts[0] === "files") {
      const bytes = files.get(parts.slice(1).join("/"));
      if (bytes === undefined) response.writeHead(404).end();
      else
        await send(request, response, bytes, { etag: `"${hash("sha1", bytes)}"`, "content-type": "application/octet-stream" }, action, one);
      return;
    }
    if (parts[0] === "v2") return serveRegistry(parts.slice(1), request, response, action, one);
    const isApi = parts[0] === "api" && parts[1] === "models";
    if (isApi && parts.length === 2) {
      const value = search(url.searchParams);
      return send(request, response, Buffer.from(JSON.stringify(value)), { "content-type": "application/json" }, action, one);
    }
    const [owner, name, ...rest] = isApi ? parts.slice(2) : parts;
    const repo = repos.get(`${owner}/${name}`);
    const refuse = (/** @type {number} */ status, /** @type {string} */ code, /** @type {string} */ message) =>
      json(response, status, { error: message }, { "x-error-code": code, "x-error-message": message });
    if (repo === undefined) return refuse(401, "RepoNotFound", "Invalid username or password.");
    if (repo.gated === true && !authorised)
      return refuse(
        request.headers.authorization === undefined ? 401 : 403,
        "GatedRepo",
        `Access to model ${owner}/${name} is restricted.`,
      );
    const commit = commitOf(repo);
    const isRevision = (/** @type {string | undefined} */ revision) => revision === undefined || revision === "main" || revision === commit;
    const entries = Object.entries(repo.files).map(([file, bytes]) => ({
      rfilename: file,
      size: bytes.length,
      blobId: gitHash(
        isLarge(file)
          ? Buffer.from(`version https://git-lfs.github.com/spec/v1\noid sha256:${hash("sha256", bytes)}\nsize ${bytes.length}\n`)
          : bytes,
      ),
      ...(isLarge(file) ? { lfs: { sha256: hash("sha256", bytes), size: bytes.length, pointerSize: 134 } } : {}),
    }));
    if (isApi) {
      if (rest[0] === "tree") {
        if (!isRevision(rest[1])) return refuse(404, "RevisionNotFound", `Invalid rev id: ${rest[1]}`);
        const tree = entries.map(({ rfilename, size, blobId, lfs }) => ({
          type: "file",
          path: rfilename,
          size,
          oid: blobId,
          ...(lfs === undefined ? {} : { lfs: { oid: lfs.sha256, size, pointerSize: 134 } }),
        }));
        return json(response, 200, tree);
      }
      if (!isRevision(rest[1])) return refuse(404, "RevisionNotFound", `Invalid rev id: ${rest[1]}`);
      const withBlobs = url.searchParams.get("blobs") === "true";
      const value = {
        id: `${owner}/${name}`,
        author: owner,
        sha: commit,
        private: false,
        gated: repo.gated === true ? "manual" : false,
        tags: [`license:${repo.license ?? "apache-2.0"}`],
        cardData: { license: repo.license ?? "apache-2.0" },
        siblings: withBlobs ? entries : entries.map(({ rfilename }) => ({ rfilename })),
      };
      return send(
        request,
        response,
        Buffer.from(JSON.stringify(value)),
        { "content-type": "application/json; charset=utf-8" },
        action,
        one,
      );
    }
    if (rest[0] !== "resolve") {
      response.writeHead(404).end();
      return;
    }
    if (!isRevision(rest[1])) return refuse(404, "RevisionNotFound", `Invalid rev id: ${rest[1]}`);
    const file = rest.slice(2).join("/");
    const bytes = repo.files[file];
    if (bytes === undefined) return refuse(404, "EntryNotFound", "Entry not found");
    response.setHeader("x-repo-commit", commit);
    if (!isLarge(file))
      return send(request, response, bytes, { etag: `"${gitHash(bytes)}"`, "content-type": "text/plain; charset=utf-8" }, action, one);
    const digest = hash("sha256", bytes);
    response.setHeader("x-linked-size", String(bytes.length));
    response.setHeader("x-linked-etag", `"${digest}"`);
    for (const [header, value] of Object.entries(action.headers ?? {})) response.setHeader(header, value);
    response
      .writeHead(302, { location: action.headers?.["location"] ?? `${cdnBase ?? cdnUrl}/lfs/${digest}?Signature=${Date.now()}` })
      .end();
  }

  /** @type {(parts: string[], request: import("node:http").IncomingMessage, response: import("node:http").ServerResponse, action: Action, one: Seen) => Promise<void>} */
  async function serveRegistry(parts, request, response, action, one) {
    const reference = parts.at(-1) ?? "";
    const kind = parts.at(-2);
    const name = parts.slice(0, -2).join("/");
    if (kind === "manifests") {
      const image = images.get(`${name}:${reference}`);
      if (image === undefined) return json(response, 404, { errors: [{ code: "MANIFEST_UNKNOWN", message: "manifest unknown" }] });
      return send(
        request,
        response,
        Buffer.from(JSON.stringify(image.manifest)),
        { "content-type": "application/vnd.docker.distribution.manifest.v2+json" },
        action,
        one,
      );
    }
    for (const [key, image] of images) {
      const bytes = key.startsWith(`${name}:`) ? image.blobs.get(reference) : undefined;
      if (bytes === undefined) continue;
      response
        .writeHead(307, {
          location: action.headers?.["location"] ?? `${cdnUrl}/registry/${reference.replace("sha256:", "")}?X-Signature=1`,
        })
        .end();
      return;
    }
    response.writeHead(404).end();
  }

  const listeners = { hub: listener("hub"), cdn: listener("cdn") };
  const servers = Object.values(listeners).map((each) => {
    const server = createServer({ maxHeaderSize: 4 * 1024 * 1024 }, each);
    server.on("connection", (socket) => {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => sockets.delete(socket));
    });
    return server;
  });
  const [hub, cdn] = /** @type {[import("node:http").Server, import("node:http").Server]} */ (servers);
  await new Promise((resolve) => hub.listen(port, "127.0.0.1", () => resolve(undefined)));
  await new Promise((resolve) => cdn.listen(0, "127.0.0.1", () => resolve(undefined)));
  const portOf = (/** @type {import("node:http").Server} */ server) =>
    /** @type {import("node:net").AddressInfo} */ (server.address()).port;
  const url = `http://127.0.0.1:${portOf(hub)}`;
  const cdnUrl = `http://127.0.0.1:${portOf(cdn)}`;

  return {
    url,
    cdnUrl,
    token,
    /** for a server that stands before this one */
    listeners,
    seen,
    files,
    repos,
    /** @param {string} name owner/repo @param {Repo} repo */
    addRepo(name, repo) {
      repos.set(name, repo);
      return commitOf(repo);
    },
    /** @param {string} name such as library/tiny:latest @param {readonly { mediaType: string, bytes: Uint8Array }[]} layers @param {Uint8Array} [config] */
    addImage(name, layers, config = Buffer.from("{}")) {
      const blobs = new Map();
      const describe = (/** @type {string} */ mediaType, /** @type {Uint8Array} */ bytes) => {
        const digest = `sha256:${hash("sha256", bytes)}`;
        blobs.set(digest, bytes);
        return { mediaType, digest, size: bytes.length };
      };
      const manifest = {
        schemaVersion: 2,
        mediaType: "application/vnd.docker.distribution.manifest.v2+json",
        config: describe("application/vnd.docker.container.image.v1+json", config),
        layers: layers.map(({ mediaType, bytes }) => describe(mediaType, bytes)),
      };
      images.set(name, { manifest, blobs });
      return manifest;
    },
    images,
    /** The next requests that match do these things instead, one each. @param {RegExp | string} match part of the path, or a pattern of "METHOD path" @param {Action[]} actions @param {"hub" | "cdn"} [host] */
    plan(match, actions, host) {
      plans.push({ match, actions: [...actions], ...(host === undefined ? {} : { host }) });
    },
    /** Forgets plans and what was seen. */
    reset() {
      plans = [];
      seen.length = 0;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
}

/** @param {string} folder @returns {Record<string, Uint8Array>} */
function readFolder(folder) {
  /** @type {Record<string, Uint8Array>} */
  const found = {};
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath ?? entry.path, entry.name);
    found[path.slice(folder.length + 1)] = readFileSync(path);
  }
  return found;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [port = "0", ...repos] = process.argv.slice(2);
  const server = await startFaultServer({ port: Number(port) });
  for (const repo of repos) {
    const [name = "", folder = ""] = repo.split("=");
    server.addRepo(name, { files: readFolder(folder.replace(/\/$/, "")) });
  }
  console.log(server.url);
}

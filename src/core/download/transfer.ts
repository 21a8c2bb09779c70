/**
 * One file from a server into the store: in parts, several at once, continuing where an earlier run stopped, under its final name only when every
 * byte was hashed. Every answer of the server is checked; each fault has its own code.
 */
import { abortedError, SpellError } from "../errors.ts";
import { discard, isUnpacked, parseSize, rangeHeaders, strongEtag } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import type { ArtifactStore, BlobFacts, Part } from "../platform.ts";
import { blobPath } from "./address.ts";
import { Arrived, type ArrivingFile } from "./arrived.ts";
import { failed } from "./json-request.ts";
import { type Answer, type Network, type RequestOptions, readBody, request } from "./request.ts";
import { createRetries, type Retries, type RetryOptions } from "./retry.ts";
import type { Span } from "./spans.ts";
import { changedError, rangeError, shortError, withKept, withName } from "./transfer-errors.ts";

export interface RemoteFile extends ArrivingFile, Pick<RequestOptions, "secret" | "isTrusted" | "allowHosts" | "gatePage"> {
  /** hash of git's blob, which hubs state for small files: 40 hex digits */
  readonly gitSha1?: string | undefined;
}

export interface TransferOptions extends Omit<RetryOptions, "clock"> {
  readonly maxParallel: number;
  /** bytes of one part of a long file; default limits.downloadPartBytes */
  readonly partBytes?: number | undefined;
  /** Fetches a stored file again, and replaces it once the new bytes are right. */
  readonly force?: boolean | undefined;
  /** @param total undefined while unknown */
  readonly onProgress?: ((done: number, total: number | undefined) => void) | undefined;
  /** Another process or tab fetches the same file. */
  readonly onWait?: (() => void) | undefined;
  readonly onVerify?: (() => void) | undefined;
}

export interface TransferResult extends BlobFacts {
  readonly verified: "sha256" | "size" | "none";
  /** bytes that came over the network in this run */
  readonly fetched: number;
}

/** New links from the hub in place of expired ones. */
const mostLinks = 5;

/** @throws SpellError net-*, store-*, spec-host, run-aborted; bytes that arrived are kept for the next run, unless they are known to be wrong */
export async function transferFile(
  file: RemoteFile,
  store: ArtifactStore,
  network: Network,
  options: TransferOptions,
): Promise<TransferResult> {
  const there = await lookDone(file, store, options);
  if (there !== undefined) return there;
  const key = file.sha256 ?? (await hashText(store, file.url));
  const { signal, onWait } = options;
  const fetchIt = async (): Promise<TransferResult> =>
    (await lookDone(file, store, options)) ?? new Transfer(file, await store.openPart(key), store, network, options).run();
  return store.withLock(`pull-${key}`, fetchIt, { signal, onWait });
}

async function lookDone(file: RemoteFile, store: ArtifactStore, { force }: TransferOptions): Promise<TransferResult | undefined> {
  if (force === true || file.sha256 === undefined) return undefined;
  const facts = await store.lookBlob(blobPath(`sha256:${file.sha256}`));
  if (facts === undefined || (file.size !== undefined && facts.size !== file.size)) return undefined;
  return { ...facts, verified: "sha256", fetched: 0 };
}

async function hashText(store: ArtifactStore, text: string): Promise<string> {
  const hash = await store.createHash("sha256");
  hash.update(new TextEncoder().encode(text));
  return hash.digest();
}

/**
 * The transfer starts again. With a refusal, the server gives no byte ranges, or wrong ones, and the whole file is asked for; without one, the bytes
 * that are here belong to another version of the file.
 */
class StartAgain extends Error {
  readonly refusal: SpellError | undefined;
  constructor(refusal?: SpellError) {
    super(refusal?.message);
    this.refusal = refusal;
  }
}

class Transfer {
  readonly #file: RemoteFile;
  readonly #store: ArtifactStore;
  readonly #network: Network;
  readonly #options: TransferOptions;
  readonly #retries: Retries;
  readonly #arrived: Arrived;
  #wholeOnly = false;
  #hasChanged = false;
  /** The length of the file is unknown: its end was taken for it. */
  #isUnsized = false;
  #links = 0;

  constructor(file: RemoteFile, part: Part, store: ArtifactStore, network: Network, options: TransferOptions) {
    this.#file = file;
    this.#store = store;
    this.#network = network;
    this.#options = options;
    const { signal, onRetry } = options;
    this.#retries = createRetries({ clock: network.clock, signal, onRetry });
    this.#arrived = new Arrived(file, part, {
      clock: network.clock,
      onBytes: (written, done, total) => {
        if (written > 0) this.#retries.progress(written);
        options.onProgress?.(done, total);
      },
    });
  }

  async run(): Promise<TransferResult> {
    const arrived = this.#arrived;
    let isWrong = false;
    try {
      await arrived.takeKept(this.#options.force === true);
      for (let attempt = 1; ; attempt += 1) {
        await this.#fetchAll();
        this.#options.onVerify?.();
        try {
          return await this.#commit();
        } catch (error) {
          if (!(error instanceof SpellError) || (error.code !== "net-hash" && error.code !== "net-size")) throw error;
          isWrong = true;
          // Once more from the start, without the bytes that were kept.
          if (attempt > 1) throw this.#hasChanged ? changedError(this.#file, error) : withName(error, this.#file);
          await arrived.restart();
          isWrong = false;
        }
      }
    } catch (error) {
      const isUseless = isWrong || (error instanceof SpellError && error.code === "net-too-big");
      const kept = isUseless ? 0 : arrived.bytes;
      await (isUseless ? arrived.discard() : arrived.release());
      throw withKept(error, this.#file, kept, arrived.size);
    }
  }

  async #fetchAll(): Promise<void> {
    if (this.#arrived.size === undefined) await this.#askSize();
    for (let restarts = 0; ; ) {
      try {
        if (this.#arrived.isComplete) return;
        if (this.#wholeOnly || this.#arrived.size === undefined) await this.#fetchWhole();
        else await this.#fetchRanges();
        this.#arrived.throwSaveError();
        return;
      } catch (error) {
        if (!(error instanceof StartAgain)) throw error;
        if (error.refusal === undefined) restarts += 1;
        else if (this.#wholeOnly) throw error.refusal;
        else this.#wholeOnly = true;
        if (restarts > 1) throw changedError(this.#file);
        this.#arrived.size = this.#file.size;
        await this.#arrived.restart();
      }
    }
  }

  /** The size from HEAD, where the server answers it; hubs state the size of the file behind their redirect. */
  async #askSize(): Promise<void> {
    await this.#trying(async () => {
      const answer = await request(this.#file.url, this.#network, { ...this.#requestOptions(), method: "HEAD" });
      await discard(answer.response);
      if (answer.response.status !== 200) return;
      const length = isUnpacked(answer.response) ? answer.response.headers.get("content-length") : null;
      const size = parseSize(answer.firstHeaders.get("x-linked-size")) ?? parseSize(length);
      if (size !== undefined) this.#arrived.size = size;
    });
  }

  /** One stream of the whole file, from its start. */
  async #fetchWhole(): Promise<void> {
    await this.#trying(async () => {
      await this.#arrived.restart();
      const answer = await this.#ask({});
      this.#checkAnswer(answer, 200);
      const length = await this.#checkLength(answer);
      this.#arrived.size ??= length;
      this.#arrived.etag = strongEtag(answer.response);
      await this.#take(answer, 0, this.#arrived.size);
      if (this.#arrived.size === undefined) {
        this.#arrived.size = this.#arrived.bytes;
        this.#isUnsized = true;
      } else if (!this.#arrived.isComplete) throw this.#cutError();
    });
  }

  /** Parts in the order of the file, several at once. */
  async #fetchRanges(): Promise<void> {
    const size = this.#arrived.size ?? 0;
    if (size === 0) {
      await this.#fetchWhole();
      return;
    }
    const partBytes = this.#options.partBytes ?? limits.downloadPartBytes;
    const isLong = size >= 2 * partBytes;
    const pieces = [...this.#arrived.missing(isLong ? partBytes : size)];
    const connections = Math.min(pieces.length, isLong ? this.#options.maxParallel : 1);
    const stop = new AbortController();
    const signal = this.#options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, this.#options.signal]);
    let failure: unknown;
    const work = async (): Promise<void> => {
      for (let piece = pieces.shift(); piece !== undefined && failure === undefined; piece = pieces.shift()) {
        try {
          await this.#fetchPiece(piece, signal);
        } catch (error) {
          failure ??= error;
          stop.abort();
        }
      }
    };
    await Promise.all(Array.from({ length: connections }, work));
    if (failure !== undefined) throw this.#options.signal?.aborted === true ? abortedError() : failure;
  }

  async #fetchPiece([from, to]: Span, signal: AbortSignal): Promise<void> {
    let at = from;
    await this.#trying(
      async () => {
        const size = this.#arrived.size ?? 0;
        const isWhole = at === 0 && to === size;
        const answer = await this.#ask(isWhole ? {} : rangeHeaders(at, to - 1, this.#arrived.etag), signal);
        if (answer.response.status === 416) return this.#takeUnsatisfied(answer);
        if (answer.response.status === 200 && !isWhole) {
          await discard(answer.response);
          // The version asked for with If-Range is gone, or the server has no ranges.
          this.#hasChanged ||= this.#arrived.etag !== undefined && strongEtag(answer.response) !== this.#arrived.etag;
          throw new StartAgain(rangeError(this.#file, "the server answered with the whole file"));
        }
        this.#checkAnswer(answer, isWhole ? 200 : 206);
        await this.#checkVersion(answer);
        if (isWhole) await this.#checkLength(answer);
        else await this.#checkRange(answer, at, to, size);
        at = await this.#take(answer, at, to, signal);
        if (at < to) throw this.#cutError();
      },
      signal,
      () => {
        // the bytes before the break are kept
        at = Math.min(to, this.#arrived.endFrom(at));
        return at >= to;
      },
    );
  }

  /** Tries again what may pass. @param isDone looked at before each further try */
  async #trying(work: () => Promise<void>, signal = this.#options.signal, isDone: () => boolean = () => false): Promise<void> {
    for (;;) {
      const before = this.#arrived.bytes;
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof SpellError) || signal?.aborted === true) throw error;
        await this.#retries.wait(error).catch((last: unknown) => {
          // Short each time, and no byte more the last time: then the connection is not the cause.
          const isShort = last === error && error.details?.["got"] !== undefined && this.#arrived.bytes === before;
          throw isShort ? error.with({ code: "net-size" }) : last;
        });
        if (isDone()) return;
      }
    }
  }

  /** Asks for the file. A link of the hub that has expired is replaced by a new one. */
  async #ask(headers: Readonly<Record<string, string>>, signal = this.#options.signal): Promise<Answer> {
    for (;;) {
      const answer = await request(this.#file.url, this.#network, { ...this.#requestOptions(), headers, signal });
      const { status } = answer.response;
      if (status === 200 || status === 206 || status === 416) return answer;
      const isElsewhere = answer.url.origin !== new URL(this.#file.url).origin;
      if (isElsewhere && [400, 401, 403, 410].includes(status) && this.#links < mostLinks) {
        this.#links += 1;
        await discard(answer.response);
        continue;
      }
      throw await failed(answer, this.#requestOptions(), this.#network);
    }
  }

  #requestOptions(): RequestOptions {
    const { path: what, secret, gatePage, isTrusted, allowHosts } = this.#file;
    return { what, secret, gatePage, isTrusted, allowHosts, signal: this.#options.signal };
  }

  #checkAnswer({ response, url }: Answer, wanted: 200 | 206): void {
    const { headers, status } = response;
    const isPage = /^text\/html\b/i.test(headers.get("content-type") ?? "") && !/\.html?$/i.test(this.#file.path);
    const refuse = (problem: string, hint?: string): SpellError => {
      void discard(response);
      const about = { where: url.host, hint, details: { status, host: url.host } };
      return new SpellError("net-status", `${this.#file.path}: ${problem}`, about);
    };
    const isHashed = (this.#file.sha256 ?? this.#file.gitSha1) !== undefined;
    if (!isUnpacked(response)) {
      // Unpacked on the way here; whether that gave the file, a hash tells, and nothing else does.
      const problem = `expected unpacked bytes, got Content-Encoding ${headers.get("content-encoding")}`;
      const hint = "The server has to send this file uncompressed: switch compression off for it.";
      if (!isHashed) throw refuse(problem, hint);
      if (status !== 200) throw new StartAgain(refuse(problem, hint)); // a range of packed bytes is none of the file
    }
    if (isPage) throw refuse(`${url.host} answered with a web page instead of the file; log in there, or check the address`);
    if (status !== wanted) throw refuse(`expected status ${wanted}, got ${status}`);
  }

  /** @returns the length the server announces; undefined where it states none */
  async #checkLength({ response }: Answer): Promise<number | undefined> {
    if (!isUnpacked(response)) return undefined; // of the packed bytes
    const got = parseSize(response.headers.get("content-length"));
    const wanted = this.#arrived.size ?? got;
    if (got === wanted || got === undefined || wanted === undefined) return got;
    await discard(response);
    const problem = `expected ${formatCount(wanted)} bytes, the server announces ${formatCount(got)}`;
    throw shortError(this.#file, problem, { wanted, got });
  }

  /** All parts must be of one version. */
  async #checkVersion({ response }: Answer): Promise<void> {
    const etag = strongEtag(response);
    const isFirst = this.#arrived.etag === undefined && this.#arrived.bytes === 0;
    if (isFirst) {
      this.#arrived.etag = etag;
      return;
    }
    // Without a version, only a hash that is known beforehand proves that the parts belong together.
    if (etag === this.#arrived.etag && (etag !== undefined || this.#file.sha256 !== undefined)) return;
    await discard(response);
    if (this.#arrived.etag === undefined) throw new StartAgain(rangeError(this.#file, "the server states no version of the file"));
    this.#hasChanged = true;
    throw new StartAgain();
  }

  async #checkRange({ response }: Answer, from: number, to: number, size: number): Promise<void> {
    const wanted = `bytes ${from}-${to - 1}/${size}`;
    const range = response.headers.get("content-range");
    if (range === wanted) return;
    await discard(response);
    const isMultipart = /^multipart\//i.test(response.headers.get("content-type") ?? "");
    const got = isMultipart ? "several parts" : (range ?? "no Content-Range");
    throw new StartAgain(rangeError(this.#file, `expected ${wanted}, got ${got}`));
  }

  /** 416: either all bytes are here, or the file has another length now. */
  async #takeUnsatisfied({ response }: Answer): Promise<void> {
    await discard(response);
    const size = parseSize(/^bytes \*\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1]);
    if (size !== undefined && size === this.#arrived.size && this.#arrived.isComplete) return;
    const isOther = size !== undefined && size !== this.#arrived.size;
    this.#hasChanged ||= isOther;
    throw new StartAgain(isOther ? undefined : rangeError(this.#file, "the server has no such range"));
  }

  async #take(answer: Answer, from: number, to: number | undefined, signal = this.#options.signal): Promise<number> {
    const body = readBody(answer, { what: this.#file.path, clock: this.#network.clock, signal });
    return this.#arrived.take(body, [from, to], answer.url.host);
  }

  /** A body that ended early without a broken connection. */
  #cutError(): SpellError {
    const [wanted, got] = [this.#arrived.size ?? 0, this.#arrived.bytes];
    return shortError(this.#file, `the body ended after ${formatCount(got)} of ${formatCount(wanted)} bytes`, { wanted, got });
  }

  async #commit(): Promise<TransferResult> {
    const { sha256, gitSha1 } = this.#file;
    if (sha256 === undefined && gitSha1 !== undefined) await this.#arrived.checkGitHash(gitSha1, this.#store);
    const facts = await this.#arrived.commit(this.#options.signal);
    const isHashed = sha256 !== undefined || gitSha1 !== undefined;
    return { ...facts, verified: isHashed ? "sha256" : this.#isUnsized ? "none" : "size", fetched: this.#arrived.fetched };
  }
}

/**
 * One file from a server into the store: in parts, several at once, going on where an earlier run stopped, and under its final name only when
 * every byte was hashed. What the server says is checked at every answer; what it does wrong ends in an exact code.
 */
import { abortedError, SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import type { ArtifactStore, BlobFacts, Part } from "../platform.ts";
import { blobPath } from "./address.ts";
import { failed } from "./json-request.ts";
import { type Answer, discard, type Network, type RequestOptions, readBody, request } from "./request.ts";
import { createRetries, type Retries } from "./retry.ts";
import { addSpan, missingSpans, type Span, spanBytes } from "./spans.ts";

export interface RemoteFile {
  /** its path in the model, for messages and manifests */
  readonly path: string;
  readonly url: string;
  /** bytes, where the source says */
  readonly size?: number;
  /** 64 hex digits, where the source or the user states them */
  readonly sha256?: string;
  /** hash of git's blob, which hubs state for small files: 40 hex digits */
  readonly gitSha1?: string;
  readonly secret?: string;
  readonly isTrusted?: boolean;
  readonly allowHosts?: readonly string[];
  readonly gatePage?: string;
}

export interface TransferOptions {
  readonly maxParallel: number;
  /** bytes of one part of a long file; default limits.downloadPartBytes */
  readonly partBytes?: number;
  /** Fetches again what is there; it is replaced once the new bytes are right. */
  readonly force?: boolean;
  readonly signal?: AbortSignal;
  /** @param total undefined while nobody knows */
  readonly onProgress?: (done: number, total: number | undefined) => void;
  readonly onRetry?: (error: SpellError, waitMs: number) => void;
  /** Another process or tab fetches the same file. */
  readonly onWait?: () => void;
  readonly onVerify?: () => void;
}

export interface TransferResult extends BlobFacts {
  readonly verified: "sha256" | "size" | "none";
  /** bytes that came over the network in this run */
  readonly fetched: number;
}

/** Bytes, and time, after which what is there is made durable and written down. */
const saveBytes = 16 * 1024 * 1024;
const saveMs = 2000;
/** Bytes collected before they are written and hashed. */
const writeBytes = 1024 * 1024;
/** Between two reports of progress, but for those of what was written. */
const reportMs = 200;
/** New links from the hub where one expired. */
const mostLinks = 5;

/** @throws SpellError net-*, store-*, spec-host, run-aborted; what arrived is kept for the next run, unless it is known to be wrong */
export async function transferFile(
  file: RemoteFile,
  store: ArtifactStore,
  network: Network,
  options: TransferOptions,
): Promise<TransferResult> {
  const there = await lookDone(file, store, options);
  if (there !== undefined) return there;
  const key = file.sha256 ?? (await hashText(store, file.url));
  const lockOptions = {
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onWait === undefined ? {} : { onWait: options.onWait }),
  };
  return store.withLock(
    `pull-${key}`,
    async () => {
      const meanwhile = await lookDone(file, store, options);
      if (meanwhile !== undefined) return meanwhile;
      const part = await store.openPart(key);
      const transfer = new Transfer(file, part, store, network, options);
      return transfer.run();
    },
    lockOptions,
  );
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

/** The server gives no ranges, or wrong ones: the whole file is asked for instead. */
class RangesRefused extends Error {
  readonly spell: SpellError;
  constructor(spell: SpellError) {
    super(spell.message);
    this.spell = spell;
  }
}

/** What is here belongs to another version of the file. */
class Outdated extends Error {}

class Transfer {
  private readonly file: RemoteFile;
  private readonly part: Part;
  private readonly store: ArtifactStore;
  private readonly network: Network;
  private readonly options: TransferOptions;
  private readonly retries: Retries;
  private size: number | undefined;
  private etag: string | undefined;
  private done: readonly Span[] = [];
  private fetched = 0;
  /** bytes that came and are not written yet, of all ranges */
  private held = 0;
  private lastReport = Number.NEGATIVE_INFINITY;
  private unsaved = 0;
  private lastSave: number;
  private saving: Promise<void> | undefined;
  private saveError: unknown;
  private wholeOnly = false;
  private hasChanged = false;
  private links = 0;

  constructor(file: RemoteFile, part: Part, store: ArtifactStore, network: Network, options: TransferOptions) {
    this.file = file;
    this.part = part;
    this.store = store;
    this.network = network;
    this.options = options;
    this.size = file.size;
    this.lastSave = network.clock.now();
    this.retries = createRetries({
      clock: network.clock,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      ...(options.onRetry === undefined ? {} : { onRetry: options.onRetry }),
    });
  }

  async run(): Promise<TransferResult> {
    let isWrong = false;
    try {
      await this.takeKept();
      for (let attempt = 1; ; attempt += 1) {
        await this.fetchAll();
        this.options.onVerify?.();
        try {
          return await this.commit();
        } catch (error) {
          if (!(error instanceof SpellError) || (error.code !== "net-hash" && error.code !== "net-size")) throw error;
          isWrong = true;
          // Once more from the start, without anything that was kept.
          if (attempt > 1) throw this.hasChanged ? this.changedError(error) : this.named(error);
          await this.restart();
          isWrong = false;
        }
      }
    } catch (error) {
      const isUseless = isWrong || (error instanceof SpellError && error.code === "net-too-big");
      await this.saving?.catch(() => undefined);
      if (isUseless) await this.part.discard();
      else {
        await this.save().catch(() => undefined);
        await this.part.release();
      }
      throw this.withKept(error, isUseless);
    }
  }

  /** Goes on with an earlier run's bytes, where they are of the same file. */
  private async takeKept(): Promise<void> {
    const { kept } = this.part;
    const isSame =
      kept !== undefined &&
      this.options.force !== true &&
      (this.file.sha256 === undefined ? kept.url === this.file.url && kept.etag !== undefined : kept.sha256 === this.file.sha256) &&
      (this.size === undefined || kept.size === undefined || kept.size === this.size);
    if (!isSame) {
      if (kept !== undefined) await this.part.truncate(0);
      return;
    }
    this.done = kept.done;
    this.etag = kept.etag;
    this.size ??= kept.size;
    if (this.size !== undefined && (this.done.at(-1)?.[1] ?? 0) > this.size) await this.restart();
    this.report();
  }

  private async fetchAll(): Promise<void> {
    if (this.size === undefined) await this.askSize();
    for (let restarts = 0; ; ) {
      try {
        if (this.isComplete()) return;
        if (this.wholeOnly || this.size === undefined) await this.fetchWhole();
        else await this.fetchRanges();
        if (this.saveError !== undefined) throw this.saveError;
        return;
      } catch (error) {
        if (error instanceof RangesRefused) {
          if (this.wholeOnly) throw error.spell;
          this.wholeOnly = true;
          this.size = this.file.size;
          await this.restart();
        } else if (error instanceof Outdated) {
          restarts += 1;
          if (restarts > 1) throw this.changedError();
          await this.restart();
          this.size = this.file.size;
        } else throw error;
      }
    }
  }

  private isComplete(): boolean {
    return this.size !== undefined && missingSpans(this.done, this.size, this.size + 1).length === 0;
  }

  /** HEAD says size and version, where it is answered; hubs say size and hash of what lies behind their redirect. */
  private async askSize(): Promise<void> {
    await this.trying(async () => {
      const answer = await request(this.file.url, this.network, { ...this.requestOptions(), method: "HEAD" });
      await discard(answer.response);
      if (answer.response.status !== 200) return;
      const size = parseSize(answer.firstHeaders.get("x-linked-size")) ?? parseSize(answer.response.headers.get("content-length"));
      if (size !== undefined) this.size = size;
    });
  }

  /** One stream of the whole file, from its start. */
  private async fetchWhole(): Promise<void> {
    await this.trying(async () => {
      await this.restart();
      const answer = await this.ask({});
      this.checkAnswer(answer, 200);
      const length = parseSize(answer.response.headers.get("content-length"));
      if (this.size !== undefined && length !== undefined && length !== this.size) {
        await discard(answer.response);
        throw this.sizeError(length);
      }
      this.size ??= length;
      this.etag = strongEtag(answer.response) ?? undefined;
      await this.take(answer, 0, this.size);
      if (this.size === undefined) this.size = spanBytes(this.done);
      else if (!this.isComplete()) throw this.cutError();
    });
  }

  /** Parts in the order of the file, several at once. */
  private async fetchRanges(): Promise<void> {
    const size = this.size ?? 0;
    if (size === 0) {
      await this.fetchWhole();
      return;
    }
    const partBytes = this.options.partBytes ?? limits.downloadPartBytes;
    const isLong = size >= 2 * partBytes;
    const pieces = [...missingSpans(this.done, size, isLong ? partBytes : size)];
    const connections = Math.min(pieces.length, isLong ? this.options.maxParallel : 1);
    const stop = new AbortController();
    const signal = this.options.signal === undefined ? stop.signal : AbortSignal.any([stop.signal, this.options.signal]);
    let failure: unknown;
    const work = async (): Promise<void> => {
      for (let piece = pieces.shift(); piece !== undefined && failure === undefined; piece = pieces.shift()) {
        try {
          await this.fetchPiece(piece, signal);
        } catch (error) {
          failure ??= error;
          stop.abort();
        }
      }
    };
    await Promise.all(Array.from({ length: connections }, work));
    if (failure !== undefined) throw this.options.signal?.aborted === true ? abortedError() : failure;
  }

  private async fetchPiece([from, to]: Span, signal: AbortSignal): Promise<void> {
    let at = from;
    await this.trying(
      async () => {
        const size = this.size ?? 0;
        const isWhole = at === 0 && to === size;
        const answer = await this.ask(
          isWhole ? {} : { range: `bytes=${at}-${to - 1}`, ...(this.etag === undefined ? {} : { "if-range": this.etag }) },
          signal,
        );
        if (answer.response.status === 416) return this.takeUnsatisfied(answer);
        if (answer.response.status === 200 && !isWhole) {
          await discard(answer.response);
          // The version asked for with If-Range is no more, or the server knows no ranges.
          const etag = strongEtag(answer.response);
          if (this.etag !== undefined && etag !== this.etag) this.hasChanged = true;
          throw new RangesRefused(this.rangeError("it answered with the whole file"));
        }
        this.checkAnswer(answer, isWhole ? 200 : 206);
        await this.checkVersion(answer);
        if (isWhole) {
          const length = parseSize(answer.response.headers.get("content-length"));
          if (length !== undefined && length !== size) {
            await discard(answer.response);
            throw this.sizeError(length);
          }
        } else await this.checkRange(answer, at, to, size);
        at = await this.take(answer, at, to, signal);
        if (at < to) throw this.cutError();
      },
      signal,
      () => {
        // what came before the break stays
        const here = this.done.find(([start, end]) => start <= at && end > at);
        at = Math.min(to, here?.[1] ?? at);
        return at >= to;
      },
    );
  }

  /** Tries again what may pass. @param isDone looked at before each further try */
  private async trying(work: () => Promise<void>, signal = this.options.signal, isDone: () => boolean = () => false): Promise<void> {
    for (;;) {
      try {
        await work();
        return;
      } catch (error) {
        if (!(error instanceof SpellError)) throw error;
        if (signal?.aborted === true) throw error;
        const asked = error.details?.["retryAfterMs"];
        await this.retries.wait(error, typeof asked === "number" ? asked : undefined).catch((last: unknown) => {
          // Short each time: then it is no broken connection.
          throw last === error && error.details?.["got"] !== undefined
            ? new SpellError("net-size", error.message, { details: error.details, cause: error })
            : last;
        });
        if (isDone()) return;
      }
    }
  }

  /** Asks for the file. A link of the hub that has expired is replaced by a new one. */
  private async ask(headers: Readonly<Record<string, string>>, signal = this.options.signal): Promise<Answer> {
    for (;;) {
      const answer = await request(this.file.url, this.network, {
        ...this.requestOptions(),
        headers,
        ...(signal === undefined ? {} : { signal }),
      });
      const { status } = answer.response;
      if (status === 200 || status === 206 || status === 416) return answer;
      const isElsewhere = answer.url.origin !== new URL(this.file.url).origin;
      if (isElsewhere && (status === 400 || status === 401 || status === 403 || status === 410) && this.links < mostLinks) {
        this.links += 1;
        await discard(answer.response);
        continue;
      }
      throw await failed(answer, { what: this.file.path, ...this.secrets() }, this.network);
    }
  }

  private requestOptions(): RequestOptions {
    const { signal } = this.options;
    return {
      what: this.file.path,
      ...this.secrets(),
      ...(this.file.isTrusted === undefined ? {} : { isTrusted: this.file.isTrusted }),
      ...(this.file.allowHosts === undefined ? {} : { allowHosts: this.file.allowHosts }),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  private secrets(): { readonly secret?: string; readonly gatePage?: string } {
    const { secret, gatePage } = this.file;
    return { ...(secret === undefined ? {} : { secret }), ...(gatePage === undefined ? {} : { gatePage }) };
  }

  private checkAnswer({ response, url }: Answer, wanted: 200 | 206): void {
    const { headers, status } = response;
    const encoding = headers.get("content-encoding");
    const refuse = (problem: string): SpellError => {
      void discard(response);
      return new SpellError("net-status", `${this.file.path}: ${problem}`, { where: url.host, details: { status, host: url.host } });
    };
    if (encoding !== null && encoding !== "identity") throw refuse(`wanted the bytes as they are; got Content-Encoding ${encoding}`);
    const type = headers.get("content-type") ?? "";
    if (/^text\/html\b/i.test(type) && !/\.html?$/i.test(this.file.path)) {
      throw refuse(`${url.host} answered with a web page instead of the file; log in there, or check the address`);
    }
    if (status !== wanted) throw refuse(`wanted status ${wanted}; got ${status}`);
  }

  /** All parts must be of one version. */
  private async checkVersion({ response }: Answer): Promise<void> {
    const etag = strongEtag(response);
    const isFirst = this.etag === undefined && this.done.length === 0;
    if (isFirst) {
      this.etag = etag;
      return;
    }
    // Without a version, only a hash that is known beforehand guards what is put together.
    if (etag === this.etag && (etag !== undefined || this.file.sha256 !== undefined)) return;
    await discard(response);
    if (this.etag === undefined) throw new RangesRefused(this.rangeError("it names no version of the file"));
    this.hasChanged = true;
    throw new Outdated();
  }

  private async checkRange({ response }: Answer, from: number, to: number, size: number): Promise<void> {
    const got = response.headers.get("content-range");
    const wanted = `bytes ${from}-${to - 1}/${size}`;
    if (got === wanted) return;
    await discard(response);
    const isMultipart = /^multipart\//i.test(response.headers.get("content-type") ?? "");
    throw new RangesRefused(this.rangeError(`wanted ${wanted}; got ${isMultipart ? "several parts" : (got ?? "no Content-Range")}`));
  }

  /** 416: either everything is here, or the file has another length now. */
  private async takeUnsatisfied({ response }: Answer): Promise<void> {
    await discard(response);
    const size = parseSize(/^bytes \*\/(\d+)$/.exec(response.headers.get("content-range") ?? "")?.[1] ?? null);
    if (size !== undefined && size === this.size && this.isComplete()) return;
    this.hasChanged ||= size !== undefined && size !== this.size;
    throw new Outdated();
  }

  /** Writes a body. @returns where it ended */
  private async take(answer: Answer, from: number, to: number | undefined, signal = this.options.signal): Promise<number> {
    const { path } = this.file;
    let at = from;
    let buffer = new Uint8Array(writeBytes);
    let filled = 0;
    /** bytes that came and are not written yet */
    let held = 0;
    let writing: Promise<void> = Promise.resolve();
    const flush = async (): Promise<void> => {
      if (filled === 0) return;
      const [bytes, offset] = [buffer.subarray(0, filled), at - filled];
      buffer = new Uint8Array(writeBytes);
      filled = 0;
      await writing;
      writing = this.part.write(offset, bytes).then(() => {
        held -= bytes.byteLength;
        this.held -= bytes.byteLength;
        this.wrote(offset, bytes.byteLength);
      });
      writing.catch(() => undefined); // told by the next flush
    };
    try {
      for await (const chunk of readBody(answer, { what: path, clock: this.network.clock, ...(signal === undefined ? {} : { signal }) })) {
        this.fetched += chunk.byteLength;
        const isTooLong = to !== undefined && at + chunk.byteLength > to;
        if (isTooLong) {
          throw new SpellError("net-too-big", `${path}: wanted ${formatCount(to - from)} bytes; ${answer.url.host} sends more`, {
            where: answer.url.host,
            details: { wanted: to - from },
          });
        }
        if (at + chunk.byteLength > limits.fileBytes)
          throw new SpellError("net-too-big", `${path}: it does not end`, { where: answer.url.host });
        held += chunk.byteLength;
        this.held += chunk.byteLength;
        this.reportNowAndThen();
        let used = 0;
        while (used < chunk.byteLength) {
          const count = Math.min(writeBytes - filled, chunk.byteLength - used);
          buffer.set(chunk.subarray(used, used + count), filled);
          filled += count;
          used += count;
          at += count;
          if (filled === writeBytes) await flush();
        }
        this.saveNowAndThen();
        if (this.saveError !== undefined) throw this.saveError;
      }
      await flush();
      await writing;
      return at;
    } catch (error) {
      await flush().catch(() => undefined);
      await writing.catch(() => undefined);
      throw error;
    } finally {
      this.held -= held;
    }
  }

  private wrote(offset: number, length: number): void {
    this.done = addSpan(this.done, offset, offset + length);
    this.unsaved += length;
    this.retries.progress(length);
    this.report();
  }

  private report(): void {
    this.lastReport = this.network.clock.now();
    this.options.onProgress?.(spanBytes(this.done) + this.held, this.size);
  }

  /** On a slow line a mebibyte, which is written at once, takes seconds. */
  private reportNowAndThen(): void {
    if (this.network.clock.now() - this.lastReport >= reportMs) this.report();
  }

  private saveNowAndThen(): void {
    const { clock } = this.network;
    if (this.saving !== undefined || (this.unsaved < saveBytes && clock.now() - this.lastSave < saveMs)) return;
    this.lastSave = clock.now();
    this.saving = this.save()
      .catch((error: unknown) => {
        this.saveError = error;
      })
      .finally(() => {
        this.saving = undefined;
      });
  }

  private async save(): Promise<void> {
    this.unsaved = 0;
    await this.part.save({
      url: this.file.url,
      done: this.done,
      ...(this.etag === undefined ? {} : { etag: this.etag }),
      ...(this.size === undefined ? {} : { size: this.size }),
      ...(this.file.sha256 === undefined ? {} : { sha256: this.file.sha256 }),
    });
  }

  private async restart(): Promise<void> {
    await this.saving?.catch(() => undefined);
    if (this.done.length > 0) await this.part.truncate(0);
    this.done = [];
    this.etag = undefined;
    this.report();
  }

  private async commit(): Promise<TransferResult> {
    await this.saving?.catch(() => undefined);
    const size = this.size ?? spanBytes(this.done);
    const { sha256, gitSha1 } = this.file;
    if (sha256 === undefined && gitSha1 !== undefined) await this.checkGitHash(gitSha1, size);
    const facts = await this.part.commit({ size, ...(sha256 === undefined ? {} : { sha256 }) }, this.options.signal);
    const isHashed = sha256 !== undefined || gitSha1 !== undefined;
    return { ...facts, verified: isHashed ? "sha256" : "size", fetched: this.fetched };
  }

  /** Source: git's object format: "blob SIZE\0" and the bytes. */
  private async checkGitHash(wanted: string, size: number): Promise<void> {
    const hash = await this.store.createHash("sha1");
    hash.update(new TextEncoder().encode(`blob ${size}\0`));
    for (let at = 0; at < size; at += writeBytes) hash.update(await this.part.read(at, Math.min(writeBytes, size - at)));
    const got = hash.digest();
    if (got !== wanted) {
      throw new SpellError("net-hash", `wanted git hash ${wanted}; got ${got}`, { details: { wanted, got } });
    }
  }

  private named(error: SpellError): SpellError {
    return new SpellError(error.code, `${this.file.path}: ${error.message}`, {
      where: this.file.path,
      cause: error,
      ...(error.details === undefined ? {} : { details: error.details }),
    });
  }

  private changedError(cause?: SpellError): SpellError {
    return new SpellError(
      "net-changed",
      `${this.file.path} changed at its source while it was fetched${cause === undefined ? "" : `: ${cause.message}`}`,
      {
        where: this.file.path,
        ...(cause === undefined ? {} : { cause, ...(cause.details === undefined ? {} : { details: cause.details }) }),
      },
    );
  }

  /** The server announces another length than the source: a passing fault, or not. */
  private sizeError(got: number): SpellError {
    return this.shortError(`wanted ${formatCount(this.size ?? 0)} bytes; the server announces ${formatCount(got)}`, got);
  }

  /** A body that ended early without a broken connection. */
  private cutError(): SpellError {
    const got = spanBytes(this.done);
    return this.shortError(`the body ended after ${formatCount(got)} of ${formatCount(this.size ?? 0)} bytes`, got);
  }

  /** Tried again like a break; told as net-size if it stays. */
  private shortError(problem: string, got: number): SpellError {
    return new SpellError("net-reset", `${this.file.path}: ${problem}`, { where: this.file.path, details: { wanted: this.size, got } });
  }

  private rangeError(problem: string): SpellError {
    return new SpellError("net-range", `${this.file.path}: ${problem}`, { where: this.file.path });
  }

  /** Says what is kept for the next run. */
  private withKept(error: unknown, isUseless: boolean): unknown {
    if (!(error instanceof SpellError)) return error;
    const kept = isUseless ? 0 : spanBytes(this.done);
    return new SpellError(error.code, error.message, {
      hint: error.hint,
      commands: error.commands,
      ...(error.where === undefined ? {} : { where: error.where }),
      details: { ...error.details, file: this.file.path, keptBytes: kept, ...(this.size === undefined ? {} : { totalBytes: this.size }) },
      cause: error,
    });
  }
}

/** @returns undefined for weak ones and for none: only a strong one says that bytes are the same */
function strongEtag(response: Response): string | undefined {
  const etag = response.headers.get("etag");
  return etag !== null && /^"[\x21\x23-\x7e]{1,200}"$/.test(etag) ? etag : undefined;
}

function parseSize(text: string | null): number | undefined {
  if (text === null || !/^\d{1,16}$/.test(text)) return undefined;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : undefined;
}

/**
 * What has arrived of one file: its bytes in a part of the store, and which bytes they are, saved now and then so that the next run continues
 * there. Knows nothing of requests.
 */
import { SpellError } from "../errors.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import type { ArtifactStore, BlobFacts, Part } from "../platform.ts";
import type { Clock } from "./clock.ts";
import { hashBytes } from "./hash-bytes.ts";
import { addSpan, missingSpans, type Span, spanBytes } from "./spans.ts";

/** Bytes, and time, after which the bytes are made durable and recorded. */
const saveBytes = 16 * 1024 * 1024;
const saveMs = 2000;
/** Bytes collected before they are written and hashed. */
const writeBytes = 1024 * 1024;
/** Least time between two reports of progress of bytes that are not written yet. */
const reportMs = 200;

export interface ArrivingFile {
  /** its path in the model, for messages and manifests */
  readonly path: string;
  readonly url: string;
  /** bytes, where the source says */
  readonly size?: number | undefined;
  /** 64 hex digits, where the source or the user states them */
  readonly sha256?: string | undefined;
}

export interface ArrivedOptions {
  readonly clock: Clock;
  /** Called as bytes arrive. @param written bytes written just now @param total undefined while unknown */
  readonly onBytes: (written: number, done: number, total: number | undefined) => void;
}

/** Owner of a part: ends with commit(), release() or discard(). */
export class Arrived {
  /** bytes of the whole file, as far as known */
  size: number | undefined;
  /** strong etag of what is here */
  etag: string | undefined;
  /** bytes that came over the network in this run */
  fetched = 0;
  readonly #file: ArrivingFile;
  readonly #part: Part;
  readonly #options: ArrivedOptions;
  #done: readonly Span[] = [];
  /** bytes that came and are not written yet, of all ranges */
  #held = 0;
  #lastReport = Number.NEGATIVE_INFINITY;
  #unsaved = 0;
  #lastSave: number;
  #saving: Promise<void> | undefined;
  #saveError: unknown;

  constructor(file: ArrivingFile, part: Part, options: ArrivedOptions) {
    this.#file = file;
    this.#part = part;
    this.#options = options;
    this.#lastSave = options.clock.now();
    this.size = file.size;
  }

  get bytes(): number {
    return spanBytes(this.#done);
  }

  get isComplete(): boolean {
    return this.size !== undefined && this.missing(this.size + 1).length === 0;
  }

  /** Missing ranges, in the order of the file, in pieces of at most so many bytes. */
  missing(pieceBytes: number): readonly Span[] {
    return missingSpans(this.#done, this.size ?? 0, pieceBytes);
  }

  /** @returns the end of the bytes that are here from `at` on; `at` itself where that byte is missing */
  endFrom(at: number): number {
    return this.#done.find(([start, end]) => start <= at && end > at)?.[1] ?? at;
  }

  /** Takes over the bytes of an earlier run, where they are of the same file. @param isAnew drops them in any case */
  async takeKept(isAnew: boolean): Promise<void> {
    const { kept } = this.#part;
    const { sha256, url } = this.#file;
    const isSame =
      kept !== undefined &&
      !isAnew &&
      (sha256 === undefined ? kept.url === url && kept.etag !== undefined : kept.sha256 === sha256) &&
      (this.size === undefined || kept.size === undefined || kept.size === this.size);
    if (!isSame) {
      if (kept !== undefined) await this.#part.truncate(0);
      return;
    }
    this.#done = kept.done;
    this.etag = kept.etag;
    this.size ??= kept.size;
    if (this.size !== undefined && (this.#done.at(-1)?.[1] ?? 0) > this.size) await this.restart();
    this.#report(0);
  }

  /**
   * Writes a body.
   * @param span where it begins, and where it must end if that is known
   * @param host for messages
   * @returns where it ended
   * @throws SpellError net-too-big, store-*, and errors of the body; the bytes before it are kept
   */
  async take(body: AsyncIterable<Uint8Array>, span: readonly [number, number | undefined], host: string): Promise<number> {
    const { path } = this.#file;
    const [from, to] = span;
    let at = from;
    let buffer = new Uint8Array(writeBytes);
    let filled = 0;
    let held = 0; // of this body
    const hold = (count: number): void => {
      held += count;
      this.#held += count;
    };
    let writing: Promise<void> = Promise.resolve();
    const flush = async (): Promise<void> => {
      if (filled === 0) return;
      const [bytes, offset] = [buffer.subarray(0, filled), at - filled];
      buffer = new Uint8Array(writeBytes);
      filled = 0;
      await writing;
      writing = this.#part.write(offset, bytes).then(() => {
        hold(-bytes.byteLength);
        this.#wrote(offset, bytes.byteLength);
      });
      writing.catch(() => undefined); // thrown by the next flush
    };
    try {
      for await (const chunk of body) {
        this.fetched += chunk.byteLength;
        if (to !== undefined && at + chunk.byteLength > to) {
          const message = `${path}: expected ${formatCount(to - from)} bytes, got more from ${host}`;
          throw new SpellError("net-too-big", message, { where: host, details: { wanted: to - from } });
        }
        if (at + chunk.byteLength > limits.fileBytes) throw new SpellError("net-too-big", `${path}: endless answer`, { where: host });
        hold(chunk.byteLength);
        // On a slow line the mebibyte that is written at once takes seconds.
        if (this.#options.clock.now() - this.#lastReport >= reportMs) this.#report(0);
        let used = 0;
        while (used < chunk.byteLength) {
          const count = Math.min(writeBytes - filled, chunk.byteLength - used);
          buffer.set(chunk.subarray(used, used + count), filled);
          filled += count;
          used += count;
          at += count;
          if (filled === writeBytes) await flush();
        }
        this.#saveNowAndThen();
        this.throwSaveError();
      }
      await flush();
      await writing;
      return at;
    } catch (error) {
      await flush().catch(() => undefined);
      await writing.catch(() => undefined);
      throw error;
    } finally {
      hold(-held);
    }
  }

  /** Throws the error of a save that ran beside the download. @throws SpellError store-* */
  throwSaveError(): void {
    if (this.#saveError !== undefined) throw this.#saveError;
  }

  /** Forgets everything that is here. */
  async restart(): Promise<void> {
    await this.#settle();
    if (this.#done.length > 0) await this.#part.truncate(0);
    this.#done = [];
    this.etag = undefined;
    this.#report(0);
  }

  /** @throws SpellError net-size, net-hash: nothing was stored, the part is still owned */
  async commit(signal: AbortSignal | undefined): Promise<BlobFacts> {
    await this.#settle();
    return this.#part.commit({ size: this.size ?? this.bytes, sha256: this.#file.sha256 }, signal);
  }

  /** @throws SpellError net-hash */
  async checkGitHash(wanted: string, store: ArtifactStore): Promise<void> {
    await this.#settle();
    const got = await hashBytes({ size: this.size ?? this.bytes, read: (offset, length) => this.#part.read(offset, length) }, store, "git");
    if (got !== wanted) throw new SpellError("net-hash", `expected git hash ${wanted}, got ${got}`, { details: { wanted, got } });
  }

  /** Leaves it for the next run. */
  async release(): Promise<void> {
    await this.#settle();
    await this.#save().catch(() => undefined);
    await this.#part.release();
  }

  async discard(): Promise<void> {
    await this.#settle();
    await this.#part.discard();
  }

  async #settle(): Promise<void> {
    await this.#saving?.catch(() => undefined);
  }

  #wrote(offset: number, length: number): void {
    this.#done = addSpan(this.#done, offset, offset + length);
    this.#unsaved += length;
    this.#report(length);
  }

  #report(written: number): void {
    this.#lastReport = this.#options.clock.now();
    this.#options.onBytes(written, this.bytes + this.#held, this.size);
  }

  #saveNowAndThen(): void {
    const { clock } = this.#options;
    if (this.#saving !== undefined || (this.#unsaved < saveBytes && clock.now() - this.#lastSave < saveMs)) return;
    this.#lastSave = clock.now();
    this.#saving = this.#save()
      .catch((error: unknown) => {
        this.#saveError = error;
      })
      .finally(() => {
        this.#saving = undefined;
      });
  }

  async #save(): Promise<void> {
    const { url, sha256 } = this.#file;
    this.#unsaved = 0;
    await this.#part.save({ url, done: this.#done, etag: this.etag, size: this.size, sha256 });
  }
}

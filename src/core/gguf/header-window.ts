/**
 * The part of a file that the header reader looks at: a window that moves forwards and grows by ranged reads.
 * What lies behind the position is let go, so a long header costs no more memory than its longest value.
 */
import { abortedError, type ErrorCode, type SpellError } from "../errors.ts";
import { type ByteSource, truncated } from "../formats/byte-source.ts";
import { formatCount } from "../formats/format-count.ts";
import { limits } from "../limits.ts";
import { ggufError } from "./defect.ts";

/** Thrown by a parse that needs bytes which are in the file and not yet in the window; `attempt` catches it. */
class NeedBytes extends Error {
  readonly count: number;
  constructor(count: number) {
    super("more bytes needed");
    this.count = count;
  }
}

export class HeaderWindow {
  readonly source: ByteSource;
  /** Where the next value is read, counted from the start of the file. */
  position = 0;
  bytes: Uint8Array = new Uint8Array(0);
  /** Of the first byte of `bytes`, counted from the start of the file. */
  base = 0;
  /** Harmless oddities, in sentences. A step that runs again adds the same. */
  readonly notes: Set<string> = new Set();
  readonly #signal: AbortSignal | undefined;
  /** Of `bytes`. */
  view: DataView = new DataView(this.bytes.buffer);
  #nextRead: number = limits.ggufFirstReadBytes;

  constructor(source: ByteSource, signal: AbortSignal | undefined) {
    this.source = source;
    this.#signal = signal;
  }

  /**
   * Runs a parse step; when the window is too short for it, reads on and runs it again from the same position.
   * @param parse without effects before it succeeds
   * @throws SpellError of the step or of the source, run-aborted
   */
  async attempt<T>(parse: () => T): Promise<T> {
    for (;;) {
      const start = this.position;
      try {
        return parse();
      } catch (error) {
        await this.#growAfter(error, start);
      }
    }
  }

  /** The same, `count` times over, for steps so short that waiting after each would cost more than the step. */
  async attemptEach(count: number, parse: () => void): Promise<void> {
    for (let done = 0; done < count; ) {
      const start = this.position;
      try {
        parse();
        done += 1;
      } catch (error) {
        await this.#growAfter(error, start);
      }
    }
  }

  /**
   * Proves that `count` bytes from the position on are in the window.
   * @throws SpellError gguf-truncated when the file ends before, gguf-count when the header is longer than allowed
   */
  require(count: number): void {
    if (this.position + count <= this.base + this.bytes.length) return;
    this.#requireInFile(count);
    throw new NeedBytes(count);
  }

  /** An error about this file. @param message the place, expected, got */
  error(code: ErrorCode, message: string, details?: Readonly<Record<string, unknown>>): SpellError {
    return ggufError(code, this.source, message, { details });
  }

  #requireInFile(count: number): void {
    const end = this.position + count;
    if (end > this.source.size) throw truncated(this.source, this.position, count, this.source.size);
    if (end > limits.ggufHeaderBytes) {
      const limit = limits.ggufHeaderBytes;
      throw this.error("gguf-count", `expected a header of at most ${formatCount(limit)} bytes, got a longer one`, { limit });
    }
  }

  uint32(): number {
    const { view, at } = this.fixed(4);
    return view.getUint32(at, true);
  }

  /** @returns undefined above 2^53 − 1; lastUint64 tells the number then */
  uint64(): number | undefined {
    const { view, at } = this.fixed(8);
    const low = view.getUint32(at, true);
    const high = view.getUint32(at + 4, true);
    // 21 bits above the lower 32 make 53: exact in a double
    return high < 0x20_0000 ? high * 0x1_0000_0000 + low : undefined;
  }

  /** The 64 bits just read, for messages. */
  lastUint64(): bigint {
    return this.view.getBigUint64(this.position - this.base - 8, true);
  }

  /** A view of the window: valid until the next attempt. */
  take(count: number): Uint8Array {
    const { at } = this.fixed(count);
    return this.bytes.subarray(at, at + count);
  }

  /**
   * Copies the next `count` bytes as they come, so that a long value needs no longer a window than a short one.
   * @throws SpellError as require(), before anything is allocated; those of the source, run-aborted
   */
  async copy(count: number): Promise<Uint8Array> {
    this.#requireInFile(count);
    const copy = new Uint8Array(count);
    for (let done = 0; done < count; ) {
      const part = await this.attempt(() => {
        const here = this.base + this.bytes.length - this.position;
        return this.take(Math.min(count - done, Math.max(here, 1)));
      });
      copy.set(part, done);
      done += part.length;
    }
    return copy;
  }

  /** Reads values of fixed size through a DataView. @returns the view and the place in it; the position moves on */
  fixed(count: number): { readonly view: DataView; readonly at: number } {
    this.require(count);
    const at = this.position - this.base;
    this.position += count;
    return { view: this.view, at };
  }

  async #growAfter(error: unknown, start: number): Promise<void> {
    if (!(error instanceof NeedBytes)) throw error;
    this.position = start;
    await this.#grow(error.count);
  }

  async #grow(count: number): Promise<void> {
    if (this.#signal?.aborted === true) throw abortedError();
    const kept = this.bytes.subarray(Math.min(this.bytes.length, this.position - this.base));
    const end = this.base + this.bytes.length;
    const wanted = Math.max(count - kept.length, this.#nextRead);
    const more = await this.source.read(end, Math.min(wanted, Math.min(this.source.size, limits.ggufHeaderBytes) - end), this.#signal);
    this.#nextRead = Math.min(this.#nextRead * 2, limits.ggufMaxReadBytes);
    if (kept.length === 0) {
      this.bytes = more;
    } else {
      this.bytes = new Uint8Array(kept.length + more.length);
      this.bytes.set(kept);
      this.bytes.set(more, kept.length);
    }
    this.base = end - kept.length;
    this.view = new DataView(this.bytes.buffer, this.bytes.byteOffset, this.bytes.length);
  }
}

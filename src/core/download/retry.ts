/** When a request is tried again, and after how long. */
import { abortedError, SpellError } from "../errors.ts";
import type { Clock } from "./clock.ts";

/** Tries in a row without progress; this much progress resets the count. */
export const retryLimits = {
  tries: 5,
  progressBytes: 1_048_576,
  firstWaitMs: 500,
  longestWaitMs: 30_000,
  longestAskedMs: 120_000,
} as const;

const retryStatus: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

export function isRetryStatus(status: number): boolean {
  return retryStatus.has(status);
}

/**
 * Seconds or a date, as servers ask for a pause.
 * @returns milliseconds, at least 0; undefined for what is neither
 */
export function parseRetryAfter(text: string | null, wallTime: number): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text.trim()) * 1000;
  if (!/^[A-Za-z]{3,9}, /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallTime);
}

export interface Retries {
  /** Tells of bytes that arrived for good. */
  progress(bytes: number): void;
  readonly hasProgressed: boolean;
  /**
   * Waits before the next try.
   * @param asked what the server asked for, in milliseconds
   * @throws the error itself when it is final: not of a kind that passes, or the last try; net-rate when the server asks for too long a pause
   */
  wait(error: SpellError, asked?: number): Promise<void>;
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((error: SpellError, waitMs: number) => void) | undefined;
}

export function createRetries({ clock, signal, onRetry }: RetryOptions): Retries {
  let failures = 0;
  let sinceFailure = 0;
  let hasProgressed = false;
  return {
    progress(bytes) {
      hasProgressed ||= bytes > 0;
      sinceFailure += bytes;
      if (sinceFailure >= retryLimits.progressBytes) failures = 0;
    },
    get hasProgressed() {
      return hasProgressed;
    },
    async wait(error, asked) {
      // No network at the first request is told at once; one that goes away midway may come back: a lid was closed.
      const mayPass = error.retryable && (error.code !== "net-offline" || hasProgressed);
      failures += 1;
      sinceFailure = 0;
      if (!mayPass || failures >= retryLimits.tries) throw error;
      if (asked !== undefined && asked > retryLimits.longestAskedMs) {
        throw new SpellError("net-rate", `${error.message}; the server asks to wait ${Math.ceil(asked / 1000)} s`, {
          where: error.where,
          details: { retryAfterSeconds: Math.ceil(asked / 1000) },
          cause: error,
        });
      }
      const own = Math.min(retryLimits.longestWaitMs, retryLimits.firstWaitMs * 2 ** (failures - 1)) * (0.5 + clock.random());
      const waitMs = asked ?? Math.min(retryLimits.longestWaitMs, own);
      onRetry?.(error, waitMs);
      await clock.sleep(waitMs, signal);
      if (signal?.aborted === true) throw abortedError();
    },
  };
}

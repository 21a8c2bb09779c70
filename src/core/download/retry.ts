/** Which failed requests are retried, and after how long. */
import { SpellError, throwIfAborted } from "../errors.ts";
import type { Clock } from "./clock.ts";

/** Tries in a row without progress; this much progress resets the count. */
export const retryLimits = {
  tries: 5,
  progressBytes: 1_048_576,
  firstWaitMs: 500,
  longestWaitMs: 30_000,
  longestAskedMs: 120_000,
} as const;

/**
 * The pause a server asks for, in seconds or as a date.
 * @returns milliseconds, at least 0; undefined for any other text
 */
export function parseRetryAfter(text: string | null, wallTime: number): number | undefined {
  if (text === null) return undefined;
  if (/^\d{1,9}$/.test(text.trim())) return Number(text.trim()) * 1000;
  if (!/^[A-Za-z]{3,9}, /.test(text)) return undefined;
  const date = Date.parse(text);
  return Number.isNaN(date) ? undefined : Math.max(0, date - wallTime);
}

export interface Retries {
  /** Counts bytes that arrived for good. */
  progress(bytes: number): void;
  /**
   * Waits before the next try: as long as the server asked for (`retryAfterMs` of the details), else longer each time.
   * @throws the error itself when it is final: not of a kind that passes, or the last try; net-rate when the server asks for too long a pause
   */
  wait(error: SpellError): Promise<void>;
}

/** How often, and how long between; of `retryLimits` where not given. */
export interface RetryPlan {
  readonly tries: number;
  readonly firstWaitMs: number;
  readonly longestWaitMs: number;
  /** from one wait to the next */
  readonly factor: number;
}

export interface RetryOptions {
  readonly clock: Clock;
  readonly plan?: RetryPlan | undefined;
  /** Which errors may pass; default: those that are retryable, a missing network only once something had come. */
  readonly mayPass?: ((error: SpellError) => boolean) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onRetry?: ((error: SpellError, waitMs: number) => void) | undefined;
}

const usualPlan: RetryPlan = { ...retryLimits, factor: 2 };

export function createRetries({ clock, signal, onRetry, plan = usualPlan, mayPass }: RetryOptions): Retries {
  let failures = 0;
  let sinceFailure = 0;
  let hasProgressed = false;
  return {
    progress(bytes) {
      hasProgressed ||= bytes > 0;
      sinceFailure += bytes;
      if (sinceFailure >= retryLimits.progressBytes) failures = 0;
    },
    async wait(error) {
      // Without network at the first request the error comes at once; a network that fails midway may come back, as after sleep.
      const passes = mayPass?.(error) ?? (error.retryable && (error.code !== "net-offline" || hasProgressed));
      failures += 1;
      sinceFailure = 0;
      if (!passes || failures >= plan.tries) throw error;
      const asked = Number(error.details?.["retryAfterMs"] ?? Number.NaN);
      if (asked > retryLimits.longestAskedMs) {
        const retryAfterSeconds = Math.ceil(asked / 1000);
        const message = `${error.message}; the server asks to wait ${retryAfterSeconds} s`;
        throw new SpellError("net-rate", message, { where: error.where, details: { retryAfterSeconds }, cause: error });
      }
      const own = Math.min(plan.longestWaitMs, plan.firstWaitMs * plan.factor ** (failures - 1)) * (0.5 + clock.random());
      const waitMs = Number.isNaN(asked) ? Math.min(plan.longestWaitMs, own) : asked;
      onRetry?.(error, waitMs);
      await clock.sleep(waitMs, signal);
      throwIfAborted(signal);
    },
  };
}

/** Events of a pull in the form of results: about twice a second, and every change of status at once. */
import type { Clock } from "../download/clock.ts";
import type { PullResult } from "./models.ts";

interface Told {
  readonly modelId: string;
  readonly status: PullResult["status"];
  readonly backend?: string | undefined;
  /** default: as told before */
  readonly bytes?: number | undefined;
  readonly total?: number | undefined;
}

export interface PullProgress {
  tell(progress: Told): void;
  /** @returns the result it was told */
  end(result: PullResult): PullResult;
}

/** Between two reports. */
const progressMs = 500;

export function createPullProgress(clock: Clock, onProgress: ((progress: PullResult) => void) | undefined): PullProgress {
  let at = Number.NEGATIVE_INFINITY;
  let last: PullResult | undefined;
  return {
    tell({ modelId, status, backend = "candle", bytes = last?.bytesDownloaded ?? 0, total = last?.bytesTotal }) {
      const isNews = status !== last?.status || clock.now() - at >= progressMs;
      last = {
        modelId,
        backend,
        status,
        percentComplete: total === undefined || total === 0 ? 0 : Math.min(100, Math.round((1000 * bytes) / total) / 10),
        bytesDownloaded: bytes,
        bytesTotal: total,
        verified: "none",
        alreadyPresent: false,
      };
      if (!isNews) return;
      at = clock.now();
      onProgress?.(last);
    },
    end(result) {
      onProgress?.(result);
      return result;
    },
  };
}

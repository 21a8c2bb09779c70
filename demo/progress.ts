/** What is known of a load under way: bytes, rate, and how long it still takes. */
import { find } from "./elements.ts";
import { formatBytes, formatMs } from "./format.ts";

const box = find("loading", HTMLDivElement);
const bar = find("progress", HTMLProgressElement);
const text = find("progress-text", HTMLParagraphElement);

export interface Progress {
  /** `done` of `total` bytes; without a total only the bytes are shown. */
  bytes(done: number, total: number | undefined): void;
  end(): void;
}

/** @param what "loading tiny-stories" */
export function startProgress(what: string): Progress {
  const started = performance.now();
  let from: number | undefined;
  box.hidden = false;
  bar.removeAttribute("value");
  text.textContent = `${what} …`;
  return {
    bytes(done, total) {
      from ??= done;
      const seconds = (performance.now() - started) / 1000;
      const rate = seconds > 0.3 ? (done - from) / seconds : 0;
      const left = total !== undefined && rate > 0 ? ((total - done) / rate) * 1000 : undefined;
      if (total === undefined) bar.removeAttribute("value");
      else bar.value = total === 0 ? 1 : done / total;
      text.textContent = [
        what,
        total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`,
        ...(rate > 0 ? [`${formatBytes(rate)}/s`] : []),
        ...(left === undefined || done === total ? [] : [`${formatMs(left)} left`]),
      ].join(" · ");
    },
    end() {
      box.hidden = true;
    },
  };
}

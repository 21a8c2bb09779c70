/** Progress of a load or a pull: bytes, rate, and time left. */
import { find } from "./elements.ts";
import { formatBytes, formatDuration } from "./format.ts";

const box = find("loading", HTMLDivElement);
const bar = find("progress", HTMLProgressElement);
const text = find("progress-text", HTMLParagraphElement);

/** The rate is that of the last seconds, so that the time left follows a changing network. */
const windowMs = 5000;
/** A rate over less time is not shown. */
const leastMs = 300;

/** @returns a function that words `done` of `total` bytes; without a total only the bytes */
export function createMeter(): (done: number, total: number | undefined) => string {
  const samples: { readonly at: number; readonly done: number }[] = [];
  return (done, total) => {
    const now = { at: performance.now(), done };
    samples.push(now);
    while (samples.length > 2 && now.at - (samples[0] ?? now).at > windowMs) samples.shift();
    const [first = now] = samples;
    const ms = now.at - first.at;
    const rate = ms > leastMs ? Math.max(0, ((done - first.done) / ms) * 1000) : 0;
    return [
      total === undefined ? formatBytes(done) : `${formatBytes(done)} of ${formatBytes(total)}`,
      ...(rate > 0 ? [`${formatBytes(rate)}/s`] : []),
      ...(total === undefined || rate === 0 || done >= total ? [] : [`${formatDuration(((total - done) / rate) * 1000)} left`]),
    ].join(" · ");
  };
}

export function setBar(element: HTMLProgressElement, done: number, total: number | undefined): void {
  if (total === undefined) element.removeAttribute("value");
  else element.value = total === 0 ? 1 : done / total;
}

export interface Progress {
  bytes(done: number, total: number | undefined): void;
  end(): void;
}

/** @param what "Loading tiny-stories" */
export function startProgress(what: string): Progress {
  const meter = createMeter();
  box.hidden = false;
  bar.removeAttribute("value");
  text.textContent = `${what} …`;
  return {
    bytes(done, total) {
      setBar(bar, done, total);
      text.textContent = `${what} · ${meter(done, total)}`;
    },
    end() {
      box.hidden = true;
    },
  };
}

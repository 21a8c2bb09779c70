/** Stop strings over a stream of text pieces: what may belong to a stop string is held back until that is decided. */

export interface StopFilter {
  /** @returns text that is safe to show, and the stop string that was met; after that, push nothing more */
  push(text: string): { readonly text: string; readonly stop: string | undefined };
  /** @returns what was held back, once the model ended without a stop string */
  flush(): string;
}

/** @param stops non-empty strings; the one that is complete first ends the text, and of two that end together the longer */
export function createStopFilter(stops: readonly string[]): StopFilter {
  let held = "";
  return {
    push(text) {
      held += text;
      let [from, to] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
      let met: string | undefined;
      for (const stop of stops) {
        const at = held.indexOf(stop);
        const end = at + stop.length;
        if (at >= 0 && (end < to || (end === to && at < from))) [from, to, met] = [at, end, stop];
      }
      const safe = met !== undefined ? from : held.length - stops.reduce((most, stop) => Math.max(most, overlap(held, stop)), 0);
      const shown = held.slice(0, safe);
      held = met !== undefined ? "" : held.slice(safe);
      return { text: shown, stop: met };
    },
    flush() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** @returns length of the longest end of `text` that is a proper beginning of `stop` */
export function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}

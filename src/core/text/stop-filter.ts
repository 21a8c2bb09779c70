/** Stop strings over a stream of text pieces: what may belong to a stop string is held back until that is decided. */

export interface StopFilter {
  /** @returns text that is safe to show, and whether a stop string was met; after that, push nothing more */
  push(text: string): { readonly text: string; readonly stopped: boolean };
  /** @returns what was held back, once the model ended without a stop string */
  flush(): string;
}

/** @param stops non-empty strings; the one that begins first in the text wins */
export function createStopFilter(stops: readonly string[]): StopFilter {
  let held = "";
  return {
    push(text) {
      held += text;
      const first = stops.reduce((least, stop) => {
        const at = held.indexOf(stop);
        return at >= 0 && at < least ? at : least;
      }, Number.POSITIVE_INFINITY);
      if (first !== Number.POSITIVE_INFINITY) {
        const safe = held.slice(0, first);
        held = "";
        return { text: safe, stopped: true };
      }
      const keep = stops.reduce((most, stop) => Math.max(most, overlap(held, stop)), 0);
      const safe = held.slice(0, held.length - keep);
      held = held.slice(held.length - keep);
      return { text: safe, stopped: false };
    },
    flush() {
      const rest = held;
      held = "";
      return rest;
    },
  };
}

/** @returns length of the longest end of `text` that is a proper beginning of `stop` */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length -= 1) {
    if (text.endsWith(stop.slice(0, length))) return length;
  }
  return 0;
}

/** Verdicts of self-tests between visits, as small records in the browser's cache storage; where a page may not have that, for this visit only. */
import { isVerdict, type Verdict, type VerdictStore } from "../../core/devices/self-test.ts";

const cacheName = "llmspell-self-tests";

export function browserVerdicts(): VerdictStore {
  const here = new Map<string, Verdict>();
  return {
    async read(key) {
      const known = here.get(key);
      if (known !== undefined) return known;
      try {
        const kept: unknown = await (await (await caches.open(cacheName)).match(address(key)))?.json();
        return isVerdict(kept) ? kept : undefined;
      } catch {
        return undefined; // private mode, an opaque origin: the test is run again
      }
    },
    async write(key, verdict) {
      here.set(key, verdict);
      try {
        await (await caches.open(cacheName)).put(address(key), Response.json(verdict));
      } catch {
        // see above
      }
    },
  };
}

/** Records are kept by address; nothing is ever fetched from this one. */
function address(key: string): string {
  return `https://llmspell.invalid/self-tests/${encodeURIComponent(key)}`;
}

/** JSPI: an engine's stack is suspended while one of its imports waits. Types that the compiler does not have yet. */
import type { Channel } from "./channel.ts";

interface Jspi {
  readonly Suspending?: (new (work: (...values: never[]) => unknown) => WebAssembly.ImportValue) | undefined;
  readonly promising?: (<A extends readonly number[]>(entry: (...values: A) => number) => (...values: A) => Promise<number>) | undefined;
}
const jspi = WebAssembly as unknown as Jspi;

/** An import that may wait. */
export function suspending(channel: Pick<Channel, "suspends">, work: (...values: never[]) => unknown): WebAssembly.ImportValue {
  return channel.suspends && jspi.Suspending !== undefined ? new jspi.Suspending(work) : (work as unknown as WebAssembly.ImportValue);
}

/** An entry under which an import may wait: it then returns a promise. @param entry an exported function itself */
export function promising<A extends readonly number[]>(
  channel: Pick<Channel, "suspends">,
  entry: (...values: A) => number,
): (...values: A) => number | Promise<number> {
  return channel.suspends && jspi.promising !== undefined ? jspi.promising(entry) : entry;
}

/** How many threads an engine gets in a page. */
import type { ThreadChoice } from "../../core/spec/runtime.ts";

/**
 * @param asked 0 for the usual number @param usual of this many cores
 * @returns the choice, and what to tell where it is another than the one asked for
 */
export function chooseThreads(
  asked: number,
  usual: (cores: number) => number,
): { readonly threads: ThreadChoice; readonly notes: readonly string[] } {
  if (!crossOriginIsolated) {
    return { threads: { prompt: 1, decode: 1, origin: "default" }, notes: ["1 thread because the page is not cross-origin isolated"] };
  }
  const cores = navigator.hardwareConcurrency || 1;
  const threads = asked > 0 ? Math.min(asked, cores) : usual(cores);
  return {
    threads: { prompt: threads, decode: threads, origin: asked > 0 ? "asked" : "default" },
    notes: asked > cores ? [`${asked} threads were asked for; this machine offers ${cores}, so ${cores} are used`] : [],
  };
}

/** ONNX Runtime's helpers sleep when there is nothing to do, so all cores may compute; more than eight gain nothing. */
export const usualOnnxThreads = (cores: number): number => Math.min(8, cores);

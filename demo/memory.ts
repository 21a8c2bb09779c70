/** How much memory the page takes, where the browser tells it: beside the answers. */
import { showMemory } from "./answer.ts";
import { formatBytes } from "./format.ts";

let measuring = false;

/** The browser answers after its next garbage collection, which may take a while; one request at a time. */
export async function measureMemory(): Promise<void> {
  const measure = (performance as { measureUserAgentSpecificMemory?: () => Promise<{ readonly bytes: number }> })
    .measureUserAgentSpecificMemory;
  if (measure === undefined || !crossOriginIsolated || measuring) return;
  measuring = true;
  try {
    showMemory(formatBytes((await measure.call(performance)).bytes));
  } catch {
    // unknown: not shown
  } finally {
    measuring = false;
  }
}

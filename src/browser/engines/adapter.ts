/** What a page can know of its GPU without using it. */
import { once } from "../../core/values.ts";
import { describeAdapter, type FoundAdapter } from "../../engines/adapter.ts";

/** @returns undefined where the browser has no WebGPU, or no adapter */
export async function findAdapter(gpu: GPU | undefined = navigator.gpu): Promise<FoundAdapter | undefined> {
  const adapter = await gpu?.requestAdapter().catch(() => null);
  return adapter ? describeAdapter(adapter) : undefined;
}

/** The page's own, looked for once: each look that finds none leaves a line in the console. */
export const pageAdapter: () => Promise<FoundAdapter | undefined> = once(() => findAdapter());

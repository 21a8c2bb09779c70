/** How long a pull will take, by what this installation has seen; never a guess. */
import { listStored } from "../../download/manifest.ts";
import { hostOf, type PullPlan } from "../../download/pull.ts";
import type { ModelContext } from "./context.ts";
import type { ExpectedTime } from "./records.ts";

/** Earlier pulls whose rate counts. */
const latestPulls = 5;

/** By the rate of the latest pulls from the same host that this store remembers. @returns undefined where it remembers none */
export async function expectedTime(
  { platform }: ModelContext,
  files: PullPlan,
  missingBytes: number | undefined,
): Promise<ExpectedTime | undefined> {
  const host = hostOf(files);
  if (host === undefined || missingBytes === undefined || missingBytes === 0) return undefined;
  const { models } = await listStored(platform.store);
  const rates = models
    .flatMap(({ manifest: { transfer, created_at } }) => (transfer?.host === host ? [{ ...transfer, created_at }] : []))
    .sort((a, b) => b.created_at - a.created_at)
    .slice(0, latestPulls);
  const [bytes, ms] = [rates.reduce((sum, rate) => sum + rate.bytes, 0), rates.reduce((sum, rate) => sum + rate.ms, 0)];
  if (ms === 0) return undefined;
  const bytesPerSecond = (bytes * 1000) / ms;
  return { host, bytesPerSecond, seconds: missingBytes / bytesPerSecond };
}

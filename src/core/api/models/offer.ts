/** What a person should know before gigabytes come: size and time (plan.ts), memory with the context, and room. What nobody knows is left out, never guessed. */
import { findModel, type LoadOptions } from "../../backends/candle.ts";
import type { PullPlan } from "../../download/pull.ts";
import { SpellError } from "../../errors.ts";
import type { ModelContext } from "./context.ts";
import { lookAhead, onceHere, openPlan } from "./info.ts";
import { plan } from "./plan.ts";
import type { PullOffer, PullRequest } from "./records.ts";

export type OfferRequest = PullRequest & Pick<LoadOptions, "device" | "contextSize">;

/** @throws SpellError as plan; model-*, gguf-*, safetensors-*, tokenizer-* for what will not run once it is here */
export async function offer(context: ModelContext, text: string, request: OfferRequest = {}): Promise<PullOffer> {
  const planned = await plan(context, text, request);
  if (planned.plan === undefined) return planned;
  const [fit, space] = await Promise.all([fitOf(context, planned.plan, request), context.platform.store.space().catch(() => undefined)]);
  return { ...planned, ...fit, ...(space === undefined ? {} : { freeBytes: space.free }) };
}

async function fitOf(context: ModelContext, files: PullPlan, request: OfferRequest): Promise<Pick<PullOffer, "fits" | "contextLength">> {
  const { signal, device, contextSize } = request;
  try {
    const found = await findModel({ id: files.id, files: await openPlan(context, files, signal) }, context.platform, signal);
    const { fits, contextLength } = await lookAhead(context, onceHere(context, found), {
      device,
      contextSize,
      signal,
    });
    return fits === null ? {} : { fits, contextLength };
  } catch (error) {
    // A server without ranges tells nothing; what will not run is told now.
    if (!(error instanceof SpellError) || /^(model|gguf|safetensors|tokenizer|run)-/.test(error.code)) throw error;
    return {};
  }
}

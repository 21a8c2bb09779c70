/** A look at every device of a host. */
import type { Offer, Platform } from "../platform.ts";
import type { DevicePreview, DeviceSurvey, DeviceSurveyOptions } from "../spec/runtime.ts";

/** Looks at every device for one architecture, and tests those that are there. A host without a runtime has none. */
export async function surveyDevices(architecture: "gguf" | "t5", platform: Platform, options: DeviceSurveyOptions): Promise<DevicePreview> {
  const offer: Offer<Partial<DeviceSurvey>> = architecture === "gguf" ? platform.gguf : platform.seq2seq;
  return (offer.available ? await offer.value.survey?.(options) : undefined) ?? { tried: [] };
}

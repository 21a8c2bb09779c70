/** A runtime whose code comes when a model is opened, or a device looked at. */
import type { ByteSource } from "../../core/formats/byte-source.ts";
import type { DeviceChoice, DeviceSurvey } from "../../core/spec/runtime.ts";
import { once } from "../../core/values.ts";

/** What the runtimes of decoders and of T5 have in common. */
interface Runtime<O, H> extends Partial<DeviceSurvey> {
  readonly name: string;
  prepare?(device?: DeviceChoice): void;
  open(files: readonly ByteSource[], options: O): Promise<H>;
}

export function lazyRuntime<O, H>(name: string, load: () => Promise<Runtime<O, H>>): Runtime<O, H> {
  const runtime = once(load);
  return {
    name,
    prepare(device) {
      runtime().then(
        (it) => it.prepare?.(device),
        () => undefined, // open() tells it
      );
    },
    open: async (files, options) => (await runtime()).open(files, options),
    preview: async (files, options) => (await (await runtime()).preview?.(files, options)) ?? { tried: [] },
    survey: async (options) => (await (await runtime()).survey?.(options)) ?? { tried: [] },
  };
}

/** A GgufRuntime or a Seq2SeqRuntime over engines elsewhere: one engine for each model, the next one started early where that is asked. */
import { abortedError, SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Device, DeviceChoice, DeviceProbe, ModelHandle } from "../spec/runtime.ts";
import type { CommonOpenOptions, RemoteEngine } from "./caller.ts";

export interface RemoteRuntime<OpenOptions, CallOptions> {
  readonly name: string;
  prepare(device?: DeviceChoice): void;
  /** Looks at a graphics card, with the engine that may open the next model. */
  probe(device: Device): Promise<DeviceProbe>;
  open(files: readonly ByteSource[], options: OpenOptions): Promise<ModelHandle<CallOptions>>;
}

/** A prepared engine without a model ends after this: the file was refused, or the person changed their mind. */
const spareMs = 20_000;

/**
 * @param start makes the process or worker; may throw where that is impossible
 * @returns a runtime whose `prepare()` starts the next engine: it loads while the caller reads the file's header
 */
export function remoteRuntime<OpenOptions extends CommonOpenOptions, CallOptions extends { readonly signal?: AbortSignal | undefined }>(
  name: string,
  start: () => RemoteEngine,
): RemoteRuntime<OpenOptions, CallOptions> {
  let spare: RemoteEngine | undefined;
  let spareTimer: ReturnType<typeof setTimeout> | undefined;

  const take = (): RemoteEngine => {
    const engine = spare?.dead === undefined ? spare : undefined;
    clearTimeout(spareTimer);
    spare = undefined;
    return engine ?? start();
  };

  const keep = (engine: RemoteEngine): void => {
    clearTimeout(spareTimer);
    if (spare !== undefined && spare !== engine) void spare.end(new SpellError("run-closed", "another one is as good"));
    spare = engine;
    spareTimer = setTimeout(() => {
      if (spare !== engine) return;
      spare = undefined;
      void engine.end(new SpellError("run-closed", "it was not used"));
    }, spareMs);
    // Where timers hold a program open, this one must not.
    (spareTimer as { unref?: (() => void) | undefined }).unref?.();
  };

  return {
    name,
    prepare() {
      if (spare !== undefined && spare.dead === undefined) return;
      try {
        keep(start());
      } catch {
        // open() meets the same obstacle and reports it
      }
    },
    async probe(device) {
      const engine = take();
      const answer = await engine.probe(device);
      // It has the driver loaded already; a card that is not there leaves it as good for the processor.
      if (engine.dead === undefined) keep(engine);
      return answer;
    },
    async open(files, options) {
      if (options.signal?.aborted === true) throw abortedError();
      return take().open(files, options);
    },
  };
}

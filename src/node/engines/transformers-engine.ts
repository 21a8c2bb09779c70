/** Seq2SeqRuntime for exported models over @huggingface/transformers, as it is used inside the child process of engine-child.ts. */
import { reportOf } from "../../core/devices/report.ts";
import { toSpellError } from "../../core/errors.ts";
import type { Seq2SeqRuntime } from "../../core/spec/runtime.ts";
import { once } from "../../core/values.ts";
import { openExported, type TransformersModule } from "../../engines/transformers/driver.ts";
import { chooseOnnxThreads } from "./threads.ts";

/** An optional package: nothing of it is there when this one is built. */
const packageName = "@huggingface/transformers";

export function transformersEngine(): Seq2SeqRuntime {
  const start = once(async () => {
    try {
      return (await import(packageName)) as TransformersModule;
    } catch (error) {
      throw toSpellError(error, "device-unavailable", `${packageName} does not start`);
    }
  });
  return {
    name: "transformers.js",
    prepare() {
      start().catch(() => undefined); // open() reports it
    },
    async open(files, options) {
      const { threads, notes } = chooseOnnxThreads(options.threads);
      const module = await start();
      // From here on what fails is the model's doing.
      options.onProgress?.(0);
      const report = reportOf("cpu", "transformers.js", threads);
      const pause = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
      return openExported(
        files,
        { module, device: "cpu", threads: threads.decode, report, notes, pause, now: () => performance.now() },
        options,
      );
    },
  };
}

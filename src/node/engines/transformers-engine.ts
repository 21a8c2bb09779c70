/** Seq2SeqRuntime for exported models over @huggingface/transformers, as it is used inside the child process of engine-child.ts. */
import { availableParallelism } from "node:os";
import { toSpellError } from "../../core/errors.ts";
import type { Seq2SeqRuntime, ThreadChoice } from "../../core/spec/runtime.ts";
import { openExported, type TransformersModule } from "../../engines/transformers/driver.ts";
import { clampThreads } from "./threads.ts";

/** An optional package: nothing of it is there when this one is built. */
const packageName = "@huggingface/transformers";

export function createTransformersEngine(): Seq2SeqRuntime {
  let loading: Promise<TransformersModule> | undefined;
  const start = (): Promise<TransformersModule> => {
    loading ??= (import(packageName) as Promise<TransformersModule>).catch((error: unknown) => {
      throw toSpellError(error, "device-unavailable", `${packageName} does not start`);
    });
    return loading;
  };
  return {
    name: "transformers.js",
    prepare() {
      start().catch(() => undefined); // open() reports it
    },
    async open(files, options) {
      const { threads: asked, note } = clampThreads(options.threads);
      const module = await start();
      // From here on what fails is the model's doing.
      options.onProgress?.(0);
      const threads = asked > 0 ? asked : Math.min(8, availableParallelism());
      const choice: ThreadChoice = { prompt: threads, decode: threads, origin: asked > 0 ? "asked" : "default" };
      return openExported(
        files,
        {
          module,
          device: "cpu",
          threads,
          report: {
            chosen: "cpu",
            tried: [{ device: "cpu", ok: true, reason: "ok", runtime: "transformers.js" }],
            runtime: "transformers.js",
            threads: choice,
          },
          notes: note === undefined ? [] : [note],
          pause: () => new Promise((resolve) => setImmediate(resolve)),
          now: () => performance.now(),
        },
        options,
      );
    },
  };
}

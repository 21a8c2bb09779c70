/** A pull by the Ollama server: its own progress, passed on. */
import type { ModelSpec } from "../../spec/model-spec.ts";
import type { ModelContext } from "./context.ts";
import { ollamaName } from "./names.ts";
import { percent, progressMs } from "./pull-result.ts";
import type { PullRequest, PullResult } from "./records.ts";

export async function pullOllama(
  context: ModelContext,
  spec: ModelSpec,
  { signal, on_progress, onEvent }: PullRequest,
): Promise<PullResult> {
  const name = ollamaName(spec);
  const id = context.ollama.idOf(name);
  let last: PullResult = {
    model_id: id,
    backend: "ollama",
    status: "starting",
    percent_complete: 0,
    bytes_downloaded: 0,
    verified: "sha256",
    already_present: false,
  };
  const before = (await context.ollama.list(signal)).find((model) => model.name === name)?.digest;
  let told = Number.NEGATIVE_INFINITY;
  await context.ollama.pull(
    name,
    ({ status, bytes, totalBytes }) => {
      const isVerifying = /^verifying|^writing/.test(status);
      last = {
        ...last,
        status: isVerifying ? "verifying" : "downloading",
        bytes_downloaded: bytes,
        ...(totalBytes === undefined ? {} : { bytes_total: totalBytes, percent_complete: percent(bytes, totalBytes) }),
      };
      onEvent?.({ type: "ollama-progress", model: id, status, bytes, totalBytes });
      if (context.network.clock.now() - told < progressMs) return;
      told = context.network.clock.now();
      on_progress?.(last);
    },
    signal,
  );
  const after = (await context.ollama.list(signal)).find((model) => model.name === name);
  last = {
    ...last,
    status: "complete",
    percent_complete: 100,
    ...(after === undefined ? {} : { bytes_total: after.sizeBytes }),
    already_present: before !== undefined && before === after?.digest,
  };
  on_progress?.(last);
  return last;
}

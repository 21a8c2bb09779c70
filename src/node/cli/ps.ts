/** `llmspell ps`: models that other llmspell processes hold, and those of servers. */
import { SpellError } from "../../core/errors.ts";
import { readRunRecords } from "../run-records.ts";
import type { Context } from "./context.ts";
import { formatBytes } from "./format.ts";
import { table } from "./table.ts";

/** @throws SpellError of a server, where nothing else can be told */
export async function ps({ flags, screen, interrupt, openSpell }: Context): Promise<number> {
  const own = readRunRecords().map(({ model_id, size_bytes, device, context_size, pid }) => ({
    model_id,
    backend: "candle",
    size_bytes,
    device,
    device_split: device === "cpu" || device === "wasm" ? { cpu: 1, gpu: 0 } : { cpu: 0, gpu: 1 },
    context_size: context_size === 0 ? null : context_size,
    expires_at: null as number | null,
    pid: pid as number | null,
  }));
  let theirs: typeof own = [];
  const { models: all } = await openSpell();
  try {
    theirs = (await all.running(interrupt.signal)).map(({ modelId, backend, sizeBytes, gpuBytes, contextLength, expiresAt }) => {
      const gpu = sizeBytes === 0 ? 0 : Math.round((100 * gpuBytes) / sizeBytes) / 100;
      return {
        model_id: modelId,
        backend,
        size_bytes: sizeBytes,
        device: gpu === 0 ? "cpu" : gpu === 1 ? "gpu" : "cpu/gpu",
        device_split: { cpu: Math.round((1 - gpu) * 100) / 100, gpu },
        context_size: contextLength ?? null,
        expires_at: expiresAt ?? null,
        pid: null,
      };
    });
    // what nothing configures is left out without a word; who asks for it is told
    const away = flags.has("all") ? Object.values(await all.status()).find(({ running }) => running === false) : undefined;
    if (away?.error !== undefined) screen.note(`servers are left out: ${away.error}`);
  } catch (error) {
    const isAlone = Object.values(await all.status()).every(({ ready }) => ready !== true);
    if (!(error instanceof SpellError) || isAlone) throw error;
    const message = `servers are left out: ${error.message}`;
    if (flags.has("all")) screen.note(message, error.actions);
    else screen.log({ level: "info", message });
  }
  const models = [...own, ...theirs];
  screen.document({ status: "ok", models });
  const rows = models.map(({ model_id, backend, size_bytes, device, device_split, context_size, expires_at, pid }) => [
    model_id,
    backend,
    formatBytes(size_bytes),
    device_split.gpu > 0 && device_split.cpu > 0
      ? `${Math.round(device_split.cpu * 100)}%/${Math.round(device_split.gpu * 100)}% cpu/gpu`
      : `100% ${device}`,
    context_size === null ? "–" : String(context_size),
    expires_at === null ? "–" : new Date(expires_at * 1000).toISOString().slice(11, 19),
    pid === null ? "–" : String(pid),
  ]);
  screen.writeOwn(
    table(screen, ["NAME", "BACKEND", "SIZE", "PROCESSOR", "CONTEXT", "UNTIL", "PID"], rows, { drops: ["UNTIL", "CONTEXT", "BACKEND"] }),
  );
  return 0;
}

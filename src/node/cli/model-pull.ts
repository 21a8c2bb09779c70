/** `llmspell model pull`, and the pull that `generate` and `chat` offer for a model that is not here. */
import type { Spell } from "../../core/api/spell.ts";
import type { ExpectedTime, PullOffer, PullOptions, PullResult, ServerPullEvent } from "../../core/backends/models.ts";
import type { PlannedFile, PullEvent } from "../../core/download/pull.ts";
import { SpellError } from "../../core/errors.ts";
import { toSnake } from "../../core/values.ts";
import { flagText } from "./args.ts";
import { askYesNo } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatEta, formatMs, plural } from "./format.ts";
import { tellFinished } from "./model-keep.ts";
import { calmLineMs, type Progress } from "./progress.ts";
import type { Screen } from "./render.ts";
import { shellQuote } from "./shell-quote.ts";

/** A download that is stopped writes down what it has; a slow disk takes a while. */
const stopMs = 5000;

/** @throws SpellError of LocalLlm.pull */
export async function modelPull(context: Context): Promise<number> {
  const { operands, flags, screen, openSpell } = context;
  const as = flagText(flags, "as");
  if (as !== undefined && operands.length > 1)
    throw new SpellError("usage-value", `--as names one model; got ${operands.length}`, { where: "--as", hint: "Pull them one by one." });
  const spell = await openSpell();
  const request: PullOptions = {
    force: flags.has("force") || undefined,
    offline: flags.has("offline") || undefined,
    as,
    quantization: flagText(flags, "quantization"),
    allowHosts: flags.get("allow-host"),
  };
  if (flags.has("dry-run")) return dryRun(context, spell, request);
  const models: PullResult[] = [];
  for (const spec of operands) {
    const result = await pullShown(context, spell, spec, request).catch((error: unknown) => {
      throw tellFinished(screen, error, { models });
    });
    models.push(result);
    // where both outputs are one terminal, the line before this one ends with it
    if (!screen.errIsTerminal || !screen.outIsTerminal || screen.settings.quiet) screen.writeOwn(`${screen.clean(result.modelId)}\n`);
  }
  screen.document({ status: "ok", models: toSnake(models) });
  return 0;
}

async function dryRun({ operands, screen, interrupt }: Context, spell: Spell, request: PullOptions): Promise<number> {
  const plans: PullOffer[] = [];
  for (const spec of operands) plans.push(await spell.models.offer(spec, { ...request, signal: interrupt.signal }));
  screen.document({
    status: "ok",
    models: plans.map(({ id, backend, plan, sizeBytes = null, missingBytes = null, expected }) => ({
      model_id: id,
      backend,
      source: plan?.source ?? null,
      revision: plan?.revision ?? null,
      license: plan?.license ?? null,
      size_bytes: sizeBytes,
      missing_bytes: missingBytes,
      expected_seconds: expected === undefined ? null : Math.ceil(expected.seconds),
      files: (plan?.files ?? []).map(plannedFile).map(({ path, size = null }) => ({ path, size_bytes: size })),
    })),
  });
  for (const { id, plan, sizeBytes, missingBytes, expected } of plans) {
    const time = expected === undefined ? "" : `, ${screen.clean(expectedText(expected))}`;
    screen.writeOwn(`${screen.clean(id)}  ${sizeText(sizeBytes)}, ${sizeText(missingBytes)} to download${time}\n`);
    for (const { path, size, place } of (plan?.files ?? []).map(plannedFile))
      screen.writeOwn(`  ${screen.clean(path)}  ${sizeText(size)}${place === "" ? "" : `  (${screen.clean(place)})`}\n`);
  }
  return 0;
}

/** @returns `place`: where the file lies, if it is not downloaded */
function plannedFile(file: PlannedFile): { readonly path: string; readonly size: number | undefined; readonly place: string } {
  if (file.kind === "remote") return { path: file.remote.path, size: file.remote.size, place: "" };
  const { path, source } = file.external;
  return { path, size: source.size, place: source.path ?? "here" };
}

function sizeText(bytes: number | undefined): string {
  return bytes === undefined ? "unknown size" : formatBytes(bytes);
}

/**
 * Pulls one model under its progress.
 * @param about lines before it, when the pull is a step of other work; then its end is not told
 */
export async function pullShown(
  context: Context,
  spell: Spell,
  spec: string,
  request: PullOptions,
  about?: readonly string[],
): Promise<PullResult> {
  const { screen, interrupt } = context;
  interrupt.allow(stopMs);
  const show = createPullDisplay(screen, about);
  let source = "";
  const onEvent = (event: PullEvent | ServerPullEvent): void => {
    if (event.type === "download-start") source = event.plan.source;
    show.event(event);
  };
  try {
    const result = await spell.models.pull(spec, { ...request, signal: interrupt.signal, onEvent });
    const { modelId, bytesTotal, alreadyPresent } = result;
    const size = bytesTotal === undefined ? "" : `  ${formatBytes(bytesTotal)}`;
    const success = `success  ${modelId}${size}   try: llmspell generate -m ${shellQuote(modelId)} "Hello"`;
    show.end(alreadyPresent || about !== undefined ? "" : success);
    for (const note of result.notes ?? []) screen.note(note);
    if (alreadyPresent) screen.tell(`${modelId} is up to date`);
    else if (result.verified !== "sha256") screen.note(`${modelId}: ${unverified(source)} (not verified)`);
    return result;
  } catch (error) {
    show.end();
    if (error instanceof SpellError && error.code === "run-aborted") throw stopped(error);
    throw error;
  }
}

/** Why the bytes could not be compared with those of the source. */
function unverified(source: string): string {
  if (source === "file") return "your own file is used where it lies";
  if (source === "hf-cache" || source === "ollama-store")
    return `its files are used where they lie, in ${source}; model verify hashes them`;
  return "its source states no hash; its own was recorded";
}

function stopped(error: SpellError): SpellError {
  const kept = error.details?.["keptBytes"];
  const isKept = typeof kept === "number" && kept > 0;
  return error.with({ message: isKept ? `kept ${formatBytes(kept)}; run the same command to continue` : "stopped before any bytes came" });
}

/** What a pull says: a bar for each file on a terminal; elsewhere nothing that takes less than calmLineMs. */
function createPullDisplay(screen: Screen, about: readonly string[] = []) {
  let progress: Progress | undefined;
  let file = "";
  let several = false;
  const verified = new Set<string>();
  /** what stays of a bar */
  let last = "";
  /** Lines that wait until the pull takes long; undefined once it does. */
  let early: string[] | undefined = screen.errIsTerminal ? undefined : [];
  const patience = setTimeout(() => {
    early?.forEach(screen.tell);
    early = undefined;
  }, calmLineMs).unref();
  const tell = (line: string): void => {
    if (early === undefined) screen.tell(line);
    else early.push(line);
  };
  about.forEach(tell);
  const finish = (): void => {
    progress?.end();
    progress = undefined;
    if (last !== "" && screen.errIsTerminal) screen.tell(last);
    last = "";
  };
  const draw = (name: string, bytes: number, total: number | undefined, all: string): void => {
    if (verified.has(name)) return;
    if (name !== file) {
      finish();
      file = name;
      progress = screen.progress(name);
    }
    progress?.bytes(bytes, total, several ? all : "");
    last = several && total !== undefined && bytes >= total ? joined(name, formatBytes(bytes)) : "";
  };
  return {
    event(event: PullEvent | ServerPullEvent): void {
      switch (event.type) {
        case "download-start": {
          const { plan, totalBytes } = event;
          several = plan.files.length > 1;
          const from = plan.source === plan.id ? "" : `  from ${plan.source.replace(/^hf:/, "")}`;
          const commit = plan.revision === undefined ? "" : ` @ ${plan.revision.slice(0, 12)}`;
          const size = several && totalBytes !== undefined ? `${plural(plan.files.length, "file")}, ${formatBytes(totalBytes)}` : "";
          tell(joined(`pulling ${plan.id}${from}${commit}`, plan.license ?? "", size));
          return;
        }
        case "download-progress": {
          const { file: name, fileBytes, fileTotal, bytes, totalBytes } = event;
          const percent = Math.floor((100 * bytes) / Math.max(1, totalBytes ?? 1));
          const all = totalBytes === undefined ? formatBytes(bytes) : `${percent} % of ${formatBytes(totalBytes)}`;
          draw(name, fileBytes, fileTotal, `all ${all}`);
          return;
        }
        case "server-progress":
          draw(`${event.model}: ${event.status}`, event.totalBytes === undefined ? 0 : event.bytes, event.totalBytes, "");
          return;
        case "download-wait":
          screen.tell(`${event.file}: another process downloads it; waiting`);
          return;
        case "download-retry":
          verified.delete(event.file);
          screen.tell(`${event.error.message}; trying again in ${formatMs(event.waitMs)}`);
          return;
        case "download-verify":
          verified.add(event.file);
          progress?.say(`verifying sha256 of ${event.file}`);
          return;
        case "download-end":
          return;
        default:
          event satisfies never;
      }
    },
    /** @param line told where the pull took long, and on a terminal */
    end(line = ""): void {
      clearTimeout(patience);
      finish();
      if (line !== "" && early === undefined) screen.tell(line);
    },
  };
}

/** Columns of a line; empty ones are left out. */
function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("  ");
}

/**
 * A model that is not installed: fetched after its size was told, when the person or --pull says so.
 * @returns whether it is installed now
 */
export async function offerPull(context: Context, spell: Spell, offer: PullOffer): Promise<boolean> {
  const { flags, screen, interrupt } = context;
  const isHere = offer.missingBytes === 0; // its bytes belong to another model too; it only gets its name
  const about = isHere ? [] : offerLines(offer);
  const asks = !isHere && !flags.has("pull");
  if (asks) about.forEach(screen.tell);
  if (offer.fits?.ok === false) screen.note(`${offer.id} may not fit into memory; try a smaller variant`);
  const size = offer.missingBytes === undefined ? "" : ` (${formatBytes(offer.missingBytes)})`;
  if (asks && !(await askYesNo(context, `Download ${offer.id}${size}?`, true))) {
    if (interrupt.signal.aborted) throw new SpellError("run-aborted", "stopped before the download began");
    return false;
  }
  const result = await pullShown(context, spell, offer.spec, {}, asks ? [] : about);
  screen.log({ level: "info", message: `${result.modelId} is installed` });
  return true;
}

/** Size, room, time and memory before gigabytes come. Unknown values are left out. */
function offerLines({ id, plan, missingBytes, freeBytes, expected, fits, contextLength }: PullOffer): readonly string[] {
  if (plan === undefined) return [];
  const facts = [
    ...(missingBytes === undefined ? ["unknown size"] : [`${formatBytes(missingBytes)} to download`]),
    ...(freeBytes === undefined ? [] : [`${formatBytes(freeBytes)} free on the disk`]),
    ...(expected === undefined ? [] : [expectedText(expected)]),
  ];
  const line = `${id}: ${facts.join(", ")}`;
  if (fits === undefined) return [line];
  const { device, neededBytes, availableBytes, ok } = fits;
  const room = availableBytes === null ? `${device} has ${ok ? "enough" : "less"}` : `${formatBytes(availableBytes)} are free`;
  return [line, `it needs about ${formatBytes(neededBytes)} of memory with a context of ${plural(contextLength ?? 0, "token")}; ${room}`];
}

/** @returns "about 37s at the 18 MB/s of earlier pulls from huggingface.co" */
function expectedText({ seconds, bytesPerSecond, host }: ExpectedTime): string {
  return `about ${formatEta(seconds)} at the ${formatBytes(bytesPerSecond)}/s of earlier pulls from ${host}`;
}

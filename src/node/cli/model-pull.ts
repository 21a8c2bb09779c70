/** `llmspell model pull`, and the pull that `generate` and `chat` offer for a model that is not here. */
import type { Spell } from "../../core/api/spell.ts";
import type { ExpectedTime, PullOffer, PullOptions, PullResult, ServerPullEvent } from "../../core/backends/models.ts";
import type { PlannedFile, PullEvent } from "../../core/download/pull.ts";
import { SpellError } from "../../core/errors.ts";
import { toSnake } from "../../core/values.ts";
import { flagText } from "./args.ts";
import { askYesNo } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatMs, plural } from "./format.ts";
import type { Progress, Screen } from "./render.ts";
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
    const result = await pullShown(context, spell, spec, request);
    models.push(result);
    screen.writeOwn(`${screen.clean(result.modelId)}\n`);
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

/** Pulls one model under its progress lines. */
export async function pullShown(context: Context, spell: Spell, spec: string, request: PullOptions): Promise<PullResult> {
  const { screen, interrupt } = context;
  interrupt.allow(stopMs);
  const show = createPullDisplay(screen);
  let source = "";
  const onEvent = (event: PullEvent | ServerPullEvent): void => {
    if (event.type === "download-start") source = event.plan.source;
    show.event(event);
  };
  try {
    const result = await spell.models.pull(spec, { ...request, signal: interrupt.signal, onEvent });
    show.end();
    for (const note of result.notes ?? []) screen.note(note);
    if (result.alreadyPresent) screen.tell(`${result.modelId} is up to date`);
    else {
      const size = result.bytesTotal === undefined ? "" : `  ${formatBytes(result.bytesTotal)}`;
      if (result.verified !== "sha256") screen.note(`${result.modelId}: ${unverified(source)} (not verified)`);
      screen.tell(`success  ${result.modelId}${size}   try: llmspell generate -m ${shellQuote(result.modelId)} "Hello"`);
    }
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

/** Lines of a pull: redrawn in place on a terminal; elsewhere one at the start, each tenth, and the end. */
function createPullDisplay(screen: Screen): { event(event: PullEvent | ServerPullEvent): void; end(): void } {
  let progress: Progress | undefined;
  let file = "";
  let started = Date.now();
  let samples: { readonly at: number; readonly bytes: number }[] = [];
  let tenth = 0;
  let several = false;
  const verified = new Set<string>();
  let last = "";
  const begin = (name: string): void => {
    file = name;
    started = Date.now();
    samples = [];
    tenth = 0;
    progress?.end();
    progress = screen.errIsTerminal ? screen.progress(name) : undefined;
  };
  const finish = (): void => {
    progress?.end();
    progress = undefined;
    if (last !== "") screen.tell(last);
    last = "";
  };
  const draw = (name: string, bytes: number, total: number | undefined, all: string): void => {
    if (verified.has(name)) return; // all of it was told
    if (name !== file) {
      finish();
      begin(name);
      if (!screen.errIsTerminal) screen.tell(`${name}  ${sizeText(total)}`);
    }
    const now = Date.now();
    // the rate of the last five seconds
    samples = [...samples.filter(({ at }) => now - at < 5000), { at: now, bytes }];
    const first = samples[0];
    const rate = first === undefined || now - first.at < 200 ? 0 : ((bytes - first.bytes) * 1000) / (now - first.at);
    const share = total === undefined || total === 0 ? undefined : bytes / total;
    const speed = rate <= 0 ? "" : `${formatBytes(rate)}/s`;
    const eta = rate <= 0 || total === undefined || bytes >= total ? "" : `eta ${formatEta((total - bytes) / rate)}`;
    const percent = share === undefined ? "" : `${Math.floor(share * 100)}%`.padStart(5);
    const size = total === undefined ? formatBytes(bytes) : `${formatBytes(bytes)} / ${formatBytes(total)}`;
    progress?.line(joined(name, percent, size, speed, eta, several ? all : ""));
    const isWhole = total !== undefined && bytes >= total;
    last = isWhole && screen.errIsTerminal ? `${name}   100%  ${formatBytes(bytes)}` : "";
    const reached = share === undefined ? 0 : Math.floor(share * 10);
    if (!screen.errIsTerminal && reached > tenth && now - started > 0) {
      tenth = reached;
      screen.tell(joined(name, `${reached * 10}%`, formatBytes(bytes), eta === "" ? "" : speed, eta));
    }
  };
  return {
    event(event) {
      switch (event.type) {
        case "download-start": {
          const { plan, totalBytes } = event;
          several = plan.files.length > 1;
          const from = plan.source === plan.id ? "" : `  from ${plan.source.replace(/^hf:/, "")}`;
          const commit = plan.revision === undefined ? "" : ` @ ${plan.revision.slice(0, 12)}`;
          const size = several && totalBytes !== undefined ? `${plural(plan.files.length, "file")}, ${formatBytes(totalBytes)}` : "";
          screen.tell(joined(`pulling ${plan.id}${from}${commit}`, plan.license ?? "", size));
          return;
        }
        case "download-progress": {
          const { file: name, fileBytes, fileTotal, bytes, totalBytes } = event;
          const percent = Math.floor((100 * bytes) / Math.max(1, totalBytes ?? 1));
          draw(
            name,
            fileBytes,
            fileTotal,
            `total ${totalBytes === undefined ? formatBytes(bytes) : `${percent}% of ${formatBytes(totalBytes)}`}`,
          );
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
          finish();
          verified.add(event.file);
          screen.tell(`verifying sha256 of ${event.file}`);
          return;
        case "download-end":
          return;
        default:
          event satisfies never;
      }
    },
    end: finish,
  };
}

/** Columns of a line; empty ones are left out. */
function joined(...parts: readonly string[]): string {
  return parts.filter((part) => part !== "").join("  ");
}

/** @returns "21s", "3m12s", "2h05m" */
function formatEta(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}

/**
 * A model that is not installed: fetched after its size was told, when the person or --pull says so.
 * @returns whether it is installed now
 */
export async function offerPull(context: Context, spell: Spell, offer: PullOffer): Promise<boolean> {
  const { flags, screen, interrupt } = context;
  const isHere = offer.missingBytes === 0; // its bytes belong to another model too; it only gets its name
  if (!isHere) tellOffer(screen, offer);
  const size = offer.missingBytes === undefined ? "" : ` (${formatBytes(offer.missingBytes)})`;
  if (!isHere && !flags.has("pull") && !(await askYesNo(context, `Download ${offer.id}${size}?`, true))) {
    if (interrupt.signal.aborted) throw new SpellError("run-aborted", "stopped before the download began");
    return false;
  }
  const result = await pullShown(context, spell, offer.spec, {});
  screen.log({ level: "info", message: `${result.modelId} is installed` });
  return true;
}

/** Size, room, time and memory before gigabytes come. Unknown values are left out. */
function tellOffer(screen: Screen, { id, plan, missingBytes, freeBytes, expected, fits, contextLength }: PullOffer): void {
  if (plan === undefined) return;
  const facts = [
    ...(missingBytes === undefined ? ["unknown size"] : [`${formatBytes(missingBytes)} to download`]),
    ...(freeBytes === undefined ? [] : [`${formatBytes(freeBytes)} free on the disk`]),
    ...(expected === undefined ? [] : [expectedText(expected)]),
  ];
  screen.tell(`${id}: ${facts.join(", ")}`);
  if (fits === undefined) return;
  const { device, neededBytes, availableBytes, ok } = fits;
  const room = availableBytes === null ? `${device} has ${ok ? "enough" : "less"}` : `${formatBytes(availableBytes)} are free`;
  screen.tell(`it needs about ${formatBytes(neededBytes)} of memory with a context of ${plural(contextLength ?? 0, "token")}; ${room}`);
  if (!ok) screen.note(`${id} may not fit into memory; try a smaller variant`);
}

/** @returns "about 37s at the 18 MB/s of earlier pulls from huggingface.co" */
function expectedText({ seconds, bytesPerSecond, host }: ExpectedTime): string {
  return `about ${formatEta(seconds)} at the ${formatBytes(bytesPerSecond)}/s of earlier pulls from ${host}`;
}

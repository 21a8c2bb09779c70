/** `llmspell model pull`, and the pull that `generate` and `chat` offer for a model that is not here. */
import type { Spell } from "../../core/api/spell.ts";
import type { ExpectedTime, PullOffer, PullOptions, PullResult, ServerPullEvent } from "../../core/backends/models.ts";
import type { PullEvent } from "../../core/download/pull.ts";
import { SpellError } from "../../core/errors.ts";
import { shellQuote } from "../../core/shell-quote.ts";
import { toSnake } from "../../core/values.ts";
import { flagText } from "./args.ts";
import { askYesNo } from "./ask.ts";
import type { Context } from "./context.ts";
import { formatBytes, formatMs, plural } from "./format.ts";
import type { Progress, Screen } from "./render.ts";

/** A download that is stopped writes down what it has; a slow disk takes a while. */
const stopMs = 5000;

/** @throws SpellError of LocalLlm.pull */
export async function modelPull(context: Context): Promise<number> {
  const { operands, flags, screen, openSpell } = context;
  const as = flagText(flags, "as");
  if (as !== undefined && operands.length > 1) {
    throw new SpellError("usage-value", `--as names one model; got ${operands.length}`, { where: "--as", hint: "Pull them one by one." });
  }
  const spell = await openSpell();
  const request: PullOptions = {
    force: flags.has("force") ? true : undefined,
    offline: flags.has("offline") ? true : undefined,
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
    models: plans.map(({ id, backend, plan, sizeBytes, missingBytes, expected }) => ({
      model_id: id,
      backend,
      source: plan?.source ?? null,
      revision: plan?.revision ?? null,
      license: plan?.license ?? null,
      size_bytes: sizeBytes ?? null,
      missing_bytes: missingBytes ?? null,
      expected_seconds: expected === undefined ? null : Math.ceil(expected.seconds),
      files:
        plan?.files.map((file) =>
          file.kind === "remote"
            ? { path: file.remote.path, size_bytes: file.remote.size ?? null }
            : { path: file.external.path, size_bytes: file.external.source.size },
        ) ?? [],
    })),
  });
  for (const { id, plan, sizeBytes, missingBytes, expected } of plans) {
    const time = expected === undefined ? "" : `, ${screen.clean(expectedText(expected))}`;
    screen.writeOwn(`${screen.clean(id)}  ${sizeText(sizeBytes)}, ${sizeText(missingBytes)} to come${time}\n`);
    for (const file of plan?.files ?? []) {
      const [path, size, place] =
        file.kind === "remote"
          ? [file.remote.path, file.remote.size, ""]
          : [file.external.path, file.external.source.size, `  (${file.external.source.path ?? "here"})`];
      screen.writeOwn(`  ${screen.clean(path)}  ${sizeText(size)}${screen.clean(place)}\n`);
    }
  }
  return 0;
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

/** Why nobody can say that the bytes are those of the source. */
function unverified(source: string): string {
  if (source === "file") return "your own file is used where it lies";
  if (source === "hf-cache" || source === "ollama-store")
    return `its files are used where they lie, in ${source}; model verify hashes them`;
  return "its source states no hash; its own was recorded";
}

function stopped(error: SpellError): SpellError {
  const kept = error.details?.["keptBytes"];
  const said =
    typeof kept === "number" && kept > 0 ? `kept ${formatBytes(kept)}; run the same command to continue` : "stopped before anything came";
  return error.with({ message: said });
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
    const rate = first === undefined || now - first.at < 200 ? undefined : ((bytes - first.bytes) * 1000) / (now - first.at);
    const share = total === undefined || total === 0 ? undefined : bytes / total;
    const rates = rate === undefined || rate <= 0 ? [] : [`${formatBytes(rate)}/s`];
    const eta =
      rate === undefined || rate <= 0 || total === undefined || bytes >= total ? [] : [`eta ${formatEta((total - bytes) / rate)}`];
    const parts = [
      name,
      ...(share === undefined ? [] : [`${Math.floor(share * 100)}%`.padStart(5)]),
      `${formatBytes(bytes)}${total === undefined ? "" : ` / ${formatBytes(total)}`}`,
      ...rates,
      ...eta,
      ...(several ? [all] : []),
    ];
    progress?.line(parts.join("  "));
    const isWhole = total !== undefined && bytes >= total;
    last = isWhole && screen.errIsTerminal ? `${name}   100%  ${formatBytes(bytes)}` : "";
    const reached = share === undefined ? 0 : Math.floor(share * 10);
    if (!screen.errIsTerminal && reached > tenth && now - started > 0) {
      tenth = reached;
      screen.tell([`${name}  ${reached * 10}%  ${formatBytes(bytes)}`, ...(eta.length === 0 ? [] : [...rates, ...eta])].join("  "));
    }
  };
  return {
    event(event) {
      switch (event.type) {
        case "download-start": {
          const { plan } = event;
          several = plan.files.length > 1;
          const from = plan.source === plan.id ? "" : `  from ${plan.source.replace(/^hf:/, "")}`;
          const commit = plan.revision === undefined ? "" : ` @ ${plan.revision.slice(0, 12)}`;
          const size =
            several && event.totalBytes !== undefined ? `  ${plural(plan.files.length, "file")}, ${formatBytes(event.totalBytes)}` : "";
          screen.tell(`pulling ${plan.id}${from}${commit}${plan.license === undefined ? "" : `  ${plan.license}`}${size}`);
          return;
        }
        case "download-progress":
          draw(
            event.file,
            event.fileBytes,
            event.fileTotal,
            `total ${event.totalBytes === undefined ? formatBytes(event.bytes) : `${Math.floor((100 * event.bytes) / Math.max(1, event.totalBytes))}% of ${formatBytes(event.totalBytes)}`}`,
          );
          return;
        case "server-progress":
          if (event.totalBytes === undefined) draw(`${event.model}: ${event.status}`, 0, undefined, "");
          else draw(`${event.model}: ${event.status}`, event.bytes, event.totalBytes, "");
          return;
        case "download-wait":
          screen.tell(`${event.file}: another process fetches it; waiting`);
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
  tellOffer(screen, offer);
  const size = offer.missingBytes === undefined ? "" : ` (${formatBytes(offer.missingBytes)})`;
  if (!flags.has("pull") && !(await askYesNo(context, `Download ${offer.id}${size}?`, true))) {
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
    ...(missingBytes === undefined ? ["unknown size"] : [`${formatBytes(missingBytes)} to come`]),
    ...(freeBytes === undefined ? [] : [`${formatBytes(freeBytes)} free on the disk`]),
    ...(expected === undefined ? [] : [expectedText(expected)]),
  ];
  screen.tell(`${id}: ${facts.join(", ")}`);
  if (fits === undefined) return;
  const { device, neededBytes, availableBytes, ok } = fits;
  const room = availableBytes === null ? `${device} ${ok ? "has" : "lacks"} the room` : `${formatBytes(availableBytes)} are free`;
  screen.tell(`it needs about ${formatBytes(neededBytes)} of memory with a context of ${plural(contextLength ?? 0, "token")}; ${room}`);
  if (!ok) screen.note(`${id} will hardly fit into memory; a smaller variant may`);
}

/** @returns "about 37s at the 18 MB/s of earlier pulls from huggingface.co" */
function expectedText({ seconds, bytesPerSecond, host }: ExpectedTime): string {
  return `about ${formatEta(seconds)} at the ${formatBytes(bytesPerSecond)}/s of earlier pulls from ${host}`;
}

/** `llmspell doctor`: what is here, what is missing, what to type. Runs the bundled models on every device that is there, and keeps the verdicts. */
import { cpus } from "node:os";
import { bundledModels } from "../../core/backends/candle/bundled.ts";
import { SpellError } from "../../core/errors.ts";
import { isGpu } from "../../core/spec/devices.ts";
import type { Device, DeviceAttempt, DeviceChoice, DevicePreview } from "../../core/spec/runtime.ts";
import { version } from "../../core/version.ts";
import { shell } from "./advice.ts";
import { flagText } from "./args.ts";
import type { Context } from "./context.ts";
import {
  type Check,
  checkBundledModel,
  checkConfig,
  checkDefaultModel,
  checkForms,
  checkHome,
  checkKeys,
  checkRuntimes,
  checkServers,
  checkThreads,
  toCheck,
} from "./doctor-checks.ts";
import { checkNetwork } from "./doctor-network.ts";
import { checkRag } from "./doctor-rag.ts";
import { formatMs, wrap } from "./format.ts";
import type { Screen } from "./render.ts";
import { deviceFields } from "./session.ts";

/** @throws SpellError of the configuration; device-unavailable, device-self-test for --device */
export async function doctor(context: Context): Promise<number> {
  const { flags, screen } = context;
  const config = await context.config();
  const asked = flagText(flags, "device") as DeviceChoice | undefined;
  const only = asked === "auto" ? undefined : asked;
  const reports = await lookAtDevices(context, only);
  const tried = Object.values(reports).flatMap((report) => report.tried);
  const checks = [
    ...checkRuntimes(),
    checkConfig(config),
    ...deviceOrder.filter((name) => tried.some(({ device }) => device === name)).map((name) => checkOf(name, reports)),
    ...checkThreads(),
    ...checkForms(reports.t5.chosen),
    ...(await Promise.all([...bundledModels.keys()].map((name) => checkBundledModel(name, context)))),
    ...(await checkDefaultModel(config, context)),
    checkHome(),
    ...(await checkRag(context)),
    ...checkNetwork(config, context.env),
    ...(await checkServers(config, context)),
    ...checkKeys(config, context.env),
  ];
  if (only !== undefined && !tried.some(isUsable)) {
    printChecks(checks, undefined, screen);
    throw unusable(only, tried, checks);
  }
  const failed = checks.some(({ result }) => result === "fail");
  printChecks(checks, only === undefined ? reports : undefined, screen);
  screen.document({
    status: failed ? "error" : "ok",
    version,
    checks: checks.map(({ area, id, result, reason, fix = null, command = null }) => ({ area, id, result, reason, fix, command })),
    // of the default model, a decoder; T5 has its own way
    device: deviceFields(reports.gguf),
    devices: { gguf: deviceFields(reports.gguf), t5: deviceFields(reports.t5) },
  });
  return failed ? 1 : 0;
}

function unusable(device: Device, tried: readonly DeviceAttempt[], checks: readonly Check[]): SpellError {
  const wrong = tried.find(isWrong);
  const why = wrong ?? tried[0];
  const reason = why === undefined ? "not found" : why.reason === "package-missing" ? missing : (why.hint ?? why.reason);
  const installs = installsOf(tried);
  return new SpellError(wrong === undefined ? "device-unavailable" : "device-self-test", `${device} cannot be used here: ${reason}`, {
    where: "--device",
    hint: installs.length > 0 ? "Install it, or use the CPU:" : undefined,
    actions: shell(...installs, "llmspell doctor --device cpu"),
    details: { tried, checks },
  });
}

/** Which one, the line that installs it says: it need not be the runtime. */
const missing = "a package is missing";

function isWrong({ reason }: DeviceAttempt): boolean {
  return reason === "self-test-failed" || reason === "missing-kernel";
}

/** Lines that install what is missing. */
function installsOf(attempts: readonly DeviceAttempt[]): readonly string[] {
  return [...new Set(attempts.flatMap(({ reason, hint }) => (reason === "package-missing" && hint !== undefined ? [hint] : [])))];
}

/** By architecture: GGUF runs on one engine, T5 on another. */
type Reports = Readonly<Record<keyof typeof labels, DevicePreview>>;

const labels = { gguf: "GGUF", t5: "T5" } as const;

const deviceOrder: readonly Device[] = ["webgpu", "metal", "cuda", "vulkan", "cpu", "wasm"];

async function lookAtDevices({ openSpell, interrupt, screen }: Context, only: Device | undefined): Promise<Reports> {
  const progress = screen.progress("looking at devices");
  try {
    return await (await openSpell()).devices({
      only,
      signal: interrupt.signal,
      onAttempt: (architecture, { device }) => progress.say(`${device} for ${labels[architecture]}`),
    });
  } finally {
    progress.end();
  }
}

/** By name, software adapters can be used too. */
function isUsable({ ok, reason, selfTestMs }: DeviceAttempt): boolean {
  return ok || (reason === "software-adapter" && selfTestMs !== undefined);
}

/** One line for a device: what each architecture gets of it, with the time of its self-test. */
function checkOf(device: Device, reports: Reports): Check {
  const tried: DeviceAttempt[] = [];
  const words = (["gguf", "t5"] as const).flatMap((architecture) => {
    const own = reports[architecture].tried.filter((attempt) => attempt.device === device);
    tried.push(...own);
    return own.map((attempt) => [labels[architecture], describeAttempt(attempt)] as const);
  });
  const isAlike = new Set(words.map(([, what]) => what)).size === 1;
  const reason = isAlike ? `${words[0]?.[1]}` : words.map(([who, what]) => `${who} ${what}`).join("; ");
  // A card that fails is passed over; without the CPU nothing works.
  if (tried.some(isWrong)) {
    const fix = "Update its driver; until then it is not used.";
    return toCheck("devices", device, isGpu(device) ? "warn" : "fail", reason, { fix });
  }
  if (tried.some(({ ok }) => ok)) return toCheck("devices", device, "ok", reason);
  return toCheck("devices", device, "skip", reason, { command: installsOf(tried).join(" && ") || undefined });
}

function describeAttempt({ ok, reason, hint, runtime, selfTestMs }: DeviceAttempt): string {
  const through = runtime === undefined ? "" : ` through ${runtime}`;
  const took = selfTestMs === undefined ? "" : `, self-test ${formatMs(selfTestMs)}`;
  if (ok) return `${hint ?? "ok"}${through}${took}`;
  if (reason === "package-missing") return missing;
  if (reason === "not-on-this-platform") return "not on this system";
  if (reason === "software-adapter") return `${hint ?? ""}${through}${took}: a software adapter, used only by name`;
  return `${hint ?? reason}${through}`;
}

/** Characters of a line that are worth a column of reasons. */
const leastReason = 36;

function printChecks(checks: readonly Check[], reports: Reports | undefined, screen: Screen): void {
  const { good, warn, bad, dim, word } = screen.out;
  const marks = { ok: good, warn, fail: bad, skip: dim };
  const width = Math.max(...checks.map(({ id }) => id.length));
  const room = screen.outIsTerminal ? screen.columns : Number.POSITIVE_INFINITY;
  for (const { area, id, result, reason, fix, command } of checks) {
    const start = `${result.padEnd(4)}  ${area.padEnd(7)}  ${id.padEnd(width)}  `;
    // beside the name, or below it where little room is left
    const isTight = room - start.length < leastReason && start.length + reason.length > room;
    const indent = isTight ? "      " : " ".repeat(start.length);
    const texts = wrap(screen.clean(reason), room - indent.length);
    const begin = indent.length < start.length ? `${start.trimEnd()}\n${indent}` : start;
    // What is left out on purpose keeps its way in on the same line where it fits; what should be mended has it below.
    const aside = result === "skip" && command !== undefined ? ` (${screen.clean(command)})` : "";
    const fits = aside !== "" && texts.length === 1 && indent.length + (texts[0]?.length ?? 0) + aside.length <= room;
    const lines = [texts.join(`\n${indent}`) + (fits ? dim(aside) : "")];
    if (fix !== undefined && result !== "skip") lines.push(...wrap(screen.clean(fix), room - indent.length));
    // Whole, to be copied.
    if (command !== undefined && !fits) lines.push((result === "skip" ? dim : word)(screen.clean(command)));
    screen.writeOwn(`${marks[result](begin.slice(0, 4))}${begin.slice(4)}${lines.join(`\n${indent}`)}\n`);
  }
  if (reports === undefined) return;
  const processor = cpus()[0]?.model.replace(/\s+/g, " ").trim() ?? "";
  const taken = ({ chosen, runtime }: DevicePreview): string =>
    `${word(chosen ?? "nothing")}${runtime === undefined ? "" : ` through ${runtime}`}`;
  const onWhat = processor === "" ? "" : dim(` (${screen.clean(processor)})`);
  screen.writeOwn(`\nauto takes ${taken(reports.gguf)} for GGUF, ${taken(reports.t5)} for T5${onWhat}\n`);
}

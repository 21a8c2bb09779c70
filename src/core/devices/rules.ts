/**
 * How a device is chosen: the same rules for every architecture and host. A host lists its devices, best first, and how to probe them; the report
 * holds each probed device with its reason. `auto` uses the first that is present, is not a software adapter, holds the model and passes the
 * self-test. A device asked for by name is used, or refused with what to do: it is never replaced silently.
 */
import { messageOf, SpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Platform } from "../platform.ts";
import type { Action } from "../spec/action.ts";
import { isGpu } from "../spec/devices.ts";
import type {
  Device,
  DeviceAttempt,
  DeviceChoice,
  DeviceOptions,
  DeviceProbe,
  DeviceReason,
  DeviceReport,
  DeviceSurvey,
  ModelHandle,
} from "../spec/runtime.ts";
import { runSelfTest, type SelfTest, type Verdict, type VerdictStore } from "./self-test.ts";

/** A device through one runtime. */
export interface DeviceCandidate<O, C> {
  readonly device: Device;
  readonly runtime: string;
  /** other names it answers to: WebGPU on top of Vulkan is taken for `vulkan`, WebAssembly for `cpu` */
  readonly also?: readonly Device[] | undefined;
  /** A model that does not fit is divided between this device and the processor. */
  readonly divides?: boolean | undefined;
  /** Looks; loads no model. Called when its turn comes, and not before. */
  probe(files: readonly ByteSource[]): Promise<DeviceProbe>;
  /** As the runtime's open(). */
  open(files: readonly ByteSource[], options: O): Promise<ModelHandle<C>>;
}

export interface DeviceRules<O, C> {
  /** Best first. @param isAuto software adapters may be left out of sight already */
  candidates(isAuto: boolean): readonly DeviceCandidate<O, C>[];
  /** Devices that cannot exist on this host, with what to ask for instead. */
  readonly absent: Readonly<Partial<Record<Device, string>>>;
  /** Taken for a device that cannot exist here. */
  readonly standIn: "cpu" | "wasm";
  readonly selfTest: SelfTest<O, C>;
  readonly verdicts: VerdictStore;
  readonly bundled: Platform["bundled"];
  /** What to do where none of the candidates is the device that was asked for. */
  readonly hint?: string | undefined;
}

/** open(), preview() and survey() of a runtime, by the rules. */
export interface RuledDevices<O, C> extends DeviceSurvey {
  /** @throws SpellError device-unavailable, device-memory, device-self-test, and what the taken candidate's open() throws */
  open(files: readonly ByteSource[], options: O): Promise<ModelHandle<C>>;
}

/** A candidate after a look: usable, or with the reason why not. */
type Examined =
  | { readonly ok: true; readonly probe: Extract<DeviceProbe, { ok: true }>; readonly notes: readonly string[] }
  | { readonly ok: false; readonly attempt: DeviceAttempt; readonly error: SpellError };

type Trial = "run" | "known";

export function ruledDevices<O extends DeviceOptions, C extends { readonly signal?: AbortSignal | undefined }>(
  rules: DeviceRules<O, C>,
): RuledDevices<O, C> {
  type Candidate = DeviceCandidate<O, C>;

  /** The choice as it can be on this host, its candidates in order, and what to say of the way there. */
  const begin = ({ device: asked, lost = [] }: DeviceOptions) => {
    const instead = asked === "auto" ? undefined : rules.absent[asked];
    const choice: DeviceChoice = instead === undefined ? asked : rules.standIn;
    const isAuto = choice === "auto";
    const all = rules.candidates(isAuto);
    const tried: DeviceAttempt[] = [];
    const fallbacks: string[] = [];
    if (instead !== undefined && asked !== "auto") {
      const hint = `${asked} does not exist here; ${rules.standIn} is used (use ${instead})`;
      tried.push({ device: asked, ok: false, reason: "not-on-this-platform", hint });
      fallbacks.push(hint);
    }
    const isGone = ({ device }: Candidate): boolean => isAuto && lost.includes(device);
    for (const { device, runtime } of all.filter(isGone)) {
      tried.push({ device, ok: false, reason: "no-adapter", hint: "it was lost while this model ran on it", runtime });
    }
    const candidates = isAuto
      ? all.filter((candidate) => !isGone(candidate))
      : all.filter(({ device, also = [] }) => device === choice || also.includes(choice));
    return { choice, isAuto, candidates, tried, fallbacks };
  };

  const examine = async (
    candidate: Candidate,
    files: readonly ByteSource[],
    { needs, signal }: DeviceOptions,
    isAuto: boolean,
    trial: Trial,
  ): Promise<Examined> => {
    const { device, runtime } = candidate;
    const probe = await look(candidate, files);
    const refuse = (reason: DeviceReason, hint: string, error: SpellError): Examined => ({
      ok: false,
      attempt: { device, ok: false, reason, hint, runtime },
      error,
    });
    if (!probe.ok) return refuse(probe.reason, probe.hint, unavailable(candidate, probe));
    if (probe.isSoftware && isAuto) {
      const hint = `${probe.label} is a software adapter; used only if you name the device`;
      return refuse("software-adapter", hint, unavailable(candidate, { hint }));
    }
    const room = findRoom(candidate, probe, needs, isAuto);
    if (room !== undefined) {
      const { reason, hint, ...details } = room;
      return refuse(reason, hint, new SpellError("device-memory", `${device}: ${hint}`, { where: device, actions: [diagnose], details }));
    }
    const verdict = isGpu(device) ? await verdictOf(candidate, probe, trial, signal) : undefined;
    if (verdict !== undefined && !verdict.ok) {
      const hint = verdict.detail ?? verdict.reason;
      const message = `${device} (${probe.label}) failed the self-test: ${hint}. Its result was not used`;
      const details = { device, test: rules.selfTest.model };
      return refuse(verdict.reason, hint, new SpellError("device-self-test", message, { where: device, actions: [diagnose], details }));
    }
    return { ok: true, probe, notes: probe.isSoftware ? [`${probe.label} is a software adapter: slower than cpu`] : [] };
  };

  const keyOf = ({ device, runtime }: Candidate, { identity }: Extract<DeviceProbe, { ok: true }>): string =>
    `${rules.selfTest.architecture} on ${device} through ${runtime} | ${identity}`;

  const verdictOf = async (
    candidate: Candidate,
    probe: Extract<DeviceProbe, { ok: true }>,
    trial: Trial,
    signal: AbortSignal | undefined,
  ): Promise<Verdict | undefined> => {
    const known = await rules.verdicts.read(keyOf(candidate, probe));
    return known ?? (trial === "known" ? undefined : test(candidate, probe, signal));
  };

  const test = async (
    candidate: Candidate,
    probe: Extract<DeviceProbe, { ok: true }>,
    signal: AbortSignal | undefined,
  ): Promise<Verdict> => {
    const verdict = await runSelfTest(
      rules.selfTest,
      rules.bundled,
      (files, options) => candidate.open(files, { ...options, device: candidate.device } as unknown as O),
      signal,
    );
    if (verdict.isLate !== true) await rules.verdicts.write(keyOf(candidate, probe), verdict);
    return verdict;
  };

  return {
    async open(files, options) {
      const { choice, isAuto, candidates, tried, fallbacks } = begin(options);
      let failure: unknown;
      for (const candidate of candidates) {
        const { device, runtime } = candidate;
        const found = await examine(candidate, files, options, isAuto, "run");
        if (!found.ok) {
          // Of several runtimes for a device that was asked for, the first is the one to mend; `auto` ends with the CPU.
          failure = isAuto ? found.error : (failure ?? found.error);
          tried.push(found.attempt);
          if (warned.has(found.attempt.reason)) fallbacks.push(skipped(found.attempt));
          continue;
        }
        try {
          const handle = await candidate.open(files, { ...options, device, mayDivide: isAuto && candidate.divides === true });
          return withReport(handle, found.probe.label, { tried, notes: found.notes, fallbacks });
        } catch (error) {
          const attempt = failedAttempt(candidate, error);
          if (attempt === undefined || (isGpu(device) && !isAuto)) throw withAttempts(error, tried);
          failure = error;
          tried.push(attempt);
          if (warned.has(attempt.reason)) fallbacks.push(`${runtime}: ${skipped(attempt)}`);
        }
      }
      failure ??= new SpellError("device-unavailable", `${choice} does not run ${rules.selfTest.architecture} models here`, {
        hint: rules.hint,
        actions: [diagnose],
      });
      throw withAttempts(failure, tried);
    },

    async preview(files, options) {
      const { isAuto, candidates, tried } = begin(options);
      for (const candidate of candidates) {
        const { device, runtime } = candidate;
        const found = await examine(candidate, files, options, isAuto, "known");
        if (!found.ok) {
          tried.push(found.attempt);
          continue;
        }
        return { chosen: device, runtime, tried: [...tried, { device, ok: true, reason: "ok", hint: found.probe.label, runtime }] };
      }
      return { tried };
    },

    async survey({ only, onAttempt, signal } = {}) {
      const tried: DeviceAttempt[] = [];
      const tell = (attempt: DeviceAttempt): void => {
        tried.push(attempt);
        onAttempt?.(attempt);
      };
      for (const [device, instead] of Object.entries(rules.absent) as [Device, string][]) {
        if (only !== undefined && only !== device) continue;
        tell({ device, ok: false, reason: "not-on-this-platform", hint: `it does not exist here; use ${instead}` });
      }
      for (const candidate of rules.candidates(false)) {
        const { device, runtime, also = [] } = candidate;
        if (only !== undefined && only !== device && !also.includes(only)) continue;
        const files = await Promise.all(rules.selfTest.files.map((file) => rules.bundled(rules.selfTest.model, file)));
        const probe = await look(candidate, files);
        if (!probe.ok) {
          tell({ device, ok: false, reason: probe.reason, hint: probe.hint, runtime });
          continue;
        }
        const verdict = await test(candidate, probe, signal);
        const reason = verdict.ok && probe.isSoftware ? "software-adapter" : verdict.reason;
        const hint = verdict.ok ? probe.label : `${probe.label}: ${verdict.detail ?? reason}`;
        tell({ device, runtime, selfTestMs: verdict.ms, ok: reason === "ok", reason, hint });
        // Of several runtimes for one device, the first that works is the one used.
        if (only !== undefined && verdict.ok) break;
      }
      const best = tried.find(({ ok }) => ok);
      return { tried, chosen: best?.device, runtime: best?.runtime };
    },
  };
}

/** A probe that fails unexpectedly is a device that cannot be used. */
async function look<O, C>(candidate: DeviceCandidate<O, C>, files: readonly ByteSource[]): Promise<DeviceProbe> {
  try {
    return await candidate.probe(files);
  } catch (error) {
    return { ok: false, reason: "driver-missing", hint: messageOf(error) };
  }
}

/** @returns why the model does not fit; undefined where it fits, or where sizes are unknown */
function findRoom(
  { divides = false }: Pick<DeviceCandidate<never, never>, "divides">,
  probe: Extract<DeviceProbe, { ok: true }>,
  needs: DeviceOptions["needs"],
  isAuto: boolean,
): { readonly reason: DeviceReason; readonly hint: string; readonly neededBytes: number; readonly availableBytes: number } | undefined {
  if (needs === undefined) return undefined;
  const memory = divides && isAuto ? 0 : needs.memoryBytes;
  const checks = [
    ["buffer-too-small", needs.bufferBytes, probe.bufferBytes, "the largest tensor takes NEEDED; one buffer holds AVAILABLE"],
    ["out-of-memory", needs.partBytes ?? 0, probe.partBytes, "it loads at most AVAILABLE at once; the model has NEEDED"],
    ["out-of-memory", memory, probe.memoryBytes, "the model takes about NEEDED; AVAILABLE are available"],
  ] as const;
  for (const [reason, neededBytes, availableBytes = Number.POSITIVE_INFINITY, text] of checks) {
    if (neededBytes <= availableBytes) continue;
    const hint = text.replace("NEEDED", megabytes(neededBytes)).replace("AVAILABLE", megabytes(availableBytes));
    return { reason, hint, neededBytes, availableBytes };
  }
  return undefined;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString("en-US")} MB`;
}

/** A device that is missing is in the report only; one that is present and cannot be used is also a warning. */
const warned: ReadonlySet<DeviceReason> = new Set(["self-test-failed", "missing-kernel", "out-of-memory", "buffer-too-small"]);

function skipped({ device, hint, reason }: DeviceAttempt): string {
  return `${device} is not used: ${hint ?? reason}`;
}

/** Failures of open() that another device may not have. A model that is refused, or crashes an engine on the CPU, is not tried elsewhere. */
const gpuFailures: ReadonlyMap<string, DeviceReason> = new Map([
  ["device-unavailable", "driver-missing"],
  ["device-lost", "driver-missing"],
  ["device-memory", "out-of-memory"],
  ["onnx-parse", "missing-kernel"],
  ["run-nan", "self-test-failed"],
  ["run-crash", "self-test-failed"],
]);

function failedAttempt(
  { device, runtime }: Pick<DeviceCandidate<never, never>, "device" | "runtime">,
  error: unknown,
): DeviceAttempt | undefined {
  if (!(error instanceof SpellError)) return undefined;
  const known = isGpu(device) ? gpuFailures.get(error.code) : error.code === "device-unavailable" ? "driver-missing" : undefined;
  return known === undefined ? undefined : { device, ok: false, reason: known, hint: error.message, runtime };
}

const diagnose: Action = { kind: "diagnose" };

function unavailable(
  { device, runtime }: Pick<DeviceCandidate<never, never>, "device" | "runtime">,
  {
    reason,
    hint,
    actions = [],
  }: { readonly reason?: DeviceReason; readonly hint: string; readonly actions?: readonly Action[] | undefined },
): SpellError {
  const isMissing = reason === "package-missing";
  const why = isMissing ? "a package it needs is not installed" : hint;
  // an engine may have said the first half itself
  const message = why.startsWith(`${device} is not available`) ? why : `${device} is not available through ${runtime}: ${why}`;
  return new SpellError("device-unavailable", message, {
    hint: isMissing ? "Install it, see what each device answers, or choose another:" : undefined,
    actions: [...actions, diagnose],
    where: device,
  });
}

/** An error with what was tried before it. */
function withAttempts(error: unknown, tried: readonly DeviceAttempt[]): unknown {
  if (!(error instanceof SpellError) || tried.length === 0 || error.details?.["tried"] !== undefined) return error;
  return error.with({ details: { tried } });
}

/** The handle, with what was tried before it in its report. Its own fields stay live. */
function withReport<C>(
  handle: ModelHandle<C>,
  label: string,
  before: Required<Pick<ModelHandle<C>, "notes" | "fallbacks">> & { readonly tried: readonly DeviceAttempt[] },
): ModelHandle<C> {
  return {
    ...handle,
    get alive() {
      return handle.alive;
    },
    get device(): DeviceReport {
      const tried = handle.device.tried.map((attempt) => (attempt.ok ? { ...attempt, hint: attempt.hint ?? label } : attempt));
      return { ...handle.device, tried: [...before.tried, ...tried] };
    },
    notes: [...before.notes, ...handle.notes],
    fallbacks: [...(before.fallbacks ?? []), ...(handle.fallbacks ?? [])],
  };
}

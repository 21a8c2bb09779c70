/**
 * How a device is chosen: the same rules for every architecture and host. A host lists what it has, best first, and how to look at it;
 * everything looked at goes into the report with its reason. `auto` takes the first that is there, is no processor in disguise, holds the model
 * and answers stored questions rightly. A device asked for by name is taken, or refused with what to do: never another in silence.
 */

import { SpellError, toSpellError } from "../errors.ts";
import type { ByteSource } from "../formats/byte-source.ts";
import type { Platform } from "../platform.ts";
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
      tried.push({ device, ok: false, reason: "no-adapter", hint: "it was lost while this model computed on it", runtime });
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
      const hint = `${probe.label} is a processor that plays a graphics card; taken only where it is asked for by name`;
      return refuse("software-adapter", hint, unavailable(candidate, { ok: false, reason: "software-adapter", hint }));
    }
    const room = findRoom(candidate, probe, needs, isAuto);
    if (room !== undefined) {
      const error = new SpellError("device-memory", `${device}: ${room.hint}`, {
        where: device,
        commands: ["llmspell doctor"],
        details: { neededBytes: room.needed, availableBytes: room.available },
      });
      return refuse(room.reason, room.hint, error);
    }
    const verdict = isGpu(device) ? await verdictOf(candidate, probe, trial, signal) : undefined;
    if (verdict !== undefined && !verdict.ok) {
      const hint = verdict.detail ?? verdict.reason;
      const error = new SpellError(
        "device-self-test",
        `${device} (${probe.label}) failed the self-test: ${hint}. Its result was not used`,
        {
          where: device,
          commands: ["llmspell doctor"],
          details: { device, test: rules.selfTest.model },
        },
      );
      return refuse(verdict.reason, hint, error);
    }
    const notes = probe.isSoftware ? [`${probe.label} is a processor that plays a graphics card: slower than cpu`] : [];
    return { ok: true, probe, notes };
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
          // Of several ways to a device that was asked for, the first is the one to mend; `auto` ends with the processor.
          failure = isAuto ? found.error : (failure ?? found.error);
          tried.push(found.attempt);
          if (isWorthTelling(found.attempt)) fallbacks.push(skipped(found.attempt));
          continue;
        }
        try {
          const handle = await candidate.open(files, { ...options, device, mayDivide: isAuto && candidate.divides === true });
          return withReport(handle, { tried, label: found.probe.label, notes: found.notes, fallbacks });
        } catch (error) {
          const attempt = failedAttempt(candidate, error);
          if (attempt === undefined || (isGpu(device) && !isAuto)) throw withAttempts(error, tried);
          failure = error;
          tried.push(attempt);
          if (isWorthTelling(attempt)) fallbacks.push(`${runtime}: ${skipped(attempt)}`);
        }
      }
      failure ??= new SpellError("device-unavailable", `${choice} is not a device that ${rules.selfTest.architecture} models run on here`, {
        hint: rules.hint,
        commands: ["llmspell doctor"],
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
        const { ok, reason, ms, detail } = await test(candidate, probe, signal);
        const seen = { device, runtime, selfTestMs: ms };
        if (!ok) tell({ ...seen, ok, reason, hint: `${probe.label}: ${detail ?? reason}` });
        else if (probe.isSoftware) tell({ ...seen, ok: false, reason: "software-adapter", hint: probe.label });
        else tell({ ...seen, ok, reason, hint: probe.label });
        // Asked for by name, the first way that works is the one that is taken.
        if (only !== undefined && ok) break;
      }
      const best = tried.find(({ ok }) => ok);
      return {
        tried,
        chosen: best?.device,
        runtime: best?.runtime,
      };
    },
  };
}

/** A look that fails in a way nobody foresaw is a device that cannot be used. */
async function look<O, C>(candidate: DeviceCandidate<O, C>, files: readonly ByteSource[]): Promise<DeviceProbe> {
  try {
    return await candidate.probe(files);
  } catch (error) {
    return { ok: false, reason: "driver-missing", hint: toSpellError(error).message };
  }
}

function findRoom(
  { divides = false }: Pick<DeviceCandidate<never, never>, "divides">,
  { memoryBytes, bufferBytes, partBytes }: Extract<DeviceProbe, { ok: true }>,
  needs: DeviceOptions["needs"],
  isAuto: boolean,
): { readonly reason: DeviceReason; readonly hint: string; readonly needed: number; readonly available: number } | undefined {
  if (needs === undefined) return undefined;
  if (bufferBytes !== undefined && needs.bufferBytes > bufferBytes) {
    const hint = `the largest tensor takes ${megabytes(needs.bufferBytes)}; one buffer holds ${megabytes(bufferBytes)}`;
    return { reason: "buffer-too-small", hint, needed: needs.bufferBytes, available: bufferBytes };
  }
  if (partBytes !== undefined && needs.partBytes !== undefined && needs.partBytes > partBytes) {
    const hint = `it loads at most ${megabytes(partBytes)} at once; the model has ${megabytes(needs.partBytes)}`;
    return { reason: "out-of-memory", hint, needed: needs.partBytes, available: partBytes };
  }
  if (memoryBytes !== undefined && needs.memoryBytes > memoryBytes && !(divides && isAuto)) {
    const hint = `the model takes about ${megabytes(needs.memoryBytes)}; ${megabytes(memoryBytes)} are available`;
    return { reason: "out-of-memory", hint, needed: needs.memoryBytes, available: memoryBytes };
  }
  return undefined;
}

function megabytes(bytes: number): string {
  return `${Math.ceil(bytes / 1e6).toLocaleString("en-US")} MB`;
}

/** What a package or an adapter lacks is in the report; what was there and could not be used deserves a word. */
function isWorthTelling({ reason }: DeviceAttempt): boolean {
  return reason === "self-test-failed" || reason === "missing-kernel" || reason === "out-of-memory" || reason === "buffer-too-small";
}

function skipped({ device, hint, reason }: DeviceAttempt): string {
  return `${device} is not used: ${hint ?? reason}`;
}

/** Failures of open() that another device may not have. A model that is refused, or kills its engine, is no reason to feed it to another on a processor. */
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

function unavailable(
  { device, runtime }: Pick<DeviceCandidate<never, never>, "device" | "runtime">,
  { reason, hint }: Extract<DeviceProbe, { ok: false }>,
): SpellError {
  const isMissing = reason === "package-missing";
  const why = isMissing ? "a package it needs is not installed" : hint;
  return new SpellError(
    "device-unavailable",
    // an engine may have said the first half itself
    why.startsWith(`${device} is not available`) ? why : `${device} is not available through ${runtime}: ${why}`,
    {
      hint: isMissing ? "Install it, look at all devices, or take another:" : undefined,
      commands: [...(isMissing ? [hint] : []), "llmspell doctor"],
      where: device,
    },
  );
}

/** An error with what was tried before it. */
function withAttempts(error: unknown, tried: readonly DeviceAttempt[]): unknown {
  if (!(error instanceof SpellError) || tried.length === 0 || error.details?.["tried"] !== undefined) return error;
  const { code, message, hint, commands, where, details, cause } = error;
  return new SpellError(code, message, {
    hint,
    commands,
    where,
    details: { ...details, tried },
    cause,
  });
}

/** The handle, with what was tried before it in its report. Its own fields stay live. */
function withReport<C>(
  handle: ModelHandle<C>,
  facts: {
    readonly tried: readonly DeviceAttempt[];
    readonly label: string;
    readonly notes: readonly string[];
    readonly fallbacks: readonly string[];
  },
): ModelHandle<C> {
  const { tried, label, notes, fallbacks } = facts;
  const named = (attempt: DeviceAttempt): DeviceAttempt =>
    attempt.ok && attempt.hint === undefined ? { ...attempt, hint: label } : attempt;
  return {
    ...handle,
    get alive() {
      return handle.alive;
    },
    get device(): DeviceReport {
      return { ...handle.device, tried: [...tried, ...handle.device.tried.map(named)] };
    },
    notes: [...notes, ...handle.notes],
    fallbacks: [...fallbacks, ...(handle.fallbacks ?? [])],
  };
}

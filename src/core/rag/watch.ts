/** What is told of each call: counts, times, slow calls, errors in a row, a rate for each tenant, lines of the log and of the audit. */
import { bucket } from "../bucket.ts";
import type { RagConfig } from "../config/config.generated.ts";
import { SpellError } from "../errors.ts";
import type { LogEntry } from "../platform.ts";
import type { Audit } from "./audit.ts";
import type { OperationStats } from "./types.ts";

export interface WatchHost {
  readonly now: () => number;
  readonly wallTime: () => number;
  readonly log: (entry: LogEntry) => void;
  /** Absent where it is switched off. @returns undefined where the host keeps none */
  readonly audit?: (() => Promise<Audit | undefined>) | undefined;
}

export interface Watch {
  /** @param count what the call is about, such as documents @throws SpellError rag-rate, and of the work */
  call<T>(operation: string, tenant: string, count: number, work: () => Promise<T>): Promise<T>;
  stats(): Readonly<Record<string, OperationStats>> | undefined;
  /** A line at level debug, which `rag.debug.enable_debug_logging` wants shown. */
  debug(message: string): void;
}

export function createWatch({ debug, monitoring, security, performance }: RagConfig, { now, wallTime, log, audit }: WatchHost): Watch {
  const counts = new Map<string, { calls: number; errors: number; times: { readonly at: number; readonly ms: number }[] }>();
  const rates = new Map<string, () => boolean>();
  let errorTimes: number[] = [];
  let toldErrors = Number.NEGATIVE_INFINITY;
  let exported = now();
  const isCounting = monitoring.enable_metrics || performance.enable_metrics;

  const isWanted = debug.enable_debug_logging;
  const tell = (message: string): void => log({ level: "debug", message: `rag: ${message}`, ...(isWanted ? { isWanted } : {}) });

  const stats = (): Readonly<Record<string, OperationStats>> | undefined => {
    if (!isCounting) return undefined;
    const since = now() - performance.metrics_interval_seconds * 1000;
    return Object.fromEntries(
      [...counts].map(([name, { calls, errors, times }]) => {
        const recent = times.filter(({ at }) => at >= since);
        const mean = recent.length === 0 ? 0 : recent.reduce((sum, { ms }) => sum + ms, 0) / recent.length;
        return [name, { calls, errors, ...(performance.enable_metrics ? { meanMs: Number(mean.toFixed(2)) } : {}) }];
      }),
    );
  };

  const noteError = (): void => {
    const time = now();
    errorTimes = [...errorTimes.filter((at) => at > time - 60_000), time];
    if (!monitoring.alert_on_errors || errorTimes.length <= monitoring.error_threshold_per_minute || time - toldErrors < 60_000) return;
    toldErrors = time;
    log({
      level: "warn",
      message: `rag: ${errorTimes.length} calls failed within a minute; rag.monitoring.error_threshold_per_minute is ${monitoring.error_threshold_per_minute}`,
    });
  };

  const note = async (operation: string, tenant: string, count: number, started: number, error: unknown, kept?: Audit): Promise<void> => {
    const ms = now() - started;
    const code = error === undefined ? undefined : error instanceof SpellError ? error.code : "internal-error";
    if (isCounting) {
      const known = counts.get(operation) ?? { calls: 0, errors: 0, times: [] };
      known.calls += 1;
      if (code !== undefined) known.errors += 1;
      known.times = [...known.times.slice(-999), { at: now(), ms }];
      counts.set(operation, known);
    }
    if (code !== undefined) noteError();
    if (debug.log_all_operations) tell(`${operation} of ${tenant}: ${count}, ${ms.toFixed(1)} ms${code === undefined ? "" : `, ${code}`}`);
    if (performance.log_slow_operations && ms > performance.slow_operation_threshold_ms)
      log({
        level: "warn",
        message: `rag: ${operation} took ${ms.toFixed(0)} ms; rag.performance.slow_operation_threshold_ms is ${performance.slow_operation_threshold_ms}`,
      });
    if (monitoring.enable_metrics && now() - exported >= monitoring.metrics_export_interval * 1000) {
      exported = now();
      log({ level: "info", message: `rag: ${JSON.stringify(stats())}` });
    }
    const time = new Date(wallTime()).toISOString();
    await kept?.add({ time, tenant, operation, count, ms: Math.round(ms), ok: code === undefined, code });
  };

  return {
    async call(operation, tenant, count, work) {
      const started = now();
      let failure: unknown;
      const kept = await audit?.();
      await kept?.check();
      try {
        if (security.enable_rate_limiting) {
          const rate = rates.get(tenant) ?? bucket(security.rate_limit_per_user, 60_000, now);
          rates.set(tenant, rate);
          if (!rate())
            throw new SpellError(
              "rag-rate",
              `tenant ${tenant}: expected at most ${security.rate_limit_per_user} calls a minute, got more`,
              {
                where: "rag.security.rate_limit_per_user",
              },
            );
        }
        return await work();
      } catch (error) {
        failure = error ?? new Error("nothing was said");
        throw error;
      } finally {
        await note(operation, tenant, count, started, failure, kept);
      }
    },
    stats,
    debug: tell,
  };
}

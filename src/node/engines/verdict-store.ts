/** Verdicts of self-tests in the home folder. */
import type { Verdict, VerdictStore } from "../../core/devices/self-test.ts";
import { readHomeJson, writeHomeJson } from "../home.ts";

/** File in the home folder. */
const name = "self-tests.json";
/** A few devices, two architectures, a few versions; the oldest go first. */
const maxEntries = 64;

export function homeVerdicts(): VerdictStore {
  return {
    async read(key) {
      const entry = readEntries()[key];
      return isVerdict(entry) ? entry : undefined;
    },
    async write(key, verdict) {
      const others = Object.entries(readEntries()).filter(([other]) => other !== key);
      try {
        writeHomeJson(name, Object.fromEntries([...others.slice(-(maxEntries - 1)), [key, verdict]]));
      } catch {
        // A home that cannot be written costs a new self-test next time.
      }
    },
  };
}

function isVerdict(value: unknown): value is Verdict {
  if (typeof value !== "object" || value === null) return false;
  const { ok, ms, reason } = value as Record<string, unknown>;
  const isReason = ok === true ? reason === "ok" : reason === "self-test-failed" || reason === "missing-kernel";
  return typeof ok === "boolean" && typeof ms === "number" && isReason;
}

function readEntries(): Record<string, unknown> {
  const found = readHomeJson(name);
  // Names from a file: no prototype, so that none of them means anything.
  return Object.assign(Object.create(null), typeof found === "object" && found !== null && !Array.isArray(found) ? found : {});
}

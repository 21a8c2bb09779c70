/** Verdicts of self-tests in the home folder. */
import { isVerdict, type VerdictStore } from "../../core/devices/self-test.ts";
import { readRecords, writeRecord } from "./home-records.ts";

const file = "self-tests.json";

export function homeVerdicts(): VerdictStore {
  return {
    async read(key) {
      const entry = readRecords(file)[key];
      return isVerdict(entry) ? entry : undefined;
    },
    write: async (key, verdict) => writeRecord(file, key, verdict),
  };
}

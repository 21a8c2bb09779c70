/**
 * A vitest reporter that writes what verify.mjs adds up: counts, and for each skipped test its reason.
 * The JSON reporter of vitest leaves the reasons out. A test that is skipped and says not why counts as failed. A file that could not be collected counts as one failed test, and so does each
 * test that never came to its end, or never began because a hook of its suite failed.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";

function isInside(/** @type {any} */ test, /** @type {ReadonlySet<unknown>} */ suites) {
  for (let parent = test.parent; parent !== undefined; parent = parent.parent) if (suites.has(parent)) return true;
  return false;
}

/** What a test gave as it skipped itself, or what stands behind its title. @returns {string | undefined} */
function reasonOf(/** @type {string} */ fullName, /** @type {string | undefined} */ note) {
  return note ?? /\(skipped: (.+?)\)(?= > |$)/.exec(fullName)?.[1];
}

export default class TallyReporter {
  onTestRunEnd(/** @type {readonly any[]} */ modules, /** @type {readonly unknown[]} */ unhandledErrors) {
    const file = process.env.LLMSPELL_TALLY;
    if (file === undefined) return;
    /** @type {{ passed: number, failed: number, skipped: { name: string, reason: string }[], unhandled: number }} */
    const tally = { passed: 0, failed: 0, skipped: [], unhandled: unhandledErrors.length };
    for (const module of modules) {
      if (module.errors().length > 0) tally.failed += 1;
      // A hook that failed takes all tests of its suite with it; vitest calls those skipped.
      const broken = new Set();
      for (const suite of module.children.allSuites()) if (suite.errors().length > 0) broken.add(suite);
      for (const test of module.children.allTests()) {
        const result = test.result();
        if (result.state === "passed") tally.passed += 1;
        else {
          const reason = result.state === "skipped" ? reasonOf(test.fullName, result.note) : undefined;
          if (reason === undefined || module.errors().length > 0 || isInside(test, broken)) tally.failed += 1;
          else tally.skipped.push({ name: `${module.relativeModuleId} > ${test.fullName}`, reason });
        }
      }
    }
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(tally));
  }
}

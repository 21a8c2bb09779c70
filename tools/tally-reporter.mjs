/**
 * A vitest reporter that writes what verify.mjs adds up: counts, for each skipped test its reason, and for each that failed its error.
 * The JSON reporter of vitest leaves the reasons out. A test that is skipped and says not why counts as failed. A file that could not be collected counts as one failed test, and so do each
 * hook of a suite that failed and each test that never came to its end, or never began because of such a hook.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { stripVTControlCharacters } from "node:util";

function isInside(/** @type {any} */ test, /** @type {ReadonlySet<unknown>} */ suites) {
  for (let parent = test.parent; parent !== undefined; parent = parent.parent) if (suites.has(parent)) return true;
  return false;
}

/** What a test gave as it skipped itself, or what stands behind its title. @returns {string | undefined} */
function reasonOf(/** @type {string} */ fullName, /** @type {string | undefined} */ note) {
  return note ?? /\(skipped: (.+?)\)(?= > |$)/.exec(fullName)?.[1];
}

/** The start of the first error, without the colours of a terminal, and the line it came from. @returns {string} */
function textOf(/** @type {readonly { message: string, stack?: string }[] | undefined} */ errors) {
  const [error] = errors ?? [];
  if (error === undefined) return "no error given: it was skipped without a reason, or its suite ended before it";
  const place = /\(?((?:file:\/\/)?[^\s(]*\/test\/[^\s)]+:\d+):\d+\)?/.exec(error.stack ?? "")?.[1];
  const lines = stripVTControlCharacters(error.message).split("\n").slice(0, 6);
  return [...lines, ...(place === undefined ? [] : [`at ${place.slice(place.lastIndexOf("/test/") + 1)}`])].join("\n").slice(0, 1_000);
}

export default class TallyReporter {
  onTestRunEnd(/** @type {readonly any[]} */ modules, /** @type {readonly unknown[]} */ unhandledErrors) {
    const file = process.env.LLMSPELL_TALLY;
    if (file === undefined) return;
    /** @type {{ passed: number, failures: { name: string, error: string }[], again: { name: string, error: string }[], skipped: { name: string, reason: string }[], slowest: { name: string, seconds: number }[], unhandled: number }} */
    const tally = { passed: 0, failures: [], again: [], skipped: [], slowest: [], unhandled: unhandledErrors.length };
    for (const module of modules) {
      if (module.errors().length > 0) tally.failures.push({ name: module.relativeModuleId, error: textOf(module.errors()) });
      // A hook that failed takes all tests of its suite with it; vitest calls those skipped.
      const broken = new Set();
      for (const suite of module.children.allSuites()) {
        if (suite.errors().length === 0) continue;
        broken.add(suite);
        tally.failures.push({ name: `${module.relativeModuleId} > ${suite.fullName}`, error: textOf(suite.errors()) });
      }
      for (const test of module.children.allTests()) {
        const result = test.result();
        const name = `${module.relativeModuleId} > ${test.fullName}`;
        if (result.state === "passed") {
          tally.passed += 1;
          if (test.diagnostic()?.flaky) tally.again.push({ name, error: textOf(result.errors) });
        } else {
          const reason = result.state === "skipped" ? reasonOf(test.fullName, result.note) : undefined;
          if (reason === undefined || module.errors().length > 0 || isInside(test, broken)) {
            tally.failures.push({ name, error: textOf(result.errors) });
          } else tally.skipped.push({ name, reason });
        }
      }
    }
    const took = modules.map((module) => ({ name: module.relativeModuleId, seconds: module.diagnostic().duration / 1000 }));
    tally.slowest = took.sort((a, b) => b.seconds - a.seconds).slice(0, 12);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify(tally));
  }
}

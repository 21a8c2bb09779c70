/** Runs a command as a fresh process and measures it from outside: wall time, first byte of output, peak memory of its whole family. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/**
 * @returns {Promise<{ wallMs: number, cpuMs: number, firstByteMs: number, peakRssMb: number, figures: object }>}
 *   cpuMs = processor time of the whole family, in steps of 10 (Linux; else 0; right only where nothing else was started meanwhile);
 *   figures = the JSON object on the last line of output, where there is one; peakRssMb = sum over its processes of each one's own peak (Linux; else 0)
 */
export function measure([command, ...args], { env = {}, killAtFirstByte = false, timeoutMs = 180_000, echo = false } = {}) {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const cpuBefore = familyCpuMs();
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    const peaks = new Map();
    const deadline = setTimeout(() => child.kill("SIGKILL"), timeoutMs);
    const sampler = setInterval(() => family(child.pid, peaks), 20);
    let out = "";
    let errors = "";
    let firstByteMs = 0;
    child.stdout.on("data", (chunk) => {
      if (firstByteMs === 0) {
        firstByteMs = performance.now() - started;
        family(child.pid, peaks);
        if (killAtFirstByte) child.kill("SIGTERM");
      }
      out += chunk;
    });
    child.stderr.on("data", (chunk) => {
      errors += chunk;
      if (echo) process.stderr.write(chunk);
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearInterval(sampler);
      clearTimeout(deadline);
      if (code !== 0 && signal !== "SIGKILL" && !killAtFirstByte)
        return reject(new Error(`${command} ${args.join(" ")} ended with ${code}: ${errors.slice(-800)}`));
      const last = out.trim().split("\n").at(-1) ?? "";
      resolve({
        wallMs: performance.now() - started,
        cpuMs: familyCpuMs() - cpuBefore,
        firstByteMs,
        peakRssMb: [...peaks.values()].reduce((sum, kb) => sum + kb, 0) / 1024,
        figures: last.startsWith("{") ? JSON.parse(last) : {},
      });
    });
  });
}

/** Processor time of all children that have ended, and of theirs. Source: proc(5), fields 16 and 17 of stat, in ticks of 10 ms. */
function familyCpuMs() {
  try {
    const fields = readFileSync("/proc/self/stat", "utf8")
      .replace(/^.*\) /, "")
      .split(" ");
    return (Number(fields[13]) + Number(fields[14])) * 10;
  } catch {
    return 0;
  }
}

/** Adds the peaks of a process and its children, by pid; silent where /proc is not there or a process is gone. */
function family(pid, peaks) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    // bundles a subject's sources, and is no part of what is measured
    if (/^Name:\s+esbuild$/m.test(status)) return;
    const peak = /VmHWM:\s+(\d+)/.exec(status);
    if (peak !== null) peaks.set(pid, Math.max(peaks.get(pid) ?? 0, Number(peak[1])));
    for (const task of [pid]) {
      for (const child of readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").trim().split(" "))
        if (child !== "") family(Number(child), peaks);
    }
  } catch {
    // the process ended between two looks
  }
}

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  return sorted.length % 2 === 1 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

export const spread = (values) => ({ median: median(values), min: Math.min(...values), max: Math.max(...values), runs: values.length });

/**
 * Runs subjects in turn, round after round, so that a drifting machine drifts for all of them alike.
 * @param subjects { name: () => Promise<Record<string, number>> }
 * @param fewer { name: rounds } for subjects that take minutes
 * @returns { name: { figure: { median, min, max, runs } } } and the raw rows
 */
export async function interleave(subjects, rounds, { onRound = () => undefined, fewer = {} } = {}) {
  const rows = Object.fromEntries(Object.keys(subjects).map((name) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const names = Object.keys(subjects);
    if (round % 2 === 1) names.reverse();
    for (const name of names) if (round < (fewer[name] ?? rounds)) rows[name].push(await subjects[name]());
    onRound(round + 1);
  }
  return rows;
}

/** Median over the rounds of a's figure divided by b's of the same round. */
export const pairRatio = (a, b, figure) => median(a.map((row, i) => row[figure] / b[i][figure]));

/** Numbers as people read them. Pure. */

/** @returns "1.5 GB", "31 MB", "812 B": decimal units, as shops and download pages count */
export function formatBytes(bytes: number | null): string {
  if (bytes === null) return "–";
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : Number(value.toPrecision(3))} ${units[unit]}`;
}

/** @returns "12,345". The locale of a number takes tens of milliseconds to load. */
export function formatCount(count: number): string {
  return String(count).replace(/(?<=^-?\d+)(?=(\d{3})+$)/g, ",");
}

/** @returns "15.2 M", "1.1 B": millions and billions, as models are named */
export function formatParameters(count: number): string {
  if (count >= 1e9) return `${Number((count / 1e9).toPrecision(3))} B`;
  if (count >= 1e6) return `${Number((count / 1e6).toPrecision(3))} M`;
  return formatCount(count);
}

/** @returns "12 ms", "1.9 s", "2 min 5 s" */
export function formatMs(ms: number): string {
  if (ms < 999.5) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toPrecision(3))} s`;
  const seconds = Math.round(ms / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}

/** @returns "417 tok/s"; a dash where nothing was measured */
export function formatRate(rate: number): string {
  return rate === 0 ? "–" : `${rate >= 100 ? Math.round(rate) : Number(rate.toPrecision(3))} tok/s`;
}

export function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

/** @returns "21s", "3m12s", "2h05m" */
export function formatEta(seconds: number): string {
  const whole = Math.max(1, Math.round(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${String(whole % 60).padStart(2, "0")}s`;
  return `${Math.floor(whole / 3600)}h${String(Math.floor((whole % 3600) / 60)).padStart(2, "0")}m`;
}

/** Lines of at most so many characters, broken between words; a longer word stays whole. */
export function wrap(text: string, width: number): string[] {
  const result: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      result.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...result, line];
}

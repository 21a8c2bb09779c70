/** The C library's calendar for Lua's `os.date` and `os.time`, over the host's Date. Names are English, as in the C locale. */

/** Offsets in C's `struct tm`, in bytes. */
const fields = { sec: 0, min: 4, hour: 8, mday: 12, mon: 16, year: 20, wday: 24, yday: 28, isdst: 32, gmtoff: 36 } as const;
type Tm = Record<keyof typeof fields, number>;

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = "January February March April May June July August September October November December".split(" ");
const dayMs = 86_400_000;

/** @param memory of Lua: it grows, and its buffer changes with that */
export function timeImports(memory: () => ArrayBuffer): Record<string, (...values: never[]) => unknown> {
  const view = (): DataView => new DataView(memory());
  const write = (at: number, tm: Tm): void => {
    for (const [name, offset] of Object.entries(fields)) view().setInt32(at + offset, tm[name as keyof Tm], true);
  };
  const read = (at: number): Tm =>
    Object.fromEntries(Object.entries(fields).map(([name, offset]) => [name, view().getInt32(at + offset, true)])) as Tm;
  return {
    _gmtime_js: (seconds: bigint, at: number) => write(at, inUtc(new Date(Number(seconds) * 1000))),
    _localtime_js: (seconds: bigint, at: number) => write(at, inZone(new Date(Number(seconds) * 1000))),
    _mktime_js(at: number) {
      const { sec, min, hour, mday, mon, year } = read(at);
      const date = new Date(year + 1900, mon, mday, hour, min, sec);
      date.setFullYear(date.getFullYear()); // a year below 100 would be one of the last century
      if (Number.isNaN(date.getTime())) return -1n;
      write(at, inZone(date));
      return BigInt(Math.floor(date.getTime() / 1000));
    },
    _tzset_js: () => undefined,
    strftime(to: number, most: number, format: number, tm: number) {
      const bytes = new Uint8Array(memory());
      let end = format;
      while (bytes[end] !== 0) end += 1;
      const text = formatted(new TextDecoder().decode(bytes.subarray(format, end)), read(tm));
      const encoded = new TextEncoder().encode(text);
      if (encoded.length >= most) return 0;
      bytes.set(encoded, to);
      bytes[to + encoded.length] = 0;
      return encoded.length;
    },
  };
}

function inUtc(date: Date): Tm {
  const year = date.getUTCFullYear();
  return {
    sec: date.getUTCSeconds(),
    min: date.getUTCMinutes(),
    hour: date.getUTCHours(),
    mday: date.getUTCDate(),
    mon: date.getUTCMonth(),
    year: year - 1900,
    wday: date.getUTCDay(),
    yday: dayOfYear(year, date.getUTCMonth(), date.getUTCDate()),
    isdst: 0,
    gmtoff: 0,
  };
}

function inZone(date: Date): Tm {
  const year = date.getFullYear();
  const offset = date.getTimezoneOffset();
  const [winter = 0, summer = 0] = [0, 6].map((month) => new Date(year, month, 1).getTimezoneOffset());
  return {
    sec: date.getSeconds(),
    min: date.getMinutes(),
    hour: date.getHours(),
    mday: date.getDate(),
    mon: date.getMonth(),
    year: year - 1900,
    wday: date.getDay(),
    yday: dayOfYear(year, date.getMonth(), date.getDate()),
    isdst: winter !== summer && offset === Math.min(winter, summer) ? 1 : 0,
    gmtoff: -60 * offset,
  };
}

function dayOfYear(year: number, month: number, day: number): number {
  const at = (m: number, d: number): number => {
    const date = new Date(0);
    date.setUTCFullYear(year, m, d);
    return date.getTime();
  };
  return Math.round((at(month, day) - at(0, 1)) / dayMs);
}

const two = (value: number): string => String(value).padStart(2, "0");
const spaced = (value: number): string => String(value).padStart(2, " ");

/** Source: ISO C99 7.23.3.5, the conversions that Lua 5.4 lets through; `E` and `O` before one change nothing in the C locale. */
function formatted(format: string, tm: Tm): string {
  return format.replace(/%[EO]?(.)/g, (whole, letter: string) => conversions[letter]?.(tm) ?? whole);
}

const conversions: Readonly<Record<string, (tm: Tm) => string>> = {
  a: (tm) => (days[tm.wday] ?? "?").slice(0, 3),
  A: (tm) => days[tm.wday] ?? "?",
  b: (tm) => (months[tm.mon] ?? "?").slice(0, 3),
  B: (tm) => months[tm.mon] ?? "?",
  c: (tm) => formatted("%a %b %e %H:%M:%S %Y", tm),
  C: (tm) => two(Math.floor((tm.year + 1900) / 100)),
  d: (tm) => two(tm.mday),
  D: (tm) => formatted("%m/%d/%y", tm),
  e: (tm) => spaced(tm.mday),
  F: (tm) => formatted("%Y-%m-%d", tm),
  g: (tm) => two(isoWeek(tm).year % 100),
  G: (tm) => String(isoWeek(tm).year),
  h: (tm) => formatted("%b", tm),
  H: (tm) => two(tm.hour),
  I: (tm) => two(tm.hour % 12 || 12),
  j: (tm) => String(tm.yday + 1).padStart(3, "0"),
  m: (tm) => two(tm.mon + 1),
  M: (tm) => two(tm.min),
  n: () => "\n",
  p: (tm) => (tm.hour < 12 ? "AM" : "PM"),
  r: (tm) => formatted("%I:%M:%S %p", tm),
  R: (tm) => formatted("%H:%M", tm),
  S: (tm) => two(tm.sec),
  t: () => "\t",
  T: (tm) => formatted("%H:%M:%S", tm),
  u: (tm) => String(tm.wday || 7),
  U: (tm) => two(Math.floor((tm.yday + 7 - tm.wday) / 7)),
  V: (tm) => two(isoWeek(tm).week),
  w: (tm) => String(tm.wday),
  W: (tm) => two(Math.floor((tm.yday + 7 - ((tm.wday + 6) % 7)) / 7)),
  x: (tm) => formatted("%m/%d/%y", tm),
  X: (tm) => formatted("%H:%M:%S", tm),
  y: (tm) => two((((tm.year + 1900) % 100) + 100) % 100),
  Y: (tm) => String(tm.year + 1900),
  z: (tm) => `${tm.gmtoff < 0 ? "-" : "+"}${two(Math.floor(Math.abs(tm.gmtoff) / 3600))}${two((Math.abs(tm.gmtoff) / 60) % 60)}`,
  Z: (tm) => (tm.gmtoff === 0 ? "GMT" : formatted("%z", tm)),
  "%": () => "%",
};

/** The week that holds this year's Thursday. */
function isoWeek(tm: Tm): { readonly year: number; readonly week: number } {
  const year = tm.year + 1900;
  const thursday = new Date(0);
  thursday.setUTCFullYear(year, 0, tm.yday + 1 + 3 - ((tm.wday + 6) % 7));
  const own = thursday.getUTCFullYear();
  return { year: own, week: Math.floor(dayOfYear(own, thursday.getUTCMonth(), thursday.getUTCDate()) / 7) + 1 };
}

/** Dates as Python's strftime writes them in the C locale, which is how templates were tested: a prompt must not follow the reader's language. */
const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = "January February March April May June July August September October November December".split(" ");

const two = (value: number, fill = "0"): string => String(value).padStart(2, fill);
const hour12 = (date: Date): number => date.getHours() % 12 || 12;

const parts: Readonly<Record<string, (date: Date) => string>> = {
  Y: (date) => String(date.getFullYear()),
  y: (date) => two(date.getFullYear() % 100),
  m: (date) => two(date.getMonth() + 1),
  d: (date) => two(date.getDate()),
  e: (date) => two(date.getDate(), " "),
  B: (date) => months[date.getMonth()] ?? "",
  b: (date) => (months[date.getMonth()] ?? "").slice(0, 3),
  h: (date) => (months[date.getMonth()] ?? "").slice(0, 3),
  A: (date) => days[date.getDay()] ?? "",
  a: (date) => (days[date.getDay()] ?? "").slice(0, 3),
  H: (date) => two(date.getHours()),
  I: (date) => two(hour12(date)),
  M: (date) => two(date.getMinutes()),
  S: (date) => two(date.getSeconds()),
  p: (date) => (date.getHours() < 12 ? "AM" : "PM"),
  j: (date) =>
    String(Math.round((new Date(date).setHours(0, 0, 0, 0) - new Date(date.getFullYear(), 0, 1).getTime()) / 86_400_000) + 1).padStart(
      3,
      "0",
    ),
  F: (date) => strftime(date, "%Y-%m-%d"),
  T: (date) => strftime(date, "%H:%M:%S"),
  R: (date) => strftime(date, "%H:%M"),
  D: (date) => strftime(date, "%m/%d/%y"),
  n: () => "\n",
  t: () => "\t",
  "%": () => "%",
};

/** @param format of the local time; `%-d` leaves out the fill @throws TypeError for a part that is not known */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)(.?)/gsu, (whole, bare: string, letter: string) => {
    const part = Object.hasOwn(parts, letter) ? parts[letter] : undefined;
    if (part === undefined) throw new TypeError(`strftime knows no ${whole}`);
    return bare === "-" ? part(date).replace(/^[0 ]+(?=\d)/, "") : part(date);
  });
}

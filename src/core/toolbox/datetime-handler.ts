/** `datetime-handler`: dates, times, zones and durations by Temporal: the host's own where there is one. */
import type { Temporal as TemporalApi } from "temporal-polyfill";
import { toolFailed } from "./failure.ts";
import { any, integer, number, object, oneOf, text } from "./schema.ts";
import type { ToolDefinition } from "./types.ts";

interface Input {
  readonly operation: keyof typeof operations;
  readonly date?: string | number;
  readonly to?: string | number;
  readonly zone?: string;
  readonly amount?: Readonly<Record<string, number>>;
  readonly unit?: "year" | "month" | "week" | "day" | "hour" | "minute" | "second";
  readonly locale?: string;
  readonly style?: "full" | "long" | "medium" | "short";
}

type Temporal = typeof TemporalApi;
type Zoned = TemporalApi.ZonedDateTime;

const moments = (description: string) => ({ type: ["string", "integer"], description });

const units = ["years", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds"];

export const datetimeHandler: ToolDefinition = {
  name: "datetime-handler",
  description:
    "Says the time, reads, converts between zones, adds, subtracts, compares and writes dates. Zones by name, such as Europe/Berlin.",
  category: "time",
  version: "1.0.0",
  tags: ["calendar", "time zone", "duration"],
  parameters: object(
    {
      operation: oneOf("what to do", ["now", "parse", "convert", "add", "subtract", "difference", "format"]),
      date: moments(
        "ISO 8601, such as 2026-03-29 or 2026-03-29T01:30:00+01:00; without offset it is in zone. Or milliseconds since 1970; as text of 4 or 8 digits with a sign",
      ),
      to: moments("difference: the later date; convert: the zone"),
      zone: text("zone of a date without offset, and of the result [UTC]"),
      amount: object(Object.fromEntries(units.map((unit) => [unit, integer("how many", -100_000_000, 100_000_000)])), []),
      unit: oneOf("difference: the largest unit [day]", ["year", "month", "week", "day", "hour", "minute", "second"]),
      locale: text("format: language, such as de [en]"),
      style: oneOf("format: how long [long]", ["full", "long", "medium", "short"]),
    },
    ["operation"],
  ),
  output: object(
    {
      result: text("ISO 8601 with offset and zone; difference: a duration such as P1DT2H; format: text"),
      iso: text("the moment in UTC"),
      timestamp: number("milliseconds since 1970"),
      zone: text("its name"),
      parts: any("year, month, day, hour, minute, second, day_of_week (1 = Monday), day_of_year, week"),
      seconds: number("difference: in seconds"),
      duration: any("difference: by unit"),
    },
    ["result"],
  ),
  async run(input: Input) {
    const Temporal = await temporal();
    try {
      return operations[input.operation](input, Temporal);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof TypeError)) throw error;
      const given = JSON.stringify({ date: input.date, to: input.to, zone: input.zone, amount: input.amount });
      throw toolFailed("datetime-handler", `expected dates and zones that exist, got ${given.slice(0, 300)}: ${error.message}`, error);
    }
  },
};

async function temporal(): Promise<Temporal> {
  const own = (globalThis as { readonly Temporal?: Temporal }).Temporal;
  return own ?? (await import("temporal-polyfill")).Temporal;
}

const operations = {
  now: ({ zone = "UTC" }: Input, Temporal: Temporal) => moment(Temporal.Instant.fromEpochMilliseconds(Date.now()).toZonedDateTimeISO(zone)),
  parse: (given: Input, Temporal: Temporal) => moment(read(given.date, given.zone, Temporal)),
  convert(given: Input, Temporal: Temporal) {
    const { to = given.zone } = given;
    if (typeof to !== "string") throw missing("to, the name of a zone");
    return moment(read(given.date, given.zone, Temporal).withTimeZone(to));
  },
  add: (given: Input, Temporal: Temporal) => moment(read(given.date, given.zone, Temporal).add(amountOf(given))),
  subtract: (given: Input, Temporal: Temporal) => moment(read(given.date, given.zone, Temporal).subtract(amountOf(given))),
  difference(given: Input, Temporal: Temporal) {
    const from = read(given.date, given.zone, Temporal);
    const to = read(given.to, given.zone, Temporal, "to, the later date");
    // calendar units are counted in one zone
    const duration = from.until(to.withTimeZone(from.timeZoneId), { largestUnit: given.unit ?? "day" });
    const entries = units.map((unit) => [unit, duration[unit as "days"]] as const).filter(([, count]) => count !== 0);
    return {
      result: duration.toString(),
      seconds: (to.epochMilliseconds - from.epochMilliseconds) / 1000,
      duration: Object.fromEntries(entries),
    };
  },
  format(given: Input, Temporal: Temporal) {
    const { locale = "en", style = "long", zone } = given;
    const date = read(given.date, zone, Temporal);
    const written = new Intl.DateTimeFormat(locale, { dateStyle: style, timeStyle: style, timeZone: date.timeZoneId });
    return { ...moment(date), result: written.format(date.epochMilliseconds) };
  },
} as const;

/** @param name of the date, in errors @throws SpellError tool-failed, RangeError */
function read(date: string | number | undefined, zone: string | undefined, Temporal: Temporal, name = "date"): Zoned {
  if (date === undefined) throw missing(name);
  const plain = String(date).trim();
  // of ISO 8601 four digits are a year, eight a day
  const isMilliseconds = typeof date === "number" || (/^[+-]?\d{1,16}$/.test(plain) && !/^(?:\d{4}|\d{8})$/.test(plain));
  if (typeof date === "string" && /^\d{4}$/.test(plain))
    throw toolFailed(
      "datetime-handler",
      `expected a date or milliseconds, got ${plain}, which may be a year: write ${plain}-01-01 or +${plain}`,
    );
  if (isMilliseconds) return Temporal.Instant.fromEpochMilliseconds(Number(plain)).toZonedDateTimeISO(zone ?? "UTC");
  if (/\[[^\]]+\]/.test(plain)) {
    const own = Temporal.ZonedDateTime.from(plain);
    return zone === undefined ? own : own.withTimeZone(zone);
  }
  const offset = /(Z|[+-]\d\d(?::?\d\d)?)$/i.exec(plain.slice(10))?.[1];
  if (offset !== undefined) {
    const own = /^z$/i.test(offset) ? "UTC" : `${offset.slice(0, 3)}:${offset.length > 3 ? offset.slice(-2) : "00"}`;
    return Temporal.Instant.from(plain.replace(" ", "T")).toZonedDateTimeISO(zone ?? own);
  }
  return Temporal.PlainDateTime.from(plain).toZonedDateTime(zone ?? "UTC");
}

function moment(date: Zoned) {
  const { year, month, day, hour, minute, second, dayOfWeek, dayOfYear, weekOfYear } = date;
  return {
    result: date.toString({ smallestUnit: date.millisecond === 0 ? "second" : "millisecond" }),
    iso: date.toInstant().toString({ fractionalSecondDigits: 3 }),
    timestamp: date.epochMilliseconds,
    zone: date.timeZoneId,
    parts: {
      ...{ year, month, day, hour, minute, second },
      day_of_week: dayOfWeek,
      day_of_year: dayOfYear,
      ...(weekOfYear !== undefined && { week: weekOfYear }),
    },
  };
}

function amountOf({ amount }: Input) {
  if (amount === undefined || Object.keys(amount).length === 0) throw missing("amount");
  return amount;
}

function missing(name: string) {
  return toolFailed("datetime-handler", `expected ${name}, got none`);
}

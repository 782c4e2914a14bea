import { createTask, validateDetailed } from "node-cron";

/** An expression in its time zone. When it begins something is a pure question: {@link nextStart}. */
export interface Cron {
  readonly timezone: string;
  readonly months: ReadonlySet<number>;
  /** The seconds of a day, by its clock, at which it begins if it begins on that day at all; in order. */
  readonly seconds: readonly number[];
  matches(wallMs: number): boolean;
}

/** A 29 February comes back to the same weekday after 28 years, or 40 around a century. */
const MOST_DAYS = 41 * 366;

const RANGES: Readonly<Record<string, string>> = {
  second: "the second is 0-59",
  minute: "the minute is 0-59",
  hour: "the hour is 0-23",
  dayOfMonth: "the day of the month is 1-31, or L for the last",
  month: "the month is 1-12 or jan-dec",
  dayOfWeek: "the day of the week is 0-7, sunday is 0 and 7, or sun-sat",
};
const FORM = "minute, hour, day of month, month, day of week, such as 0 2 * * 0 for Sundays at two";

/** Why this is no cron expression, and after a semicolon what to do; null when it is one. */
export function cronFault(text: string): string | null {
  const [error] = validateDetailed(text).errors;
  if (error === undefined)
    return neverStarts(text) ? "no day is ever like this; leave one of its fields *" : null;
  if (error.field === "expression") return `expected a cron expression; it has ${FORM}`;
  if (error.message.includes("impossible")) return `no month has this day; ${RANGES.dayOfMonth}`;
  return `${error.value} is not readable; ${RANGES[error.field] ?? FORM}`;
}

function neverStarts(text: string): boolean {
  return nextStart(readCron(text, "UTC"), 0) === null;
}

export function isTimeZone(name: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch {
    return false;
  }
}

/** Of an expression without a {@link cronFault}. */
export function readCron(text: string, timezone: string): Cron {
  const { fields } = validateDetailed(text);
  if (fields === undefined) throw new TypeError(`not a cron expression: ${text}`);
  // It is only asked, never started; what is not destroyed would stay in the library's list for ever.
  const task = createTask(text, () => {}, { timezone });
  task.destroy();
  return {
    timezone,
    months: new Set(fields.month),
    seconds: secondsOfDay(fields),
    matches: (wallMs) => task.match(new Date(wallMs)),
  };
}

type Fields = NonNullable<ReturnType<typeof validateDetailed>["fields"]>;

function secondsOfDay({ hour, minute, second }: Fields): readonly number[] {
  const minutes = inOrder(hour).flatMap((h) => inOrder(minute).map((m) => h * 60 + m));
  return minutes.flatMap((m) => inOrder(second).map((s) => m * 60 + s));
}

function inOrder(values: readonly number[]): readonly number[] {
  return [...new Set(values)].sort((a, b) => a - b);
}

/**
 * The first start after an instant; null when there is none. A time that a clock change leaves out does not come that
 * night; of one that comes twice only the first counts. So starts are in the order of their local times.
 */
export function nextStart(cron: Cron, afterWallMs: number): number | null {
  const after = Temporal.Instant.fromEpochMilliseconds(afterWallMs).toZonedDateTimeISO(cron.timezone);
  const second = (after.hour * 60 + after.minute) * 60 + after.second;
  let day = after.toPlainDate();
  for (let days = 0; days < MOST_DAYS; days++) {
    const notBefore = days === 0 ? second : 0;
    const found = cron.months.has(day.month) ? firstOnDay(cron, day, notBefore, afterWallMs) : null;
    if (found !== null) return found;
    day = day.add({ days: 1 });
  }
  return null;
}

function firstOnDay(
  cron: Cron,
  day: Temporal.PlainDate,
  notBefore: number,
  afterWallMs: number,
): number | null {
  for (const second of cron.seconds) {
    if (second < notBefore) continue;
    const time = timeAt(second);
    const start = day.toZonedDateTime({ timeZone: cron.timezone, plainTime: time });
    if (!start.toPlainTime().equals(time)) continue;
    if (!cron.matches(start.epochMilliseconds)) return null;
    if (start.epochMilliseconds > afterWallMs) return start.epochMilliseconds;
  }
  return null;
}

function timeAt(second: number): Temporal.PlainTime {
  return new Temporal.PlainTime(Math.floor(second / 3_600), Math.floor(second / 60) % 60, second % 60);
}

import { z } from "zod";
import { cronFault, isTimeZone } from "./cron.ts";
import { didYouMean } from "./spelling.ts";
import { durationWithin, regionName } from "./values.ts";

// The calendar's section; schema.ts says how to read this.

const cron = z
  .string()
  .refine((text) => cronFault(text) === null, { error: ({ input }) => cronFault(String(input)) ?? "" })
  .meta({ title: "cron", examples: ["0 2 * * 0"] });

function zoneFault(name: string): string {
  const hint =
    didYouMean(name, Intl.supportedValuesOf("timeZone")) ?? "name one such as Europe/Berlin, or UTC";
  return `no such time zone; ${hint}`;
}

const timezone = z
  .string()
  .refine(isTimeZone, { error: ({ input }) => zoneFault(String(input)) })
  .meta({ title: "time zone", examples: ["UTC", "Europe/Berlin"] });

/** A time at which a region is out of service, again and again. */
const maintenance = z.strictObject({
  region: regionName.describe("The region it is about."),
  cron: cron.describe(
    "When it begins: minute, hour, day of month, month, day of week; a sixth field in front is the second.",
  ),
  lasts: durationWithin({ least: "1s", most: "7d" }).describe("How long it lasts."),
  action: z
    .enum(["drain", "close"])
    .describe("Drain: no new sessions, those there may stay. Close: nothing goes there."),
  timezone: timezone
    .default("UTC")
    .describe(
      "Whose clock the expression is read by. A time that a change to summer time leaves out does not come that night; one that comes twice counts once.",
    ),
  reason: z.string().trim().min(1).max(500).optional().describe("Why, for the log and the audit lines."),
});

/** Above which share of failed requests a drill is ended. */
export const abortAbove = z
  .strictObject({
    errorRatio: z
      .number()
      .min(0)
      .max(1)
      .default(0.01)
      .describe("Failed requests of all that the fleet has answered since the drill began; 1: never."),
  })
  .prefault({});

export const drillKind = z.enum(["drain", "black-hole"]);

/** A time at which the loss of a region is rehearsed, again and again. */
const drill = z.strictObject({
  region: regionName.describe("The region that is lost for a while."),
  cron: cron.describe("When it begins; as in `schedule.maintenance`."),
  lasts: durationWithin({ least: "1s", most: "1d" }).describe("How long it lasts."),
  kind: drillKind
    .default("black-hole")
    .describe("Black-hole: the edges cannot reach it, and have to find out. Drain: they send nobody there."),
  timezone: timezone
    .default("UTC")
    .describe("Whose clock the expression is read by; as in `schedule.maintenance`."),
  abortAbove: abortAbove.describe("When it is ended before its time."),
  reason: z.string().trim().min(1).max(500).optional().describe("Why, for the log and the audit lines."),
});

/** What happens by the clock. */
export const schedule = z.strictObject({
  maintenance: z
    .array(maintenance)
    .max(100)
    .default([])
    .describe("Regions that are drained or closed at set times, by one edge for all."),
  drills: z
    .array(drill)
    .max(100)
    .default([])
    .describe("Rehearsals of the loss of a region at set times, begun by one edge for all."),
});

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

/** What happens by the clock. */
export const schedule = z.strictObject({
  maintenance: z
    .array(maintenance)
    .max(100)
    .default([])
    .describe("Regions that are drained or closed at set times, by one edge for all."),
});

import { z } from "zod";
import { url } from "./values.ts";

/** Where spans go, and of which requests. */
export const tracing = z.strictObject({
  url: url(["http", "https"]).describe(
    "Where a collector takes OTLP over HTTP, often http://127.0.0.1:4318/v1/traces.",
  ),
  token: z
    .string()
    .min(1)
    .max(4_096)
    .regex(/^[\x21-\x7e]+$/, "expected printable characters without spaces")
    .meta({ title: "secret" })
    .optional()
    .describe("Sent as a bearer token."),
  samplePercent: z
    .number()
    .min(0)
    .max(100)
    .default(1)
    .describe(
      "Of requests of whose trace nobody before has decided; what a trusted proxy has decided counts.",
    ),
});

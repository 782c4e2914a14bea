import { z } from "zod";
import { bearerToken, url } from "./values.ts";

/** Where spans go, and of which requests. */
export const tracing = z.strictObject({
  url: url(["http", "https"]).describe(
    "Where a collector takes OTLP over HTTP, often http://127.0.0.1:4318/v1/traces.",
  ),
  token: bearerToken({ least: 1, most: 4_096 }).optional().describe("Sent as a bearer token."),
  samplePercent: z
    .number()
    .min(0)
    .max(100)
    .default(1)
    .describe(
      "Of requests of whose trace nobody before has decided; what a trusted proxy has decided counts.",
    ),
});

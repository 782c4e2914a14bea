import { z } from "zod";
import { regionTls } from "./schema-tls.ts";
import { duration, durationWithin, endpoint, headerName, statuses } from "./values.ts";

// The sections about regions; schema.ts says how to read this.

/** A place on the map. */
export const location = z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)], {
  error: "expected [LATITUDE, LONGITUDE]; such as [39.0, -77.5]",
});

/** One region. */
export const region = z.strictObject({
  role: z
    .enum(["writer", "replica", "standby"])
    .describe("A writer takes writes; a standby serves only when nothing better is up."),
  endpoints: z.array(endpoint).min(1).describe("Its servers; several are balanced inside the region."),
  tls: regionTls.optional().describe("For its https endpoints, whose certificates are always verified."),
  http2: z
    .boolean()
    .default(false)
    .describe(
      "Whether its https endpoints are spoken to over HTTP/2, as gRPC needs it; h2c:// endpoints always are.",
    ),
  jurisdiction: z.string().min(1).optional().describe("A free word that residency rules name."),
  location: location.optional().describe("Latitude and longitude, for the console's map."),
  weight: z.number().min(0).default(100).describe("Its share under the policy weighted."),
  capacity: z
    .number()
    .positive()
    .optional()
    .describe(
      "Requests per second it can serve; a drain that would bring it more is refused. Also for simulation.",
    ),
});

/** How its probes are judged. */
export const health = z.strictObject({
  path: z
    .string()
    .regex(/^\/\S*$/, "expected a path that begins with /")
    .default("/healthz")
    .describe("What a probe asks for."),
  interval: durationWithin({ least: "10ms" })
    .prefault("2s")
    .describe("Time between probes of an endpoint, jittered by 10 %; 500ms while its state is changing."),
  timeout: duration.prefault("1s").describe("How long a probe may take; shorter than the interval."),
  rise: z.int().min(1).max(100).default(2).describe("Passed probes in a row until an endpoint is up."),
  fall: z.int().min(1).max(100).default(3).describe("Failed probes in a row until an endpoint is down."),
  expectStatus: statuses.prefault("200-299").describe("Statuses that pass."),
  maxLag: duration
    .prefault("5s")
    .describe(
      "A replica that lags more, or tells no lag while others do, does not serve identified readers.",
    ),
});

const residencyRule = z.strictObject({
  match: z
    .strictObject({
      header: headerName.describe("Name of the request header."),
      in: z.array(z.string().min(1)).min(1).describe("Values that match, without regard to case."),
    })
    .describe("Requests the rule is about."),
  jurisdictions: z
    .array(z.string().min(1))
    .min(1)
    .describe("Regions of these jurisdictions may serve them, and no others."),
});

const pathRule = z.strictObject({
  path: z
    .string()
    .regex(
      /^\/[^?#*\s]*\*?$/,
      "expected a path that begins with /, without a query; a * is allowed only at its end",
    )
    .describe("A path; a trailing * matches any rest."),
  methods: z
    .array(z.string().regex(/^[A-Z]+$/, "expected a method in capitals"))
    .min(1)
    .optional()
    .describe("Methods the rule is about; all of them when left out."),
  as: z
    .enum(["read", "write", "static"])
    .describe("What such a request is; static: any region, no session, no look-up of pins."),
});

const nearness = z.strictObject({
  window: durationWithin({ least: "0ms" })
    .prefault("10ms")
    .describe("By how much nearer a region must be before traffic moves to it."),
  percent: z
    .number()
    .min(0)
    .max(100)
    .default(15)
    .describe("The same in percent of the farther one's latency; the larger of the two counts."),
  dwell: durationWithin({ least: "0ms" }).prefault("10s").describe("For how long it must have been nearer."),
});

/** Which region serves what. */
export const routing = z.strictObject({
  policy: z
    .enum(["latency", "priority", "weighted"])
    .default("latency")
    .describe("Which region serves: the nearest, the first of the file that is up, or one by weight."),
  topology: z
    .enum(["single-writer", "multi-writer"])
    .default("single-writer")
    .describe("Whether one region takes all writes, or every writer does."),
  nearness: nearness.prefault({}).describe("Keeps regions that are about equally near from trading places."),
  whenAllDown: z
    .enum(["try", "refuse"])
    .default("try")
    .describe("When no region is up: try the best guess, marked, or refuse."),
  slowStart: durationWithin({ least: "0ms" })
    .prefault("30s")
    .describe("Time in which a region that came back grows into its full share."),
  residency: z
    .array(residencyRule)
    .default([])
    .describe("Who must be served where. The first match wins; never broken, not even by a failover."),
  paths: z.array(pathRule).default([]).describe("What requests are, beyond their method. First match wins."),
});

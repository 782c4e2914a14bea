import { z } from "zod";
import { identity } from "./schema-identity.ts";
import { limits } from "./schema-limits.ts";
import { health, location, region, routing } from "./schema-regions.ts";
import { schedule } from "./schema-schedule.ts";
import { https } from "./schema-tls.ts";
import { tracing } from "./schema-tracing.ts";
import {
  bearerToken,
  cookieName,
  duration,
  durationWithin,
  network,
  redisAddress,
  regionName,
  size,
  statuses,
  url,
} from "./values.ts";

// The keys of the file, their defaults and what they mean: the one source of the JSON Schema, the reference
// in docs/configuration.md and the type Config. In a message, what follows a semicolon is the remedy.

const host = z.string().min(1).max(255);
const port = z.int().min(0).max(65_535);

const edge = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, "expected up to 64 letters, digits, dots, hyphens or underscores")
    .default("edge")
    .meta({ default: `\${HOSTNAME}` })
    .describe("Names this edge in logs, metrics, headers and Redis; every edge has its own."),
  location: location.optional().describe("Latitude and longitude of this edge, for the console's map."),
});

const listen = z.strictObject({
  http: z
    .strictObject({
      host: host.default("0.0.0.0").describe("Address to listen on."),
      port: port.default(8080).describe("Port to listen on; 0 takes any free one."),
    })
    .prefault({})
    .describe("Where clients come in over HTTP."),
  https: https.optional().describe("Where clients come in over TLS; nowhere when left out."),
  trustedProxies: z
    .array(network)
    .default([])
    .describe("Addresses and networks whose X-Forwarded-* headers are believed."),
  proxyProtocol: z
    .boolean()
    .default(false)
    .describe(
      "Whether connections from trustedProxies begin with a PROXY header, version 1 or 2; all of them have to.",
    ),
});

const sha256 = z
  .string()
  .regex(
    /^[0-9a-f]{64}$/i,
    "expected the token's SHA-256 in 64 hex digits; printf %s TOKEN | sha256sum makes it",
  )
  .toLowerCase();

const token = z.strictObject({
  name: z.string().min(1).max(64).describe("Who this is, for the audit lines."),
  role: z.enum(["viewer", "operator"]).describe("A viewer reads, an operator changes."),
  sha256: sha256.describe("SHA-256 of the token in hex; the token itself is never in the file."),
});

const admin = z.strictObject({
  host: host.default("127.0.0.1").describe("Address of the admin API; anything but loopback needs tokens."),
  port: port.default(9090).describe("Port of the admin API; 0 takes any free one."),
  tokens: z.array(token).default([]).describe("Bearer tokens; with none, loopback needs none."),
});

const secret = z
  .string()
  .min(16, "expected at least 16 characters; make one with: openssl rand -base64 32")
  .meta({ title: "secret" });

const redis = z.strictObject({
  url: url(["redis", "rediss"]).optional().describe("The one Redis that all edges share; rediss is TLS."),
  sentinels: z
    .array(redisAddress)
    .min(1)
    .optional()
    .describe(
      "Instead of url: Sentinels that know the primary; user and password in them are the Sentinels' own.",
    ),
  name: z
    .string()
    .min(1)
    .max(128)
    .optional()
    .describe("What the Sentinels call the primary; often mymaster."),
  cluster: z
    .array(redisAddress)
    .min(1)
    .optional()
    .describe("Instead of url: some nodes of a Redis Cluster; they name the others."),
  username: z.string().min(1).optional().describe("Who this edge is to Redis, when the url does not say it."),
  password: z.string().min(1).optional().describe("The password, when the url does not hold it."),
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, "expected up to 32 letters, digits, hyphens or underscores")
    .default("meridian")
    .describe("First part of every key in Redis; fleets that share a Redis each have their own."),
});

const affinity = z.strictObject({
  enabled: z.boolean().default(true).describe("Whether a session stays in its region."),
  cookie: cookieName.default("meridian_affinity").describe("Name of the signed cookie."),
  ttl: durationWithin({ least: "1s", most: "400d" })
    .prefault("1h")
    .describe("How long it lasts after the last request."),
  monotonic: z
    .boolean()
    .default(false)
    .describe(
      "Whether a session that moves to another replica reads from the writer until that one has caught up; losing a region then brings its sessions to the writer for about the lag.",
    ),
});

const onRedisDown = z.strictObject({
  reads: z
    .enum(["failSafe", "trustToken", "failOpen"])
    .default("failSafe")
    .describe("Reads nothing is known of: to the writer, by the browser's token, or anywhere, marked."),
  writes: z
    .enum(["degrade", "delay", "reject"])
    .default("degrade")
    .describe("Writes whose pin cannot be recorded: answer and say so, answer later, or refuse."),
});

const consistency = z.strictObject({
  mode: z
    .enum(["strict", "bounded", "cookie", "off"])
    .default("strict")
    .describe(
      "Who reads their own writes: all devices at once, the others a little later, one browser, nobody.",
    ),
  graceWindow: duration
    .prefault("10s")
    .describe("How long after a write's response has ended its user reads from the writer."),
  maxPin: duration.prefault("60s").describe("The longest a pin token is believed."),
  staleness: durationWithin({ least: "0ms" })
    .prefault("1s")
    .describe(
      "Mode bounded: how old an edge's knowledge of other edges' writes may be; 0ms: tell, but ask all the same.",
    ),
  pinnedReadsPerSecond: z
    .int()
    .min(0)
    .default(0)
    .describe(
      "Reads of one user that a pin may bring to the writer, at each edge; more go home, marked degraded; 0: any number.",
    ),
  identity: z
    .array(identity)
    .min(1)
    .max(3)
    .optional()
    .describe(
      "Who is a user; every one present counts. Left out: the authorization header, and a cookie meridian_id of Meridian's own.",
    ),
  noWriteStatus: statuses
    .optional()
    .describe(
      "Statuses by which the application says that a write did nothing, such as 400-499: they pin nobody.",
    ),
  pinKeys: z
    .array(secret)
    .default([])
    .describe(
      "Bearer keys with which the application may pin its users itself, at POST /.meridian/pins; with none, that path is forwarded like any other.",
    ),
  onRedisDown: onRedisDown.prefault({}).describe("What happens while Redis does not answer."),
  whenWriterDown: z
    .enum(["refuse", "stale"])
    .default("refuse")
    .describe("Pinned readers while the writer is down: refuse them, or serve them stale, marked."),
});

const failover = z.strictObject({
  mode: z
    .enum(["manual", "automatic"])
    .default("manual")
    .describe(
      "Who moves the write region: an operator, or also the fleet itself when most of its edges see the writer down.",
    ),
  after: duration
    .prefault("15s")
    .describe("Mode automatic: how long most edges must have seen the writer down before it is replaced."),
  order: z
    .array(regionName)
    .default([])
    .describe(
      "Mode automatic: regions that may take over; of those that have as much of the log the first. Empty: all but standbys.",
    ),
  holdDown: durationWithin({ least: "1s" })
    .prefault("5m")
    .describe(
      "Mode automatic: how long after one failover there is no other; twice as long each time when it flaps.",
    ),
  holdWrites: durationWithin({ least: "0ms" })
    .prefault("10s")
    .describe("How long writes wait, and do not fail, while the write region moves."),
  hook: z
    .strictObject({
      url: url(["http", "https"]).describe("Called to promote the database."),
      timeout: duration.prefault("60s").describe("How long the call may take."),
      token: bearerToken({ least: 8, most: 1_024 })
        .optional()
        .describe("Sent as a bearer token, so that the hook knows who calls."),
    })
    .optional()
    .describe("What promotes the database, and demotes the old one."),
});

const retryBudget = z.strictObject({
  percent: z
    .number()
    .min(0)
    .max(100)
    .default(20)
    .describe("Retries in percent of the requests of the last 10 s."),
  floor: z.int().min(0).default(3).describe("Retries per second that are always allowed."),
});

const proxy = z.strictObject({
  attempts: z.int().min(1).max(10).default(2).describe("Tries at one request, the first one included."),
  retryBudget: retryBudget.prefault({}).describe("Keeps retries from becoming a storm."),
  connectTimeout: duration.prefault("2s").describe("Until a connection to an endpoint stands."),
  responseTimeout: duration.prefault("30s").describe("Until the response head."),
  idleTimeout: duration.prefault("5m").describe("Silence inside a body or a tunnel."),
  maxHeaderBytes: size({ least: 1_024 }).prefault("32KiB").describe("Largest request head."),
  maxBodyBytes: size().prefault(0).describe("Largest request body; 0: no limit."),
  connectionsPerEndpoint: z.int().min(1).default(256).describe("Connections to one endpoint, at most."),
});

const shutdown = z.strictObject({
  grace: durationWithin({ least: "0ms" })
    .prefault("25s")
    .describe(
      "How long requests in flight may take to end when this edge stops; event streams and WebSockets are told before that.",
    ),
});

const log = z.strictObject({
  level: z
    .enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"])
    .default("info")
    .describe("The least that is logged."),
  access: z.enum(["all", "errors", "off"]).default("all").describe("Which requests get a line in the log."),
});

/** The configuration file. All durations are milliseconds and all sizes bytes once parsed. */
export const configSchema = z
  .strictObject({
    edge: edge.prefault({}).describe("This edge."),
    workers: z
      .union([z.int().min(1).max(256), z.literal("auto")])
      .default(1)
      .describe(
        "Processes that carry requests, behind one admin API and one prober; auto: one for each processor. More than one needs redis.",
      ),
    listen: listen.prefault({}).describe("Where clients come in."),
    admin: admin.prefault({}).describe("The admin API and its metrics."),
    secrets: z
      .array(secret)
      .default([])
      .describe(
        "Sign cookies and tokens: the first signs, all verify. Generated, with a warning, when left out.",
      ),
    redis: redis
      .optional()
      .describe("Shared memory of the edges. Left out: pins live in this process, one edge only."),
    regions: z
      .record(regionName, region)
      .meta({ minProperties: 1 })
      .describe("The regions by name; their order counts under the policy priority."),
    health: health.prefault({}).describe("How regions are probed."),
    routing: routing.prefault({}).describe("Which region serves what."),
    affinity: affinity.prefault({}).describe("Keeps a session where it is."),
    consistency: consistency.prefault({}).describe("Read-your-writes."),
    failover: failover.prefault({}).describe("How the write region moves."),
    schedule: schedule.prefault({}).describe("What happens by the clock."),
    proxy: proxy.prefault({}).describe("How requests are forwarded."),
    limits: limits.prefault({}).describe("What clients may take of this edge."),
    shutdown: shutdown.prefault({}).describe("How this edge stops."),
    tracing: tracing.optional().describe("Spans for OpenTelemetry. Left out: none, at no cost."),
    log: log.prefault({}).describe("What is logged, as JSON lines on standard output."),
  })
  .meta({ title: "Meridian configuration" });

/** What `serve` runs on: defaults filled in, durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema>;
export type RegionConfig = Config["regions"][string];
/** The first level of the file. */
export type Section = keyof Config;

/** The configuration as one would write it in the file: every key, durations as `2s`, sizes as `32KiB`. */
export function writtenConfig(config: Config): z.input<typeof configSchema> {
  return z.encode(configSchema, config);
}

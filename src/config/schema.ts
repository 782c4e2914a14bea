import { z } from "zod";

/** Milliseconds; in the file `500ms`, `2s`, `10m`, `1h`. */
export type Milliseconds = number;

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE = /^(\d+)(B|KiB|MiB|GiB)?$/;
const SIZE_UNITS = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const;
const CIDR = z.union([z.cidrv4(), z.cidrv6(), z.ipv4(), z.ipv6()], {
  error: "expected an address or a network such as 10.0.0.0/8",
});

/** A duration with its unit; a bare number would leave the reader guessing. */
const duration = z
  .string({ error: "expected a duration such as 500ms, 2s or 10m" })
  .regex(DURATION, "expected a duration such as 500ms, 2s or 10m")
  .transform((text): Milliseconds => {
    const [, amount, unit] = DURATION.exec(text) ?? [];
    return Number(amount) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS];
  });

/** Bytes; in the file `32KiB`, `8MiB`, or a plain number. */
const size = z
  .union([z.int().min(0), z.string().regex(SIZE, "expected a size such as 32KiB")], {
    error: "expected a size such as 32KiB",
  })
  .transform((given): number => {
    if (typeof given === "number") return given;
    const [, amount, unit] = SIZE.exec(given) ?? [];
    return Number(amount) * SIZE_UNITS[(unit ?? "B") as keyof typeof SIZE_UNITS];
  });

const port = z.int().min(0).max(65_535);
const headerName = z
  .string()
  .regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "expected a header name")
  .toLowerCase();
const cookieName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, "expected a cookie name");
const regionName = z
  .string()
  .regex(
    /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "expected a region name of lower-case letters, digits and hyphens",
  );

const endpoint = z.url({ protocol: /^https?$/, error: "expected http://HOST:PORT or https://HOST:PORT" });
const sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/i, "expected the token's SHA-256 in 64 hex digits")
  .toLowerCase();

const edge = z.strictObject({
  id: z
    .string()
    .min(1)
    .max(64)
    .optional()
    .describe("Names this edge in logs, metrics and Redis. Default: ${HOSTNAME}."),
});

const listen = z.strictObject({
  http: z.strictObject({ host: z.string().default("0.0.0.0"), port: port.default(8080) }).prefault({}),
  trustedProxies: z.array(CIDR).default([]).describe("Networks whose X-Forwarded-* are believed."),
});

const admin = z.strictObject({
  host: z.string().default("127.0.0.1").describe("Anything but loopback needs tokens."),
  port: port.default(9090),
  tokens: z
    .array(z.strictObject({ name: z.string().min(1), role: z.enum(["viewer", "operator"]), sha256 }))
    .default([]),
});

const redis = z.strictObject({
  url: z.url({ protocol: /^rediss?$/, error: "expected redis://HOST:PORT or rediss://HOST:PORT" }),
  namespace: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,32}$/, "expected up to 32 letters, digits, _ or -")
    .default("meridian"),
});

const region = z.strictObject({
  role: z.enum(["writer", "replica", "standby"]),
  endpoints: z.array(endpoint).min(1),
  jurisdiction: z.string().min(1).optional(),
  location: z.tuple([z.number().min(-90).max(90), z.number().min(-180).max(180)]).optional(),
  weight: z.number().min(0).default(100),
  capacity: z
    .number()
    .positive()
    .optional()
    .describe("Requests per second, for drain safety and simulation."),
});

const health = z.strictObject({
  path: z.string().startsWith("/").default("/healthz"),
  interval: duration.prefault("2s"),
  timeout: duration.prefault("1s"),
  rise: z.int().min(1).max(100).default(2),
  fall: z.int().min(1).max(100).default(3),
  expectStatus: z
    .union([z.int(), z.string()])
    .transform(String)
    .pipe(
      z
        .string()
        .regex(
          /^[1-5]\d\d(-[1-5]\d\d)?(,\s*[1-5]\d\d(-[1-5]\d\d)?)*$/,
          "expected statuses such as 200-299 or 200,204",
        ),
    )
    .prefault("200-299"),
  maxLag: duration.prefault("5s").describe("A replica lagging more does not serve identified readers."),
});

const residencyRule = z.strictObject({
  match: z.strictObject({ header: headerName, in: z.array(z.string().min(1)).min(1) }),
  jurisdictions: z.array(z.string().min(1)).min(1),
});

const pathRule = z.strictObject({
  path: z.string().startsWith("/").describe("A path; a trailing * matches any rest."),
  methods: z
    .array(z.string().regex(/^[A-Z]+$/, "expected a method in capitals"))
    .min(1)
    .optional(),
  as: z.enum(["read", "write", "static"]),
});

const routing = z.strictObject({
  policy: z.enum(["latency", "priority", "weighted"]).default("latency"),
  topology: z.enum(["single-writer", "multi-writer"]).default("single-writer"),
  nearness: z
    .strictObject({
      window: duration.prefault("10ms"),
      percent: z.number().min(0).max(100).default(15),
      dwell: duration.prefault("10s"),
    })
    .prefault({}),
  whenAllDown: z.enum(["try", "refuse"]).default("try"),
  slowStart: duration.prefault("30s"),
  residency: z.array(residencyRule).default([]),
  paths: z.array(pathRule).default([]),
});

const affinity = z.strictObject({
  enabled: z.boolean().default(true),
  cookie: cookieName.default("meridian_affinity"),
  ttl: duration.prefault("1h"),
});

const identity = z.union([z.strictObject({ header: headerName }), z.strictObject({ cookie: cookieName })]);

const consistency = z.strictObject({
  mode: z.enum(["strict", "bounded", "cookie", "off"]).default("strict"),
  graceWindow: duration.prefault("10s"),
  maxPin: duration.prefault("60s"),
  staleness: duration.prefault("1s"),
  identity: z.array(identity).min(1).max(3).optional(),
  onRedisDown: z
    .strictObject({
      reads: z.enum(["failSafe", "trustToken", "failOpen"]).default("failSafe"),
      writes: z.enum(["degrade", "delay", "reject"]).default("degrade"),
    })
    .prefault({}),
  whenWriterDown: z.enum(["refuse", "stale"]).default("refuse"),
});

const failover = z.strictObject({
  mode: z.enum(["manual", "automatic"]).default("manual"),
  after: duration.prefault("15s"),
  order: z.array(regionName).default([]),
  holdWrites: duration.prefault("10s"),
  hook: z.strictObject({ url: z.url(), timeout: duration.prefault("60s") }).optional(),
});

const proxy = z.strictObject({
  attempts: z.int().min(1).max(10).default(2),
  retryBudget: z
    .strictObject({ percent: z.number().min(0).max(100).default(20), floor: z.int().min(0).default(3) })
    .prefault({}),
  connectTimeout: duration.prefault("2s"),
  responseTimeout: duration.prefault("30s").describe("To the response head."),
  idleTimeout: duration.prefault("5m").describe("Silence inside a body or a tunnel."),
  maxHeaderBytes: size.prefault("32KiB"),
  maxBodyBytes: size.prefault(0).describe("0: no limit."),
  connectionsPerEndpoint: z.int().min(1).default(256),
});

const shutdown = z.strictObject({ grace: duration.prefault("25s") });

const log = z.strictObject({
  level: z.enum(["trace", "debug", "info", "warn", "error", "fatal", "silent"]).default("info"),
  access: z.enum(["all", "errors", "off"]).default("all"),
});

/** The configuration file. All durations are milliseconds and all sizes bytes once parsed. */
export const configSchema = z.strictObject({
  edge: edge.prefault({}),
  listen: listen.prefault({}),
  admin: admin.prefault({}),
  secrets: z
    .array(z.string().min(16, "expected at least 16 characters; try `openssl rand -base64 32`"))
    .default([]),
  redis: redis.optional(),
  regions: z.record(regionName, region),
  health: health.prefault({}),
  routing: routing.prefault({}),
  affinity: affinity.prefault({}),
  consistency: consistency.prefault({}),
  failover: failover.prefault({}),
  proxy: proxy.prefault({}),
  shutdown: shutdown.prefault({}),
  log: log.prefault({}),
});

/** What `serve` runs on: defaults filled in, durations in milliseconds, sizes in bytes. */
export type Config = z.output<typeof configSchema>;
export type RegionConfig = Config["regions"][string];
export type IdentityConfig = z.output<typeof identity>;

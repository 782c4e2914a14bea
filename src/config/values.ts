import { isIP } from "node:net";
import { z } from "zod";
import { normalOrigin } from "./origin.ts";

/** Milliseconds; in the file `500ms`, `2s`, `10m`, `1h`. */
export type Milliseconds = number;

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION_EXPECTED = "expected a duration such as 500ms, 2s or 10m";
const SIZE = /^(\d+)(B|KiB|MiB|GiB)?$/;
const SIZE_UNITS = { B: 1, KiB: 1_024, MiB: 1_048_576, GiB: 1_073_741_824 } as const;
const SIZE_EXPECTED = "expected a size such as 32KiB or 8MiB";

/** Whole milliseconds of a text that {@link duration} accepts; NaN of any other. */
export function parseDuration(text: string): Milliseconds {
  const [, amount, unit] = DURATION.exec(text) ?? [];
  return Math.round(Number(amount) * DURATION_UNITS[unit as keyof typeof DURATION_UNITS]);
}

/** The shortest way to write a duration that reads back as the same number: 90000 is `90s`, 120000 `2m`. */
export function formatDuration(ms: Milliseconds): string {
  for (const unit of ["d", "h", "m", "s"] as const) {
    const amount = ms / DURATION_UNITS[unit];
    if (amount >= 1 && Number.isInteger(amount)) return `${amount}${unit}`;
  }
  return `${ms}ms`;
}

function parseSize(given: string | number): number {
  const [, amount, unit = "B"] = SIZE.exec(String(given)) ?? [];
  return Number(amount) * SIZE_UNITS[unit as keyof typeof SIZE_UNITS];
}

/** Bytes as one would write them: 32768 is `32KiB`; 0 stays 0. */
export function formatSize(bytes: number): string | number {
  for (const unit of ["GiB", "MiB", "KiB"] as const) {
    const amount = bytes / SIZE_UNITS[unit];
    if (amount >= 1 && Number.isInteger(amount)) return `${amount}${unit}`;
  }
  return bytes;
}

/**
 * A duration with its unit; a bare number would leave the reader guessing. By default none is longer than
 * what a timer can hold: above 24.8 days `setTimeout` fires at once.
 */
export function durationWithin({ least = "1ms", most = "24d" }) {
  return z.codec(
    z
      .string({ error: DURATION_EXPECTED })
      .regex(DURATION, DURATION_EXPECTED)
      .meta({ title: "duration", examples: ["500ms", "2s", "10m"] }),
    z
      .number()
      .min(parseDuration(least), `expected at least ${least}`)
      .max(parseDuration(most), `expected at most ${most}`),
    { decode: parseDuration, encode: formatDuration },
  );
}

/** What is sent as a bearer token; never shown. */
export function bearerToken({ least, most }: { readonly least: number; readonly most: number }) {
  return z
    .string()
    .min(least)
    .max(most)
    .regex(/^[\x21-\x7e]+$/, "expected printable characters without spaces")
    .meta({ title: "secret" });
}

/** A duration that something waits for: at least `1ms`, at most `24d`. */
export const duration = durationWithin({});

/** Bytes; in the file `32KiB`, `8MiB`, or a plain number. */
export function size({ least = 0 } = {}) {
  return z.codec(
    z
      .union([z.int().min(0), z.string().regex(SIZE, SIZE_EXPECTED)], { error: SIZE_EXPECTED })
      .meta({ title: "size", examples: ["32KiB", "8MiB"] }),
    z.int(SIZE_EXPECTED).min(least, `expected at least ${formatSize(least)}`),
    { decode: parseSize, encode: formatSize },
  );
}

const STATUSES = /^[1-5]\d\d(-[1-5]\d\d)?(,\s*[1-5]\d\d(-[1-5]\d\d)?)*$/;
const STATUSES_EXPECTED = "expected statuses such as 200-299 or 200,204";

/** Statuses and ranges of statuses; in the file also one plain number. */
export const statuses = z.codec(
  z
    .union([z.int(), z.string()], { error: STATUSES_EXPECTED })
    .meta({ title: "statuses", examples: ["200-299", "200,204"] }),
  z.string().regex(STATUSES, STATUSES_EXPECTED),
  { decode: String, encode: (text: string) => text },
);

const ENDPOINT_EXPECTED = "expected http://HOST:PORT, https://HOST:PORT or h2c://HOST:PORT";

/** Why this is not the origin of a server, and after a semicolon what to do; null when it is one. */
function endpointFault(text: string): string | null {
  if (/^[\w.-]+:\d+$/.test(text)) return `${ENDPOINT_EXPECTED}; write http://${text}`;
  const origin = normalOrigin(text);
  if (origin === null) return ENDPOINT_EXPECTED;
  const url = new URL(text.replace(/^h2c/i, "http"));
  if (url.username !== "" || url.password !== "") return "an endpoint has no user or password; remove them";
  if (url.port === "0") return "an endpoint has a port from 1 to 65535";
  const bare = url.pathname === "/" && !/[?#\s]/.test(text);
  return bare ? null : `an endpoint has no path, query or fragment; write ${origin}`;
}

/** The origin of a server: scheme, host and port, written as everybody writes it, so that equals compare equal. */
export const endpoint = z
  .string()
  .refine((text) => endpointFault(text) === null, {
    error: ({ input }) => endpointFault(String(input)) ?? ENDPOINT_EXPECTED,
  })
  .overwrite((text) => (endpointFault(text) === null ? (normalOrigin(text) ?? text) : text))
  .meta({ title: "endpoint", format: "uri", examples: ["http://10.0.0.10:8080"] });

/** A URL of one of these schemes; what is behind the host is its owner's affair. */
export function url(schemes: readonly string[]) {
  const forms = schemes.map((scheme) => `${scheme}://HOST:PORT`).join(" or ");
  return z
    .string({ error: `expected ${forms}` })
    .refine((text) => URL.canParse(text) && schemes.includes(text.slice(0, text.indexOf("://"))), {
      error: `expected ${forms}`,
    })
    .meta({ title: "url", format: "uri" });
}

const REDIS_EXPECTED = "expected HOST:PORT, redis://HOST:PORT or rediss://HOST:PORT";

/** Why this is not where a Redis server listens, and after a semicolon what to do; null when it is. */
function redisAddressFault(text: string): string | null {
  const given = text.includes("://") ? text : `redis://${text}`;
  if (!/^rediss?:\/\/[^\s/]+/.test(given) || !URL.canParse(given)) return REDIS_EXPECTED;
  const { hostname, username, pathname, search, hash } = new URL(given);
  if (hostname === "") return REDIS_EXPECTED;
  if (given !== text && (username !== "" || text.includes("@")))
    return "a user or a password needs the scheme before it; write redis:// or rediss:// in front";
  if (!["", "/"].includes(pathname) || search !== "" || hash !== "")
    return "such an address has no path or query; remove it, keys begin with redis.namespace instead";
  return null;
}

/** Where one of several Redis servers listens, with or without a scheme. */
export const redisAddress = z
  .string()
  .refine((text) => redisAddressFault(text) === null, {
    error: ({ input }) => redisAddressFault(String(input)) ?? REDIS_EXPECTED,
  })
  .meta({ title: "server", examples: ["10.0.0.5:26379", "rediss://10.0.0.5:6379"] });

function isNetwork(text: string): boolean {
  const [address = "", prefix, ...rest] = text.split("/");
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return false;
  return prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= (version === 4 ? 32 : 128));
}

/** An address or a network in CIDR notation, of IPv4 or IPv6. */
export const network = z
  .string()
  .refine(isNetwork, "expected an address or a network such as 10.0.0.0/8")
  .meta({ title: "network", examples: ["10.0.0.0/8", "::1"] });

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

/** The name of a header, in lower case: names compare without case. */
export const headerName = z.string().regex(TOKEN, "expected a header name").toLowerCase();

/** The name of a cookie, as written: names of cookies compare with case. */
export const cookieName = z.string().regex(TOKEN, "expected a cookie name");

/**
 * The name of a region. It begins with a letter because the order of regions means something, and
 * JavaScript would move a key that is a number to the front.
 */
export const regionName = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/,
    "expected a region name of lower-case letters, digits and hyphens, a letter first",
  );

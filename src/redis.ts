import { Cluster, Redis } from "ioredis";
import { type SentinelAddress, SentinelRedis } from "./redis-sentinel.ts";

/** A connection to Redis, or to all nodes of a Redis Cluster. Only this file knows which library makes it. */
export type RedisClient = Redis | Cluster;

/** Where Redis is: a `url`, or `sentinels` with the `name` of their primary, or some nodes of a `cluster`. */
export interface RedisAddress {
  readonly url?: string | undefined;
  /** `HOST:PORT`, or a URL whose user and password are for the Sentinels themselves. */
  readonly sentinels?: readonly string[] | undefined;
  readonly name?: string | undefined;
  readonly cluster?: readonly string[] | undefined;
  readonly username?: string | undefined;
  readonly password?: string | undefined;
}

/**
 * How long one command may take. It must exceed two round trips to the farthest Redis one would use (80 ms
 * each), because the connection's handshake is under it too; and it is the longest that a stalled Redis can
 * delay a request, once, before the breaker opens.
 */
export const COMMAND_TIMEOUT_MS = 250;

/** Silence after a command until the socket is given up: a stopped server still acknowledges TCP. */
const SOCKET_TIMEOUT_MS = 1_500;
const CONNECT_TIMEOUT_MS = 1_000;
const RECONNECT_FIRST_MS = 50;
const RECONNECT_LAST_MS = 1_000;
const REDIS_PORT = 6_379;
const SENTINEL_PORT = 26_379;
/** How often the nodes of a cluster are asked who has what. A node that is asked for what it has not says so, too. */
const SLOTS_INTERVAL_MS = 5_000;
/** From node to node, for one command. */
const MAX_REDIRECTIONS = 4;
/** The cause when there is no connection, or none yet: nothing was sent. */
export const NOT_CONNECTED = "disconnected";
/** What ioredis says when an answer arrives that nobody asked for; from then on answers may be another's. */
const OUT_OF_STEP = "Command queue state error";

/**
 * Connects, and reconnects for ever with a capped, jittered back-off. Commands never queue: without a
 * connection they reject at once. Errors never escape as exceptions; who must know listens to `error` and
 * `close`. After a reconnection no command is sent again, since a command that timed out may have run.
 * Only primaries are ever asked. A text is the URL of one Redis. Commands that block need a longer time-out.
 */
export function connectRedis(
  address: RedisAddress | string,
  edgeId: string,
  chance: () => number = Math.random,
  commandTimeoutMs = COMMAND_TIMEOUT_MS,
): RedisClient {
  const to = typeof address === "string" ? { url: address } : address;
  const client = connect(to, optionsFor(to, edgeId, commandTimeoutMs), (attempt) =>
    reconnectDelayMs(attempt, chance()),
  );
  const resync = (error: Error) => {
    if (error.message.startsWith(OUT_OF_STEP)) client.disconnect(true);
  };
  client.on("error", resync);
  client.on("node error", resync);
  return client;
}

type ConnectionOptions = ReturnType<typeof optionsFor>;
type BackOff = (attempt: number) => number;

function optionsFor({ username, password }: RedisAddress, edgeId: string, commandTimeoutMs: number) {
  return {
    connectionName: `meridian:${edgeId.replace(/[^\w.:-]/g, "_")}`,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: commandTimeoutMs,
    socketTimeout: SOCKET_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    // After a failover the old primary refuses writes; a new connection finds the new one.
    reconnectOnError: (error: Error) => error.message.includes("READONLY"),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
  };
}

function connect(to: RedisAddress, options: ConnectionOptions, retryStrategy: BackOff): RedisClient {
  const { url, sentinels, name, cluster } = to;
  const single = { ...options, enableOfflineQueue: false, retryStrategy };
  if (url !== undefined) return new Redis(url, single);
  if (sentinels !== undefined && name !== undefined) return connectSentinels(sentinels, name, single);
  if (cluster !== undefined) return connectCluster(cluster, options, retryStrategy);
  throw new TypeError("no address of a Redis");
}

function connectSentinels(
  sentinels: readonly string[],
  name: string,
  options: ConnectionOptions & { readonly retryStrategy: BackOff },
): SentinelRedis {
  const [first] = sentinels.map(urlOf);
  return new SentinelRedis({
    ...options,
    name,
    sentinels: sentinels.map((text) => hostAndPort(urlOf(text), SENTINEL_PORT)),
    sentinelRetryStrategy: options.retryStrategy,
    sentinelCommandTimeout: CONNECT_TIMEOUT_MS,
    ...(first && named(first.username, (sentinelUsername) => ({ sentinelUsername }))),
    ...(first && named(first.password, (sentinelPassword) => ({ sentinelPassword }))),
    ...(first?.protocol === "rediss:" && { sentinelTLS: {}, tls: {}, enableTLSForSentinelMode: true }),
  });
}

/** Every wait of the library's own for a cluster to mend is off: the breaker waits, not the request. */
function connectCluster(
  nodes: readonly string[],
  options: ConnectionOptions,
  clusterRetryStrategy: BackOff,
): Cluster {
  const [first] = nodes.map(urlOf);
  const client = new Cluster(
    nodes.map((text) => hostAndPort(urlOf(text), REDIS_PORT)),
    {
      enableOfflineQueue: false,
      clusterRetryStrategy,
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      maxRedirections: MAX_REDIRECTIONS,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      // Left to the socket, so that a certificate is compared with the name that was given.
      dnsLookup: (host, found) => found(null, host),
      redisOptions: {
        ...(first && named(first.username, (username) => ({ username }))),
        ...(first && named(first.password, (password) => ({ password }))),
        ...options,
        ...(first?.protocol === "rediss:" && { tls: {} }),
      },
    },
  );
  // The library's own timer goes on for ever when the client is closed while the nodes are being asked.
  const refresh = setInterval(() => void client.refreshSlotsCache(), SLOTS_INTERVAL_MS).unref();
  client.once("end", () => clearInterval(refresh));
  return client;
}

function urlOf(text: string): URL {
  return new URL(text.includes("://") ? text : `redis://${text}`);
}

function hostAndPort({ hostname, port }: URL, otherwise: number): SentinelAddress {
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? otherwise : Number(port) };
}

/** What stands in a URL is percent-encoded, and empty when it is not there. */
function named<T extends object>(part: string, option: (text: string) => T): T | null {
  return part === "" ? null : option(decodeURIComponent(part));
}

export function isCluster(client: RedisClient): client is Cluster {
  return client instanceof Cluster;
}

/** The primaries that pins are kept on: one, or those of a cluster that are known. */
export function primariesOf(client: RedisClient): readonly Redis[] {
  return isCluster(client) ? client.nodes("master") : [client];
}

/**
 * Sends the commands that follow in this turn of the event loop together, at its end: for each node one write, and most often
 * one answer to read. Each write of its own wakes the other side, and its answer wakes this one.
 */
export function sendTogether(client: RedisClient): void {
  for (const { status, stream } of primariesOf(client)) {
    if (status !== "ready" || stream.writableCorked > 0) continue;
    stream.cork();
    setImmediate(() => stream.uncork());
  }
}

/**
 * Resolves when each of them answers or fails. The library connects to a node of a cluster with the first command
 * for it, and until it is connected rejects the second.
 */
export async function connectPrimaries(client: RedisClient): Promise<void> {
  await Promise.allSettled(primariesOf(client).map((node) => node.ping()));
}

/** Doubles from 50 ms to 1 s; half of it is chance, so that edges do not come back in step. */
export function reconnectDelayMs(attempt: number, chance: number): number {
  const delayMs = Math.min(RECONNECT_LAST_MS, RECONNECT_FIRST_MS * 2 ** (attempt - 1));
  return delayMs / 2 + (delayMs / 2) * chance;
}

/** Why Redis failed, in one word where it has one (`ECONNREFUSED`, `READONLY`, `timeout`); never an address or a key. */
export function redisCause(error: unknown): string {
  if (!(error instanceof Error)) return "unknown";
  if ("code" in error && typeof error.code === "string") return error.code;
  if (/^(Command timed out|Socket timeout)/.test(error.message)) return "timeout";
  if (/^(Stream isn't writeable|Cluster isn't ready|Connection is closed\.$)/.test(error.message))
    return NOT_CONNECTED;
  if (error.message.startsWith("All sentinels are unreachable"))
    return error.message.includes("No such master") ? "no-primary" : "no-sentinel";
  if (error.message === "Failed to refresh slots cache.") return "no-node";
  return /^[A-Z]{2,}\b/.exec(error.message)?.[0] ?? error.name;
}

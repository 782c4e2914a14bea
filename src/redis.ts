import { Redis } from "ioredis";

/** A connection to Redis. Only this file knows which library makes it. */
export type RedisClient = Redis;

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
/** The cause when there is no connection, or none yet: nothing was sent. */
export const NOT_CONNECTED = "disconnected";
/** What ioredis says when an answer arrives that nobody asked for; from then on answers may be another's. */
const OUT_OF_STEP = "Command queue state error";

/**
 * Connects, and reconnects for ever with a capped, jittered back-off. Commands never queue: without a
 * connection they reject at once. Errors never escape as exceptions; who must know listens to `error` and
 * `close`. After a reconnection no command is sent again, since a command that timed out may have run.
 */
export function connectRedis(url: string, edgeId: string, chance: () => number = Math.random): RedisClient {
  const client = new Redis(url, {
    connectionName: `meridian:${edgeId.replace(/[^\w.:-]/g, "_")}`,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    commandTimeout: COMMAND_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    connectTimeout: CONNECT_TIMEOUT_MS,
    retryStrategy: (attempt) => reconnectDelayMs(attempt, chance()),
    // After a failover the old primary refuses writes; a new connection finds the new one.
    reconnectOnError: (error) => error.message.includes("READONLY"),
  });
  client.on("error", (error: Error) => {
    if (error.message.startsWith(OUT_OF_STEP)) client.disconnect(true);
  });
  return client;
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
  if (error.message.startsWith("Stream isn't writeable") || error.message === "Connection is closed.")
    return NOT_CONNECTED;
  return /^[A-Z]{2,}\b/.exec(error.message)?.[0] ?? error.name;
}

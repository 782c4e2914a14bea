import { isIP } from "node:net";
import { buildConnector, type Client, Pool } from "undici";
import type { Config } from "../config/schema.ts";
import { Connection } from "./connection.ts";
import { names } from "./lookup.ts";

/** The part of the configuration that a pool of connections is built from. */
export type PoolSettings = Pick<
  Config["proxy"],
  "connectionsPerEndpoint" | "connectTimeout" | "responseTimeout" | "idleTimeout" | "maxHeaderBytes"
>;

/** An idle connection is closed before most servers close it, so that a request seldom meets a closing one. */
const KEEP_ALIVE_MS = 4_000;

/** A server's own keep-alive hint counts up to this. */
const KEEP_ALIVE_MAX_MS = 30_000;

/**
 * Connections for real traffic to one endpoint; one pool each, since undici's BalancedPool can stick to
 * a dead upstream (nodejs/undici#4839). HTTP/1.1 only and no pipelining: one request's fate is its own.
 */
export function createPool(origin: string, settings: PoolSettings): Pool {
  const connect = connectorTo(settings.connectTimeout);
  return new Pool(origin, {
    connections: settings.connectionsPerEndpoint,
    factory: (url, options) => connectionTo(url, options, connect),
    pipelining: 1,
    allowH2: false,
    headersTimeout: settings.responseTimeout,
    bodyTimeout: settings.idleTimeout,
    maxHeaderSize: settings.maxHeaderBytes,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
  });
}

/** Whether a pool built from one would behave as a pool built from the other. */
export function samePool(a: PoolSettings, b: PoolSettings): boolean {
  return (
    a.connectionsPerEndpoint === b.connectionsPerEndpoint &&
    a.connectTimeout === b.connectTimeout &&
    a.responseTimeout === b.responseTimeout &&
    a.idleTimeout === b.idleTimeout &&
    a.maxHeaderBytes === b.maxHeaderBytes
  );
}

/** A connection that follows the name of its endpoint, if that has one. */
export function connectionTo(
  origin: URL,
  options: Client.Options,
  connect: buildConnector.connector,
): Connection {
  const { hostname } = origin;
  const isAddress = isIP(hostname.replace(/^\[|\]$/g, "")) !== 0;
  const hasLeft = (address: string): boolean => !isAddress && names.hasLeft(hostname, address);
  return new Connection(origin, options, connect, hasLeft);
}

/** As undici connects, but to https endpoints given by an address too, whose certificate is checked without SNI (RFC 6066 §3). */
export function connectorTo(timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({ lookup: names.lookup, timeout: timeoutMs });
  return (options, callback) => {
    const hostname = options.hostname.replace(/^\[|\]$/g, "");
    const servername = isIP(hostname) ? "" : options.servername;
    connect({ ...options, hostname, ...(servername === undefined ? {} : { servername }) }, callback);
  };
}

import { isIP } from "node:net";
import { buildConnector, type Client, type Pool } from "undici";
import type { Config } from "../config/schema.ts";
import { Connection } from "./connection.ts";
import { Http1Pool } from "./http1-pool.ts";
import { Http2Pool, type Http2PoolSettings } from "./http2-pool.ts";
import { names } from "./lookup.ts";
import { askedName, bare, secureOptions, type Transport } from "./transport.ts";

/** The part of the configuration that a pool of connections is built from. */
export type PoolSettings = Pick<
  Config["proxy"],
  "connectionsPerEndpoint" | "connectTimeout" | "responseTimeout" | "idleTimeout" | "maxHeaderBytes"
>;

/** An idle connection is closed before most servers close it, so that a request seldom meets a closing one. */
const KEEP_ALIVE_MS = 4_000;

/** A server's own keep-alive hint counts up to this. */
const KEEP_ALIVE_MAX_MS = 30_000;

/** Where requests to one endpoint go. */
export type RequestPool = Pick<Pool, "close" | "closed" | "destroy" | "dispatch">;

/** Connections for real traffic to one endpoint; one pool each, since undici's BalancedPool can stick to a dead upstream (nodejs/undici#4839). */
export function createPool(transport: Transport, settings: PoolSettings): RequestPool {
  const connect = connectorTo(transport, settings.connectTimeout);
  const { connectionsPerEndpoint: connections, maxHeaderBytes } = settings;
  if (transport.http2 !== "never") return http2Pool(transport, connect, { connections, maxHeaderBytes });
  const options: Client.Options = {
    pipelining: 1,
    allowH2: false,
    headersTimeout: settings.responseTimeout,
    bodyTimeout: settings.idleTimeout,
    maxHeaderSize: maxHeaderBytes,
    keepAliveTimeout: KEEP_ALIVE_MS,
    keepAliveMaxTimeout: KEEP_ALIVE_MAX_MS,
  };
  return new Http1Pool(connections, () => connectionTo(transport.url, options, connect));
}

/** The time-out is the probe's own. */
const UNTIMED: Client.Options = { allowH2: false, pipelining: 1, headersTimeout: 0, bodyTimeout: 0 };

const PROBE_HEADER_BYTES = 16_384;

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

/** One connection for probes, which real traffic cannot starve. */
export function createProbeClient(transport: Transport, timeoutMs: number): RequestPool {
  const connect = connectorTo(transport, timeoutMs);
  const alone = { connections: 1, maxHeaderBytes: PROBE_HEADER_BYTES };
  if (transport.http2 !== "never") return http2Pool(transport, connect, alone);
  return connectionTo(transport.url, UNTIMED, connect);
}

function http2Pool(
  transport: Transport,
  connect: buildConnector.connector,
  settings: Http2PoolSettings,
): Http2Pool {
  const { protocol, host, hostname, port } = transport.url;
  return new Http2Pool(transport, settings, (callback) => {
    connect({ protocol, host, hostname, port }, (error, socket) => callback(error, socket));
  });
}

/** A connection that follows the name of its endpoint, if that has one. */
function connectionTo(origin: URL, options: Client.Options, connect: buildConnector.connector): Connection {
  const { hostname } = origin;
  const isAddress = isIP(bare(hostname)) !== 0;
  const hasLeft = (address: string): boolean => !isAddress && names.hasLeft(hostname, address);
  return new Connection(origin, options, connect, hasLeft);
}

/** As undici connects, but to https endpoints given by an address too. */
function connectorTo(transport: Transport, timeoutMs: number): buildConnector.connector {
  const connect = buildConnector({
    lookup: names.lookup,
    timeout: timeoutMs,
    ...secureOptions(transport),
    allowH2: transport.http2 !== "never",
    preferH2: true,
    useH2c: transport.http2 === "assumed",
  } as buildConnector.BuildOptions);
  const servername = askedName(transport);
  return (options, callback) =>
    connect({ ...options, hostname: bare(options.hostname), servername }, callback);
}

import type { InboundConnection } from "./inbound.ts";

/** Connections whose other end is a proxy that has named its client. */
const named = new WeakMap<object, string>();

/** Where a connection's client is: as a PROXY header said, else where the connection comes from. */
export function clientAddress(connection: InboundConnection): string | undefined {
  return named.get(connection) ?? connection.remoteAddress;
}

export function nameClient(connection: InboundConnection, address: string): void {
  named.set(connection, address);
}

/** What lies over a connection has the client of what is under it. */
export function inheritClient(connection: InboundConnection, under: InboundConnection): void {
  const address = named.get(under);
  if (address !== undefined) named.set(connection, address);
}

import { Agent } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { names } from "../regions/lookup.ts";
import { askedName, bare, secureOptions, type Transport } from "../regions/transport.ts";
import { ClientGone } from "./faults.ts";

/** The endpoint did not take the connection in time. */
class ConnectTimeout extends Error {
  readonly code = "UND_ERR_CONNECT_TIMEOUT";
}

/**
 * A connection to an endpoint for a tunnel, verified if it is https. Rejects with why there is none; nothing was sent
 * then. It is given up when `client` closes.
 */
export function connectTo(transport: Transport, timeoutMs: number, client: Socket): Promise<Socket> {
  const { protocol, hostname, port } = transport.url;
  const secure = protocol === "https:";
  const address = { host: bare(hostname), port: Number(port) || (secure ? 443 : 80), lookup: names.lookup };
  const options = { ...secureOptions(transport), servername: askedName(transport) };
  const socket = secure ? connectTls({ ...address, ...options }) : connectTcp(address);
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => socket.destroy(new ConnectTimeout(`no connection within ${timeoutMs} ms`)),
      timeoutMs,
    );
    const giveUp = (): void => void socket.destroy(new ClientGone("the client left"));
    client.once("close", giveUp);
    socket.once("error", reject);
    socket.once("close", () => {
      clearTimeout(timer);
      client.off("close", giveUp);
    });
    socket.once(secure ? "secureConnect" : "connect", () => {
      clearTimeout(timer);
      socket.off("error", reject);
      client.off("close", giveUp);
      resolve(socket);
    });
  });
}

/** Hands the one connection that was made before to whoever asks for one. */
export class MadeConnection extends Agent {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super({ maxSockets: 1 });
    this.#socket = socket;
  }

  override createConnection(): Duplex {
    return this.#socket;
  }
}

import type { Socket } from "node:net";
import { createServer, type Server, type TLSSocket } from "node:tls";
import { isDeepStrictEqual } from "node:util";
import type { HttpsConfig } from "../config/schema-tls.ts";
import { Certificates, contextOptions } from "./certificates.ts";

/** A client that has not shaken hands by then will not. */
const HANDSHAKE_MS = 10_000;

/**
 * The edge's end of TLS. With another configuration new connections get other certificates; those that stand keep what
 * they have.
 */
export class TlsEnd {
  readonly #secured: (socket: TLSSocket, under: Socket) => void;
  /** What Node makes of a connection does not say of which one; its two ends do. */
  readonly #handshaking = new Map<string, Socket>();
  readonly #ticketKeys: Buffer | null;
  #https: HttpsConfig;
  #server: Server;

  /**
   * @param secured gets each connection once its handshake is over, and the one that is under it
   * @param ticketKeys 48 bytes that several processes share, so that each resumes the sessions of all; null: keys of its own
   */
  constructor(
    https: HttpsConfig,
    secured: (socket: TLSSocket, under: Socket) => void,
    ticketKeys: Buffer | null = null,
  ) {
    this.#secured = secured;
    this.#ticketKeys = ticketKeys;
    this.#https = https;
    this.#server = this.#serverOf(https);
  }

  /** Throws, and changes nothing, when a certificate cannot be used. */
  configure(https: HttpsConfig): void {
    if (isDeepStrictEqual(this.#https, https)) return;
    this.#server = this.#serverOf(https);
    this.#https = https;
  }

  serve(socket: Socket): void {
    const ends = endsOf(socket);
    this.#handshaking.set(ends, socket);
    socket.once("close", () => this.#handshaking.get(ends) === socket && this.#handshaking.delete(ends));
    this.#server.emit("connection", socket);
  }

  /** Cuts the connections whose handshake is not over: nobody has asked anything over them. */
  closeIdle(): void {
    for (const socket of this.#handshaking.values()) socket.destroy();
  }

  #serverOf(https: HttpsConfig): Server {
    const certificates = new Certificates(https);
    const options = contextOptions(https, https);
    const server = createServer({
      ...options,
      ALPNProtocols: https.http2 ? ["h2", "http/1.1"] : ["http/1.1"],
      SNICallback: (servername, found) => found(null, certificates.for(servername) ?? undefined),
      handshakeTimeout: HANDSHAKE_MS,
      ...(this.#ticketKeys === null ? {} : { ticketKeys: this.#ticketKeys }),
    });
    server.on("secureConnection", (socket) => {
      const under = this.#handshaking.get(endsOf(socket));
      if (under === undefined) return void socket.destroy();
      this.#handshaking.delete(endsOf(under));
      this.#secured(socket, under);
    });
    return server;
  }
}

/** No two open connections have the same ends. */
function endsOf({ localAddress, localPort, remoteAddress, remotePort }: Socket): string {
  return `${localAddress} ${localPort} ${remoteAddress} ${remotePort}`;
}

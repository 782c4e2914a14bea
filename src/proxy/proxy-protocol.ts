import type { Socket } from "node:net";
import type { Config } from "../config/schema.ts";
import { nameClient } from "./client-address.ts";
import { readProxyHeader } from "./proxy-header.ts";
import { TrustedProxies } from "./trust.ts";

/** Takes a connection whose beginning is dealt with. */
type Serve = (socket: Socket) => void;

export interface ProxyProtocolParts {
  /** Told of a connection that did not begin with a header that can be read, or not in time. */
  readonly refused: (socket: Socket) => void;
  /** Told of the client that a header has named; false when it is refused, and seen off. */
  readonly admits: (socket: Socket, client: string) => boolean;
}

/**
 * Reads the header by which a proxy in front says whose connection it passes on. Only trusted proxies are read, and those
 * have to write one: what they passed on without would be taken for their own.
 */
export class ProxyProtocol {
  readonly #parts: ProxyProtocolParts;
  readonly #waiting = new Set<Socket>();
  #isOn = false;
  #withinMs = 0;
  #trusted = new TrustedProxies([]);

  constructor(config: Config, parts: ProxyProtocolParts) {
    this.#parts = parts;
    this.configure(config);
  }

  /** For connections that are yet to come. */
  configure({ listen, limits }: Config): void {
    this.#isOn = listen.proxyProtocol;
    this.#withinMs = limits.headersTimeout;
    this.#trusted = new TrustedProxies(listen.trustedProxies);
  }

  serve(socket: Socket, serve: Serve): void {
    if (!this.#isOn || !this.#trusted.trusts(socket.remoteAddress)) serve(socket);
    else this.#read(socket, serve);
  }

  /** Cuts the connections whose header has not come. */
  closeIdle(): void {
    for (const socket of this.#waiting) socket.destroy();
  }

  #read(socket: Socket, serve: Serve): void {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => this.#parts.refused(socket), this.#withinMs);
    const stop = (): void => {
      clearTimeout(timer);
      socket.off("readable", look);
      socket.off("end", leave);
      this.#waiting.delete(socket);
    };
    const leave = (): void => void socket.destroy();
    const look = (): void => {
      bytes = Buffer.concat([bytes, (socket.read() as Buffer | null) ?? Buffer.alloc(0)]);
      const header = readProxyHeader(bytes);
      if (header.kind === "incomplete") return;
      stop();
      if (header.kind === "malformed") this.#parts.refused(socket);
      else if (this.#admits(socket, header.client)) handOver(socket, bytes.subarray(header.length), serve);
    };
    this.#waiting.add(socket);
    socket.on("readable", look).once("end", leave).once("close", stop);
  }

  #admits(socket: Socket, client: string | null): boolean {
    if (client === null) return true;
    nameClient(socket, client);
    return this.#parts.admits(socket, client);
  }
}

/** Whoever serves it reads it in another way, which counts once ours is given up. */
function handOver(socket: Socket, rest: Buffer, serve: Serve): void {
  if (rest.length > 0) socket.unshift(rest);
  setImmediate(() => socket.destroyed || serve(socket));
}

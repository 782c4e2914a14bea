import { type ClientHttp2Session, connect } from "node:http2";
import type { Socket } from "node:net";
import { type Dispatcher, errors } from "undici";
import { Bag } from "../bag.ts";
import type { UsedConnection } from "./connection.ts";
import type { Http2Call } from "./http2-call.ts";
import type { Transport } from "./transport.ts";

/** Requests at a time, if the other side does not want fewer. */
const STREAMS = 100;
/** What the other side may send of one answer, and of all, before somebody has read it. */
const STREAM_WINDOW_BYTES = 262_144;
const CONNECTION_WINDOW_BYTES = 4_194_304;
/** Fields of an answer's head; its bytes are bounded too. */
const FIELDS = 1_000;
const IDLE_MS = 30_000;
/** How long a connection that seems dead may take to say that it is not. */
const ALIVE_WITHIN_MS = 2_000;

/** Why a connection cannot be used: the other side speaks something else. */
class NoHttp2 extends Error {
  readonly code = "ERR_TLS_ALPN";
}

export interface Http2ConnectionParts {
  readonly transport: Transport;
  readonly maxHeaderBytes: number;
  /** Makes the connection under it. */
  readonly open: (callback: (error: Error | null, socket: Socket | null) => void) => void;
  /** Sends a call over another one. */
  readonly elsewhere: (call: Http2Call) => void;
  /** Told when there is nothing left of it. */
  readonly gone: () => void;
}

/** One connection, over which many calls go at a time, and some wait until it stands. */
export class Http2Connection implements UsedConnection {
  readonly brokeOff = false;
  readonly #parts: Http2ConnectionParts;
  readonly #waiting: Http2Call[] = [];
  readonly #sent = new Bag<Http2Call>();
  #session: ClientHttp2Session | null = null;
  #address: string | null = null;
  /** Requests at a time; one until the other side has said how many it takes. */
  #limit = 1;
  #isAgreed = false;
  /** Those that are sent, and those that wait. */
  #load = 0;
  #carried = 0;
  #isOver = false;
  #idle: NodeJS.Timeout | undefined;
  #probing: NodeJS.Timeout | undefined;
  /** Runs until the other side has said how many requests it takes. */
  #unagreed: NodeJS.Timeout | undefined;

  constructor(parts: Http2ConnectionParts) {
    this.#parts = parts;
    parts.open((error, socket) => this.#opened(error, socket));
  }

  /** Whether it may be given another call. */
  get hasRoom(): boolean {
    const most = this.#isAgreed ? this.#limit : STREAMS;
    return !this.#isOver && this.#session?.closed !== true && this.#load < most;
  }

  /** Whether it has carried any. */
  get isUsed(): boolean {
    return this.#carried > 0;
  }

  get load(): number {
    return this.#load;
  }

  /** Of the other side; null before it stands. */
  get address(): string | null {
    return this.#address;
  }

  takesRequest(): boolean {
    this.#carried += 1;
    return this.#carried > 1;
  }

  take(call: Http2Call): void {
    this.#load += 1;
    clearTimeout(this.#idle);
    this.#waiting.push(call);
    this.#send();
  }

  /** Lets the calls end that there are. */
  retire(): void {
    this.#isOver = true;
    if (this.#load === 0) this.destroy();
  }

  destroy(error?: Error): void {
    this.#isOver = true;
    clearTimeout(this.#idle);
    clearTimeout(this.#probing);
    clearTimeout(this.#unagreed);
    for (const call of this.#waiting.splice(0))
      call.abort(error ?? new errors.SocketError("the connection ended"));
    this.#session?.destroy(error);
    this.#parts.gone();
  }

  #opened(error: Error | null, socket: Socket | null): void {
    const isHttp2 = (socket as { alpnProtocol?: string | false } | null)?.alpnProtocol === "h2";
    const isWanted = !this.#isOver || this.#waiting.length > 0;
    if (error === null && socket !== null && isHttp2 && isWanted) {
      this.#stands(socket);
      return;
    }
    socket?.destroy();
    this.destroy(error ?? new NoHttp2("the endpoint does not speak HTTP/2"));
  }

  #stands(socket: Socket): void {
    this.#address = socket.remoteAddress ?? null;
    this.#session = this.#talk(socket);
    this.#unagreed = setTimeout(
      () => this.destroy(new NoHttp2("no SETTINGS from the endpoint")),
      ALIVE_WITHIN_MS,
    ).unref();
    this.#send();
  }

  #talk(socket: Socket): ClientHttp2Session {
    const session = connect(this.#parts.transport.url, {
      createConnection: () => socket,
      settings: {
        enablePush: false,
        initialWindowSize: STREAM_WINDOW_BYTES,
        maxHeaderListSize: this.#parts.maxHeaderBytes,
      },
      maxHeaderListPairs: FIELDS,
      peerMaxConcurrentStreams: STREAMS,
      // A client may say twice what should be said once; over HTTP/1 nobody minds.
      strictSingleValueFields: false,
    } as Parameters<typeof connect>[1]);
    session.once("connect", () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    session.on("remoteSettings", ({ maxConcurrentStreams = STREAMS }) => this.#agree(maxConcurrentStreams));
    session.on("goaway", (_code, lastStreamId) => this.#dismissed(lastStreamId));
    // Each of its streams is told too.
    session.on("error", () => {});
    session.once("close", () => this.destroy());
    return session;
  }

  #agree(streams: number): void {
    // With none allowed the first is sent all the same, and is late by its own clock.
    this.#limit = Math.max(1, Math.min(STREAMS, streams));
    if (!this.#isAgreed) clearTimeout(this.#unagreed);
    this.#isAgreed = true;
    this.#send();
  }

  /** What has not been sent, or not been looked at, goes over another connection. */
  #dismissed(lastStreamId: number): void {
    this.#isOver = true;
    for (const call of [...this.#sent]) call.dismissed(lastStreamId);
    const waiting = this.#waiting.splice(0);
    this.#load -= waiting.length;
    for (const call of waiting) if (!call.isOver) this.#parts.elsewhere(call);
    this.retire();
  }

  #send(): void {
    const session = this.#session;
    while (session !== null && this.#sent.size < this.#limit) {
      const call = this.#waiting.shift();
      if (call === undefined) return;
      this.#sent.add(call);
      this.#carry(call, session);
    }
  }

  #carry(call: Http2Call, session: ClientHttp2Session): void {
    const carrier = {
      maxHeaderBytes: this.#parts.maxHeaderBytes,
      announce: (handler: Dispatcher.DispatchHandler) => this.#announce(handler),
      left: () => this.#left(call),
      suspect: () => this.#suspect(session),
    };
    if (call.isOver) this.#left(call);
    else call.send(session, this.#parts.transport.url, carrier);
  }

  #announce(handler: Dispatcher.DispatchHandler): void {
    if ("onConnection" in handler) (handler.onConnection as (connection: UsedConnection) => void)(this);
  }

  #left(call: Http2Call): void {
    this.#load -= 1;
    this.#sent.delete(call);
    this.#send();
    if (this.#load > 0) return;
    if (this.#isOver) this.destroy();
    else this.#idle = setTimeout(() => this.destroy(), IDLE_MS).unref();
  }

  /** A call that is late ends alone; but were the connection dead, each of the next would be late in its turn. */
  #suspect(session: ClientHttp2Session): void {
    if (this.#probing !== undefined || session.closed || session.destroyed) return;
    this.#probing = setTimeout(() => this.destroy(new Error("no answer to PING")), ALIVE_WITHIN_MS).unref();
    session.ping(() => {
      clearTimeout(this.#probing);
      this.#probing = undefined;
    });
  }
}

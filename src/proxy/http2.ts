import { randomUUID } from "node:crypto";
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from "node:http2";
import type { Socket } from "node:net";
import type { Config } from "../config/schema.ts";
import type { Fault } from "../errors.ts";
import { type Http2Head, Http2Request } from "./http2-request.ts";
import { Http2Response } from "./http2-response.ts";
import type { InboundConnection } from "./inbound.ts";
import { refuse } from "./refuse.ts";
import type { Handlers } from "./server.ts";

/** Requests on one connection at a time. */
const STREAMS = 100;
/** What a client may send of one body, and of all of a connection's, before somebody has read it. */
const STREAM_WINDOW_BYTES = 65_535;
const CONNECTION_WINDOW_BYTES = 1_048_576;
/** A browser that leaves a page resets what it was loading, all at once; one that does it on and on is none. */
const RESETS = { burst: 400, perSecond: 40 };
/** Each cookie may come as a field of its own; browsers keep up to 180 of one site. */
const COOKIE_CRUMBS = 256;
/** PING and SETTINGS cost a client nothing and us an answer each. */
const CONTROLS = { burst: 100, perSecond: 10 };
/** How long a client may take to close its side, once it was told that this is over. */
const LINGER_MS = 2_000;

/** HTTP/2, over decrypted connections. WebSockets are not carried (RFC 8441 is not offered): browsers use HTTP/1.1 for them. */
export class Http2 {
  readonly #handlers: Handlers;
  readonly #conversations = new Set<Conversation>();
  #config: Pick<Config, "proxy" | "limits">;
  #isClosing = false;

  constructor(config: Pick<Config, "proxy" | "limits">, handlers: Handlers) {
    this.#config = config;
    this.#handlers = handlers;
  }

  /** For connections that are yet to come. */
  configure(config: Pick<Config, "proxy" | "limits">): void {
    this.#config = config;
  }

  serve(socket: Socket, connection: InboundConnection): void {
    const session = performServerHandshake(socket, optionsOf(this.#config));
    const conversation = new Conversation(session, socket, this.#config.limits);
    this.#conversations.add(conversation);
    session.once("close", () => this.#conversations.delete(conversation));
    session.on("stream", (stream, headers, _flags, rawHeaders) => {
      conversation.began(stream);
      this.#request(
        stream,
        { headers, rawHeaders: rawHeaders as unknown as string[] },
        connection,
        conversation,
      );
    });
    if (this.#isClosing) conversation.end();
  }

  /** Tells every client that its requests in flight are the last ones of its connection. */
  close(): void {
    this.#isClosing = true;
    for (const conversation of this.#conversations) conversation.end();
  }

  #request(
    stream: ServerHttp2Stream,
    head: Http2Head,
    connection: InboundConnection,
    conversation: Conversation,
  ): void {
    const req = new Http2Request(stream, head, connection);
    const res = new Http2Response(stream, req, () => conversation.end());
    const fault = this.#faultOf(req);
    if (fault !== null) {
      this.#handlers.headRefused(fault);
      refuse(res, fault, randomUUID(), false);
      return;
    }
    this.#handlers.request(req, res, req.headers.expect?.toLowerCase() === "100-continue");
  }

  #faultOf({ method, rawHeaders }: Http2Request): Fault | null {
    if (method === "CONNECT") return "not_implemented";
    return rawHeaders.length / 2 > this.#config.limits.maxHeaders ? "header_too_large" : null;
  }
}

function optionsOf({ proxy, limits }: Pick<Config, "proxy" | "limits">): ServerOptions {
  return {
    settings: {
      maxConcurrentStreams: STREAMS,
      initialWindowSize: STREAM_WINDOW_BYTES,
      maxHeaderListSize: proxy.maxHeaderBytes,
    },
    maxHeaderListPairs: limits.maxHeaders + COOKIE_CRUMBS,
    streamResetBurst: RESETS.burst,
    streamResetRate: RESETS.perSecond,
    maxSessionInvalidFrames: 100,
    // A region may say twice what should be said once; over HTTP/1 nobody minds.
    strictSingleValueFields: false,
  } as ServerOptions;
}

/** One client's connection, from its first frame to its last. */
class Conversation {
  readonly #session: ServerHttp2Session;
  readonly #socket: Socket;
  readonly #idleMs: number;
  #open = 0;
  #patience: NodeJS.Timeout;
  readonly #controls = new Allowance(CONTROLS);

  constructor(session: ServerHttp2Session, socket: Socket, limits: Config["limits"]) {
    this.#session = session;
    this.#socket = socket;
    this.#idleMs = limits.idleConnectionTimeout;
    this.#patience = setTimeout(() => this.end(), limits.headersTimeout);
    session.once("connect", () => session.setLocalWindowSize(CONNECTION_WINDOW_BYTES));
    // It ends the session, and with it the streams; each of those is told.
    session.on("error", () => socket.destroy());
    session.once("close", () => clearTimeout(this.#patience));
    // Connections are half open for HTTP/1's sake; here whoever ends his side cannot even allow us to send.
    socket.once("end", () => socket.destroy());
    for (const event of ["ping", "remoteSettings"] as const) session.on(event, () => this.#controlled());
  }

  began(stream: ServerHttp2Stream): void {
    this.#open += 1;
    clearTimeout(this.#patience);
    stream.once("close", () => {
      this.#open -= 1;
      if (this.#open === 0) this.#rest();
    });
  }

  /** Answers what has been asked, and nothing else. */
  end(): void {
    if (!this.#session.destroyed) this.#session.close();
    if (this.#open === 0) this.#rest();
  }

  #rest(): void {
    clearTimeout(this.#patience);
    const isOver = this.#session.closed || this.#session.destroyed;
    if (isOver) this.#patience = setTimeout(() => this.#socket.destroy(), LINGER_MS);
    else this.#patience = setTimeout(() => this.end(), this.#idleMs);
  }

  #controlled(): void {
    if (this.#controls.take(performance.now())) return;
    const { NGHTTP2_ENHANCE_YOUR_CALM } = constants;
    this.#session.destroy(
      new Error("the client sends only what has to be acknowledged"),
      NGHTTP2_ENHANCE_YOUR_CALM,
    );
  }
}

/** So many at once, and so many a second after that. */
class Allowance {
  readonly #burst: number;
  readonly #perMs: number;
  #left: number;
  #atMs = 0;

  constructor({ burst, perSecond }: { readonly burst: number; readonly perSecond: number }) {
    this.#burst = burst;
    this.#left = burst;
    this.#perMs = perSecond / 1_000;
  }

  take(nowMs: number): boolean {
    this.#left = Math.min(this.#burst, this.#left + (nowMs - this.#atMs) * this.#perMs);
    this.#atMs = nowMs;
    this.#left -= 1;
    return this.#left >= 0;
  }
}

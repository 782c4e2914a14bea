import type { Dispatcher } from "undici";
import type { Clock } from "../clock.ts";
import type { ConnectionHandler, UsedConnection } from "../regions/connection.ts";
import type { RequestBody } from "./body.ts";
import { type AttemptResult, unsent } from "./carrier.ts";
import { EventStream, isEventStream } from "./event-stream.ts";
import { BadHead, ClientGone, ClientStalled, CutOff, causeOf, faultOf, WriterMoved } from "./faults.ts";
import {
  endsWithConnection,
  isOverHttp2,
  rawHeadersOf,
  sound,
  soundTrailers,
  unsound,
} from "./forward-head.ts";
import type { Place } from "./gate.ts";
import { type HeaderList, type RegionHead, readRegionHead } from "./headers.ts";
import type { InboundResponse } from "./inbound.ts";
import { type Letter, sendWithOthers } from "./outbox.ts";
import { Upload, type UploadTerms } from "./upload.ts";

/** Interim answers before the answer; each restarts the time-out, so that without an end there would be none. */
const MAX_INTERIM = 32;

/** The end of an answer up to so long goes out as one string with its head: one write of one piece costs less than one of two. */
const SHORT_BYTES = 8_192;

/**
 * undici looks for a server's name in the Host of each request that comes without one, in clear too, by an expression for
 * every form of IP address.
 */
const NO_SERVERNAME = "in-clear";

/** How long a client may take to read the rest of a stream that was ended. */
const REST_MS = 10_000;

/** One attempt's request as it goes to a region. */
export interface Outgoing {
  readonly dispatcher: Pick<Dispatcher, "dispatch">;
  readonly method: string;
  readonly url: string;
  readonly headers: HeaderList;
  readonly body: RequestBody;
  /** Null when it has no body. */
  readonly upload: UploadTerms | null;
  /** Cut it when the client leaves; otherwise it is finished, for its outcome is wanted. */
  readonly cutWhenGone: boolean;
  /** Over a new connection: one that had been kept has just died under the same request. */
  readonly fresh: boolean;
  /** What an https endpoint's certificate must be for: the endpoint, never the client's Host. */
  readonly servername: string | null;
  readonly responseTimeoutMs: number;
  readonly idleTimeoutMs: number;
  /** What this request holds of the region, and its client may hold back. */
  readonly places: readonly Place[];
  /**
   * The head a client gets, from the region's. Whoever decides about pins and cookies may hold it. Null: the client gets
   * none of this answer, because the region has done nothing and another may be asked.
   */
  readonly head: (region: RegionHead) => HeaderList | Promise<HeaderList> | null;
  /** Calls its listener when the response is closed; returns how to stop listening. */
  readonly leaving: (listener: () => void) => () => void;
  /** Told of every chunk of the answer's body. */
  readonly count: (bytes: number) => void;
  /** Told that the answer is an event stream, and how to end it; answers what to call when it has ended. */
  readonly streams: (close: () => void) => () => void;
}

/** Sends one attempt and streams the answer to the client. Resolves once, never rejects. */
export function forward(outgoing: Outgoing, res: InboundResponse, clock: Clock): Promise<AttemptResult> {
  if (res.destroyed) return Promise.resolve(unsent("client_gone"));
  return new Promise((resolve) => {
    const relay = new Relay(outgoing, res, clock, resolve);
    const { dispatcher, method, url, headers, body, servername } = outgoing;
    try {
      dispatcher.dispatch(
        {
          method: method as Dispatcher.HttpMethod,
          path: url,
          headers,
          body: relay.upload === null ? null : body.stream(relay.upload),
          headersTimeout: outgoing.responseTimeoutMs,
          bodyTimeout: outgoing.idleTimeoutMs,
          servername: servername ?? NO_SERVERNAME,
        } as Dispatcher.DispatchOptions,
        relay,
      );
    } catch (error) {
      relay.fail(error as Error);
    }
  });
}

/**
 * Carries one answer from undici's parser to the client's socket, with back-pressure. Three parties may end it at
 * any moment: the region, the client, and the hold on the head; all of them end in {@link Relay.#finish}, once.
 */
class Relay implements ConnectionHandler, Letter {
  readonly upload: Upload | null;
  readonly #outgoing: Outgoing;
  readonly #res: InboundResponse;
  readonly #clock: Clock;
  readonly #resolve: (result: AttemptResult) => void;
  readonly #startedAtMs: number;
  readonly #stopListening: () => void;

  #phase: "waiting" | "holding" | "streaming" | "over" = "waiting";
  #controller: Dispatcher.DispatchController | null = null;
  #connection: UsedConnection | null = null;
  /** Whether the connection has carried a request before, and no byte of an answer to this one. */
  #maybeStale = false;
  #interim = 0;
  /** Whether the answer's end is the connection's. */
  #endless = false;
  /** Whether anything of the answer may have been sent to the client. */
  #hasBegun = false;
  /** The first of the body, until all is read that came with it: most answers are whole by then, and one write. */
  #first: Buffer | null = null;
  #status: number | null = null;
  #headAtMs: number | null = null;
  /** What came while the head was held: undici cannot pause an answer to HEAD, nor one in a single packet. */
  #held: Buffer[] = [];
  /** How the answer ended while its head was held. */
  #ending: (() => void) | null = null;
  /** What is known of the answer if it is an event stream, which may have to end before its end. */
  #stream: EventStream | null = null;
  /** Runs while the client does not read. */
  #patience: NodeJS.Timeout | null = null;
  /** Runs while an answer is read that nobody waits for. */
  #abandoned: NodeJS.Timeout | null = null;

  constructor(
    outgoing: Outgoing,
    res: InboundResponse,
    clock: Clock,
    resolve: (result: AttemptResult) => void,
  ) {
    this.#outgoing = outgoing;
    this.#res = res;
    this.#clock = clock;
    this.#resolve = resolve;
    this.#startedAtMs = clock.now();
    this.upload = outgoing.upload === null ? null : this.#uploadOn(outgoing.upload);
    this.#stopListening = outgoing.leaving(() => this.#clientLeft());
  }

  #uploadOn(terms: UploadTerms): Upload {
    const lost = () => this.fail(new ClientStalled("the client sent its body too slowly"));
    return new Upload(terms, () => this.#clock.now(), lost);
  }

  get wantsFresh(): boolean {
    return this.#outgoing.fresh;
  }

  onConnection(connection: UsedConnection): void {
    this.#connection = connection;
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#maybeStale = this.#connection?.takesRequest() ?? false;
    // It ended while it waited for a connection: nothing was sent, so nothing happens.
    if (this.#phase === "over") controller.abort(new ClientGone("nobody waits for the answer"));
    else this.#controller = controller;
  }

  /** The first byte of an answer, interim ones included. */
  onResponseStarted(): void {
    this.#maybeStale = false;
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    status: number,
    parsed: Record<string, string | string[] | undefined>,
    statusText = "",
  ): void {
    if (this.#phase === "over") return;
    if (status < 200) {
      this.#interimAnswer(status, parsed);
      return;
    }
    const broken = unsound(status, parsed);
    if (broken !== null) {
      this.fail(new BadHead(broken));
      return;
    }
    // Over HTTP/2 nobody tells of the first byte.
    this.#maybeStale = false;
    this.#status = status;
    this.#endless = !isOverHttp2(controller) && endsWithConnection(this.#outgoing.method, status, parsed);
    const mayEnd = this.#outgoing.cutWhenGone && isEventStream(this.#outgoing.method, status, parsed);
    if (mayEnd) this.#stream = new EventStream(() => this.#endStream());
    this.#headAtMs = this.#clock.now();
    const head = this.#outgoing.head(readRegionHead(rawHeadersOf(controller), status));
    if (head === null) {
      this.fail(new WriterMoved(`answered ${status}`));
      return;
    }
    this.#phase = "holding";
    if (Array.isArray(head)) {
      this.#begin(statusText, head);
      return;
    }
    controller.pause();
    head.then((headers) => this.#begin(statusText, headers)).catch((error: Error) => this.fail(error));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#outgoing.count(chunk.length);
    if (this.#res.destroyed) return;
    if (this.#phase === "holding") this.#held.push(chunk);
    else if (this.#phase === "streaming") this.#pass(chunk);
  }

  onResponseEnd(
    _controller: Dispatcher.DispatchController,
    trailers: Record<string, string | string[] | undefined>,
  ): void {
    // Only a connection that was closed as it should says that this was all (RFC 9112 §8).
    if (this.#endless && this.#connection?.brokeOff)
      this.onResponseError(null, new CutOff("the connection broke off"));
    else if (this.#phase === "holding") this.#ending = () => this.#complete(trailers);
    else this.#complete(trailers);
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    if (this.#phase === "holding") this.#ending = () => this.#finish(error);
    else this.#finish(error);
  }

  /** Ends the attempt from our side. */
  fail(error: Error): void {
    const controller = this.#controller;
    this.#finish(error);
    controller?.abort(error);
  }

  /** Writes the head, and what came while it was held. */
  #begin(statusText: string, headers: HeaderList): void {
    if (this.#phase !== "holding") return;
    if (!this.#res.destroyed) {
      try {
        this.#res.writeHead(this.#status ?? 502, sound(statusText), headers);
      } catch (error) {
        this.fail(new BadHead((error as Error).message));
        return;
      }
    }
    this.#phase = "streaming";
    this.upload?.answered();
    const held = this.#held;
    this.#held = [];
    this.#stream?.begin(this.#outgoing.streams);
    for (const chunk of held) this.#pass(chunk);
    this.#ending?.();
    process.nextTick(Relay.#sendBeginning, this);
    if (this.#patience === null) this.#controller?.resume();
  }

  /** Node keeps a head back for the first of its body, which may be long in coming, or never come whole. */
  static #sendBeginning(relay: Relay): void {
    if (relay.#phase !== "streaming" || relay.#hasBegun) return;
    const first = relay.#first;
    relay.#first = null;
    if (first !== null) relay.#write(first);
    else if (!relay.#res.destroyed) relay.#res.flushHeaders();
    relay.#hasBegun = true;
  }

  /** The region has answered to its end. */
  #complete(trailers: Record<string, string | string[] | undefined>): void {
    if (!this.#res.destroyed) {
      const sent = soundTrailers(trailers);
      if (sent !== null) this.#res.addTrailers(sent);
      sendWithOthers(this);
    }
    this.#finish(null);
  }

  /** The end of the answer, with the first of its body where that is the last too. */
  send(): void {
    if (this.#res.destroyed) return;
    const last = this.#first;
    this.#first = null;
    if (last === null) this.#res.end();
    else if (last.length > SHORT_BYTES) this.#res.end(last);
    else this.#res.end(last.toString("latin1"), "latin1");
  }

  #pass(chunk: Buffer): void {
    const stream = this.#stream;
    this.#give(stream === null ? chunk : stream.take(chunk));
    if (stream?.isDone) this.#endStream();
  }

  #give(chunk: Buffer): void {
    const first = this.#first;
    this.#first = null;
    if (first !== null) this.#write(first);
    if (first !== null || this.#hasBegun) this.#write(chunk);
    else this.#first = chunk;
  }

  /** When the client does not keep up, the region waits; when it does not read at all, it has stalled. */
  #write(chunk: Buffer): void {
    this.#hasBegun = true;
    if (this.#res.destroyed || this.#res.write(chunk) || this.#patience !== null) return;
    this.#controller?.pause();
    const stalled = () => this.fail(new ClientStalled("the client did not read its answer"));
    this.#patience = setTimeout(stalled, this.#outgoing.idleTimeoutMs);
    for (const place of this.#outgoing.places) place.stalled(this.#clock.now(), stalled);
    this.#res.once("drain", () => {
      this.#rest();
      this.#controller?.resume();
    });
  }

  #rest(): void {
    if (this.#patience === null) return;
    clearTimeout(this.#patience);
    this.#patience = null;
    for (const place of this.#outgoing.places) place.moving();
  }

  #interimAnswer(status: number, parsed: Record<string, string | string[] | undefined>): void {
    this.#interim += 1;
    if (this.#interim > MAX_INTERIM) this.fail(new BadHead(`more than ${MAX_INTERIM} interim answers`));
    else if (status === 103) this.#earlyHints(parsed);
  }

  /** RFC 8297; a client of HTTP/1.0 cannot read an interim response. */
  #earlyHints({ link }: Record<string, string | string[] | undefined>): void {
    if (link === undefined || this.#res.destroyed || this.#res.req.httpVersion === "1.0") return;
    try {
      this.#res.writeEarlyHints({ link });
    } catch {
      // A hint the client never sees costs it nothing.
    }
  }

  /**
   * The client left. A read is not worth finishing, nor is what was never sent. A write is read to its end: the
   * region is executing it, and only its outcome says how long the user is pinned.
   */
  #clientLeft(): void {
    if (this.#phase === "over" || this.#res.writableFinished) return;
    this.#rest();
    this.#held = [];
    const cut = (): void => this.fail(new ClientGone("the client left"));
    if (this.#outgoing.cutWhenGone || this.#controller === null) {
      cut();
      return;
    }
    // An answer without an end, an event stream say, would be read for nobody for ever.
    this.#abandoned = setTimeout(cut, this.#outgoing.responseTimeoutMs);
    this.#controller.resume();
  }

  /** Ends the answer as if the region had: the client connects again, to wherever it belongs now. */
  #endStream(): void {
    if (this.#phase !== "streaming") return;
    const res = this.#res;
    const controller = this.#controller;
    sendWithOthers(this);
    const lost = setTimeout(() => res.destroy(), REST_MS).unref();
    res.once("close", () => clearTimeout(lost));
    this.#finish(null);
    controller?.abort(new ClientGone("the client was told to connect again"));
  }

  #finish(error: Error | null): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#rest();
    this.#stream?.over();
    if (this.#abandoned !== null) clearTimeout(this.#abandoned);
    this.#stopListening();
    // A truncated answer must look truncated: the socket dies, it does not end.
    if (error !== null && this.#res.headersSent) this.#res.destroy();
    const fault = error === null ? null : faultOf(error, { sent: this.#controller !== null });
    this.#resolve({
      fault,
      status: this.#status,
      sent: this.#controller !== null,
      stale: this.#maybeStale && fault === "reset",
      durationMs: (this.#headAtMs ?? this.#clock.now()) - this.#startedAtMs,
      cause: error === null ? null : causeOf(error),
    });
  }
}

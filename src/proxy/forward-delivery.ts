import type { Clock } from "../clock.ts";
import { EventStream } from "./event-stream.ts";
import { ClientStalled } from "./faults.ts";
import type { Outgoing } from "./forward.ts";
import { soundTrailers } from "./forward-head.ts";
import type { HeaderList } from "./headers.ts";
import type { InboundResponse } from "./inbound.ts";
import { type Letter, sendWithOthers } from "./outbox.ts";

/** The end of an answer up to so long goes out as one string with its head: one write of one piece costs less than one of two. */
const SHORT_BYTES = 8_192;

/** How long a client may take to read the rest of a stream that was ended. */
const REST_MS = 10_000;

/** Where an answer comes from. */
export interface Source {
  /** The client does not keep up. */
  pause(): void;
  resume(): void;
  fail(error: Error): void;
  /** The client was given all that it gets, though there is more. */
  cutShort(): void;
}

/** One answer on its way to its client, with back-pressure. */
export class Delivery implements Letter {
  readonly #terms: Pick<Outgoing, "idleTimeoutMs" | "places" | "streams">;
  readonly #res: InboundResponse;
  readonly #clock: Clock;
  readonly #source: Source;
  #isOver = false;
  /** Whether anything of the answer may have been sent. */
  #hasBegun = false;
  /** The first of the body, until all is read that came with it: most answers are whole by then, and one write. */
  #first: Buffer | null = null;
  /** What is known of the answer if it is an event stream, which may have to end before its end. */
  #stream: EventStream | null = null;
  /** Runs while the client does not read. */
  #patience: NodeJS.Timeout | null = null;

  constructor(
    terms: Pick<Outgoing, "idleTimeoutMs" | "places" | "streams">,
    res: InboundResponse,
    clock: Clock,
    source: Source,
  ) {
    this.#terms = terms;
    this.#res = res;
    this.#clock = clock;
    this.#source = source;
  }

  /** Whether the client does not keep up. */
  get isStalled(): boolean {
    return this.#patience !== null;
  }

  /** RFC 8297; a client of HTTP/1.0 cannot read an interim response. */
  hint(link: string | string[] | undefined): void {
    if (link === undefined || this.#res.destroyed || this.#res.req.httpVersion === "1.0") return;
    try {
      this.#res.writeEarlyHints({ link });
    } catch {
      // A hint the client never sees costs it nothing.
    }
  }

  /** Throws when something in the head cannot be written. */
  begin(status: number, reason: string, headers: HeaderList, mayBeCutShort: boolean): void {
    if (!this.#res.destroyed) this.#res.writeHead(status, reason, headers);
    if (mayBeCutShort) {
      this.#stream = new EventStream(() => this.#endStream());
      this.#stream.begin(this.#terms.streams);
    }
    process.nextTick(Delivery.#sendBeginning, this);
  }

  /** Passes a part of the body on. */
  pass(chunk: Buffer): void {
    const stream = this.#stream;
    this.#give(stream === null ? chunk : stream.take(chunk));
    if (stream?.isDone) this.#endStream();
  }

  /** The region has answered to its end. */
  end(trailers: Record<string, string | string[] | undefined>): void {
    if (this.#res.destroyed) return;
    const sent = soundTrailers(trailers);
    if (sent !== null) this.#res.addTrailers(sent);
    sendWithOthers(this);
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

  /** Nobody waits for the client any more. */
  rest(): void {
    if (this.#patience === null) return;
    clearTimeout(this.#patience);
    this.#patience = null;
    for (const place of this.#terms.places) place.moving();
  }

  /** Nothing more comes. What is ready is still sent, if it was all. */
  over({ isWhole }: { readonly isWhole: boolean }): void {
    this.#isOver = true;
    this.rest();
    this.#stream?.over();
    // A truncated answer must look truncated: the socket dies, it does not end.
    if (!isWhole && this.#res.headersSent) this.#res.destroy();
  }

  /** Node keeps a head back for the first of its body, which may be long in coming, or never come whole. */
  static #sendBeginning(delivery: Delivery): void {
    if (delivery.#isOver || delivery.#hasBegun) return;
    const first = delivery.#first;
    delivery.#first = null;
    if (first !== null) delivery.#write(first);
    else if (!delivery.#res.destroyed) delivery.#res.flushHeaders();
    delivery.#hasBegun = true;
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
    this.#source.pause();
    const stalled = () => this.#source.fail(new ClientStalled("the client did not read its answer"));
    this.#patience = setTimeout(stalled, this.#terms.idleTimeoutMs);
    for (const place of this.#terms.places) place.stalled(this.#clock.now(), stalled);
    this.#res.once("drain", () => {
      this.rest();
      this.#source.resume();
    });
  }

  /** Ends the answer as if the region had: the client connects again, to wherever it belongs now. */
  #endStream(): void {
    if (this.#isOver) return;
    const res = this.#res;
    sendWithOthers(this);
    const lost = setTimeout(() => res.destroy(), REST_MS).unref();
    res.once("close", () => clearTimeout(lost));
    this.#source.cutShort();
  }
}

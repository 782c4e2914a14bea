import { type Dispatcher, errors } from "undici";
import { NOWHERE } from "../bag.ts";
import type { Clock } from "../clock.ts";
import type { ConnectionHandler, UsedConnection } from "../regions/connection.ts";
import type { AttemptResult } from "./carrier.ts";
import { isEventStream } from "./event-stream.ts";
import { BadHead, ClientGone, ClientStalled, CutOff, causeOf, faultOf, WriterMoved } from "./faults.ts";
import type { Forwarding, ForwardParts, Outgoing } from "./forward.ts";
import { Delivery, type Source } from "./forward-delivery.ts";
import { endsWithConnection, isOverHttp2, rawHeadersOf, sound, unsound } from "./forward-head.ts";
import { type HeaderList, readRegionHead } from "./headers.ts";
import type { InboundResponse } from "./inbound.ts";
import type { Timeouts, Waiting } from "./timeouts.ts";
import { Upload, type UploadTerms } from "./upload.ts";

/** Interim answers before the answer; each restarts the time-out, so that without an end there would be none. */
const MAX_INTERIM = 32;

/**
 * Carries one answer from undici's parser to its delivery. Three parties may end it at any moment: the region, the
 * client, and the hold on the head; all of them end in {@link Relay.#finish}, once.
 */
export class Relay implements ConnectionHandler, Source, Forwarding, Waiting {
  readonly upload: Upload | null;
  bagIndex = NOWHERE;
  readonly #outgoing: Outgoing;
  readonly #res: InboundResponse;
  readonly #clock: Clock;
  readonly #timeouts: Timeouts;
  readonly #done: (result: AttemptResult) => void;
  readonly #startedAtMs: number;
  readonly #delivery: Delivery;

  #phase: "waiting" | "holding" | "streaming" | "over" = "waiting";
  #controller: Dispatcher.DispatchController | null = null;
  #connection: UsedConnection | null = null;
  /** Whether the connection has carried a request before, and no byte of an answer to this one. */
  #maybeStale = false;
  #interim = 0;
  /** Whether its time-outs are kept here. */
  #isTimed = false;
  /** When the region last moved, in {@link Timeouts.awakeMs}. */
  #movedAtMs = 0;
  /** Whether the answer's end is the connection's. */
  #endless = false;
  /** Whether it is an event stream, whose client comes again when it ends. */
  #mayBeCutShort = false;
  #status: number | null = null;
  #headAtMs: number | null = null;
  /** What came while the head was held: undici cannot pause an answer to HEAD, nor one in a single packet. */
  #held: Buffer[] = [];
  /** How the answer ended while its head was held. */
  #ending: (() => void) | null = null;
  /** Runs while an answer is read that nobody waits for. */
  #abandoned: NodeJS.Timeout | null = null;

  constructor(
    outgoing: Outgoing,
    res: InboundResponse,
    { clock, timeouts }: ForwardParts,
    done: (result: AttemptResult) => void,
  ) {
    this.#outgoing = outgoing;
    this.#res = res;
    this.#clock = clock;
    this.#timeouts = timeouts;
    this.#done = done;
    this.#startedAtMs = clock.now();
    this.#delivery = new Delivery(outgoing, res, clock, this);
    this.upload = outgoing.upload === null ? null : this.#uploadOn(outgoing.upload);
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
    else {
      this.#controller = controller;
      this.#outgoing.body.sending();
      if (!this.#isTimed) return;
      this.#moved();
      this.#timeouts.add(this);
    }
  }

  /** Its time-outs are kept here, from when it is sent. */
  timed(): void {
    this.#isTimed = true;
  }

  look(awakeMs: number): void {
    const { responseTimeoutMs, idleTimeoutMs } = this.#outgoing;
    const limitMs = this.#status === null ? responseTimeoutMs : idleTimeoutMs;
    const controller = this.#controller;
    if (controller?.paused || limitMs === 0 || awakeMs - this.#movedAtMs < limitMs) return;
    const late = this.#status === null ? new errors.HeadersTimeoutError() : new errors.BodyTimeoutError();
    this.onResponseError(controller, late);
    controller?.abort(late);
  }

  #moved(): void {
    this.#movedAtMs = this.#timeouts.awakeMs;
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
    this.#moved();
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
    this.#mayBeCutShort = this.#outgoing.cutWhenGone && isEventStream(this.#outgoing.method, status, parsed);
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
    this.pause();
    head.then((headers) => this.#begin(statusText, headers)).catch((error: Error) => this.fail(error));
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#moved();
    this.#outgoing.count(chunk.length);
    if (this.#res.destroyed) return;
    if (this.#phase === "holding") this.#held.push(chunk);
    else if (this.#phase === "streaming") this.#delivery.pass(chunk);
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

  /**
   * The client left. A read is not worth finishing, nor is what was never sent. A write is read to its end: the
   * region is executing it, and only its outcome says how long the user is pinned.
   */
  clientLeft(): void {
    if (this.#phase === "over" || this.#res.writableFinished) return;
    this.#delivery.rest();
    this.#held = [];
    const cut = (): void => this.fail(new ClientGone("the client left"));
    if (this.#outgoing.cutWhenGone || this.#controller === null) {
      cut();
      return;
    }
    // An answer without an end, an event stream say, would be read for nobody for ever.
    this.#abandoned = setTimeout(cut, this.#outgoing.responseTimeoutMs);
    this.resume();
  }

  pause(): void {
    this.#controller?.pause();
  }

  resume(): void {
    this.#moved();
    this.#controller?.resume();
  }

  cutShort(): void {
    const controller = this.#controller;
    this.#finish(null);
    controller?.abort(new ClientGone("the client was told to connect again"));
  }

  /** Ends the attempt from our side. */
  fail(error: Error): void {
    const controller = this.#controller;
    this.#finish(error);
    controller?.abort(error);
  }

  #uploadOn(terms: UploadTerms): Upload {
    const lost = () => this.fail(new ClientStalled("the client sent its body too slowly"));
    return new Upload(terms, () => this.#clock.now(), lost);
  }

  /** Writes the head, and what came while it was held. */
  #begin(statusText: string, headers: HeaderList): void {
    if (this.#phase !== "holding") return;
    try {
      this.#delivery.begin(this.#status ?? 502, sound(statusText), headers, this.#mayBeCutShort);
    } catch (error) {
      this.fail(new BadHead((error as Error).message));
      return;
    }
    this.#phase = "streaming";
    this.upload?.answered();
    const held = this.#held;
    this.#held = [];
    for (const chunk of held) this.#delivery.pass(chunk);
    this.#ending?.();
    if (!this.#delivery.isStalled) this.resume();
  }

  /** The region has answered to its end. */
  #complete(trailers: Record<string, string | string[] | undefined>): void {
    this.#delivery.end(trailers);
    this.#finish(null);
  }

  #interimAnswer(status: number, parsed: Record<string, string | string[] | undefined>): void {
    this.#interim += 1;
    if (this.#interim > MAX_INTERIM) this.fail(new BadHead(`more than ${MAX_INTERIM} interim answers`));
    else if (status === 103) this.#delivery.hint(parsed.link);
  }

  #finish(error: Error | null): void {
    if (this.#phase === "over") return;
    this.#phase = "over";
    this.#timeouts.delete(this);
    this.#delivery.over({ isWhole: error === null });
    if (this.#abandoned !== null) clearTimeout(this.#abandoned);
    for (const place of this.#outgoing.places) place.leave();
    if (this.#res.headersSent) this.#outgoing.body.discard();
    const fault = error === null ? null : faultOf(error, { sent: this.#controller !== null });
    this.#done({
      fault,
      status: this.#status,
      sent: this.#controller !== null,
      stale: this.#maybeStale && fault === "reset",
      durationMs: (this.#headAtMs ?? this.#clock.now()) - this.#startedAtMs,
      cause: error === null ? null : causeOf(error),
    });
  }
}

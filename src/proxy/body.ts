import { BodyTooLarge } from "./faults.ts";
import type { InboundRequest, InboundResponse } from "./inbound.ts";
import type { Patience } from "./patience.ts";

/** How long the rest of a body that nobody wants is read. */
const LINGER_MS = 5_000;

/** How much of a body is held here before anybody takes it. */
const AHEAD_BYTES = 65_536;

/** A body of up to so much is kept until it has been answered, for a region that has only read it to say that it writes no more. */
const KEPT_BYTES = 16_384;

type Chunk = IteratorResult<Buffer, unknown>;

/** How a body is read on its way to a region. */
export interface BodyRules {
  /** 0: no limit. */
  readonly limitBytes: number;
  /** Null: somebody else bounds the time. */
  readonly patience: Patience | null;
  /** Called when the whole body is here; perhaps more than once. */
  readonly arrived: () => void;
}

/**
 * A request's body on its way to a region, counted and bounded. It is read only once and only as fast as the
 * region takes it, and it starts only when somebody reads: until then a client that expects `100 Continue`
 * has not been told to go on, so a refusal costs it nothing (RFC 9110 §10.1.1).
 */
export class RequestBody {
  readonly present: boolean;
  /** Once a byte was asked for, the body cannot be sent a second time. */
  started = false;
  bytes = 0;
  readonly #req: InboundRequest;
  readonly #res: InboundResponse;
  readonly #awaitsContinue: boolean;
  #source: AsyncIterator<Buffer, unknown> | null = null;
  /** What the source was asked for, and nobody has taken. */
  #asked: Promise<Chunk> | null = null;
  /** What came before anybody took it. */
  readonly #held: Buffer[] = [];
  #heldBytes = 0;
  /** All that was sent; null when it is too much. */
  #kept: Buffer[] | null = [];
  #isWhole = false;
  /** Whether all of it came before anybody took it. */
  #isHeldWhole = false;
  #reading = false;
  #unwanted = false;

  constructor(req: InboundRequest, res: InboundResponse, awaitsContinue: boolean) {
    this.#req = req;
    this.#res = res;
    this.#awaitsContinue = awaitsContinue;
    const length = req.headers["content-length"];
    const isFramed =
      req.headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) > 0);
    this.present = req.hasBody ?? isFramed;
  }

  /** Whether bytes of it may still be on their way to us. */
  get unread(): boolean {
    return this.present && !this.#req.complete;
  }

  /** Whether it can be sent again although it was begun: all of it has come, and it was little. */
  get kept(): boolean {
    return this.#isWhole && this.#kept !== null;
  }

  /** Whether the client waits to be told to send it, and has not been. */
  get withheld(): boolean {
    return this.#awaitsContinue && !this.started;
  }

  /** Resolves when all of it is here, or as much of it as is held, or after `withinMs`. Never rejects. */
  async arrive(withinMs: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(resolve, withinMs, null);
    });
    while (this.#heldBytes < AHEAD_BYTES) {
      const chunk = await Promise.race([this.#ask(), late]).catch(() => null);
      if (chunk === null) break;
      this.#asked = null;
      this.#isHeldWhole = chunk.done === true;
      if (chunk.done) break;
      this.#held.push(chunk.value);
      this.#heldBytes += chunk.value.length;
    }
    clearTimeout(timer);
  }

  /** What is to be sent: a little that is all here at once, and else what has come and comes. */
  sent(rules: BodyRules): Buffer | AsyncGenerator<Buffer> {
    return this.#isHeldWhole && this.#heldBytes <= KEPT_BYTES ? this.#whole(rules) : this.stream(rules);
  }

  /** A region is being sent it; of a stream only when that is read. */
  sending(): void {
    this.started ||= this.#isWhole;
  }

  #whole({ limitBytes, arrived }: BodyRules): Buffer {
    this.bytes = this.#heldBytes;
    if (limitBytes > 0 && this.bytes > limitBytes) throw new BodyTooLarge();
    this.#kept = this.#held;
    this.#isWhole = true;
    arrived();
    void this.#release();
    return Buffer.concat(this.#held);
  }

  async *stream(rules: BodyRules): AsyncGenerator<Buffer> {
    if (!this.#isWhole) return yield* this.#read(rules);
    rules.arrived();
    yield* this.#kept ?? [];
  }

  async *#read({ limitBytes, patience, arrived }: BodyRules): AsyncGenerator<Buffer> {
    this.started = true;
    this.#reading = true;
    if (this.#awaitsContinue) this.#res.writeContinue();
    try {
      for (;;) {
        const chunk = this.#held.shift() ?? (await this.#next(patience));
        if (chunk === null) break;
        this.bytes += chunk.length;
        if (limitBytes > 0 && this.bytes > limitBytes) throw new BodyTooLarge();
        if (!this.unread) arrived();
        this.#keep(chunk);
        yield chunk;
      }
      this.#isWhole = true;
      arrived();
    } finally {
      patience?.stop();
      this.#reading = false;
      void this.#release();
      if (this.#unwanted) this.discard();
    }
  }

  #keep(chunk: Buffer): void {
    if (this.bytes > KEPT_BYTES) this.#kept = null;
    else this.#kept?.push(chunk);
  }

  /** The next chunk, and null at the end. */
  async #next(patience: Patience | null): Promise<Buffer | null> {
    patience?.begin();
    const chunk = await this.#ask();
    this.#asked = null;
    patience?.end(chunk.done ? 0 : chunk.value.length);
    return chunk.done ? null : chunk.value;
  }

  /** Leaves what is left of the request to others; when something was asked for, after that has come. */
  async #release(): Promise<void> {
    await this.#source?.return?.().catch(() => {});
  }

  /** Asks for a chunk, once until it is taken. */
  #ask(): Promise<Chunk> {
    // undici destroys a stream it was handed when an attempt fails, and with it the client's socket; the
    // iterator leaves the request alone, so that the client can still be answered.
    this.#source ??= this.#req.iterator({ destroyOnReturn: false });
    if (this.#asked === null) {
      this.#asked = this.#source.next();
      this.#asked.catch(() => {});
    }
    return this.#asked;
  }

  /**
   * The rest is wanted by nobody, but it is read, for a while: until it is, the client does not read its answer, and
   * the next request on the connection would be taken for a part of it.
   */
  discard(): void {
    if (!this.unread || this.#req.destroyed) return;
    if (!this.#unwanted) {
      this.#unwanted = true;
      // A request that ends after its response is told of no close, and not even of its connection's end.
      const patience = setTimeout(() => this.#req.complete || this.#req.destroy(), LINGER_MS).unref();
      for (const over of ["end", "close"] as const) this.#req.once(over, () => clearTimeout(patience));
    }
    // While it is still being iterated resume() has no effect; the iteration calls again when it ends.
    if (this.#reading) return;
    void this.#release().then(() => setImmediate(() => this.#req.resume()));
  }
}

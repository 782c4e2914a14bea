import type { IncomingMessage, ServerResponse } from "node:http";
import { BodyTooLarge } from "./faults.ts";

/** How long the rest of a body that nobody wants is read. */
const LINGER_MS = 5_000;

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
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #awaitsContinue: boolean;
  #reading = false;
  #unwanted = false;

  constructor(req: IncomingMessage, res: ServerResponse, awaitsContinue: boolean) {
    this.#req = req;
    this.#res = res;
    this.#awaitsContinue = awaitsContinue;
    const length = req.headers["content-length"];
    this.present =
      req.headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) > 0);
  }

  /** Whether bytes of it may still be on their way to us. */
  get unread(): boolean {
    return this.present && !this.#req.complete;
  }

  /** Whether the client waits to be told to send it, and has not been. */
  get withheld(): boolean {
    return this.#awaitsContinue && !this.started;
  }

  /** @param stalled called when the client has sent nothing for `idleMs` although more was asked for */
  async *stream(limitBytes: number, idleMs: number, stalled: () => void): AsyncGenerator<Buffer> {
    this.started = true;
    this.#reading = true;
    if (this.#awaitsContinue) this.#res.writeContinue();
    let asking = true;
    const patience = setInterval(() => asking && stalled(), idleMs);
    try {
      // undici destroys a stream it was handed when an attempt fails, and with it the client's socket; the
      // iterator leaves the request alone, so that the client can still be answered.
      for await (const chunk of this.#req.iterator({ destroyOnReturn: false })) {
        this.bytes += chunk.length;
        if (limitBytes > 0 && this.bytes > limitBytes) throw new BodyTooLarge();
        asking = false;
        yield chunk;
        asking = true;
        patience.refresh();
      }
    } finally {
      clearInterval(patience);
      this.#reading = false;
      if (this.#unwanted) this.discard();
    }
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
      for (const over of ["end", "close"]) this.#req.once(over, () => clearTimeout(patience));
    }
    // While it is still being iterated resume() has no effect; the iteration calls again when it ends.
    if (!this.#reading) setImmediate(() => this.#req.resume());
  }
}

import type { IncomingMessage, ServerResponse } from "node:http";

/** The client sent more than `proxy.maxBodyBytes`. */
export class BodyTooLarge extends Error {
  constructor(limitBytes: number) {
    super(`the request body is larger than ${limitBytes} bytes`);
    this.name = "BodyTooLarge";
  }
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
  readonly #req: IncomingMessage;
  readonly #res: ServerResponse;
  readonly #limitBytes: number;
  readonly #awaitsContinue: boolean;

  constructor(req: IncomingMessage, res: ServerResponse, limitBytes: number, awaitsContinue: boolean) {
    this.#req = req;
    this.#res = res;
    this.#limitBytes = limitBytes;
    this.#awaitsContinue = awaitsContinue;
    const length = req.headers["content-length"];
    this.present =
      req.headers["transfer-encoding"] !== undefined || (length !== undefined && Number(length) > 0);
  }

  /** Whether the declared length is already over the limit. */
  get declaredTooLarge(): boolean {
    return this.#limitBytes > 0 && Number(this.#req.headers["content-length"] ?? 0) > this.#limitBytes;
  }

  /** Whether bytes of it may still be on their way to us. */
  get unread(): boolean {
    return this.present && !this.#req.complete;
  }

  async *stream(): AsyncGenerator<Buffer> {
    this.started = true;
    if (this.#awaitsContinue) this.#res.writeContinue();
    // undici destroys a stream it was handed when an attempt fails, and with it the client's socket; the
    // iterator leaves the request alone, so that the client can still be answered.
    for await (const chunk of this.#req.iterator({ destroyOnReturn: false })) {
      this.bytes += chunk.length;
      if (this.#limitBytes > 0 && this.bytes > this.#limitBytes) throw new BodyTooLarge(this.#limitBytes);
      yield chunk;
    }
  }
}

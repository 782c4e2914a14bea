import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  constants,
  type IncomingHttpHeaders,
} from "node:http2";
import { addAbortSignal } from "node:stream";
import { type Dispatcher, errors } from "undici";
import { type Bagged, NOWHERE } from "../bag.ts";
import { bytesOf, type CallOptions, requestFields } from "./http2-fields.ts";
import { Http2Upload } from "./http2-upload.ts";

/** Whoever carries calls. */
export interface Carrier {
  /** Of an answer. */
  readonly maxHeaderBytes: number;
  /** Told before a call is sent over it. */
  readonly announce: (handler: Dispatcher.DispatchHandler) => void;
  /** The call is over, or was not taken. */
  readonly left: () => void;
  /** It has not answered in time: is it still there? */
  readonly suspect: () => void;
}

/**
 * One request over HTTP/2 and its answer, told to a handler of undici's. A stream that the other side has not looked at
 * (RFC 9113 §8.7) is sent once more, whatever its method, as long as what was sent of its body is still known.
 */
export class Http2Call implements Dispatcher.DispatchController, Bagged {
  bagIndex = NOWHERE;
  aborted = false;
  paused = false;
  reason: Error | null = null;
  rawHeaders: IncomingHttpHeaders | null = null;
  readonly #options: CallOptions;
  readonly #handler: Dispatcher.DispatchHandler;
  readonly #again: (call: Http2Call) => void;
  readonly #upload: Http2Upload | null;
  #carrier: Carrier | null = null;
  #stream: ClientHttp2Stream | null = null;
  #timer: NodeJS.Timeout | undefined;
  #trailers: IncomingHttpHeaders = {};
  #maxHeaderBytes = Number.POSITIVE_INFINITY;
  #status = 0;
  #bytes = 0;
  #isRepeated = false;
  #isOver = false;

  /** @param again sends it over another connection */
  constructor(options: CallOptions, handler: Dispatcher.DispatchHandler, again: (call: Http2Call) => void) {
    this.#options = options;
    this.#handler = handler;
    this.#again = again;
    this.#upload = options.body ? new Http2Upload(options.body) : null;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  get wantsFresh(): boolean {
    return this.#isRepeated || ("wantsFresh" in this.#handler && this.#handler.wantsFresh === true);
  }

  send(session: ClientHttp2Session, origin: URL, carrier: Carrier): void {
    this.#carrier = carrier;
    this.#maxHeaderBytes = carrier.maxHeaderBytes;
    carrier.announce(this.#handler);
    this.#handler.onRequestStart?.(this, null);
    if (this.#isOver) return;
    let stream: ClientHttp2Stream;
    try {
      stream = session.request(requestFields(this.#options, origin), { endStream: this.#upload === null });
    } catch (error) {
      this.#failed(error as Error, session.closed || session.destroyed);
      return;
    }
    this.#stream = stream;
    this.#watch(stream);
    this.#wait(this.#options.headersTimeout);
    if (this.#upload !== null) void this.#send(this.#upload, stream);
  }

  /** Ends it from our side; also when nobody has taken it yet. */
  abort(reason: Error): void {
    if (this.#isOver) return;
    if (isTimeout(reason)) this.#carrier?.suspect();
    this.aborted = true;
    this.reason = reason;
    this.#fail(reason);
  }

  /** The connection is told to go; what is behind the last stream nobody has looked at (RFC 9113 §6.8). */
  dismissed(lastStreamId: number): void {
    if (this.#stream === null || (this.#stream.id ?? Number.POSITIVE_INFINITY) <= lastStreamId) return;
    this.#failed(new errors.SocketError("the connection was told to go"), true);
  }

  pause(): void {
    this.paused = true;
    clearTimeout(this.#timer);
    this.#stream?.pause();
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.#isOver || this.#stream === null) return;
    this.#wait(this.#options.bodyTimeout);
    this.#stream.resume();
  }

  #watch(stream: ClientHttp2Stream): void {
    const own = <A extends unknown[]>(listener: (...given: A) => void) => {
      return (...given: A): void => {
        if (this.#stream !== stream || this.#isOver) return;
        try {
          listener(...given);
        } catch (error) {
          this.abort(error as Error);
        }
      };
    };
    stream.on(
      "headers",
      own((headers) => this.#begin(headers)),
    );
    stream.on(
      "response",
      own((headers) => this.#begin(headers)),
    );
    stream.on(
      "trailers",
      own((trailers) => (this.#trailers = trailers)),
    );
    stream.on(
      "data",
      own((chunk: Buffer) => this.#data(chunk)),
    );
    stream.on(
      "end",
      own(() => this.#ended()),
    );
    // A frame that could not be sent has not been seen by anybody.
    stream.on(
      "frameError",
      own(() => this.#failed(new Error("the request could not be sent"), true)),
    );
    stream.on(
      "error",
      own((error: Error) => this.#failed(error, isUntouched(stream))),
    );
    stream.on(
      "close",
      own(() => this.#failed(new errors.SocketError("the stream was closed"), isUntouched(stream))),
    );
    // Node may tell of an error of the session when nobody listens any more.
    stream.on("error", ignore);
  }

  #begin(headers: IncomingHttpHeaders): void {
    this.#handler.onResponseStarted?.();
    const { ":status": status, ...fields } = headers;
    this.#status = Number(status);
    if (bytesOf(fields) > this.#maxHeaderBytes) throw new errors.HeadersOverflowError();
    if (this.#status >= 200) {
      this.rawHeaders = fields;
      this.#upload?.forget();
      this.#wait(this.#options.bodyTimeout);
    }
    this.#handler.onResponseStart?.(this, this.#status, fields, "");
  }

  #data(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#wait(this.#options.bodyTimeout);
    this.#handler.onResponseData?.(this, chunk);
  }

  #ended(): void {
    if (this.rawHeaders === null) this.#failed(new errors.SocketError("no answer"), false);
    else if (!this.#isWhole(this.rawHeaders)) this.#fail(new errors.ResponseContentLengthMismatchError());
    else {
      this.#leave();
      this.#handler.onResponseEnd?.(this, this.#trailers);
    }
  }

  #isWhole({ "content-length": announced }: IncomingHttpHeaders): boolean {
    const isBodiless = this.#options.method === "HEAD" || this.#status === 304;
    return announced === undefined || isBodiless || Number(announced) === this.#bytes;
  }

  async #send(upload: Http2Upload, stream: ClientHttp2Stream): Promise<void> {
    try {
      await upload.sendTo(stream, () => this.rawHeaders === null && this.#wait(this.#options.headersTimeout));
    } catch (error) {
      if (this.#stream === stream && !this.#isOver) this.#fail(error as Error);
    }
  }

  #wait(ms = 0): void {
    clearTimeout(this.#timer);
    if (ms > 0 && !this.paused && !this.#isOver) this.#timer = setTimeout(() => this.#late(), ms);
  }

  #late(): void {
    const { HeadersTimeoutError, BodyTimeoutError } = errors;
    this.abort(this.rawHeaders === null ? new HeadersTimeoutError() : new BodyTimeoutError());
  }

  /** @param isUntouched the other side has done nothing about it */
  #failed(error: Error, isUntouched: boolean): void {
    const mayRepeat = isUntouched && this.rawHeaders === null && !this.#isRepeated;
    if (!mayRepeat || this.#upload?.isKnown === false) {
      this.#fail(error);
      return;
    }
    this.#isRepeated = true;
    this.#part();
    this.#again(this);
  }

  #fail(error: Error): void {
    this.#leave();
    this.#handler.onResponseError?.(this, error);
  }

  #leave(): void {
    this.#isOver = true;
    this.#part();
    void this.#upload?.close();
  }

  /** Gives up the stream, and who carries it. What is left of an upload must not look as if it had an end. */
  #part(): void {
    clearTimeout(this.#timer);
    const [stream, carrier] = [this.#stream, this.#carrier];
    this.#stream = null;
    this.#carrier = null;
    if (stream !== null && !(stream.writableEnded && stream.readableEnded)) cut(stream);
    carrier?.left();
  }
}

/** Resets a stream with CANCEL. close() would end its data first, and what was cut off would look whole. */
function cut(stream: ClientHttp2Stream): void {
  if (!stream.destroyed) addAbortSignal(AbortSignal.abort(), stream);
}

function isUntouched({ rstCode }: ClientHttp2Stream): boolean {
  return rstCode === constants.NGHTTP2_REFUSED_STREAM;
}

/** Whether nothing was heard, be it that we looked after the time or whoever sent the request did. */
function isTimeout(error: Error): boolean {
  return error instanceof errors.HeadersTimeoutError || error instanceof errors.BodyTimeoutError;
}

function ignore(): void {}

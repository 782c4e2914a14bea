import { validateHeaderName, validateHeaderValue } from "node:http";
import type { ServerHttp2Stream } from "node:http2";
import { takesTrailers } from "./grpc.ts";
import type { HeaderList } from "./headers.ts";
import type { Http2Request } from "./http2-request.ts";
import type { InboundResponse } from "./inbound.ts";

/** What speaks of the connection has no place in HTTP/2 (RFC 9113 §8.2.2). */
const OF_THE_CONNECTION: ReadonlySet<string> = new Set([
  "connection",
  "http2-settings",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** Answers over HTTP/2, used as one answers over HTTP/1. */
export class Http2Response implements InboundResponse {
  readonly req: Http2Request;
  statusCode = 200;
  readonly #stream: ServerHttp2Stream;
  readonly #dismiss: () => void;
  readonly #own: HeaderList = [];
  #trailers: Readonly<Record<string, string>> = {};
  #isBodiless = false;
  #isEnded = false;
  #isClosed = false;

  /** @param dismiss called when this answer is to be the connection's last */
  constructor(stream: ServerHttp2Stream, req: Http2Request, dismiss: () => void) {
    this.#stream = stream;
    this.req = req;
    this.#dismiss = dismiss;
    // Every way in which a stream ends is also a close.
    stream.on("error", ignore);
    stream.once("close", () => {
      this.#isClosed = true;
    });
  }

  get headersSent(): boolean {
    return this.#stream.headersSent;
  }

  get writableFinished(): boolean {
    return this.#isEnded && this.#stream.writableFinished;
  }

  /** A client that resets its stream is gone, before the stream is. */
  get destroyed(): boolean {
    return this.#isClosed || this.#stream.destroyed || this.#stream.aborted;
  }

  get closed(): boolean {
    return this.#isClosed;
  }

  setHeader(name: string, value: string): void {
    this.#own.push(name, value);
  }

  writeHead(status: number, _reason: string, headers: HeaderList): void {
    const isHead = this.req.method === "HEAD";
    this.#isBodiless = isHead || status === 204 || status === 205 || status === 304;
    const lines = fieldsOf([...this.#own, ...headers]);
    const waitForTrailers = !this.#isBodiless && this.#mayHaveTrailers(headers);
    if (waitForTrailers) this.#stream.once("wantTrailers", () => this.#sendTrailers());
    this.statusCode = status;
    this.#stream.respond([":status", `${status}`, ...lines], { waitForTrailers });
    if (isDismissal(headers)) this.#dismiss();
  }

  /** They are out once they are written. */
  flushHeaders(): void {}

  write(chunk: Buffer): boolean {
    return this.#isBodiless || this.#stream.write(chunk);
  }

  end(chunk?: string | Buffer, encoding: "latin1" | "utf8" = "utf8"): void {
    this.#isEnded = true;
    if (chunk === undefined || this.#isBodiless) this.#stream.end();
    else this.#stream.end(chunk, encoding);
    // Of a body that nobody has asked for the rest is not wanted; the client may go on sending otherwise.
    if (!this.req.complete) this.#stream.once("finish", () => setImmediate(() => this.req.destroy()));
  }

  addTrailers(trailers: Readonly<Record<string, string>>): void {
    this.#trailers = trailers;
  }

  writeEarlyHints({ link }: { link: string | string[] }): void {
    this.#stream.additionalHeaders({ ":status": 103, link });
  }

  writeContinue(): void {
    if (!this.destroyed) this.#stream.additionalHeaders({ ":status": 100 });
  }

  /** Not by close(), which ends the data first: the client would take what it has for all there is. */
  destroy(): void {
    this.#stream.destroy(new Error("the answer is cut off"));
  }

  once(event: "close" | "drain", listener: () => void): void {
    this.#stream.once(event, listener);
  }

  off(event: "close" | "drain", listener: () => void): void {
    this.#stream.off(event, listener);
  }

  /** Where there may be none the last frame of the body says that it is the last, and costs no further one. */
  #mayHaveTrailers(headers: HeaderList): boolean {
    if (takesTrailers(this.req)) return true;
    return headers.some((name, index) => index % 2 === 0 && name.toLowerCase() === "trailer");
  }

  #sendTrailers(): void {
    const trailers: Record<string, string[]> = {};
    for (const [name, value] of Object.entries(this.#trailers)) {
      const fields = soundFields(name, value);
      if (fields !== null) trailers[name] = fields;
    }
    this.#stream.sendTrailers(trailers);
  }
}

function isDismissal(headers: HeaderList): boolean {
  return headers.some(
    (name, index) => index % 2 === 0 && name === "connection" && headers[index + 1] === "close",
  );
}

/** Throws when one cannot be written: nghttp2 would write it, and the client end the connection. */
function fieldsOf(headers: HeaderList): HeaderList {
  const fields: HeaderList = [];
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]?.toLowerCase() ?? "";
    const value = headers[i + 1] ?? "";
    if (OF_THE_CONNECTION.has(name)) continue;
    validateHeaderName(name);
    validateHeaderValue(name, value);
    fields.push(name, value);
  }
  return fields;
}

/** Null when the trailer cannot be written: the body is out already. */
function soundFields(name: string, value: string | readonly string[]): string[] | null {
  const values = [value].flat();
  try {
    fieldsOf(values.flatMap((one) => [name, one]));
  } catch {
    return null;
  }
  return OF_THE_CONNECTION.has(name.toLowerCase()) ? null : values;
}

function ignore(): void {}

import type { IncomingHttpHeaders } from "node:http";
import type { HeaderList } from "./headers.ts";

/** The connection that a request came by. */
export interface InboundConnection {
  readonly remoteAddress?: string | undefined;
  readonly encrypted?: boolean;
}

/**
 * A request as it came in, over whichever version of HTTP: that much of node:http's `IncomingMessage` as is used, and
 * HTTP/2's looks the same.
 */
export interface InboundRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly httpVersion: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly socket: InboundConnection;
  /** Whether a body comes with it, where that is not for the headers to say. */
  readonly hasBody?: boolean;
  /** Why nobody can tell where it goes, where the version of HTTP has ways of its own for that. */
  readonly misaddressed?: string | null;
  /** Whether all of it has arrived. */
  readonly complete: boolean;
  readonly destroyed: boolean;
  iterator(options: { destroyOnReturn: boolean }): AsyncIterator<Buffer>;
  once(event: "end" | "close", listener: () => void): unknown;
  /** Reads the rest, for nobody. */
  resume(): unknown;
  destroy(): unknown;
}

/** What a client is answered by: of node:http's `ServerResponse` what is used. */
export interface InboundResponse {
  readonly req: Pick<InboundRequest, "method" | "httpVersion">;
  readonly statusCode: number;
  readonly headersSent: boolean;
  /** Whether all of it is on its way. */
  readonly writableFinished: boolean;
  readonly destroyed: boolean;
  readonly closed: boolean;
  setHeader(name: string, value: string): unknown;
  /** Throws when something in it cannot be written. */
  writeHead(status: number, reason: string, headers: HeaderList): unknown;
  /** Sends the head before there is a body. */
  flushHeaders(): unknown;
  /** False when the client does not keep up; then `drain` follows, or `close`. */
  write(chunk: Buffer): boolean;
  end(): unknown;
  end(chunk: string | Buffer): unknown;
  /** Each character is a byte. */
  end(chunk: string, encoding: "latin1"): unknown;
  addTrailers(trailers: Readonly<Record<string, string>>): unknown;
  writeEarlyHints(hints: { link: string | string[] }): unknown;
  writeContinue(): unknown;
  /** Ends it so that the client sees that it is cut. */
  destroy(): unknown;
  once(event: "close" | "drain", listener: () => void): unknown;
  off(event: "close" | "drain", listener: () => void): unknown;
}

import type { IncomingHttpHeaders } from "node:http";
import { constants, type IncomingHttpHeaders as Http2Headers, type ServerHttp2Stream } from "node:http2";
import { ClientGone } from "./faults.ts";
import type { InboundConnection, InboundRequest } from "./inbound.ts";

/** What a stream brings, as Node tells it. */
export interface Http2Head {
  /** Every field, lines of one name joined; pseudo-header fields among them. */
  readonly headers: Http2Headers;
  /** The fields as they came. */
  readonly rawHeaders: readonly string[];
}

/** A request over HTTP/2, in the shape of one over HTTP/1. nghttp2 has seen to it that its head is well formed. */
export class Http2Request implements InboundRequest {
  readonly httpVersion = "2.0";
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly rawHeaders: readonly string[];
  readonly socket: InboundConnection;
  readonly hasBody: boolean;
  readonly misaddressed: string | null;
  readonly #stream: ServerHttp2Stream;
  #ended = false;

  constructor(stream: ServerHttp2Stream, { headers, rawHeaders }: Http2Head, socket: InboundConnection) {
    this.#stream = stream;
    this.socket = socket;
    this.method = headers[":method"] ?? "";
    this.url = headers[":path"] ?? "";
    this.misaddressed = contradiction(headers);
    const host = headers[":authority"] ?? headers.host ?? "";
    this.headers = { ...withoutPseudo(headers), host };
    this.rawHeaders = asLines(rawHeaders, host, headers.cookie);
    this.hasBody = !stream.endAfterHeaders;
    // A stream that is reset ends its data too, as if all of it had come.
    stream.once("end", () => {
      this.#ended = !stream.closed;
    });
  }

  get complete(): boolean {
    return !this.hasBody || this.#ended;
  }

  get destroyed(): boolean {
    return this.#stream.destroyed;
  }

  /** Throws when the client ends its body before its end. */
  async *iterator(options: { destroyOnReturn: boolean }): AsyncGenerator<Buffer> {
    try {
      for await (const chunk of this.#stream.iterator(options)) yield chunk as Buffer;
    } catch (error) {
      throw new ClientGone(`the client broke its body off: ${(error as Error).message}`);
    }
    if (!this.complete) throw new ClientGone("the client broke its body off");
  }

  once(event: "end" | "close", listener: () => void): void {
    this.#stream.once(event, listener);
  }

  resume(): void {
    this.#stream.resume();
  }

  /** After the answer it tells the client that no more of its body is wanted (RFC 9113 §8.1). */
  destroy(): void {
    if (this.#stream.writableEnded) this.#stream.close(constants.NGHTTP2_NO_ERROR);
    else this.#stream.destroy(new ClientGone("its request is cut off"));
  }
}

/** Two names of where the request goes, that are not one (RFC 9113 §8.3.1); null when there are not. */
function contradiction({ ":authority": authority, ":scheme": scheme, host }: Http2Headers): string | null {
  if (authority === undefined || host === undefined) return null;
  const [one, other] = [authority, host].map((name) => withoutDefaultPort(name.toLowerCase(), scheme));
  return one === other ? null : "the Host header names another host than :authority";
}

function withoutDefaultPort(name: string, scheme: string | undefined): string {
  return name.replace(scheme === "http" ? /:80$/ : /:443$/, "");
}

function withoutPseudo(headers: Http2Headers): IncomingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !name.startsWith(":")));
}

/** Cookies come in crumbs, which only HTTP/2 may know of (RFC 9113 §8.2.3); so does the host under a name of its own. */
function asLines(rawHeaders: readonly string[], host: string, cookie: string | undefined): readonly string[] {
  const lines = ["host", host];
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.startsWith(":") || name === "host" || name === "cookie") continue;
    lines.push(name, rawHeaders[i + 1] ?? "");
  }
  if (cookie !== undefined) lines.push("cookie", cookie);
  return lines;
}

import { once } from "node:events";
import {
  createSecureServer,
  createServer,
  type Http2Server,
  type SecureServerOptions,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from "node:http2";
import type { AddressInfo } from "node:net";

/** A message in gRPC's frame: not compressed, its length, its bytes. */
export function message(text: string): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
}

/** The texts of all messages in what has come. */
export function messagesIn(bytes: Buffer): readonly string[] {
  const texts: string[] = [];
  for (let at = 0; at + 5 <= bytes.length; ) {
    const end = at + 5 + bytes.readUInt32BE(at + 1);
    texts.push(bytes.subarray(at + 5, end).toString());
    at = end;
  }
  return texts;
}

export type Call = (stream: ServerHttp2Stream, headers: Record<string, unknown>) => void | Promise<void>;

/** Begins the answer of a call; what follows are messages, and {@link endCall}. */
export function beginCall(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
}

export function endCall(stream: ServerHttp2Stream, status: number, text = ""): void {
  stream.once("wantTrailers", () =>
    stream.sendTrailers({ "grpc-status": `${status}`, "grpc-message": text }),
  );
  stream.end();
}

/** A region that speaks nothing but HTTP/2, or in the handshake of TLS lets the client choose. */
export class GrpcRegion {
  readonly server: Http2Server;
  readonly sessions = new Set<ServerHttp2Session>();
  /** Sessions that there ever were. */
  opened = 0;
  probes = 0;

  constructor(calls: Readonly<Record<string, Call>>, tls: SecureServerOptions | null = null, streams = 100) {
    const options = { settings: { maxConcurrentStreams: streams } };
    this.server = (tls ? createSecureServer({ ...options, ...tls }) : createServer(options)) as Http2Server;
    this.server.on("session", (session: ServerHttp2Session) => {
      this.opened += 1;
      this.sessions.add(session);
      session.once("close", () => this.sessions.delete(session));
      session.on("error", () => {});
    });
    this.server.on("stream", (stream: ServerHttp2Stream, headers) => {
      stream.on("error", () => {});
      const path = String(headers[":path"]);
      if (path !== "/healthz") return void calls[path]?.(stream, headers);
      this.probes += 1;
      stream.respond({ ":status": 200 });
      stream.end();
    });
  }

  async start(): Promise<number> {
    await once(this.server.listen(0, "127.0.0.1"), "listening");
    return (this.server.address() as AddressInfo).port;
  }

  async stop(): Promise<void> {
    const closed = once(this.server, "close");
    this.server.close();
    for (const session of this.sessions) session.destroy();
    await closed;
  }
}

import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";

/** One request as it stood on the wire, whole. */
export interface RawRequest {
  readonly method: string;
  readonly url: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** How many requests this connection has carried before. */
  readonly nth: number;
}

/** What a region does once a whole request is there. */
export type Behaviour = (socket: Socket, request: RawRequest) => void;

const HEALTHY = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

/** Answers with these bytes and leaves the connection as it is. */
export function says(bytes: string): Behaviour {
  return (socket) => void socket.write(bytes, "latin1");
}

/** Says `ok`, agrees to every upgrade, and keeps its connections. */
export const good: Behaviour = (socket, { headers }) => {
  const upgrade = headers.has("upgrade");
  socket.write(
    upgrade
      ? "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n"
      : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
  );
};

/**
 * A region of bare TCP, which may do what no HTTP server would. It passes its probes, and keeps a ledger of every other
 * request that has reached it whole: what it has executed.
 */
export class RawRegion {
  /** What it has executed. */
  readonly ledger: RawRequest[] = [];
  probes = 0;
  url = "";
  behaviour: Behaviour;
  /** Takes connections and never reads a byte from them. */
  deaf = false;
  readonly sockets = new Set<Socket>();
  readonly #server: Server;

  constructor(behaviour: Behaviour) {
    this.behaviour = behaviour;
    this.#server = createServer({ noDelay: true, pauseOnConnect: true }, (socket) => this.#accept(socket));
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async start(host = "127.0.0.1", port = 0): Promise<this> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    this.url = `http://${host}:${this.port}`;
    return this;
  }

  /** Nobody listens any more, and what was connected is reset. */
  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.resetAndDestroy();
    if (!this.#server.listening) return;
    this.#server.close();
    await once(this.#server, "close");
  }

  /** How often a request with this `x-id` was executed here. */
  executed(id: string): number {
    return this.ledger.filter(({ headers }) => headers.get("x-id") === id).length;
  }

  #accept(socket: Socket): void {
    this.sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => this.sockets.delete(socket));
    if (this.deaf) return;
    let unread = "";
    let nth = 0;
    socket.setEncoding("latin1").on("data", (text: string) => {
      unread += text;
      for (let found = firstRequest(unread); found !== null; found = firstRequest(unread)) {
        unread = unread.slice(found.length);
        this.#take(socket, { ...found.request, nth });
        nth += 1;
      }
    });
    socket.resume();
  }

  #take(socket: Socket, request: RawRequest): void {
    if (request.url === "/healthz") {
      this.probes += 1;
      socket.write(HEALTHY);
      return;
    }
    this.ledger.push(request);
    this.behaviour(socket, request);
  }
}

type Found = { readonly request: Omit<RawRequest, "nth">; readonly length: number };

/** The first whole request of a text; null while it is not whole. */
function firstRequest(text: string): Found | null {
  const headEnd = text.indexOf("\r\n\r\n") + 4;
  if (headEnd < 4) return null;
  const [line = "", ...fields] = text.slice(0, headEnd - 4).split("\r\n");
  const [method = "", url = ""] = line.split(" ");
  const headers = new Map(
    fields.map((field) => [
      field.slice(0, field.indexOf(":")).toLowerCase(),
      field.slice(field.indexOf(":") + 2),
    ]),
  );
  const body = bodyOf(text.slice(headEnd), headers);
  return body === null
    ? null
    : { request: { method, url, headers, body: body.text }, length: headEnd + body.length };
}

function bodyOf(
  text: string,
  headers: ReadonlyMap<string, string>,
): { readonly text: string; readonly length: number } | null {
  if (headers.has("transfer-encoding")) {
    const end = /(?:^|\r\n)0\r\n\r\n/.exec(text);
    return end === null ? null : { text: text.slice(0, end.index), length: end.index + end[0].length };
  }
  const length = Number(headers.get("content-length") ?? 0);
  return text.length < length ? null : { text: text.slice(0, length), length };
}

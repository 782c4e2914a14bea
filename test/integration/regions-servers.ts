import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";

/** Something a probe can be sent to. */
export interface Target extends AsyncDisposable {
  readonly origin: string;
  readonly port: number;
  /** Connections that were ever accepted. */
  readonly connections: () => number;
  /** Cuts the connections that are open. */
  readonly cut: () => void;
}

/** An HTTP server on a free port of loopback. */
export function httpTarget(answer: RequestListener): Promise<Target> {
  return listening(createServer(answer));
}

/** A TCP server on a free port of loopback. */
export function tcpTarget(answer: (socket: Socket) => void): Promise<Target> {
  return listening(createTcpServer(answer));
}

export function answers(status: number, body = "", headers: Record<string, string> = {}): RequestListener {
  return (_request: IncomingMessage, response: ServerResponse) => {
    response.writeHead(status, headers).end(body);
  };
}

export function answersJson(value: unknown): RequestListener {
  return answers(200, JSON.stringify(value), { "content-type": "application/json" });
}

/** A port of loopback on which nothing listens. */
export async function closedPort(): Promise<number> {
  await using target = await tcpTarget(() => {});
  return target.port;
}

async function listening(server: Server): Promise<Target> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on("connection", (socket) => {
    accepted += 1;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  await new Promise<void>((resolve) => {
    server.listen(0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      cut();
    });
  return {
    origin: `http://127.0.0.1:${port}`,
    port,
    connections: () => accepted,
    cut,
    [Symbol.asyncDispose]: close,
  };
}

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { countedOf, type Order } from "./load-order.ts";
import { complete } from "./response-end.ts";
import { CLIENT_FRAME, SERVER_FRAME_BYTES } from "./websocket-frames.ts";

/**
 * A load generator for what wrk and h2load do not do. It is a process of its own and takes its order as JSON in its only
 * argument. When all is open and warm it prints `OPEN`, begins when it is sent a line, and prints what it has counted.
 *
 * `messages`: on each connection one WebSocket message after the other.
 * `spread`: a few requests at once, on however many connections; the next goes to the one that was idle longest.
 */
const order = JSON.parse(process.argv[2] ?? "{}") as Order;
const AT_ONCE = 64;
const OPENED_AT_ONCE = 100;
const WARM_UP_MS = 1_000;
const latenciesMs: number[] = [];
let failed = 0;
const sockets: Socket[] = [];
while (sockets.length < order.connections) {
  const some = Math.min(OPENED_AT_ONCE, order.connections - sockets.length);
  sockets.push(...(await Promise.all(Array.from({ length: some }, open))));
}
if (order.kind === "messages") await Promise.all(sockets.map(upgraded));
if (order.kind === "messages") sockets.forEach(pingPong);
else spread();
await sleep(WARM_UP_MS);
process.stdout.write("OPEN\n");
await once(process.stdin, "data");
latenciesMs.length = 0;
const startMs = performance.now();
await sleep(order.seconds * 1_000);
const seconds = (performance.now() - startMs) / 1_000;
process.stdout.write(`COUNTED ${JSON.stringify(countedOf(latenciesMs, seconds, failed))}\n`, () =>
  process.exit(),
);

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: order.port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.on("error", reject);
    socket.on("close", () => {
      failed += 1;
    });
  });
}

function spread(): void {
  const request = `GET ${order.path} HTTP/1.1\r\nHost: 127.0.0.1:${order.port}\r\n\r\n`;
  const turns = [...sockets];
  let turn = 0;
  const ask = () => {
    const socket = turns[turn++];
    if (socket === undefined) return;
    const sentMs = performance.now();
    let answer = "";
    const received = (chunk: Buffer) => {
      answer += chunk.toString("latin1");
      const status = complete(answer);
      if (status === null) return;
      socket.off("data", received);
      latenciesMs.push(performance.now() - sentMs);
      if (status !== 200) failed += 1;
      turns.push(socket);
      ask();
    };
    socket.on("data", received);
    socket.write(request);
  };
  for (let nth = 0; nth < Math.min(AT_ONCE, sockets.length); nth += 1) ask();
}

function upgraded(socket: Socket): Promise<void> {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const head = `GET ${order.path} HTTP/1.1\r\nHost: 127.0.0.1:${order.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n`;
  return new Promise((resolve, reject) => {
    socket.once("data", (chunk: Buffer) => {
      const answer = chunk.toString("latin1");
      if (answer.startsWith("HTTP/1.1 101")) resolve();
      else reject(new Error(`not upgraded: ${answer.slice(0, 200)}`));
    });
    socket.write(`${head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`);
  });
}

function pingPong(socket: Socket): void {
  let [received, sentMs] = [0, performance.now()];
  socket.on("data", (chunk: Buffer) => {
    received += chunk.length;
    if (received < SERVER_FRAME_BYTES) return;
    received -= SERVER_FRAME_BYTES;
    const nowMs = performance.now();
    latenciesMs.push(nowMs - sentMs);
    sentMs = nowMs;
    socket.write(CLIENT_FRAME);
  });
  socket.write(CLIENT_FRAME);
}

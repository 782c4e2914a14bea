import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { countedOf, type Order } from "./load-order.ts";
import { complete } from "./response-end.ts";
import { CLIENT_FRAME, SERVER_FRAME_BYTES } from "./websocket-frames.ts";

/**
 * A load generator for what wrk and h2load do not do. It is a process of its own, takes its order as JSON in its only
 * argument, and prints what it has counted.
 *
 * `rate`: requests at a fixed rate, whether or not those before have been answered. Each has a time at which it is meant
 * to be sent, and its latency counts from there, so that a subject which stalls is charged with all that had to wait.
 * `messages`: on each connection one WebSocket message after the other.
 */
const order = JSON.parse(process.argv[2] ?? "{}") as Order;
const latenciesMs: number[] = [];
let failed = 0;
const sockets = await Promise.all(Array.from({ length: order.connections }, open));
const seconds = order.kind === "rate" ? await atRate() : await messages();
for (const socket of sockets) socket.destroy();
process.stdout.write(`COUNTED ${JSON.stringify(countedOf(latenciesMs, seconds, failed))}\n`);
process.exit();

function open(): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port: order.port, host: "127.0.0.1", noDelay: true }, () => resolve(socket));
    socket.on("error", reject);
  });
}

/** Requests that are due wait for a free connection in the order of their times. */
async function atRate(): Promise<number> {
  const { reads, writes } = requestsOf(order);
  const free = [...sockets];
  const startMs = performance.now();
  const total = Math.round(order.ratePerSecond * order.seconds);
  const meantMs = (nth: number) => startMs + (nth * 1_000) / order.ratePerSecond;
  let [next, answered] = [0, 0];
  return new Promise((resolve) => {
    const send = () => {
      const nowMs = performance.now();
      while (next < total && meantMs(next) <= nowMs) {
        const socket = free.pop();
        if (socket === undefined) return;
        ask(socket, oneOf(Math.random() * 100 < order.writePercent ? writes : reads), meantMs(next));
        next += 1;
      }
    };
    const ask = (socket: Socket, request: string, dueMs: number) => {
      let answer = "";
      const received = (chunk: Buffer) => {
        answer += chunk.toString("latin1");
        const status = complete(answer);
        if (status === null) return;
        socket.off("data", received);
        latenciesMs.push(performance.now() - dueMs);
        if (status !== 200) failed += 1;
        free.push(socket);
        answered += 1;
        if (answered === total) return finish();
        send();
      };
      socket.on("data", received);
      socket.write(request);
    };
    const ticks = setInterval(send, 1);
    // What has not been answered by then is counted as failed.
    const overdue = setTimeout(finish, (order.seconds + 10) * 1_000);
    function finish(): void {
      clearInterval(ticks);
      clearTimeout(overdue);
      failed += total - answered;
      resolve((performance.now() - startMs) / 1_000);
    }
  });
}

function oneOf(requests: readonly string[]): string {
  return requests[Math.floor(Math.random() * requests.length)] ?? "";
}

function requestsOf({ port, path, users, cookieFile }: Order): Record<"reads" | "writes", readonly string[]> {
  const cookies = cookieFile === "-" ? [] : readFileSync(cookieFile, "utf8").trim().split("\n");
  const heads = Array.from({ length: Math.max(users, 1) }, (_each, user) => {
    const who = users === 0 ? "" : `Authorization: Bearer user-${user}\r\n`;
    const cookie = cookies.length === 0 ? "" : `Cookie: ${cookies[user % cookies.length]}\r\n`;
    return `${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${who}${cookie}`;
  });
  return {
    reads: heads.map((head) => `GET ${head}\r\n`),
    writes: heads.map((head) => `POST ${head}Content-Length: 8\r\n\r\namount=1`),
  };
}

async function messages(): Promise<number> {
  const key = "dGhlIHNhbXBsZSBub25jZQ==";
  const upgrade = `GET ${order.path} HTTP/1.1\r\nHost: 127.0.0.1:${order.port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`;
  await Promise.all(sockets.map((socket) => upgraded(socket, upgrade)));
  const startMs = performance.now();
  for (const socket of sockets) pingPong(socket);
  await new Promise((over) => setTimeout(over, order.seconds * 1_000));
  return (performance.now() - startMs) / 1_000;
}

function upgraded(socket: Socket, request: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once("data", (chunk: Buffer) => {
      const head = chunk.toString("latin1");
      if (head.startsWith("HTTP/1.1 101")) resolve();
      else reject(new Error(`not upgraded: ${head.slice(0, 200)}`));
    });
    socket.write(request);
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
  socket.on("close", () => {
    failed += 1;
  });
  socket.write(CLIENT_FRAME);
}

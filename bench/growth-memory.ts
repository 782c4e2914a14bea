import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { descriptors } from "./machine.ts";
import type { Options } from "./options.ts";
import type { Running } from "./process.ts";
import type { Table } from "./report.ts";
import type { Stage } from "./stage.ts";
import { OFF, startMeridian } from "./subjects.ts";
import { wrk } from "./wrk.ts";

const IDLE = 8_000;
const TUNNELS = 4_000;
/** Opened before what is counted, so that the heap has grown as far as opening them takes. */
const SHARE_BEFORE = 0.25;
/** Of the descriptors that a process may have: a tunnel takes two of the edge, and of the region before it. */
const MOST_OF_DESCRIPTORS = 0.4;
const AT_ONCE = 100;
/** Until what was needed to open them has been given back. */
const SETTLE_MS = 5_000;

/**
 * What an edge holds for each client that is there and does nothing: a connection over which one request has been
 * answered, and a WebSocket over which nothing is said. Each from an edge of its own that has served some requests.
 */
export async function crowdTable(
  stage: Stage,
  _options: Options,
  say: (line: string) => void,
): Promise<readonly Table[]> {
  const rows: string[][] = [];
  const upgrade =
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  const bearable = Math.floor((descriptors() * MOST_OF_DESCRIPTORS) / AT_ONCE) * AT_ONCE;
  for (const [what, most, path, more, status] of [
    ["idle connection", IDLE, "/", "", "200"],
    ["tunnel", TUNNELS, "/echo", upgrade, "101"],
  ] as const) {
    const count = Math.min(most, bearable);
    const ports = { http: stage.nextPort(), tls: stage.nextPort() };
    const running = await startMeridian(stage, ports, {
      name: `crowd-${status}`,
      pinnedBy: null,
      settings: OFF,
    });
    try {
      await wrk({ url: `http://127.0.0.1:${ports.http}/`, connections: 64, seconds: 3, readers: null });
      const request = `GET ${path} HTTP/1.1\r\nHost: bench\r\n${more}\r\n`;
      const kib = await kibOfEach(running, ports.http, count, request, status);
      say(`memory: ${kib.toFixed(1)} KiB for each ${what} of ${count}\n`);
      rows.push([what, `${count}`, kib.toFixed(1)]);
    } finally {
      await running.stop();
    }
  }
  return [[["memory", "of them", "KiB each"], ...rows]];
}

async function kibOfEach(
  running: Running,
  port: number,
  count: number,
  request: string,
  status: string,
): Promise<number> {
  const sockets: Socket[] = [];
  const heldMiBWith = async (those: number) => {
    while (sockets.length < those) {
      const some = Array.from({ length: AT_ONCE }, () => answered(port, request, status));
      sockets.push(...(await Promise.all(some)));
    }
    await sleep(SETTLE_MS);
    return running.usage().memoryMiB;
  };
  const before = await heldMiBWith(count * SHARE_BEFORE);
  const opened = sockets.length;
  const after = await heldMiBWith(opened + count);
  for (const socket of sockets) socket.destroy();
  return ((after - before) * 1_024) / (sockets.length - opened);
}

function answered(port: number, request: string, status: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(request));
    socket.on("error", reject);
    socket.once("data", (chunk: Buffer) => {
      const head = chunk.toString("latin1", 0, 12);
      if (head === `HTTP/1.1 ${status}`) resolve(socket);
      else reject(new Error(`answered ${head}`));
    });
  });
}

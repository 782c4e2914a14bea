import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline, Readable } from "node:stream";
import { takeOrders } from "../chaos/child.ts";
import { readInBursts } from "./bursts.ts";

/**
 * The region of a siege, a process of its own: `/` answers at once, `/download?bytes=` sends as many, and `/upload` reads
 * them in bursts and answers how many came.
 */
const CHUNK = Buffer.alloc(65_536);

const server = createServer((req, res) => {
  const { pathname, searchParams } = new URL(req.url ?? "/", "http://region");
  if (pathname === "/download") send(res, Number(searchParams.get("bytes")));
  else if (pathname === "/upload") void receive(req, res);
  else answer(req, res);
});
// What a siege holds is its clients' affair; this region has no limits of its own.
server.headersTimeout = 0;
server.requestTimeout = 0;

function answer(req: IncomingMessage, res: ServerResponse): void {
  req.resume();
  req.once("end", () => res.end("ok"));
}

function send(res: ServerResponse, bytes: number): void {
  res.writeHead(200, { "content-length": bytes });
  pipeline(Readable.from(chunksOf(bytes)), res, () => {});
}

function* chunksOf(bytes: number): Generator<Buffer> {
  for (let left = bytes; left > 0; left -= CHUNK.length)
    yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
}

async function receive(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const bytes = await readInBursts(req).catch(() => null);
  if (bytes !== null) res.end(String(bytes));
}

server.listen(0, "127.0.0.1");
await once(server, "listening");
takeOrders({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }, () => null);

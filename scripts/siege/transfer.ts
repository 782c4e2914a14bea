import { once } from "node:events";
import { type IncomingMessage, request } from "node:http";
import { takeOrders } from "../chaos/child.ts";
import { readInBursts } from "./bursts.ts";

/** The client of a transfer, a process of its own: sends as fast as it is let, and reads in bursts. */
export interface Transferred {
  /** That came to the other end. */
  readonly bytes: number;
  readonly seconds: number;
}

const CHUNK = Buffer.alloc(65_536);
const [url = ""] = process.argv.slice(2);

async function download(bytes: number): Promise<number> {
  const req = request(`${url}/download?bytes=${bytes}`).end();
  const [res] = (await once(req, "response")) as [IncomingMessage];
  return readInBursts(res);
}

async function upload(bytes: number): Promise<number> {
  const req = request(`${url}/upload`, { method: "POST", headers: { "content-length": bytes } });
  const answered = once(req, "response") as Promise<[IncomingMessage]>;
  for (let left = bytes; left > 0; left -= CHUNK.length) {
    const chunk = left < CHUNK.length ? CHUNK.subarray(0, left) : CHUNK;
    if (!req.write(chunk)) await once(req, "drain");
  }
  req.end();
  const [res] = await answered;
  const chunks = await Array.fromAsync(res);
  return Number(Buffer.concat(chunks).toString());
}

takeOrders(null, async ({ act, count = 0 }): Promise<Transferred> => {
  const startedMs = performance.now();
  const bytes = await (act === "upload" ? upload(count) : download(count));
  return { bytes, seconds: (performance.now() - startedMs) / 1_000 };
});

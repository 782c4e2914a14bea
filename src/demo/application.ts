import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

/** What the application answers; a stream is sent with back-pressure. */
export interface Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Readable;
}

/** The region the application runs in, as its routes see it. */
export interface Surroundings {
  readonly id: string;
  readonly writer: boolean;
  readonly epoch: number;
  version(key: string): number;
  /** Appends to the write log and answers the key's new version and its position. */
  write(key: string): { readonly version: number; readonly position: number };
}

const SAFE = new Set(["GET", "HEAD", "OPTIONS", "TRACE"]);
/** Unsafe methods that write nothing, so that a replica may answer them. */
const NOT_WRITES = new Set(["/echo", "/search"]);
const ECHOED_CHARACTERS = 65_536;
const CHUNK = Buffer.alloc(16_384, "m");

export function isUnsafe(method: string): boolean {
  return !SAFE.has(method);
}

/** Whether a replica has to answer 421, because only the writer may do this. */
export function isWrite(method: string, path: string): boolean {
  return isUnsafe(method) && !NOT_WRITES.has(path);
}

/** The routes of a small application that is deployed in every simulated region. */
export async function answerRequest(request: IncomingMessage, here: Surroundings): Promise<Answer> {
  const url = new URL(request.url ?? "/", "http://region");
  const query = (name: string, otherwise: number) => Number(url.searchParams.get(name) ?? otherwise);
  if (url.pathname.startsWith("/items/")) return answerItem(request, url.pathname.slice(7), here);
  switch (url.pathname) {
    case "/echo":
      return json(200, { region: here.id, ...(await echo(request)) });
    case "/slow":
      await sleep(query("ms", 1_000));
      return json(200, { region: here.id });
    case "/bytes":
      return { status: 200, headers: octets(query("n", 1_024)), body: bytes(query("n", 1_024)) };
    case "/events":
      return {
        status: 200,
        headers: EVENT_STREAM,
        body: Readable.from(ticks(here.id, query("every", 1_000))),
      };
    default:
      await readBody(request);
      return json(200, { region: here.id, path: url.pathname });
  }
}

export function json(status: number, value: unknown, headers: Record<string, string> = {}): Answer {
  return {
    status,
    headers: { "content-type": "application/json", ...headers },
    body: `${JSON.stringify(value)}\n`,
  };
}

/** A position of the write log as probes and `x-meridian-position` carry it: 16 hex digits. */
export function formatPosition(position: number): string {
  return position.toString(16).padStart(16, "0");
}

async function answerItem(request: IncomingMessage, key: string, here: Surroundings): Promise<Answer> {
  if (!isUnsafe(request.method ?? "GET")) {
    return json(200, { region: here.id, key, version: here.version(key) });
  }
  await readBody(request);
  const { version, position } = here.write(key);
  const headers = {
    "x-meridian-wrote": "1",
    "x-meridian-position": `${here.epoch}:${formatPosition(position)}`,
  };
  return json(request.method === "POST" ? 201 : 200, { region: here.id, key, version }, headers);
}

async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function echo(request: IncomingMessage) {
  const body = await readBody(request);
  return {
    method: request.method,
    url: request.url,
    headers: request.headers,
    rawHeaders: request.rawHeaders,
    trailers: request.trailers,
    bytes: body.length,
    sha256: createHash("sha256").update(body).digest("hex"),
    body: body.toString("utf8").slice(0, ECHOED_CHARACTERS),
  };
}

function octets(length: number): Record<string, string> {
  return { "content-type": "application/octet-stream", "content-length": String(length) };
}

function bytes(length: number): Readable {
  let left = length;
  return new Readable({
    read() {
      const size = Math.min(left, CHUNK.length);
      left -= size;
      this.push(size === 0 ? null : CHUNK.subarray(0, size));
    },
  });
}

const EVENT_STREAM = { "content-type": "text/event-stream", "cache-control": "no-store" };

async function* ticks(region: string, everyMs: number): AsyncGenerator<string> {
  for (let count = 1; ; count += 1) {
    yield `id: ${count}\ndata: ${JSON.stringify({ region, count })}\n\n`;
    await sleep(everyMs);
  }
}

import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import type { Socket } from "node:net";
import type { Clock } from "../clock.ts";
import type { EventBus } from "../events.ts";
import { callerAddress } from "./address.ts";
import { Allowance } from "./allowance.ts";
import { Refusal, type RefusalWord } from "./problems.ts";

/** In every answer: no browser may keep it, guess its type, run or frame anything of it, or hand it to another site. */
export const GUARDING_HEADERS = {
  "cache-control": "no-store",
  "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
} as const;

const MAX_HEAD_BYTES = 16_384;
const REQUEST_TIMEOUT_MS = 5_000;
const CHECK_INTERVAL_MS = 1_000;
const KEEP_ALIVE_MS = 30_000;
const UNREAD_MS = 60_000;

/** How long a client may take, as Fastify names it. */
export const PATIENCE = {
  requestTimeout: REQUEST_TIMEOUT_MS,
  keepAliveTimeout: KEEP_ALIVE_MS,
  connectionTimeout: UNREAD_MS,
  http: {
    maxHeaderSize: MAX_HEAD_BYTES,
    headersTimeout: REQUEST_TIMEOUT_MS,
    connectionsCheckingInterval: CHECK_INTERVAL_MS,
  },
} as const;

/** The second is above the event streams that there may be. */
const MOST_CONNECTIONS = { inAll: 512, perAddress: 128 };
const WARNINGS = { atOnce: 1, perSecond: 1 / 60 };

/**
 * Closes connections beyond so many, before anything of them is read, and tells of it; no address can take them all. Cuts
 * those that do not read their answers.
 */
export function boundConnections(
  server: Server,
  { events, clock }: { readonly events: EventBus; readonly clock: Clock },
  { inAll, perAddress } = MOST_CONNECTIONS,
): void {
  const open = new Map<string, number>();
  const warnings = new Allowance(clock, WARNINGS);
  const warn = (detail: string) => {
    if (warnings.take("") !== null) events.emit("warned", { what: "admin connections refused", detail });
  };
  server.maxConnections = inAll;
  server.on("drop", () => warn(`${inAll} are open`));
  // A call may be long in being answered; who does not take what is there is another matter.
  server.on("timeout", (socket: Socket) => void (socket.writableLength > 0 && socket.destroy()));
  server.on("connection", (socket: Socket) => {
    const address = callerAddress(socket.remoteAddress);
    const others = open.get(address) ?? 0;
    if (others >= perAddress) {
      socket.destroy();
      warn(`${others} from ${address} are open`);
      return;
    }
    open.set(address, others + 1);
    socket.once("close", () => {
      const left = (open.get(address) ?? 1) - 1;
      if (left > 0) open.set(address, left);
      else open.delete(address);
    });
  });
}

const BROKEN: Readonly<Record<string, [RefusalWord, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: [
    "too_slow",
    `the request was not complete after ${REQUEST_TIMEOUT_MS / 1_000} s`,
  ],
  HPE_HEADER_OVERFLOW: ["head_too_large", `the head is larger than ${MAX_HEAD_BYTES} bytes`],
};

/** Answers bytes that are no request, or no whole one, if nothing else was said on this connection, and closes it. */
export function answerBroken(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.writable && socket.bytesWritten === 0) {
    const [word, detail] = BROKEN[error.code ?? ""] ?? (["malformed", "this is not HTTP/1.1"] as const);
    const refusal = new Refusal(word, detail);
    const body = JSON.stringify(refusal.body(randomUUID()));
    const headers = {
      ...GUARDING_HEADERS,
      "content-type": "application/problem+json",
      "content-length": String(Buffer.byteLength(body)),
      connection: "close",
    };
    const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`HTTP/1.1 ${refusal.statusCode} Refused\r\n${head.join("")}\r\n${body}`);
  }
  socket.destroySoon();
}

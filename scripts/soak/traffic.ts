import { createHash } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { type Agent, type Dispatcher, request } from "undici";
import { WebSocket } from "ws";
import { codeOf, faultOf, Visitor } from "../../src/demo/visitor.ts";
import type { SoakTally } from "./soak-tally.ts";

const TIMEOUT_MS = 15_000;
const LARGE_BODY = Buffer.alloc(1_048_576, "large body ");
const LARGE_SHA256 = createHash("sha256").update(LARGE_BODY).digest("hex");
const DOWNLOAD_BYTES = 300_000;
const KEYS_PER_VISITOR = 3;
/** Enough that most of them have not written within the grace window. */
const VISITORS_PER_CLIENT = 100;

type Step = (client: Client) => Promise<unknown>;

/** What clients do, and how often out of a thousand steps. */
const STEPS: readonly (readonly [weight: number, name: string, step: Step])[] = [
  [690, "read", (client) => client.look()],
  [90, "write and look", (client) => client.writeAndLook()],
  [140, "anonymous read", (client) => client.ask("GET", "/about")],
  [20, "head", (client) => client.ask("HEAD", "/items/none")],
  [20, "small echo", (client) => client.ask("POST", "/echo", { body: Buffer.from("a small body") })],
  [4, "large upload", (client) => client.upload()],
  [10, "download", (client) => client.download()],
  [12, "client abort", (client) => client.leaveEarly()],
  [4, "aborted upload", (client) => client.leaveMidUpload()],
  [5, "server-sent events", (client) => client.listen()],
  [5, "websocket", (client) => client.converse()],
];

/** One closed loop of mixed requests: the next step begins when the last has ended. */
export class Client {
  readonly #visitors: readonly Visitor[];
  readonly #origin: string;
  readonly #agent: Agent;
  readonly #tally: SoakTally;

  constructor(id: string, edge: { origin: string; agent: Agent }, tally: SoakTally) {
    this.#visitors = Array.from(
      { length: VISITORS_PER_CLIENT },
      (_, index) => new Visitor(`${id}-${index}`, edge, tally),
    );
    this.#origin = edge.origin;
    this.#agent = edge.agent;
    this.#tally = tally;
  }

  async run(more: () => boolean): Promise<void> {
    while (more()) {
      const [, , step] = chosen();
      await step(this);
    }
  }

  async look(): Promise<void> {
    const visitor = oneOf(this.#visitors);
    await visitor.read(keyOf(visitor), Math.random() < 0.8 ? "browser" : "phone");
  }

  async writeAndLook(): Promise<void> {
    const visitor = oneOf(this.#visitors);
    const key = keyOf(visitor);
    await visitor.write(key, Math.random() < 0.5 ? "browser" : "phone");
    await Promise.all([visitor.read(key, "browser"), visitor.read(key, "phone")]);
  }

  /** Resolves to the body; null when it failed, which the tally knows. */
  async ask(
    method: Dispatcher.HttpMethod,
    path: string,
    { body = null, kind = path }: { body?: Buffer | null; kind?: string } = {},
  ): Promise<string | null> {
    return this.#count(method, kind, async () => {
      const answer = await this.#send(method, path, body);
      const text = await answer.body.text();
      if (answer.statusCode < 400) return text;
      throw new Failure(faultOf(text) ?? `status ${answer.statusCode}`);
    });
  }

  async upload(): Promise<void> {
    const text = await this.ask("POST", "/echo", { body: LARGE_BODY, kind: "large upload" });
    if (text !== null && !text.includes(LARGE_SHA256)) this.#tally.error("POST", "body changed on its way");
  }

  async download(): Promise<void> {
    const text = await this.ask("GET", `/bytes?n=${DOWNLOAD_BYTES}`, { kind: "download" });
    if (text !== null && text.length !== DOWNLOAD_BYTES)
      this.#tally.error("GET", "download of another length");
  }

  async leaveEarly(): Promise<void> {
    await this.#count("GET", "client abort", async () => {
      const leave = new AbortController();
      const asked = this.#send("GET", "/slow?ms=300", null, leave.signal).catch(() => undefined);
      await sleep(Math.random() * 30);
      leave.abort();
      await asked;
    });
  }

  async leaveMidUpload(): Promise<void> {
    await this.#count("POST", "aborted upload", async () => {
      const { hostname, port, host } = new URL(this.#origin);
      const socket = connect(Number(port), hostname);
      socket.on("error", () => undefined);
      socket.write(
        `POST /echo HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 100000\r\n\r\nonly the beginning`,
      );
      await sleep(20 + Math.random() * 30);
      socket.destroy();
    });
  }

  async listen(): Promise<void> {
    await this.#count("GET", "server-sent events", async () => {
      const answer = await this.#send("GET", "/events?every=20", null);
      answer.body.on("error", () => undefined);
      if (answer.statusCode !== 200) throw new Failure(faultOf(await answer.body.text()) ?? "status");
      await once(answer.body, "data", { signal: AbortSignal.timeout(TIMEOUT_MS) });
      answer.body.destroy();
    });
  }

  async converse(): Promise<void> {
    await this.#count("GET", "websocket", async () => {
      const socket = new WebSocket(`${this.#origin.replace("http", "ws")}/ws`, {
        handshakeTimeout: TIMEOUT_MS,
      });
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      try {
        await nextMessage(socket, signal);
        socket.send("hello");
        if ((await nextMessage(socket, signal)) !== "hello") throw new Failure("another echo");
        const closed = once(socket, "close", { signal });
        socket.close();
        await closed;
      } finally {
        socket.on("error", () => undefined);
        socket.terminate();
      }
    });
  }

  async #count<T>(method: string, kind: string, act: () => Promise<T>): Promise<T | null> {
    this.#tally.other(kind);
    try {
      return await act();
    } catch (error) {
      this.#tally.error(method, `${kind}: ${error instanceof Failure ? error.message : codeOf(error)}`);
      return null;
    }
  }

  #send(method: Dispatcher.HttpMethod, path: string, body: Buffer | null, signal?: AbortSignal) {
    return request(`${this.#origin}${path}`, {
      method,
      body,
      dispatcher: this.#agent,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      ...(signal === undefined ? {} : { signal }),
    });
  }
}

class Failure extends Error {}

async function nextMessage(socket: WebSocket, signal: AbortSignal): Promise<string> {
  const closed = once(socket, "close", { signal }).then(([code]) => {
    throw new Failure(`closed with ${code}`);
  });
  const failed = once(socket, "error", { signal }).then(([error]) => {
    throw new Failure(error instanceof Error ? error.message : String(error));
  });
  const said = once(socket, "message", { signal }).then(([message]) => String(message));
  for (const loser of [closed, failed, said]) loser.catch(() => undefined);
  return Promise.race([said, failed, closed]);
}

function keyOf(visitor: Visitor): string {
  return `${visitor.id}-${Math.floor(Math.random() * KEYS_PER_VISITOR)}`;
}

function oneOf<T>(among: readonly T[]): T {
  const found = among[Math.floor(Math.random() * among.length)];
  if (found === undefined) throw new Error("nothing to choose from");
  return found;
}

const TOTAL_WEIGHT = STEPS.reduce((sum, [weight]) => sum + weight, 0);

function chosen(): (typeof STEPS)[number] {
  let at = Math.random() * TOTAL_WEIGHT;
  for (const step of STEPS) {
    at -= step[0];
    if (at < 0) return step;
  }
  throw new Error("no step");
}

import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { ScriptedRegion } from "./scripted.ts";

/** A region with a database: it writes only while it is the writer, and only in the epoch that it is told. */
export class DatabaseRegion {
  readonly id: string;
  writer: boolean;
  epoch = 1;
  position = 16;
  /** Answers writes with an event stream that does not end. */
  streams = false;
  /** The epochs of the writes that it has taken. */
  readonly writes: number[] = [];
  readonly scripted: ScriptedRegion;

  constructor(id: string, writer: boolean) {
    this.id = id;
    this.writer = writer;
    this.scripted = new ScriptedRegion(async (req, res) => {
      if (req.method === "GET") return void res.end("read");
      if (!(await isWhole(req))) return;
      const told = Number(req.headers["x-meridian-write-epoch"]);
      if (!this.writer || told !== this.epoch) return void res.writeHead(421).end();
      this.writes.push(told);
      if (this.streams) {
        res.writeHead(200, { "content-type": "text/event-stream" }).write("data: begun\n\n");
        return;
      }
      this.position += 1;
      res.writeHead(200, { "x-meridian-position": `${this.epoch}:${this.at}` }).end("written");
    });
    this.scripted.health = () => ({ writer: this.writer, epoch: this.epoch, applied: this.at, lagMs: 0 });
  }

  get at(): string {
    return this.position.toString(16).padStart(16, "0");
  }
}

/** False when the edge has died with the request. */
async function isWhole(req: IncomingMessage): Promise<boolean> {
  try {
    for await (const _ of req);
    return true;
  } catch {
    return false;
  }
}

/** One call of the hook, as it came. */
export interface HookCall {
  readonly move: string;
  readonly from: string;
  readonly to: string;
  readonly epoch: number;
  readonly position: string | null;
  readonly automatic: boolean;
  readonly authorization: string | undefined;
}

/** What promotes the databases of some regions: `act` does it, before the hook answers with the status that it gives. */
export class PromotionHook {
  readonly calls: HookCall[] = [];
  act: (call: HookCall) => number | Promise<number>;
  readonly #server: Server;

  constructor(regions: readonly DatabaseRegion[]) {
    this.act = (call) => promoteDatabase(regions, call);
    this.#server = createServer((req, res) => {
      void this.#serve(req, res).catch(() => res.destroy());
    });
  }

  async start(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/promote`;
  }

  async #serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const body: unknown = JSON.parse(await text(req));
    const call = { ...(body as HookCall), authorization: req.headers.authorization };
    this.calls.push(call);
    const status = await this.act(call);
    res.writeHead(status).end(status >= 300 ? "no" : "");
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }
}

/** The old one stops, the new one has what the old one had, and begins the epoch. */
export function promoteDatabase(
  regions: readonly DatabaseRegion[],
  { from, to, epoch }: Pick<HookCall, "from" | "to" | "epoch">,
): number {
  const [old, next] = [from, to].map((id) => regions.find((region) => region.id === id));
  if (next === undefined || next.epoch > epoch) return 409;
  if (old?.scripted.server.listening) {
    old.writer = false;
    old.epoch = epoch;
    next.position = Math.max(next.position, old.position);
  }
  next.writer = true;
  next.epoch = epoch;
  return 200;
}

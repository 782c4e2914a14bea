import type { ServerResponse } from "node:http";
import type { Clock } from "../clock.ts";
import type { EdgeEvents, EventBus } from "../events.ts";
import { GUARDING_HEADERS } from "./listener.ts";

/** What an operator would want to see happen, under its name on the bus. */
export const FEED_EVENTS = [
  "healthChanged",
  "admissionChanged",
  "maintenanceBegan",
  "maintenanceEnded",
  "drillBegan",
  "drillEnded",
  "epochChanged",
  "moveBegan",
  "moveStepped",
  "moveEnded",
  "fenceChanged",
  "endpointEjected",
  "warned",
  "redisState",
  "overloadChanged",
  "feedState",
  "configReloaded",
  "certificatesRenewed",
  "workerStarted",
  "workerEnded",
  "audited",
  "lockedOut",
] as const satisfies readonly (keyof EdgeEvents)[];

/** A reader that is this far behind is cut: it would hold memory, and what it reads would be history. */
const MAX_BEHIND_BYTES = 65_536;
const MAX_CLIENTS = 64;
const HEARTBEAT_MS = 15_000;

const HEAD = {
  ...GUARDING_HEADERS,
  "content-type": "text/event-stream",
  "x-accel-buffering": "no",
} as const;

/** Tells every connected client what happens, as server-sent events. Starts at the present; keeps no history. */
export class EventFeed {
  readonly #clients = new Set<ServerResponse>();
  readonly #heartbeat: NodeJS.Timeout;
  readonly #unsubscribe: readonly (() => void)[];
  #lastId = 0;

  constructor(events: EventBus, clock: Clock, heartbeatMs = HEARTBEAT_MS) {
    const publish = (name: string, event: object) =>
      this.#publish(name, { at: new Date(clock.wall()).toISOString(), ...event });
    const unsubscribe = FEED_EVENTS.map((name) => {
      const tell = (event: object) => publish(name, event);
      events.on(name, tell);
      return () => events.off(name, tell);
    });
    const ofWorker = ({ worker, name, event }: EdgeEvents["workerTold"]) =>
      publish(name, { worker, ...event });
    events.on("workerTold", ofWorker);
    this.#unsubscribe = [...unsubscribe, () => events.off("workerTold", ofWorker)];
    this.#heartbeat = setInterval(() => this.#send(":\n\n"), heartbeatMs);
    this.#heartbeat.unref();
  }

  get clients(): number {
    return this.#clients.size;
  }

  /** Takes the response over, unless there are too many clients already. */
  add(response: ServerResponse): boolean {
    if (this.#clients.size >= MAX_CLIENTS) return false;
    response.on("error", () => this.#clients.delete(response));
    response.on("close", () => this.#clients.delete(response));
    response.writeHead(200, HEAD);
    response.write("retry: 2000\n\n");
    this.#clients.add(response);
    return true;
  }

  close(): void {
    clearInterval(this.#heartbeat);
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const client of this.#clients) client.end();
    this.#clients.clear();
  }

  #publish(name: string, data: object): void {
    if (this.#clients.size === 0) return;
    this.#lastId += 1;
    this.#send(`id: ${this.#lastId}\nevent: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }

  #send(message: string): void {
    for (const client of this.#clients) {
      if (client.writableLength > MAX_BEHIND_BYTES) client.destroy();
      else client.write(message);
    }
  }
}

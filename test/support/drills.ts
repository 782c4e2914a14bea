import { type Dispatcher, Pool, request } from "undici";
import type { DrillAnswer, DrillsAnswer } from "../../src/admin/drill-messages.ts";
import type { EdgesAnswer, ScheduleAnswer } from "../../src/admin/fleet-messages.ts";
import type { Edge } from "../../src/edge.ts";
import { eventually } from "./eventually.ts";

export type Report = DrillsAnswer["history"][number];

/** An edge's admin API, wherever the edge runs. */
interface Answering {
  readonly adminUrl: string;
}

interface Answered<T> {
  readonly status: number;
  readonly json: T;
}

async function call<T>(
  { adminUrl }: Answering,
  method: Dispatcher.HttpMethod,
  path: string,
  body?: object,
): Promise<Answered<T>> {
  const answer = await request(adminUrl + path, {
    method,
    headers: body === undefined ? {} : { "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  return { status: answer.statusCode, json: (await answer.body.json()) as T };
}

export type Refused = { readonly fault: string; readonly detail: string };

export function beginDrill(edge: Answering, body: object, query = "") {
  return call<DrillAnswer & Refused>(edge, "POST", `/v1/drills${query}`, body);
}

export function stopDrill(edge: Answering, reason: string) {
  return call<Refused>(edge, "POST", "/v1/drills/stop", { reason });
}

export async function drillsAt(edge: Answering): Promise<DrillsAnswer> {
  return (await call<DrillsAnswer>(edge, "GET", "/v1/drills")).json;
}

/** The report of the drill that was begun last, once it is there. */
export function reportAt(edge: Answering, id: string, withinMs = 15_000): Promise<Report> {
  const found = async () => (await drillsAt(edge)).history.find((report) => report.id === id) ?? false;
  return eventually(found, { withinMs }) as Promise<Report>;
}

export function edgesAt(edge: Answering) {
  return call<EdgesAnswer>(edge, "GET", "/v1/edges");
}

export async function scheduleAt(edge: Answering): Promise<ScheduleAnswer> {
  return (await call<ScheduleAnswer>(edge, "GET", "/v1/schedule")).json;
}

export const healthAt = ({ table }: Edge, region: string) => table.view.byId.get(region)?.health;
export const admissionAt = ({ table }: Edge, region: string) => table.view.byId.get(region)?.admission;

/** Reads through every edge, at a steady rate, until it is stopped. */
export class Traffic {
  readonly statuses: number[] = [];
  readonly #pools: readonly Pool[];
  readonly #pending = new Set<Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  #next = 0;

  constructor(urls: readonly string[], everyMs = 10) {
    this.#pools = urls.map((url) => new Pool(url, { connections: 64 }));
    this.#timer = setInterval(() => this.#send(), everyMs);
  }

  /** What has been answered since this was last called, by status. */
  taken(): Record<number, number> {
    const counts: Record<number, number> = {};
    for (const status of this.statuses.splice(0)) counts[status] = (counts[status] ?? 0) + 1;
    return counts;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    await Promise.all(this.#pools.map((pool) => pool.destroy()));
  }

  #send(): void {
    const pool = this.#pools[this.#next++ % this.#pools.length];
    if (pool === undefined) return;
    const sending = pool
      .request({ method: "GET", path: "/read" })
      .then(async ({ statusCode, body }) => {
        await body.dump();
        this.statuses.push(statusCode);
      })
      .catch(() => void this.statuses.push(0))
      .finally(() => this.#pending.delete(sending));
    this.#pending.add(sending);
  }
}

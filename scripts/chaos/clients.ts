import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { codeOf, faultOf } from "../../src/demo/visitor.ts";
import { Client, headOf, NOTHING_SEEN, type Seen } from "./client.ts";
import { DEVICES, type Operation } from "./history.ts";
import { nowMs } from "./monotonic.ts";
import { oneOf, seeded } from "./random.ts";
import { type EdgeOnStage, GRACE_WINDOW_MS, type Stage } from "./stage.ts";
import { hasPin } from "./witness.ts";

export interface Traffic {
  readonly seed: number;
  readonly users: number;
  /** Mean pause of a client between two steps. */
  readonly thinkMs: number;
  readonly writeShare: number;
  /** Share of writes whose body takes longer than the grace window. */
  readonly slowUploadShare: number;
  /** Share of writes whose response is lost between the region and the edge. */
  readonly loseShare: number;
}

const KEYS_PER_USER = 2;
/** After each write its user looks so often, from any client: most at once, the last when the pin ends. */
const LOOKS = 6;
const LOOK_WITHIN_MS = GRACE_WINDOW_MS * 1.3;
const ABORT_WITHIN_MS = 80;
const TIMEOUT_MS = 20_000;

/** Users who look at what they write, each from three clients, each request through any edge of one fleet. */
export class Clients {
  readonly operations: Operation[] = [];
  readonly #stage: Stage;
  readonly #edges: readonly EdgeOnStage[];
  /** Whose users these are, so that two fleets share none. */
  readonly #fleet: string;
  readonly #traffic: Traffic;
  readonly #agent = new Agent({ connections: 64, keepAliveTimeout: 30_000 });
  readonly #busy = new Set<Promise<unknown>>();
  #running = true;
  #sent = 0;

  constructor(stage: Stage, fleet: "edges" | "baseline", traffic: Traffic) {
    this.#stage = stage;
    this.#edges = stage[fleet];
    this.#fleet = fleet;
    this.#traffic = traffic;
  }

  start(): void {
    const { users, seed } = this.#traffic;
    for (let index = 0; index < users; index += 1) {
      const clients = DEVICES.map((device) => new Client(`${this.#fleet}-user-${index}`, device));
      clients.forEach((client, nth) => {
        this.#keep(this.#live(client, clients, seeded(seed * 1_000 + index * DEVICES.length + nth)));
      });
    }
  }

  /** Resolves when the last request is over. */
  async stop(): Promise<void> {
    this.#running = false;
    while (this.#busy.size > 0) await Promise.all(this.#busy);
    await this.#agent.destroy();
  }

  async #live(client: Client, ofUser: readonly Client[], chance: () => number): Promise<void> {
    while (this.#running) {
      await sleep(this.#traffic.thinkMs * 2 * chance());
      const key = `${client.user}-${Math.floor(chance() * KEYS_PER_USER)}`;
      if (chance() >= this.#traffic.writeShare) await this.#send(client, "read", key, chance);
      else {
        // Also when nothing was answered: then the user looks whether it was written.
        await this.#send(client, "write", key, chance);
        for (let look = 0; look < LOOKS; look += 1)
          this.#keep(this.#look(oneOf(ofUser, chance), key, chance));
      }
    }
  }

  async #look(client: Client, key: string, chance: () => number): Promise<void> {
    await sleep(LOOK_WITHIN_MS * chance() ** 3);
    await this.#send(client, "read", key, chance);
  }

  #keep(work: Promise<unknown>): void {
    this.#busy.add(work);
    void work.finally(() => this.#busy.delete(work));
  }

  /** Resolves when the answer has arrived or never will. */
  async #send(client: Client, kind: Operation["kind"], key: string, chance: () => number): Promise<void> {
    const stage = this.#stage;
    this.#sent += 1;
    const edge = oneOf(this.#edges, chance);
    const { loseShare, slowUploadShare } = this.#traffic;
    const cut = cutOf(chance(), stage.abortShare, kind === "write" ? loseShare : 0);
    const uploadMs = kind === "write" && chance() < slowUploadShare ? GRACE_WINDOW_MS * 1.2 : 0;
    const life = stage.redisLives;
    const asked = {
      id: `${this.#fleet}-${this.#sent}`,
      user: client.user,
      device: client.device,
      edge: edge.id,
      home: client.home ?? edge.nearest,
      kind,
      key,
      phase: stage.phase,
      uploadMs,
      cut,
      sentMs: nowMs(),
    };
    const signal = cut === "client" ? AbortSignal.timeout(Math.ceil(chance() * ABORT_WITHIN_MS)) : null;
    const seen = await this.#exchange(client, `${edge.httpUrl}/items/${key}`, { ...asked, signal });
    const served = seen.status !== null && seen.status < 300;
    const ask = kind === "write" && served && seen.consistency === null;
    const operation: Operation = { ...asked, ...seen, recorded: null };
    if (ask)
      this.#keep(
        hasPin(stage, client.authorization, life).then((recorded) =>
          this.operations.push({ ...operation, recorded }),
        ),
      );
    else this.operations.push(operation);
  }

  async #exchange(client: Client, url: string, sending: Sending): Promise<Seen> {
    const { kind, id, cut, uploadMs, signal } = sending;
    const headers: Record<string, string> = client.headers();
    if (kind === "write") headers["x-chaos-operation"] = id;
    if (cut === "region" && kind === "write") headers["x-chaos-lose"] = "1";
    try {
      const answer = await request(url, {
        method: kind === "write" ? "PUT" : "GET",
        headers,
        body: kind === "write" ? upload(uploadMs) : null,
        dispatcher: this.#agent,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
        signal,
      });
      const headMs = nowMs();
      client.keepCookies(answer);
      const text = await answer.body.text().catch(() => "");
      return { headMs, ...headOf(answer), fault: faultOf(text) };
    } catch (error) {
      return { ...NOTHING_SEEN, fault: codeOf(error) };
    }
  }
}

interface Sending extends Pick<Operation, "kind" | "id" | "cut" | "uploadMs"> {
  readonly signal: AbortSignal | null;
}

function cutOf(roll: number, abortShare: number, loseShare: number): Operation["cut"] {
  if (roll < abortShare) return "client";
  return roll < abortShare + loseShare ? "region" : null;
}

async function* slowly(uploadMs: number): AsyncGenerator<string> {
  yield "a new ";
  await sleep(uploadMs);
  yield "value";
}

function upload(uploadMs: number) {
  return uploadMs === 0 ? "a new value" : Readable.from(slowly(uploadMs));
}

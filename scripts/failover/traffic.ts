import { setTimeout as sleep } from "node:timers/promises";
import { Agent, request } from "undici";
import { codeOf, faultOf } from "../../src/demo/visitor.ts";
import { Client, headOf, NOTHING_SEEN, type Seen } from "../chaos/client.ts";
import type { Device, Operation } from "../chaos/history.ts";
import { nowMs } from "../chaos/monotonic.ts";
import { oneOf, seeded } from "../chaos/random.ts";
import type { Stage } from "./stage.ts";

export const RATE_PER_SECOND = 300;
const WRITE_SHARE = 1 / 3;
/** So that each writes every few seconds, and is pinned at some times and not at others. */
const USERS = 300;
const DEVICES: readonly Device[] = ["browser-1", "bare"];
const TICK_MS = 5;
const TIMEOUT_MS = 20_000;
/** Of the reads, how many are by somebody who has written a moment ago. */
const LOOK_SHARE = 0.5;
const WRITERS_REMEMBERED = 60;

/** A steady stream of reads and writes through the edges that live, whether or not earlier ones were answered. */
export class Traffic {
  readonly operations: Operation[] = [];
  readonly #stage: Stage;
  readonly #ratePerSecond: number;
  readonly #chance: () => number;
  readonly #agent = new Agent({ keepAliveTimeout: 30_000 });
  readonly #users: readonly (readonly Client[])[];
  readonly #inFlight = new Set<Promise<void>>();
  /** Who wrote last. */
  readonly #writers: (readonly Client[])[] = [];
  /** By how much this process was late at worst: then it is the machine that is measured. */
  lateMs = 0;
  #isRunning = true;
  #sent = 0;
  #sending: Promise<void> | undefined;

  constructor(stage: Stage, seed: number, ratePerSecond: number) {
    this.#stage = stage;
    this.#ratePerSecond = ratePerSecond;
    this.#chance = seeded(seed);
    const users = Array.from({ length: USERS }, (_, index) => `user-${index}`);
    this.#users = users.map((user) => DEVICES.map((device) => new Client(user, device)));
  }

  start(): void {
    this.#sending = this.#send();
  }

  /** Resolves when the last request is over. */
  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#sending;
    await Promise.all(this.#inFlight);
    await this.#agent.destroy();
  }

  async #send(): Promise<void> {
    const startedMs = nowMs();
    while (this.#isRunning) {
      const tickedMs = nowMs();
      const due = ((tickedMs - startedMs) * this.#ratePerSecond) / 1_000;
      while (this.#sent < due) this.#sendOne();
      await sleep(TICK_MS);
      this.lateMs = Math.max(this.lateMs, nowMs() - tickedMs - TICK_MS);
    }
  }

  #sendOne(): void {
    this.#sent += 1;
    const kind = this.#chance() < WRITE_SHARE ? "write" : "read";
    const user = this.#user(kind);
    const sending = this.#exchange(oneOf(user, this.#chance), kind, `${this.#sent}`).then((operation) => {
      this.operations.push(operation);
      if (kind === "write" && operation.status === 200) this.#remember(user);
    });
    this.#inFlight.add(sending);
    void sending.finally(() => this.#inFlight.delete(sending));
  }

  #user(kind: Operation["kind"]): readonly Client[] {
    const looks = kind === "read" && this.#writers.length > 0 && this.#chance() < LOOK_SHARE;
    return oneOf(looks ? this.#writers : this.#users, this.#chance);
  }

  #remember(user: readonly Client[]): void {
    this.#writers.push(user);
    if (this.#writers.length > WRITERS_REMEMBERED) this.#writers.shift();
  }

  async #exchange(client: Client, kind: Operation["kind"], id: string): Promise<Operation> {
    const { user, device } = client;
    const edge = oneOf(this.#stage.alive, this.#chance);
    const asked = {
      ...{ id, user, device, kind, edge: edge.id, home: "", key: user, phase: "", uploadMs: 0 },
      sentMs: nowMs(),
    };
    const seen = await this.#ask(client, `${edge.process?.httpUrl}/items/${user}`, asked);
    return { ...asked, ...seen, cut: null, recorded: null };
  }

  async #ask(client: Client, url: string, { kind, id }: Pick<Operation, "kind" | "id">): Promise<Seen> {
    const isWrite = kind === "write";
    try {
      const answer = await request(url, {
        method: isWrite ? "PUT" : "GET",
        headers: isWrite ? { ...client.headers(), "x-chaos-operation": id } : client.headers(),
        body: isWrite ? "a new value" : null,
        dispatcher: this.#agent,
        headersTimeout: TIMEOUT_MS,
        bodyTimeout: TIMEOUT_MS,
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

import { setTimeout as sleep } from "node:timers/promises";
import type { EventBus } from "../events.ts";
import { leftBehind, type MetricValues } from "../observe/merged-metrics.ts";
import type { Ports } from "../proxy/server.ts";
import type { Begin, FromWorker, Questions, Stop, ToWorker } from "./messages.ts";
import { WorkerProcess } from "./worker-process.ts";

/** A worker that lived as long was well. */
const WELL_AFTER_MS = 10_000;
/** How long until a worker is replaced that has died young: twice as long each time. */
const AGAIN_AFTER = { leastMs: 250, mostMs: 10_000 } as const;
/** How much longer than its grace a worker's stop may take. */
const OVERDUE_MS = 3_000;

export interface WorkersParts {
  readonly count: number;
  readonly events: EventBus;
  readonly begin: (worker: number) => Omit<Begin, "kind" | "worker" | "workers">;
  readonly heard: (message: FromWorker, worker: number) => void;
  readonly logged: (lines: string) => void;
}

/** Keeps so many workers running, and speaks to all of them. */
export class Workers {
  restarts = 0;
  readonly #parts: WorkersParts;
  readonly #byNumber = new Map<number, WorkerProcess>();
  /** Cuts short the wait for a worker's next life. */
  readonly #stopping = new AbortController();
  readonly #kept: Promise<void>[] = [];
  /** What each has last said, and what those said that are gone. */
  readonly #metrics = new Map<WorkerProcess, readonly MetricValues[]>();
  #left: readonly MetricValues[] = [];

  constructor(parts: WorkersParts) {
    this.#parts = parts;
  }

  get all(): readonly WorkerProcess[] {
    return [...this.#byNumber.values()];
  }

  get listening(): number {
    return this.all.filter(({ isListening }) => isListening).length;
  }

  /** Resolves with the ports when all listen; rejects when one cannot. */
  async start(): Promise<Ports> {
    const numbers = Array.from({ length: this.#parts.count }, (_, index) => index + 1);
    const first = numbers.map((number) => this.#launch(number));
    const ports = await Promise.all(first.map(({ ready }) => ready));
    for (const worker of first) this.#kept.push(this.#keep(worker));
    return ports[0] as Ports;
  }

  tell(message: ToWorker): void {
    for (const worker of this.all) worker.send(message);
  }

  /** What those answer that are there. */
  async ask<Name extends keyof Questions>(
    name: Name,
    asked: Questions[Name]["asked"],
  ): Promise<readonly Questions[Name]["answer"][]> {
    const answers = await Promise.all(this.all.map((worker) => worker.ask(name, asked)));
    return answers.filter((answer) => answer !== null);
  }

  /** What they have counted, those too that are gone: a worker that is silent counts as it last did. */
  async metrics(): Promise<readonly (readonly MetricValues[])[]> {
    await Promise.all(
      this.all.map(async (worker) => {
        const values = await worker.ask("metrics", null);
        if (values !== null) this.#metrics.set(worker, values);
      }),
    );
    await this.#forget();
    return [this.#left, ...this.#metrics.values()];
  }

  /** Lets all of them finish, each within the grace; resolves when they have ended. */
  async stop(stop: Omit<Stop, "kind">): Promise<void> {
    this.#stopping.abort();
    this.tell({ kind: "stop", ...stop });
    const overdue = setTimeout(() => this.#kill(), stop.graceMs + OVERDUE_MS);
    await Promise.all(this.all.map(({ ended }) => ended));
    await Promise.all(this.#kept);
    clearTimeout(overdue);
  }

  #kill(): void {
    for (const worker of this.all) worker.kill();
  }

  #launch(number: number): WorkerProcess {
    const { count, begin, heard, logged } = this.#parts;
    const given = { kind: "begin", worker: number, workers: count, ...begin(number) } as const;
    const worker = new WorkerProcess(given, { heard: (message) => heard(message, number), logged });
    this.#byNumber.set(number, worker);
    const tell = () => this.#parts.events.emit("workerStarted", { worker: number, pid: worker.pid });
    void worker.ready.then(tell, () => {});
    return worker;
  }

  /** Replaces it when it ends, for as long as nobody stops them. */
  async #keep(first: WorkerProcess): Promise<void> {
    const { signal } = this.#stopping;
    let [worker, bornAtMs, diedYoung] = [first, performance.now(), 0];
    for (;;) {
      const why = await worker.ended;
      if (signal.aborted) return;
      diedYoung = performance.now() - bornAtMs < WELL_AFTER_MS ? diedYoung + 1 : 0;
      const againInMs = pauseMs(diedYoung);
      const { number, pid } = worker;
      this.#parts.events.emit("workerEnded", { worker: number, pid, why, againInMs });
      await sleep(againInMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      this.restarts += 1;
      worker = this.#launch(number);
      bornAtMs = performance.now();
    }
  }

  /** Keeps of those that are gone only what they have counted. */
  async #forget(): Promise<void> {
    const present = new Set(this.all);
    const gone = [...this.#metrics].filter(([worker]) => !present.has(worker));
    if (gone.length === 0) return;
    for (const [worker] of gone) this.#metrics.delete(worker);
    this.#left = await leftBehind([this.#left, ...gone.map(([, values]) => values)]);
  }
}

/** One that was well is replaced at once. */
function pauseMs(diedYoung: number): number {
  if (diedYoung === 0) return 0;
  return Math.min(AGAIN_AFTER.leastMs * 2 ** (diedYoung - 1), AGAIN_AFTER.mostMs);
}

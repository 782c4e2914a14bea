import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";

/** What a process of the proof can be asked to do; each process knows some of it. */
export interface Order {
  readonly act: string;
  readonly region?: string;
  readonly edge?: string;
  readonly mode?: string;
  readonly ms?: number;
  readonly count?: number;
  readonly phase?: string;
}

interface Reply {
  readonly id: number;
  readonly value?: unknown;
}

/** None outlives the process that started it. */
const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** A process of the proof's own that takes orders. */
export class Child {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, (value: unknown) => void>();
  #orders = 0;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", ({ id, value }: Reply) => {
      this.#waiting.get(id)?.(value);
      this.#waiting.delete(id);
    });
  }

  /** Resolves, with the first value that it sends, when it is ready; rejects when it ends before. */
  static async start(file: string, args: readonly string[]): Promise<{ child: Child; ready: unknown }> {
    const forked = fork(file, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    running.add(forked);
    forked.once("exit", () => running.delete(forked));
    const child = new Child(forked);
    const ready = new Promise((resolve) => child.#waiting.set(0, resolve));
    const ended = once(forked, "exit").then(([code]) => {
      throw new Error(`${file} ended with status ${code}`);
    });
    ended.catch(() => undefined);
    return { child, ready: await Promise.race([ready, ended]) };
  }

  /** Resolves when it is done, to what it answers. */
  order(order: Order): Promise<unknown> {
    this.#orders += 1;
    const id = this.#orders;
    this.#child.send({ id, order });
    return new Promise((resolve) => this.#waiting.set(id, resolve));
  }

  /** Resolves when it is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill(signal);
    await exited;
  }
}

/** The other side: says that it is ready, and does what it is told. */
export function takeOrders(ready: unknown, act: (order: Order) => unknown): void {
  process.on("message", ({ id, order }: { readonly id: number; readonly order: Order }) => {
    void Promise.resolve(act(order)).then((value) => process.send?.({ id, value }));
  });
  process.on("disconnect", () => process.exit());
  process.send?.({ id: 0, value: ready });
}

import { readdir, readFile } from "node:fs/promises";

/** What a process holds at one moment. */
export interface Held {
  readonly rssMiB: number;
  readonly descriptors: number;
}

/** What it held at the end of a time, and at most in it. */
export interface HeldOver {
  readonly last: Held;
  readonly most: Held;
  /** In what share of the time its main thread ran, and in what share it could have, had there been a processor for it. */
  readonly ran: number;
  readonly waited: number;
}

/** Nanoseconds that a main thread ran and waited, and when that was read. */
interface Scheduled {
  readonly ranNs: number;
  readonly waitedNs: number;
  readonly atMs: number;
}

const LOOK_MS = 100;

/** Looks at a process again and again, and keeps the most. Counting descriptors is dear, so that is done less often. */
export class HeldWatch {
  readonly #pid: number;
  readonly #timer: NodeJS.Timeout;
  #most: Held = { rssMiB: 0, descriptors: 0 };
  #scheduled: Scheduled = { ranNs: 0, waitedNs: 0, atMs: performance.now() };

  constructor(pid: number) {
    this.#pid = pid;
    this.#timer = setInterval(() => void this.#look(), LOOK_MS);
  }

  /** What was held since this was asked before. */
  async since(): Promise<HeldOver> {
    const last = { rssMiB: await rssMiB(this.#pid), descriptors: await descriptors(this.#pid) };
    const most = larger(this.#most, last);
    this.#most = { rssMiB: 0, descriptors: 0 };
    const before = this.#scheduled;
    const now = await scheduled(this.#pid);
    this.#scheduled = now;
    const shareOf = (ns: number) => ns / 1e6 / (now.atMs - before.atMs);
    const [ran, waited] = [shareOf(now.ranNs - before.ranNs), shareOf(now.waitedNs - before.waitedNs)];
    return { last, most, ran, waited };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #look(): Promise<void> {
    this.#most = larger(this.#most, { rssMiB: await rssMiB(this.#pid), descriptors: 0 });
  }
}

function larger(one: Held, other: Held): Held {
  return {
    rssMiB: Math.max(one.rssMiB, other.rssMiB),
    descriptors: Math.max(one.descriptors, other.descriptors),
  };
}

async function rssMiB(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) / 1_024;
}

async function descriptors(pid: number): Promise<number> {
  return (await readdir(`/proc/${pid}/fd`)).length;
}

async function scheduled(pid: number): Promise<Scheduled> {
  const [ranNs = 0, waitedNs = 0] = (await readFile(`/proc/${pid}/schedstat`, "utf8")).split(" ").map(Number);
  return { ranNs, waitedNs, atMs: performance.now() };
}

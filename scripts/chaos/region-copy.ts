import { nowMs } from "./monotonic.ts";
import type { WriteLog } from "./write-log.ts";

/** What the database of one region holds: the write log up to a position, each write `lagMs` after it was made. */
export class RegionCopy {
  lagMs = 0;
  readonly #id: string;
  readonly #log: WriteLog;
  readonly #versions = new Map<string, number>();
  #position = 0;
  #frozen = false;
  #timer: NodeJS.Timeout | undefined;
  #lastDelayMs = 0;

  constructor(id: string, log: WriteLog) {
    this.#id = id;
    this.#log = log;
  }

  get position(): number {
    return this.#position;
  }

  /** 0 for a key that was never written here. */
  version(key: string): number {
    return this.#versions.get(key) ?? 0;
  }

  /** As a heartbeat table would show it: the delay of the last write applied, or the age of one that waits for longer. */
  get observedLagMs(): number {
    const next = this.#log.after(this.#position);
    return Math.round(Math.max(this.#lastDelayMs, next === null ? 0 : nowMs() - next.atMs));
  }

  /** Applies what is due, and comes back when the next write is. */
  follow(): void {
    if (this.#frozen || this.#timer !== undefined) return;
    this.#apply(nowMs() - this.lagMs);
    const next = this.#log.after(this.#position);
    if (next === null) return;
    this.#timer = setTimeout(() => this.#wake(), Math.max(1, next.atMs + this.lagMs - nowMs()));
    this.#timer.unref();
  }

  /** Has everything at once, as the writer does, and who is about to be it. */
  catchUp(): void {
    this.#apply(Number.POSITIVE_INFINITY);
  }

  /** Writes pile up from now on; `thaw` applies those that are due. */
  freeze(): void {
    this.#frozen = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  thaw(): void {
    this.#frozen = false;
    this.follow();
  }

  /** Forgets what the log no longer has: what came after the position at which another region was promoted. */
  rewind(): void {
    if (this.#position <= this.#log.end) return;
    this.#position = 0;
    this.#versions.clear();
    for (const { key, version } of this.#log.upTo(this.#log.end)) this.#versions.set(key, version);
    this.#position = this.#log.end;
  }

  #wake(): void {
    this.#timer = undefined;
    this.follow();
  }

  #apply(writtenUntilMs: number): void {
    for (;;) {
      const next = this.#log.after(this.#position);
      if (next === null || next.atMs > writtenUntilMs) return;
      this.#versions.set(next.key, next.version);
      this.#position = next.position;
      const appliedAtMs = nowMs();
      next.appliedAtMs[this.#id] ??= appliedAtMs;
      this.#lastDelayMs = appliedAtMs - next.atMs;
    }
  }
}

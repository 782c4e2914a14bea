import { totalmem } from "node:os";
import { getHeapStatistics } from "node:v8";
import { EventLoopLag } from "./eventloop.ts";

/** How this process is, for whoever has to spare it. */
export class ProcessVitals {
  readonly #lag = new EventLoopLag();
  /** What the system lets this process have; without a limit of its own, all there is. */
  readonly #memoryBytes = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());

  /** The median, for one long stall is no overload. */
  lateMs(): number {
    const lateMs = this.#lag.seconds(0.5) * 1_000;
    this.#lag.forget();
    return lateMs;
  }

  /** Of the heap or of the system's memory, whichever is the fuller. */
  memoryShare(): number {
    const { used_heap_size, heap_size_limit } = getHeapStatistics();
    return Math.max(used_heap_size / heap_size_limit, residentBytes() / this.#memoryBytes);
  }

  close(): void {
    this.#lag.close();
  }
}

/** 0 when there is no descriptor left to ask the system with. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

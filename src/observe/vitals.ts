import { totalmem } from "node:os";
import { getHeapSpaceStatistics, getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { EventLoopLag } from "./eventloop.ts";

/** How this process is, for whoever has to spare it. */
export class ProcessVitals {
  readonly #lag = new EventLoopLag();
  /** What the system lets this process have; without a limit of its own, all there is. */
  readonly #memoryBytes: number;

  /** @param processes how many share the system's memory evenly */
  constructor(processes = 1) {
    const allBytes = Math.min(process.constrainedMemory() || Number.POSITIVE_INFINITY, totalmem());
    this.#memoryBytes = allBytes / processes;
  }

  /** The median, for one long stall is no overload. */
  lateMs(): number {
    const lateMs = this.#lag.seconds(0.5) * 1_000;
    this.#lag.forget();
    return lateMs;
  }

  /** Of the heap or of the system's memory, whichever is the fuller. */
  memoryShare(): number {
    return Math.max(oldBytes() / OLD_LIMIT_BYTES, residentBytes() / this.#memoryBytes);
  }

  /** A collection that also gives pages back. It takes as long as what is alive is large: about 2 s for a gigabyte. */
  tidy(): void {
    collector()({ type: "major", flavor: "last-resort" });
  }

  close(): void {
    this.#lag.close();
  }
}

/** Of V8's limit on 64 bits, for objects that are young: three halves of 32 MiB. A heap is full when the old ones fill the rest. */
const YOUNG_BYTES = 3 * 32 * 1_048_576;
const OLD_LIMIT_BYTES = Math.max(getHeapStatistics().heap_size_limit - YOUNG_BYTES, YOUNG_BYTES / 6);

/** What objects take that are not young any more. */
function oldBytes(): number {
  const old = getHeapSpaceStatistics().filter(({ space_name }) => !space_name.startsWith("new_"));
  return old.reduce((sum, { space_used_size }) => sum + space_used_size, 0);
}

type Collector = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;

/** What `node --expose-gc` has. Nobody starts an edge with that, and it is needed only when memory is short. */
function collector(): Collector {
  setFlagsFromString("--expose-gc");
  return runInNewContext("gc") as Collector;
}

/** 0 when there is no descriptor left to ask the system with. */
function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}

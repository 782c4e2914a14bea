import { systemClock } from "../src/clock.ts";
import { MemoryPinStore } from "../src/consistency/memory.ts";
import { newPid } from "./new-pid.ts";

/** What pins cost in an edge's own memory: `node --expose-gc local-pins.ts COUNT`, as one line of JSON. */
const LIFE_MS = 3_600_000;
const LOOK_UPS = 200_000;

const count = Number(process.argv[2]);
const store = new MemoryPinStore(systemClock);
const pids = Array.from({ length: count }, newPid);
const strangers = Array.from({ length: 1_000 }, newPid);

const before = heldBytes();
// Of its own in the store, as the text of a user's pid is in an edge.
const copyOf = (pid = "") => Buffer.from(pid, "latin1").toString("latin1");
const beginNs = await nsOfEach(count, (nth) => store.begin([copyOf(pids[nth])], `bench.${nth}`, LIFE_MS));
const bytes = heldBytes() - before;
const looked = (nth: number) => store.holdNow([pids[(nth * 7919) % count] ?? strangers[nth % 1_000] ?? ""]);
await nsOfEach(LOOK_UPS, looked);
const readNs = await nsOfEach(LOOK_UPS, looked);
const bytesPerPin = count === 0 ? null : bytes / count;
process.stdout.write(JSON.stringify({ bytesPerPin, beginNs: count === 0 ? null : beginNs, readNs }));

function heldBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed;
}

async function nsOfEach(times: number, act: (nth: number) => unknown): Promise<number> {
  const startMs = performance.now();
  for (let nth = 0; nth < times; nth += 1) await act(nth);
  return ((performance.now() - startMs) * 1e6) / times;
}

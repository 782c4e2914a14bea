import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { configSchema } from "../../src/config/schema.ts";
import { StoreAway } from "../../src/consistency/breaker.ts";
import { MemoryPinStore } from "../../src/consistency/memory.ts";
import { type OpenPin, Pins } from "../../src/consistency/pins.ts";
import type { Pid, PinStore, Welcome } from "../../src/consistency/store.ts";
import { EventBus } from "../../src/events.ts";
import { decideAsking } from "../../src/proxy/inputs.ts";
import type { Decision } from "../../src/routing/decision.ts";
import { inputsOf } from "../unit/routing-world.ts";

const WINDOW_MS = 10_000;
const RESPONSE_MS = 30_000;
/** The position of a write that the region has answered without making it. */
const NEVER = -1;
const REPLICAS = ["eu", "ap"] as const;
const PIDS = ["u", "v"] as const;

/** What becomes of a command to the shared store: it runs, or is lost, or runs when it was given up, or runs twice. */
type Fate = "runs" | "lost" | "late" | "twice";

interface Told {
  readonly edge: number;
  readonly fate: Fate;
}
type Op =
  | ({ readonly kind: "begin"; readonly pids: readonly Pid[] } & Told)
  | ({ readonly kind: "answer"; readonly at: number; readonly how: "position" | "plain" | "unknown" } & Told)
  | { readonly kind: "commit"; readonly at: number }
  | { readonly kind: "replicate"; readonly replica: 0 | 1; readonly by: number }
  | { readonly kind: "pass"; readonly ms: number }
  | { readonly kind: "runLate"; readonly at: number }
  | { readonly kind: "forget" }
  | ({ readonly kind: "read"; readonly pids: readonly Pid[]; readonly home: number } & Told);

interface Write {
  readonly edge: number;
  readonly pids: readonly Pid[];
  readonly pin: OpenPin;
  readonly begunAtMs: number;
  /** Whether other edges can know of it: else its answer says so. */
  readonly isRecorded: boolean;
  position: number;
  committedAtMs: number;
  isAnswered: boolean;
}

/** The shared store as one edge meets it: with a fate for each command, and with its loss of memory noticed as in `guarded`. */
class Line implements PinStore {
  fate: Fate = "runs";
  #welcome: Welcome = () => Promise.resolve(null);
  #seen: MemoryPinStore;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
    this.#seen = world.shared;
  }

  onReturn(welcome: Welcome): void {
    this.#welcome = welcome;
  }

  begin(...given: Parameters<PinStore["begin"]>): Promise<void> {
    return this.#command((store) => store.begin(...given));
  }

  end(...given: Parameters<PinStore["end"]>): Promise<void> {
    return this.#command((store) => store.end(...given));
  }

  remaining(pids: readonly Pid[]): Promise<number> {
    return this.#question((store) => store.remaining(pids));
  }

  held(pids: readonly Pid[]) {
    return this.#question((store) => store.held(pids));
  }

  async inspect(): Promise<null> {
    return null;
  }

  async release(): Promise<boolean> {
    return false;
  }

  async close(): Promise<void> {}

  async #command(run: (store: PinStore) => Promise<void>): Promise<void> {
    const { fate } = this;
    if (fate === "late" || fate === "twice") this.#world.late.push(() => void run(this.#world.shared));
    if (fate === "lost" || fate === "late") throw new Error("no answer");
    await run(this.#world.shared);
  }

  async #question<T>(ask: (store: PinStore) => Promise<T>): Promise<T> {
    if (this.fate === "lost" || this.fate === "late") throw new Error("no answer");
    const { shared, bornAtMs } = this.#world;
    if (this.#seen === shared) return ask(shared);
    await this.#welcome({ memoryMs: this.#world.nowMs - bornAtMs, afterOutage: true }, shared);
    this.#seen = shared;
    throw new StoreAway("it has lost its memory");
  }
}

/** Two edges, one store, one write log, two replicas. */
class World {
  nowMs = 100_000;
  bornAtMs = 0;
  readonly clock = { now: () => this.nowMs, wall: () => this.nowMs };
  shared = new MemoryPinStore(this.clock);
  late: (() => void)[] = [];
  readonly #lines = [new Line(this), new Line(this)];
  readonly #edges = this.#lines.map((store) => this.#edge(store));
  readonly #writes: Write[] = [];
  readonly #applied = [0, 0];
  #log = 0;
  /** How often which kind of answer was given, so that the test is known to test something. */
  readonly seen = { released: 0, free: 0, writer: 0, marked: 0 };

  #edge(store: PinStore): Pins {
    const consistency = { graceWindow: `${WINDOW_MS}ms` };
    const config = configSchema.parse({
      regions: {},
      consistency,
      proxy: { responseTimeout: `${RESPONSE_MS}ms` },
    });
    return new Pins(config, { clock: this.clock, events: new EventBus(), store });
  }

  async run(op: Op): Promise<void> {
    if ("edge" in op) this.#line(op.edge).fate = op.fate;
    await this.#do(op);
    await turn();
  }

  async #do(op: Op): Promise<void> {
    if (op.kind === "begin") return this.#begin(op.edge, op.pids);
    if (op.kind === "commit") return this.#commit(this.#pick(op.at, ({ position }) => position === 0));
    if (op.kind === "answer")
      return this.#answer(
        this.#pick(op.at, ({ isAnswered }) => !isAnswered),
        op,
      );
    if (op.kind === "read") return this.#read(op);
    if (op.kind === "replicate") this.#replicate(op.replica, this.#at(op.replica) + op.by);
    if (op.kind === "pass") this.#pass(op.ms);
    if (op.kind === "runLate") this.late.splice(op.at % Math.max(1, this.late.length), 1)[0]?.();
    if (op.kind === "forget") {
      this.shared = new MemoryPinStore(this.clock);
      this.bornAtMs = this.nowMs;
    }
  }

  async #begin(edge: number, pids: readonly Pid[]): Promise<void> {
    const pin = this.#pins(edge).open(pids);
    const isRecorded = (await pin.acknowledged) === "recorded";
    const begunAtMs = this.nowMs;
    this.#writes.push({
      edge,
      pids,
      pin,
      begunAtMs,
      isRecorded,
      position: 0,
      committedAtMs: 0,
      isAnswered: false,
    });
  }

  #commit(write: Write | undefined): void {
    if (write === undefined || this.nowMs - write.begunAtMs > RESPONSE_MS) return;
    this.#log += 1;
    Object.assign(write, { position: this.#log, committedAtMs: this.nowMs });
  }

  #answer(write: Write | undefined, { how, fate }: Extract<Op, { kind: "answer" }>): void {
    if (write === undefined) return;
    this.#line(write.edge).fate = fate;
    write.isAnswered = true;
    const position = how === "plain" ? null : this.#place(write.position);
    if (how === "unknown") {
      write.pin.settle("unknown");
    } else if (write.position > 0) {
      write.pin.settle("committed", { position });
    } else {
      write.position = NEVER;
      write.pin.settle("notWritten");
    }
  }

  async #read({ edge, pids, home, fate }: Extract<Op, { kind: "read" }>): Promise<void> {
    this.#line(edge).fate = fate;
    const pins = this.#pins(edge);
    const applied = Object.fromEntries(
      REPLICAS.map((id, at) => [id, { applied: this.#place(this.#at(at)) }]),
    );
    const base = inputsOf({ facts: { affinity: REPLICAS[home] ?? null }, changes: applied });
    const known = pins.known(pids, null, true);
    const { decision, inputs } = await decideAsking({ ...base, ...known }, ({ hold }) =>
      pins.read(pids, { carriesToken: false, known: hold, positions: true }),
    );
    this.#judge(decision, inputs.pin, edge, pids);
  }

  /** An unmarked answer of a replica has every write of this user that anybody was told of. */
  #judge(decision: Decision, pin: string, edge: number, pids: readonly Pid[]): void {
    assert.ok(decision.kind === "routed");
    const replica = (REPLICAS as readonly string[]).indexOf(decision.region);
    this.seen.marked += decision.consistency === null ? 0 : 1;
    this.seen.writer += replica < 0 ? 1 : 0;
    if (replica < 0 || decision.consistency !== null) return;
    this.seen[pin === "free" ? "free" : "released"] += 1;
    const mine = this.#writes.filter((write) => write.pids.some((pid) => pids.includes(pid)));
    const owed = mine.filter((write) => write.isRecorded || write.edge === edge);
    for (const { position } of owed)
      assert.ok(position <= this.#at(replica), `${pin}: ${decision.region} lacks ${position}`);
  }

  /** Replicas lag less than the window. */
  #pass(ms: number): void {
    this.nowMs += ms;
    for (const { position, committedAtMs } of this.#writes)
      if (position > 0 && committedAtMs <= this.nowMs - WINDOW_MS)
        for (const at of REPLICAS.keys()) this.#replicate(at, position);
  }

  #replicate(replica: number, to: number): void {
    this.#applied[replica] = Math.max(this.#at(replica), Math.min(to, this.#log));
  }

  #place(position: number) {
    return { epoch: 1, at: position.toString(16).padStart(16, "0") };
  }

  #at(replica: number): number {
    return this.#applied[replica] ?? 0;
  }

  #pick(at: number, fits: (write: Write) => boolean): Write | undefined {
    const fitting = this.#writes.filter(fits);
    return fitting[at % Math.max(1, fitting.length)];
  }

  #pins(edge: number): Pins {
    const pins = this.#edges[edge];
    assert.ok(pins);
    return pins;
  }

  #line(edge: number): Line {
    const line = this.#lines[edge];
    assert.ok(line);
    return line;
  }

  async close(): Promise<void> {
    await Promise.all(this.#edges.map((edge) => edge.close()));
  }
}

const edge = fc.constantFrom(0, 1);
const fate: fc.Arbitrary<Fate> = fc.oneof(
  { weight: 30, arbitrary: fc.constant("runs" as const) },
  { weight: 3, arbitrary: fc.constantFrom("lost", "late", "twice") },
);
const pids = fc.subarray([...PIDS], { minLength: 1 });
const at = fc.nat({ max: 7 });

const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("begin"), pids, edge, fate }) },
  { weight: 9, arbitrary: fc.record({ kind: fc.constant("commit"), at }) },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constant("answer"),
      at,
      how: fc.constantFrom(
        "position",
        "position",
        "position",
        "position",
        "position",
        "position",
        "plain",
        "unknown",
      ),
      edge,
      fate,
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant("replicate"),
      replica: fc.constantFrom(0, 1),
      by: fc.constantFrom(1, 1, 9),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant("pass"), ms: fc.constantFrom(10, 400, 400, 12_000) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("runLate"), at }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("forget") }) },
  {
    weight: 14,
    arbitrary: fc.record({ kind: fc.constant("read"), pids, home: fc.constantFrom(0, 1), edge, fate }),
  },
) as fc.Arbitrary<Op>;

test("nobody is let go to a replica that lacks an acknowledged write, whatever becomes of the commands", async () => {
  const seen = { released: 0, free: 0, writer: 0, marked: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 20, maxLength: 120, size: "max" }), async (ops) => {
      const world = new World();
      try {
        for (const one of ops) await world.run(one);
      } finally {
        await world.close();
        for (const key of Object.keys(seen) as (keyof typeof seen)[]) seen[key] += world.seen[key];
      }
    }),
    { numRuns: 400 },
  );
  assert.ok(seen.released > 50 && seen.free > 50 && seen.writer > 50, JSON.stringify(seen));
});

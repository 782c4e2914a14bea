/** The clients of one user: two browsers with cookies of their own and one identity, and a program without cookies. */
export const DEVICES = ["browser-1", "browser-2", "bare"] as const;
export type Device = (typeof DEVICES)[number];

/** One request as its client saw it. All times of a history are milliseconds of one monotonic clock, see `monotonic.ts`. */
export interface Operation {
  /** Sent along, so that the region's ledger has it too. */
  readonly id: string;
  readonly user: string;
  readonly device: Device;
  readonly edge: string;
  /** Where this client is served through this edge while nothing holds it: its affinity, else what is nearest. */
  readonly home: string;
  readonly kind: "read" | "write";
  /** Only this user writes it. */
  readonly key: string;
  /** The fault that was begun last; `calm` before the first. */
  readonly phase: string;
  /** How long its body took on purpose. */
  readonly uploadMs: number;
  readonly sentMs: number;
  /** When the response head arrived; null when none did. */
  readonly headMs: number | null;
  readonly status: number | null;
  /** The edge's own word for a failure, or the code of a lost connection. */
  readonly fault: string | null;
  readonly version: number | null;
  readonly region: string | null;
  readonly reason: string | null;
  /** What the edge said of its promise; null when it holds. */
  readonly consistency: string | null;
  /** Where the response was made to be lost: the client left, or the region cut the connection after its commit. */
  readonly cut: "client" | "region" | null;
  /** Whether Redis had the user's pin right after the head of a write; null when that could not be known. */
  readonly recorded: boolean | null;
}

/** A write that a region has executed, as the ledger of the world has it. */
export interface Execution {
  readonly operation: string;
  readonly key: string;
  /** Never used again in this world, not even when a promotion loses it; what is written later is larger. */
  readonly version: number;
  readonly epoch: number;
  /** Used again by the next epoch, when a promotion loses this write. */
  readonly position: number;
  readonly atMs: number;
  /** By region: when its database first had it. */
  readonly appliedAtMs: Readonly<Record<string, number>>;
  /** When a promotion left it behind; null when none did. */
  readonly lostAtMs: number | null;
}

/** Which region writes, from when on. */
export interface Reign {
  readonly epoch: number;
  readonly writer: string;
  readonly fromMs: number;
}

/** A region that answers nobody; `toMs` is null when that is so to the end. */
export interface Outage {
  readonly region: string;
  readonly fromMs: number;
  readonly toMs: number | null;
}

/** What the world says of itself. */
export interface WorldRecord {
  readonly executions: readonly Execution[];
  readonly reigns: readonly Reign[];
  readonly outages: readonly Outage[];
}

/** What an edge's wall clock was off by; `fromMs` and `toMs` are the widest that it may have been. */
export interface ClockOffset {
  readonly edge: string;
  readonly offsetMs: number;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface History extends WorldRecord {
  readonly operations: readonly Operation[];
  readonly clocks: readonly ClockOffset[];
}

/** One line of JSON for each thing that happened: requests in the order of sending, then what the world says. */
export function asNdjson({ operations, executions, reigns, outages, clocks }: History): string {
  const sent = operations.toSorted((one, other) => one.sentMs - other.sentMs);
  const entries = [...sent, ...executions, ...reigns, ...outages, ...clocks];
  return entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

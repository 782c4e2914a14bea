/** The clients of one user: two browsers with cookies of their own and one identity, and a program without cookies. */
export const DEVICES = ["browser-1", "browser-2", "bare"] as const;
export type Device = (typeof DEVICES)[number];

/** One request as its client saw it. Times are milliseconds of one monotonic clock, the clients'. */
export interface Operation {
  /** Sent along, so that the region's ledger has it too. */
  readonly id: string;
  readonly user: string;
  readonly device: Device;
  readonly edge: string;
  readonly kind: "read" | "write";
  /** Only this user writes it. */
  readonly key: string;
  /** The fault that was begun last; `calm` before the first. */
  readonly phase: string;
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

/** A write that a region has executed, as its ledger has it. */
export interface Execution {
  readonly operation: string;
  readonly key: string;
  readonly version: number;
}

export interface History {
  readonly operations: readonly Operation[];
  readonly executions: readonly Execution[];
}

/** One line of JSON for each thing that happened, in the order of sending. */
export function asNdjson({ operations, executions }: History): string {
  const sent = operations.toSorted((one, other) => one.sentMs - other.sentMs);
  return [...sent, ...executions].map((entry) => `${JSON.stringify(entry)}\n`).join("");
}

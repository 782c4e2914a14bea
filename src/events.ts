import { EventEmitter } from "node:events";
import type { Fault } from "./errors.ts";
import type { Decision, DecisionInputs, PinReading, Reason } from "./routing/decision.ts";
import type { DrillKind } from "./routing/drill.ts";
import type { Admission, Health, View } from "./routing/region.ts";
import type { Trace } from "./trace.ts";

/** One try at one endpoint. */
export interface Attempt {
  readonly region: string;
  /** The endpoint's origin, `http://10.0.0.1:8080`. */
  readonly endpoint: string;
  /** The status it answered, or the fault it failed with. */
  readonly outcome: number | Fault;
  /** Since the request came. */
  readonly startedMs: number;
  /** From dispatch to the response head, or to the failure. */
  readonly durationMs: number;
}

/** Everything that is known of a request when it is over. No query string, cookie or identity in it. */
export interface RequestRecord {
  readonly id: string;
  readonly startedAtWallMs: number;
  readonly method: string;
  /** Path without the query string. */
  readonly path: string;
  readonly protocol: "http/1.0" | "http/1.1" | "h2" | "websocket";
  /** The status sent to the client; 499 when it left before one was sent. */
  readonly status: number;
  readonly region: string | null;
  readonly reason: Reason | null;
  readonly fault: Fault | null;
  readonly attempts: readonly Attempt[];
  readonly durationMs: number;
  /** Dispatch to response head of the last attempt; null when nothing was dispatched. */
  readonly upstreamMs: number | null;
  /** Time to the response head that was not the region's: reading, deciding, pins. */
  readonly overheadMs: number | null;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly pin: PinReading;
  /** When the store was asked for the pin, since the request came; null when it was not. */
  readonly pinLookup: { readonly startedMs: number; readonly durationMs: number } | null;
  /** What was said in `x-meridian-consistency`; null when the guarantee held. */
  readonly consistency: Consistency | null;
  readonly affinity: AffinityResult;
  /** False when the response was cut after its head had been sent. */
  readonly complete: boolean;
  /** Null while nothing is traced. */
  readonly trace: Trace | null;
  readonly decision: Decision | null;
  readonly inputs: DecisionInputs | null;
}

export type Consistency = "degraded" | "stale" | "lost" | "cookie-only";

/** `hit`: served where the cookie says; `moved`: the cookie changed; `new`: first cookie; `kept`: a detour that left the cookie alone; `none`: no session. */
export type AffinityResult = "hit" | "moved" | "new" | "kept" | "none";

/** What this process has too little of. */
export type OverloadCause = "event_loop" | "memory";

/** Why a connection is not taken: the limit of the file, of this process' descriptors, of its address, or an overload. */
export type ConnectionRefusal = "connections" | "descriptors" | "address" | "proxy_header" | OverloadCause;

/** What happens inside an edge, for whoever watches. Emitted synchronously; listeners must not throw. */
export interface EdgeEvents {
  requestDone: RequestRecord;
  /** What a client sent became no request: it came too slowly, was too much, or is not HTTP. */
  headRefused: { readonly fault: Fault };
  /** A connection was not taken. The address, or the IPv6 network, when it has too many. */
  connectionRefused: { readonly cause: ConnectionRefusal; readonly address: string | null };
  /** New connections are refused, for the sake of those there are, or taken again. */
  overloadChanged: { readonly cause: OverloadCause; readonly shedding: boolean; readonly seen: string };
  retried: { readonly fault: Fault };
  retryBudgetExhausted: Record<string, never>;
  probed: {
    readonly region: string;
    readonly endpoint: string;
    readonly result: "pass" | "degraded" | "drain" | "status" | "timeout" | "connect" | "body";
    readonly roundTripMs: number | null;
    readonly cause: string | null;
  };
  healthChanged: {
    readonly region: string;
    readonly from: Health;
    readonly to: Health;
    readonly cause: string;
  };
  endpointEjected: { readonly region: string; readonly endpoint: string; readonly cause: string };
  admissionChanged: {
    readonly region: string;
    readonly from: Admission;
    readonly to: Admission;
    readonly by: string;
    readonly why: string;
  };
  /** A window of the calendar is in force, or no more; said by every edge, whoever has begun or ended it. */
  maintenanceBegan: {
    readonly region: string;
    readonly admission: Admission;
    /** An ISO date and time. */
    readonly until: string;
    readonly why: string;
  };
  maintenanceEnded: { readonly region: string; readonly by: string; readonly why: string };
  /** The loss of a region is rehearsed, or no more; said by every edge. */
  drillBegan: {
    readonly drill: string;
    readonly region: string;
    readonly kind: DrillKind;
    /** An ISO date and time. */
    readonly until: string;
    readonly who: string;
    readonly why: string;
  };
  drillEnded: DrillOutcome;
  /** Another write region, another epoch, or writes are held or taken again. */
  epochChanged: {
    readonly epoch: number;
    readonly writeRegion: string | null;
    readonly from: string | null;
    readonly moving: boolean;
  };
  /** A move of the write region begins, comes to another step or into other hands, and is over; said by every edge. */
  moveBegan: MoveNews & { readonly why: string; readonly automatic: boolean; readonly by: string };
  moveStepped: MoveNews & { readonly step: string; readonly by: string };
  moveEnded: MoveNews & {
    /** Whether writes go to the new region now, or go on in the old one. */
    readonly moved: boolean;
    readonly epoch: number;
    readonly heldMs: number;
  };
  /** A region takes writes of an epoch that is over, or does so no more. */
  fenceChanged: { readonly region: string; readonly fenced: boolean };
  viewChanged: { readonly view: View };
  pinned: { readonly action: "begin" | "extend" | "end" | "cancel" | "expire" };
  pinLookedUp: { readonly durationMs: number; readonly result: "free" | "pinned" | "unknown" };
  /** Somebody writes so often that his pin has not ended for long. The pid is a hash. */
  pinStorm: { readonly pid: string; readonly pinnedForMs: number; readonly writes: number };
  pinStoreFailed: { readonly op: string; readonly cause: string };
  redisState: { readonly up: boolean; readonly cause: string | null };
  /** Mode `bounded`: whether what this edge knows of others' writes is older than `staleness`. */
  feedState: { readonly behind: boolean; readonly cause: string | null };
  configReloaded: {
    readonly result: "applied" | "unchanged" | "rejected";
    readonly changes: readonly string[];
    readonly problems: readonly string[];
  };
  /** Files of certificates hold others than before, and those are shown from now on. A line each. */
  certificatesRenewed: { readonly changes: readonly string[] };
  audited: AuditLine;
  /** A call of the admin API was refused for who made it. */
  adminRefused: { readonly fault: AccessFault };
  /** Somebody gave so many wrong tokens that the admin API does not listen to that address for a while. */
  lockedOut: { readonly address: string; readonly wrongTokens: number; readonly lastsMs: number };
  /** A worker listens; has ended, though nobody asked it to, and when another takes its place. */
  workerStarted: { readonly worker: number; readonly pid: number };
  workerEnded: {
    readonly worker: number;
    readonly pid: number;
    readonly why: string;
    readonly againInMs: number;
  };
  /** What happened at a worker, for whoever watches the edge: an event of this list, by its name. */
  workerTold: { readonly worker: number; readonly name: keyof EdgeEvents; readonly event: object };
  /** Something works and is probably not what one wants. `what` is one of a few phrases. */
  warned: { readonly what: string; readonly detail: string };
  /** A bug of ours that nobody caught; the edge goes on. */
  uncaught: { readonly origin: "uncaughtException" | "unhandledRejection"; readonly error: Error };
  /** The resolver has failed, or dawdled, over a region's name that it has known; its last addresses serve. */
  nameFailed: { readonly hostname: string; readonly cause: string };
  /** A bug of ours: the request got a 500 and the process goes on. */
  failed: { readonly where: string; readonly error: Error };
}

/** Why the admin API does not let somebody in. */
export type AccessFault = "unauthenticated" | "forbidden" | "foreign_origin" | "locked_out";

/** What a drill has shown. Times are milliseconds since it began; null: it never came to that. */
export interface DrillOutcome {
  readonly drill: string;
  readonly region: string;
  readonly kind: DrillKind;
  readonly result: "passed" | "aborted" | "stopped" | "lost";
  readonly why: string;
  readonly lastedMs: number;
  readonly detectMs: { readonly first: number | null; readonly last: number | null };
  readonly shiftMs: number | null;
  readonly recoveryMs: number | null;
  readonly requests: number;
  readonly lost: number;
  readonly retried: number;
  /** Whether this edge has written the report: one edge has. */
  readonly reportedHere: boolean;
}

/** Which move of the write region something is about. */
export interface MoveNews {
  readonly move: string;
  readonly from: string;
  readonly to: string;
}

/** One change by an operator, or one that was refused. */
export interface AuditLine {
  readonly who: string;
  readonly what: string;
  readonly target: string | null;
  readonly before: unknown;
  readonly after: unknown;
  readonly why: string | null;
  readonly result: "done" | "refused" | "dry-run";
  /** Of what was refused: why, and the address it came from. */
  readonly fault?: string;
  readonly from?: string;
  /** How many such lines were held back before this one. */
  readonly suppressed?: number;
}

/** The one bus of an edge: node:events with our names and shapes. */
export class EventBus extends EventEmitter<{ [K in keyof EdgeEvents]: [EdgeEvents[K]] }> {}

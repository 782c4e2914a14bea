import type { Fault } from "../errors.ts";
import type { RequestRecord } from "../events.ts";
import type { Endpoint } from "../regions/table.ts";
import type { Exchange } from "./exchange.ts";

/** How one attempt at one endpoint ended. */
export interface AttemptResult {
  /** Null when the whole answer arrived (or the tunnel ended as tunnels do). */
  readonly fault: Fault | null;
  /** The region's status; null when no head came. */
  readonly status: number | null;
  /** Whether a byte may have reached the region. If not, any method may be tried elsewhere. */
  readonly sent: boolean;
  /** It went over a connection that had been kept, which ended before a byte of the answer: no sign of ill health. */
  readonly stale: boolean;
  /** Dispatch to response head, or to the failure. */
  readonly durationMs: number;
  readonly cause: string | null;
}

/** An attempt that never began. */
export function unsent(fault: Fault, durationMs = 0, cause: string | null = null): AttemptResult {
  return { fault, status: null, sent: false, stale: false, durationMs, cause };
}

/** Nobody took the connection in time. */
export function unreached(durationMs: number): AttemptResult {
  return unsent("connect_failed", durationMs, "UND_ERR_CONNECT_TIMEOUT: not reached, for a drill");
}

/**
 * What differs between a request and an upgrade: how it is carried to an endpoint and its answer back, and how it
 * is refused. Everything else (deciding, pins, retries, telling) is the router's and the same for both.
 */
export interface Carrier {
  readonly protocol: RequestRecord["protocol"];
  /** Whether an answer's head can be held until a pin is recorded; if not, the pin is recorded first. */
  readonly holdsHead: boolean;
  /** The client's connection is gone: nobody would read an answer. */
  readonly gone: boolean;
  /** The client has been sent a response head. */
  readonly answered: boolean;
  /** What the client was sent; 499 when nothing. */
  readonly status: number;
  /** Whether the answer went out to its end. */
  readonly complete: boolean;
  /** A part of the request's body was asked for, so it cannot be sent again. */
  readonly bodyStarted: boolean;
  /** Unless all of it is kept. */
  readonly bodyKept: boolean;
  /** The client has not sent its body to the end. */
  readonly bodyUnread: boolean;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Resolves when the body is here, or so much of it, or for so long, that no more is waited for; null: at once. */
  awaitBody(): Promise<void> | null;
  /** Carries the exchange to an endpoint. Resolves once, never rejects. */
  carry(exchange: Exchange, endpoint: Endpoint): Promise<AttemptResult>;
  /** Answers with problem+json; whoever calls has seen that nothing was answered. */
  refuse(exchange: Exchange, fault: Fault, detail?: string): void;
}

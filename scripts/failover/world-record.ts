import type { WorldRecord } from "../chaos/history.ts";
import type { Entry } from "./ledger.ts";
import type { HookCall } from "./promoter.ts";

/** What the process of the world is started with. */
export interface WorldSetup {
  readonly seed: number;
  readonly edges: readonly {
    readonly id: string;
    /** One way, by region. */
    readonly wayMs: Readonly<Record<string, number>>;
  }[];
  readonly regions: readonly string[];
  /** The first writer; null where all are. */
  readonly writer: string | null;
}

/** Where everything is, once it listens. */
export interface WorldReady {
  readonly hookUrl: string;
  /** By edge and region. */
  readonly endpoints: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

/** What the world says of itself in the end. What was written where nobody reigns any more is lost by then. */
export interface FailoverWorldRecord extends WorldRecord {
  readonly executions: readonly Entry[];
  readonly hookCalls: readonly HookCall[];
}

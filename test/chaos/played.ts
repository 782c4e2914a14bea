import type { Execution, History, Operation } from "../../scripts/chaos/history.ts";

let made = 0;

/** A request that was served in 10 ms by the write region, unless something else is said. */
export function operation(given: Partial<Operation> & Pick<Operation, "kind" | "sentMs">): Operation {
  made += 1;
  return {
    id: `op-${made}`,
    user: "ada",
    device: "browser-1",
    edge: "edge-1",
    home: "eu-west",
    key: "ada-0",
    phase: "calm",
    uploadMs: 0,
    headMs: given.sentMs + 10,
    status: 200,
    fault: null,
    version: 0,
    region: "us-east",
    reason: null,
    consistency: null,
    cut: null,
    recorded: null,
    ...given,
  };
}

/** The ledger's entry of a write, which no replica has yet. */
export function executionOf(
  { id, key, version, sentMs }: Operation,
  given: Partial<Execution> = {},
): Execution {
  const atMs = sentMs + 5;
  return {
    operation: id,
    key,
    version: version ?? 0,
    epoch: 1,
    position: version ?? 0,
    atMs,
    appliedAtMs: { "us-east": atMs },
    lostAtMs: null,
    ...given,
  };
}

/** One of us-east's reign, in which all regions are in service and all clocks right. */
export function historyOf(given: Partial<History>): History {
  const reigns = [{ epoch: 1, writer: "us-east", fromMs: 0 }];
  return { operations: [], executions: [], reigns, outages: [], clocks: [], ...given };
}

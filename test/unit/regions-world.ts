import type { Clock } from "../../src/clock.ts";
import { type Config, configSchema } from "../../src/config/schema.ts";
import { type EdgeEvents, EventBus } from "../../src/events.ts";
import { type Reported, SILENT } from "../../src/regions/answer.ts";
import type { ProbeResult } from "../../src/regions/probe.ts";
import { RegionTable } from "../../src/regions/table.ts";

/** A configuration as one would write it, with its defaults. */
export function configOf(written: Record<string, unknown>): Config {
  return configSchema.parse(written);
}

/** Two regions, the second with two endpoints. Nothing listens there. */
export const TWO_REGIONS = {
  "us-east": { role: "writer", endpoints: ["http://127.0.0.1:1"] },
  "eu-west": { role: "replica", endpoints: ["http://127.0.0.1:2", "http://127.0.0.1:3"] },
};

/** Time that passes only when told to. */
export class ManualClock implements Clock {
  #nowMs = 1_000_000;

  now(): number {
    return this.#nowMs;
  }

  wall(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  advance(ms: number): void {
    this.#nowMs += ms;
  }
}

/** A table under a manual clock that writes down what it emits. */
export class World {
  readonly clock = new ManualClock();
  readonly events = new EventBus();
  readonly table: RegionTable;
  readonly said: string[] = [];

  constructor(written: Record<string, unknown> = { regions: TWO_REGIONS }) {
    this.events.on("healthChanged", ({ region, from, to }) => this.said.push(`${region} ${from}->${to}`));
    this.events.on("endpointEjected", ({ endpoint, cause }) =>
      this.said.push(`ejected ${endpoint} ${cause}`),
    );
    this.events.on("admissionChanged", (event) => this.said.push(admissionSentence(event)));
    this.table = new RegionTable(configOf(written), this);
  }

  /** One probe of the endpoint on that port. Words: a result, a round trip `20ms`, a lag `lag=5`, a cause `cause=EMFILE`. */
  probe(port: number, words: string): void {
    const endpoint = this.endpoint(port);
    const [result = "pass", ...rest] = words.split(" ");
    const lag = rest.find((word) => word.startsWith("lag="));
    const cause = rest.find((word) => word.startsWith("cause="))?.slice(6) ?? null;
    const roundTrip = rest.find((word) => word.endsWith("ms"));
    this.table.probed(endpoint, {
      result: result as ProbeResult,
      cause,
      roundTripMs: roundTrip === undefined ? null : Number.parseFloat(roundTrip),
      reported: { ...SILENT, ...statusOf(result), lagMs: lag === undefined ? null : Number(lag.slice(4)) },
    });
  }

  probes(ports: readonly number[], words: string): void {
    for (const port of ports) this.probe(port, words);
  }

  endpoint(port: number): RegionTable["endpoints"][number] {
    const found = this.table.endpoints.find(({ origin }) => origin.endsWith(`:${port}`));
    if (found === undefined) throw new Error(`no endpoint on port ${port}`);
    return found;
  }

  region(id: string) {
    const found = this.table.view.byId.get(id);
    if (found === undefined) throw new Error(`no region ${id}`);
    return found;
  }

  /** Lets time pass in beats, as the prober does. */
  pass(ms: number): void {
    for (let passed = 0; passed < ms; passed += 250) {
      this.clock.advance(Math.min(250, ms - passed));
      this.table.beat();
    }
  }
}

function statusOf(result: string): Pick<Reported, "status"> {
  return { status: result === "degraded" || result === "drain" ? result : "ok" };
}

function admissionSentence({ region, from, to, by }: EdgeEvents["admissionChanged"]): string {
  return `${region} ${from}->${to} by ${by}`;
}

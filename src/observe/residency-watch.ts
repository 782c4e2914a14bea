import type { EventBus, RequestRecord } from "../events.ts";
import { decide, verdicts } from "../routing/decide.ts";
import type { DecisionInputs } from "../routing/decision.ts";

/** Lines about the same jurisdictions are at least so far apart. */
const INTERVAL_MS = 10_000;

/** Who speaks in the audit log where no person does. */
const MERIDIAN = "meridian";

/** What has been refused since the last line about some jurisdictions. */
interface Untold {
  count: number;
  /** Of the latest. */
  inputs: DecisionInputs;
  readonly timer: NodeJS.Timeout;
}

/**
 * Has it audited when residency costs somebody an answer: the first refusal at once, those after it counted, in one line
 * for each list of jurisdictions every ten seconds.
 */
export class ResidencyWatch {
  readonly #events: EventBus;
  readonly #intervalMs: number;
  readonly #untold = new Map<string, Untold>();
  readonly #note = ({ fault, inputs }: RequestRecord): void => {
    if (fault === "residency" && inputs !== null) this.#refused(inputs);
  };

  constructor(events: EventBus, intervalMs = INTERVAL_MS) {
    this.#events = events;
    this.#intervalMs = intervalMs;
    events.on("requestDone", this.#note);
  }

  /** Says what has not been said yet. */
  close(): void {
    this.#events.off("requestDone", this.#note);
    for (const [jurisdictions, { count, inputs, timer }] of this.#untold) {
      clearTimeout(timer);
      if (count > 0) this.#tell(jurisdictions, count, inputs);
    }
    this.#untold.clear();
  }

  #refused(inputs: DecisionInputs): void {
    const jurisdictions = (inputs.facts.jurisdictions ?? []).join(", ");
    const untold = this.#untold.get(jurisdictions);
    if (untold === undefined) this.#tellAndWait(jurisdictions, 1, inputs);
    else Object.assign(untold, { count: untold.count + 1, inputs });
  }

  #tellAndWait(jurisdictions: string, count: number, inputs: DecisionInputs): void {
    const timer = setTimeout(() => this.#look(jurisdictions), this.#intervalMs).unref();
    this.#untold.set(jurisdictions, { count: 0, inputs, timer });
    this.#tell(jurisdictions, count, inputs);
  }

  #look(jurisdictions: string): void {
    const untold = this.#untold.get(jurisdictions);
    this.#untold.delete(jurisdictions);
    if (untold !== undefined && untold.count > 0)
      this.#tellAndWait(jurisdictions, untold.count, untold.inputs);
  }

  #tell(jurisdictions: string, count: number, inputs: DecisionInputs): void {
    const why = whyRefused(inputs);
    const [before, after] = [null, { requests: count }];
    const target = jurisdictions;
    const [who, what, result] = [MERIDIAN, "residency-refused", "refused"] as const;
    this.#events.emit("audited", { who, what, target, before, after, why, result });
    const detail = `${count} of users held in ${jurisdictions} were refused rather than served elsewhere: ${why}`;
    this.#events.emit("warned", { what: "residency refused", detail });
  }
}

/** What ails the regions that the law leaves, in the words of `explain`. */
function whyRefused(inputs: DecisionInputs): string {
  const left = verdicts(decide(inputs), inputs).filter(({ obstacle }) => obstacle !== "residency");
  return left.map(({ region, obstacle }) => `${region}: ${obstacle}`).join(", ") || "no region is there";
}

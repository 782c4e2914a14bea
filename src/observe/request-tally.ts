import { FAULTS } from "../errors.ts";
import type { RequestRecord } from "../events.ts";
import type { Instruments } from "./instruments.ts";

/** Any other method is `OTHER`: the label must not grow by what clients invent. */
const METHODS: ReadonlySet<string> = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** Requests of one region that are the same in all that is counted of them. */
interface Group extends Pick<RequestRecord, "reason" | "fault" | "affinity"> {
  readonly method: string;
  readonly codeClass: number;
  readonly outcome: string;
  count: number;
}

/**
 * What requests have come to since it was last told. A region's fall into few groups, so to count one is to compare a few words,
 * where prom-client's four counters make labels and a string to find each by.
 */
export class RequestTally {
  readonly #byRegion = new Map<string, Group[]>();

  count({ region, method: given, status, reason, fault, affinity, consistency }: RequestRecord): void {
    const method = METHODS.has(given) ? given : "OTHER";
    const codeClass = Math.floor(status / 100);
    const outcome = consistency ?? "kept";
    const groups = this.#groupsOf(region ?? "none");
    for (const group of groups) {
      if (group.method !== method || group.codeClass !== codeClass || group.reason !== reason) continue;
      if (group.fault !== fault || group.affinity !== affinity || group.outcome !== outcome) continue;
      group.count += 1;
      return;
    }
    groups.push({ method, codeClass, reason, fault, affinity, outcome, count: 1 });
  }

  /** Adds it all to the counters, and begins anew. */
  tell(to: Pick<Instruments, "requests" | "faults" | "consistency" | "affinity">): void {
    for (const [region, groups] of this.#byRegion)
      for (const { method, codeClass, reason, fault, affinity, outcome, count } of groups) {
        const labels = { region, method, code_class: `${codeClass}xx`, reason: reason ?? "none" };
        to.requests.inc(labels, count);
        if (fault !== null) to.faults.inc({ fault, owner: FAULTS[fault].owner, region }, count);
        if (region === "none") continue;
        to.consistency.inc({ outcome }, count);
        to.affinity.inc({ result: affinity }, count);
      }
    this.#byRegion.clear();
  }

  #groupsOf(region: string): Group[] {
    const known = this.#byRegion.get(region);
    if (known !== undefined) return known;
    const fresh: Group[] = [];
    this.#byRegion.set(region, fresh);
    return fresh;
  }
}

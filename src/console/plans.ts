import type { Wish } from "./wish.ts";

type Kind = Wish["kind"];

/** How a change is asked for, and what it is called. */
export interface Plan {
  readonly title: (region: string) => string;
  /** What it does, for whoever does it once a year. */
  readonly about: string;
  readonly verb: string;
  readonly done: (region: string) => string;
  readonly path: (region: string) => string;
  readonly fields: readonly ("region" | "deadline" | "lasts" | "kind" | "abortAbove")[];
  readonly body: (region: string, given: Given) => object;
}

/** What the form holds, as it was typed. */
export interface Given {
  readonly reason: string;
  readonly deadline: string;
  readonly lasts: string;
  readonly kind: string;
  /** Percent. */
  readonly abortAbove: string;
}

export const FIRST: Given = { reason: "", deadline: "10m", lasts: "2m", kind: "black-hole", abortAbove: "1" };

export const PLANS: Readonly<Record<Kind, Plan>> = {
  drain: {
    title: (region) => `Drain ${region}`,
    about:
      "No new sessions go there. Those that live there stay until the deadline; then the region is closed.",
    verb: "Drain",
    done: (region) => `${region} is draining.`,
    path: (region) => `v1/regions/${encodeURIComponent(region)}/drain`,
    fields: ["deadline"],
    body: (_region, { reason, deadline }) => ({ reason, deadline }),
  },
  close: {
    title: (region) => `Close ${region}`,
    about: "Nothing goes there any more. Sessions move at once, WebSockets and event streams within seconds.",
    verb: "Close",
    done: (region) => `${region} is closed.`,
    path: (region) => `v1/regions/${encodeURIComponent(region)}/close`,
    fields: [],
    body: (_region, { reason }) => ({ reason }),
  },
  undrain: {
    title: (region) => `Undrain ${region}`,
    about: "The region is open again. Its sessions come back by and by.",
    verb: "Undrain",
    done: (region) => `${region} is open again.`,
    path: (region) => `v1/regions/${encodeURIComponent(region)}/undrain`,
    fields: [],
    body: (_region, { reason }) => ({ reason }),
  },
  promote: {
    title: (region) => `Make ${region} the write region`,
    about:
      "Every edge holds its writes, the region catches up, its database is promoted, and writes go on there in a new epoch. Reads go on all the while.",
    verb: "Promote",
    done: (region) => `Writes go to ${region}.`,
    path: () => "v1/write-region",
    fields: [],
    body: (region, { reason }) => ({ region, reason }),
  },
  drill: {
    title: (region) => (region === "" ? "Begin a drill" : `Rehearse the loss of ${region}`),
    about:
      "The edges lose the region for a while and have to cope. The region itself is not touched. It ends by itself, and when too many requests fail.",
    verb: "Begin",
    done: (region) => `A drill of ${region} has begun.`,
    path: () => "v1/drills",
    fields: ["region", "kind", "lasts", "abortAbove"],
    body: (region, { reason, kind, lasts, abortAbove }) => ({
      ...{ region, reason, kind, lasts },
      abortAbove: { errorRatio: Number(abortAbove) / 100 },
    }),
  },
  "stop-drill": {
    title: (region) => `Stop the drill of ${region}`,
    about: "The edges may reach the region again at once. The report says what was seen until then.",
    verb: "Stop drill",
    done: (region) => `The drill of ${region} is stopped.`,
    path: () => "v1/drills/stop",
    fields: [],
    body: (_region, { reason }) => ({ reason }),
  },
};

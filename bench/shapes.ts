import type { Ability, Job } from "./subjects.ts";

/** What clients do in a run, and with what it is measured. */
export interface Shape {
  readonly name: string;
  /** For the tables. */
  readonly title: string;
  readonly tool: "wrk" | "h2load" | "rate" | "messages" | "spread";
  readonly path: string;
  readonly tls: boolean;
  /** At once; with h2load so many streams. */
  readonly connections: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly users: number;
  readonly writePercent: number;
  readonly headers: readonly string[];
  /** Which subjects can play it. */
  readonly jobs: readonly Job[];
  readonly asks: Ability | null;
}

export interface ShapeOptions {
  readonly connections: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

const USERS = 10_000;
const WRITE_PERCENT = 5;

type Kind = Pick<Shape, "name" | "title"> & Partial<Shape>;

const KINDS: readonly Kind[] = [
  { name: "100b", title: "100 B, kept connections", jobs: ["forward", "pins"] },
  { name: "10k", title: "10 KB, kept connections", path: "/bytes/10k" },
  { name: "1m", title: "1 MB, kept connections", path: "/bytes/1m" },
  {
    name: "new",
    title: "100 B, a new connection for each request",
    headers: ["Connection: close"],
    asks: "close",
  },
  { name: "tls", title: "100 B over TLS, kept connections", tls: true, asks: "tls" },
  {
    name: "h2",
    title: "100 B over HTTP/2 with TLS, 8 streams on each connection",
    tls: true,
    tool: "h2load",
    asks: "h2",
  },
  {
    name: "websocket",
    title: "WebSocket messages of 100 B, one after the other on each connection",
    tool: "messages",
    path: "/echo",
    asks: "websocket",
  },
  {
    name: "rate",
    title: "100 B at half of each subject's own maximum, from the time each was meant to be sent",
    tool: "rate",
    jobs: ["forward", "pins"],
  },
];

export const SHAPE_NAMES: readonly string[] = KINDS.map(({ name }) => name);
export const SHAPE_TITLES: readonly string[] = KINDS.map(({ title }) => title);

export function shapeOf(name: string, options: ShapeOptions): Shape {
  const kind = KINDS.find((each) => each.name === name);
  if (kind === undefined) throw new Error(`no shape ${name}; there are ${SHAPE_NAMES.join(", ")}`);
  const usual = { tool: "wrk", path: "/", tls: false, headers: [], jobs: ["forward"], asks: null } as const;
  return { ...usual, users: USERS, writePercent: WRITE_PERCENT, ...options, ...kind };
}

import { duration } from "./format.ts";
import { drillKindText, stepText } from "./words.ts";

export type Weight = "ok" | "note" | "warn" | "crit";

/** Something that has happened, as one line. */
export interface Happening {
  readonly key: number;
  readonly at: string;
  readonly weight: Weight;
  readonly text: string;
  /** Why, or what with. */
  readonly detail: string;
}

type Fields = Readonly<Record<string, unknown>>;
type Told = readonly [Weight, string, string?];

/** An event of the feed in words. */
export function happening(key: number, name: string, fields: Fields): Happening {
  const [weight, text, detail = ""] = (TELL[name] ?? unheardOf(name))(fields);
  return { key, at: String(fields.at ?? ""), weight, text, detail };
}

const text = (value: unknown): string =>
  value === null || value === undefined
    ? ""
    : typeof value === "object"
      ? JSON.stringify(value)
      : String(value);

const HEALTH_WEIGHTS: Readonly<Record<string, Weight>> = { up: "ok", degraded: "warn", down: "crit" };
const ADMISSION_WORDS: Readonly<Record<string, string>> = {
  open: "is open again",
  draining: "is draining",
  closed: "is closed",
};

const TELL: Readonly<Record<string, (fields: Fields) => Told>> = {
  healthChanged: ({ region, to, cause }) => [
    HEALTH_WEIGHTS[text(to)] ?? "note",
    `${region} is ${to}`,
    text(cause),
  ],
  admissionChanged: ({ region, to, by, why }) => [
    to === "open" ? "ok" : "note",
    `${region} ${ADMISSION_WORDS[text(to)] ?? `is ${to}`}`,
    `${text(why)} (${text(by)})`,
  ],
  endpointEjected: ({ region, endpoint, cause }) => [
    "warn",
    `${region}: ${endpoint} is out of service`,
    text(cause),
  ],
  maintenanceBegan: ({ region, admission, why }) => [
    "note",
    `Maintenance of ${region}: ${admission}`,
    text(why),
  ],
  maintenanceEnded: ({ region, why }) => ["ok", `Maintenance of ${region} is over`, text(why)],
  drillBegan: ({ region, kind, who, why }) => [
    "note",
    `Drill of ${region} begins (${drillKindText(text(kind))})`,
    `${text(why)} (${text(who)})`,
  ],
  drillEnded: ({ region, result, why }) => [
    result === "passed" ? "ok" : "warn",
    `Drill of ${region} has ${result === "passed" ? "passed" : `been ${text(result)}`}`,
    text(why),
  ],
  epochChanged: ({ epoch, writeRegion, moving }) =>
    moving === true
      ? ["warn", "Writes are held", `epoch ${text(epoch)}`]
      : ["ok", `Writes go to ${text(writeRegion) || "every writer"}`, `epoch ${text(epoch)}`],
  moveBegan: ({ from, to, why, by }) => [
    "warn",
    `Write region moves ${from} → ${to}`,
    `${text(why)} (${text(by)})`,
  ],
  moveStepped: ({ to, step }) => ["note", `Move to ${to}: ${stepText(text(step))}`],
  moveEnded: ({ from, to, moved, heldMs }) =>
    moved === true
      ? ["ok", `Write region moved ${from} → ${to}`, `writes waited ${duration(Number(heldMs))}`]
      : ["warn", `Move to ${to} was given up`, `writes go on in ${text(from)}`],
  fenceChanged: ({ region, fenced }) =>
    fenced === true
      ? ["crit", `${region} is fenced`, "it takes writes of an epoch that is over"]
      : ["ok", `${region} is fenced no more`],
  warned: ({ what, detail }) => ["warn", capital(text(what)), text(detail)],
  workerStarted: ({ worker, pid }) => ["note", `Worker ${text(worker)} has started`, `process ${text(pid)}`],
  workerEnded: ({ worker, why, againInMs }) => [
    "warn",
    `Worker ${text(worker)} has ended`,
    `${text(why)}; again in ${duration(Number(againInMs))}`,
  ],
  redisState: ({ up, cause }) =>
    up === true ? ["ok", "Redis answers", text(cause)] : ["crit", "Redis is away", text(cause)],
  overloadChanged: ({ cause, shedding, seen }) =>
    shedding === true
      ? ["crit", "New connections are refused", `${text(cause)}: ${text(seen)}`]
      : ["ok", "New connections are taken again", text(cause)],
  feedState: ({ behind, cause }) =>
    behind === true ? ["warn", "The pin feed is behind", text(cause)] : ["ok", "The pin feed has caught up"],
  configReloaded: ({ result, changes, problems }) => [
    result === "rejected" ? "warn" : "ok",
    `Configuration read again: ${text(result)}`,
    [changes, problems].flat().map(text).join("; "),
  ],
  certificatesRenewed: ({ changes }) => ["ok", "Certificates renewed", [changes].flat().map(text).join("; ")],
  audited: ({ who, what, target, result, why, fault }) => [
    result === "refused" ? "warn" : "note",
    `${text(who)}: ${text(what)} ${text(target)} ${result === "done" ? "" : `(${text(result)})`}`.replaceAll(
      / +/g,
      " ",
    ),
    text(fault) || text(why),
  ],
  lockedOut: ({ address, wrongTokens }) => [
    "warn",
    `${text(address)} is locked out`,
    `${text(wrongTokens)} wrong tokens`,
  ],
};

function unheardOf(name: string): (fields: Fields) => Told {
  return ({ at: _, ...rest }) => ["note", name, text(rest)];
}

function capital(words: string): string {
  return words.slice(0, 1).toUpperCase() + words.slice(1);
}

import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Arrived, arrived, checkJob, checkRate, checkRound, sessions } from "./checks.ts";
import { h2load } from "./h2load.ts";
import { fixedRate, load } from "./load-order.ts";
import type { Running, Usage } from "./process.ts";
import type { Shape } from "./shapes.ts";
import type { Stage } from "./stage.ts";
import type { Ports, Subject } from "./subjects.ts";
import { type Counted, type Load, wrk } from "./wrk.ts";

/** What one subject did in one round. */
export interface Round {
  readonly requestsPerSecond: number;
  readonly processorUs: number;
  /** Of one core, over the round; below 0.95 it was the load, the region or Redis that set the pace. */
  readonly busy: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly memoryMiB: number;
  /** Of the requests, at the writer. */
  readonly writerShare: number;
  /** Of Redis, beside the subject's own. */
  readonly redisUs: number;
}

/** A subject that runs, with all that it has done so far; null for a round that does not count. */
export interface Entrant {
  readonly subject: Subject;
  readonly running: Running;
  readonly ports: Ports;
  readonly directory: string;
  /** The most that it has done of small requests, in a second; what a fixed rate is half of. */
  most: number;
  readonly cookieFile: string;
  readonly rounds: (Round | null)[];
  readonly flaws: string[];
}

const SESSIONS = 100;
/** Until what the last one has left behind is done with. */
const REST_MS = 300;
/**
 * Before each round, uncounted: who has stood idle while the others had theirs takes that long to be what it was, some the half of a
 * request's time longer than others. A fixed rate has its own.
 */
const LEAD_IN_SECONDS = 2;

export async function enter(subject: Subject, stage: Stage): Promise<Entrant> {
  const ports = { http: stage.nextPort(), tls: stage.nextPort() };
  const running = await subject.start(stage, ports);
  const { directory } = stage;
  const cookies = await sessions(`http://127.0.0.1:${ports.http}/`, SESSIONS);
  const file = path.join(directory, `${subject.name}.cookies`);
  if (cookies !== null) writeFileSync(file, cookies);
  const cookieFile = cookies === null ? "-" : file;
  return { subject, running, ports, directory, cookieFile, most: 0, rounds: [], flaws: [] };
}

/** Until what is compiled at run time has been. */
export async function warmUp(entrant: Entrant, shape: Shape): Promise<void> {
  const { subject, running } = entrant;
  const flaw = await checkJob(subject, plainUrl(entrant, { ...shape, path: "/" }));
  if (flaw !== null) throw new Error(`${subject.name}: ${flaw}\n${running.log()}`);
  const tool = shape.tool === "rate" ? "wrk" : shape.tool;
  await play(entrant, { ...shape, tool }, shape.warmUpSeconds);
}

/** What each does at most, there and back again, as close to the rounds as can be: half of it is what they are given. */
export async function findMost(entrants: readonly Entrant[], shape: Shape): Promise<void> {
  for (const entrant of [...entrants, ...entrants.toReversed()]) {
    await sleep(REST_MS);
    const { requests, seconds } = await play(entrant, { ...shape, tool: "wrk" }, shape.seconds);
    entrant.most = Math.max(entrant.most, requests / seconds);
  }
}

/** One round of one subject: what it did, or null and a flaw when it did not do its job. */
export async function playRound(entrant: Entrant, stage: Stage, shape: Shape): Promise<Round | null> {
  const { subject, running, rounds, flaws } = entrant;
  await sleep(REST_MS);
  if (shape.tool === "wrk" || shape.tool === "h2load") await play(entrant, shape, LEAD_IN_SECONDS);
  let before = await readings(running, stage);
  const counted = await play(entrant, shape, shape.seconds, async () => {
    before = await readings(running, stage);
  });
  const after = await readings(running, stage);
  const sent = { writer: after.at.writer - before.at.writer, replica: after.at.replica - before.at.replica };
  const flaw =
    (shape.tool === "messages" ? null : checkRound(subject, counted, sent, readersOf(entrant, shape))) ??
    (shape.tool === "rate" ? checkRate(counted, entrant.most / 2) : null) ??
    (await checkJob(subject, plainUrl(entrant, { ...shape, path: "/" })).catch(String));
  const round = figuresOf(counted, before, after, sent.writer / (sent.writer + sent.replica));
  rounds.push(flaw === null ? round : null);
  if (flaw !== null) flaws.push(`${subject.name}, ${shape.name}, round ${rounds.length}: ${flaw}`);
  return flaw === null ? round : null;
}

interface Readings {
  readonly usage: Usage;
  readonly redisMs: number;
  readonly at: Arrived;
}

async function readings(running: Running, { redisProcess, ...stage }: Stage): Promise<Readings> {
  const redisMs = redisProcess?.usage().processorMs ?? 0;
  return { usage: running.usage(), redisMs, at: await arrived(stage) };
}

function figuresOf(counted: Counted, before: Readings, after: Readings, writerShare: number): Round {
  const { requests, seconds, p50Ms, p99Ms, p999Ms } = counted;
  const processorMs = after.usage.processorMs - before.usage.processorMs;
  return {
    requestsPerSecond: requests / seconds,
    processorUs: (processorMs * 1_000) / requests,
    busy: processorMs / 1_000 / seconds,
    p50Ms,
    p99Ms,
    p999Ms,
    memoryMiB: after.usage.memoryMiB,
    writerShare,
    redisUs: ((after.redisMs - before.redisMs) * 1_000) / requests,
  };
}

/** There and back again, so that what changes in the course of a run is the same for all. */
export function orderOf<T>(entrants: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? entrants : entrants.toReversed();
}

/** `begun` is called before what is counted: when connections are open, if the tool can tell. */
async function play(
  entrant: Entrant,
  shape: Shape,
  seconds: number,
  begun = async (): Promise<void> => undefined,
): Promise<Counted> {
  const { ports, directory, most } = entrant;
  const { tool, connections, headers, path: at } = shape;
  const url = shape.tls ? `https://127.0.0.1:${ports.tls}${at}` : plainUrl(entrant, shape);
  const readers = readersOf(entrant, shape);
  if (tool === "rate") return fixedRate({ url, connections, seconds, readers, perSecond: most / 2 }, begun);
  if (tool === "messages" || tool === "spread")
    return load({ kind: tool, port: ports.http, path: at, connections, seconds }, begun);
  await begun();
  if (tool === "h2load") return h2load(url, connections, seconds, directory);
  return wrk({ url, connections, seconds, readers, headers });
}

function plainUrl({ ports }: Entrant, { path: at }: Shape): string {
  return `http://127.0.0.1:${ports.http}${at}`;
}

/** Sessions come back with their cookie; who only forwards is asked the cheapest way. */
function readersOf({ subject, cookieFile }: Entrant, { users, writePercent }: Shape): Load["readers"] {
  if (subject.job === "pins") return { users, writePercent, cookieFile };
  return cookieFile === "-" ? null : { users, writePercent: 0, cookieFile };
}

import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { arrived, checkJob, checkRound, sessions } from "./checks.ts";
import type { Running } from "./process.ts";
import type { Stage } from "./stage.ts";
import type { Subject } from "./subjects.ts";
import { type Load, wrk } from "./wrk.ts";

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

export interface Shape {
  readonly path: string;
  readonly connections: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly users: number;
  readonly writePercent: number;
  readonly headers: readonly string[];
}

/** A subject that runs, with all that it has done so far; null for a round that does not count. */
export interface Entrant {
  readonly subject: Subject;
  readonly running: Running;
  readonly url: string;
  readonly cookieFile: string;
  readonly rounds: (Round | null)[];
  readonly flaws: string[];
}

const SESSIONS = 100;
/** Until what the last one has left behind is done with. */
const REST_MS = 300;

export async function enter(subject: Subject, stage: Stage): Promise<Entrant> {
  const port = stage.nextPort();
  const running = await subject.start(stage, port);
  const url = `http://127.0.0.1:${port}`;
  const cookies = await sessions(`${url}/`, SESSIONS);
  const cookieFile = path.join(stage.directory, `${subject.name}.cookies`);
  if (cookies !== null) writeFileSync(cookieFile, cookies);
  return { subject, running, url, cookieFile: cookies === null ? "-" : cookieFile, rounds: [], flaws: [] };
}

export async function warmUp(entrant: Entrant, shape: Shape): Promise<void> {
  const flaw = await checkJob(entrant.subject, `${entrant.url}${shape.path}`);
  if (flaw !== null) throw new Error(`${entrant.subject.name}: ${flaw}\n${entrant.running.log()}`);
  await wrk(loadOf(entrant, { ...shape, seconds: shape.warmUpSeconds }));
}

/** One round of one subject: what it did, or null and a flaw when it did not do its job. */
export async function playRound(entrant: Entrant, stage: Stage, shape: Shape): Promise<Round | null> {
  const { subject, running, rounds, flaws } = entrant;
  await sleep(REST_MS);
  const before = { usage: running.usage(), redis: stage.redisProcess?.usage(), at: await arrived(stage) };
  const load = loadOf(entrant, shape);
  const counted = await wrk(load);
  const after = { usage: running.usage(), redis: stage.redisProcess?.usage(), at: await arrived(stage) };
  const sent = { writer: after.at.writer - before.at.writer, replica: after.at.replica - before.at.replica };
  const flaw =
    checkRound(subject, counted, sent, load.readers) ??
    (await checkJob(subject, `${entrant.url}${shape.path}`).catch(String));
  const processorMs = after.usage.processorMs - before.usage.processorMs;
  const redisMs = (after.redis?.processorMs ?? 0) - (before.redis?.processorMs ?? 0);
  const round: Round = {
    requestsPerSecond: counted.requests / counted.seconds,
    processorUs: (processorMs * 1_000) / counted.requests,
    busy: processorMs / 1_000 / counted.seconds,
    p50Ms: counted.p50Ms,
    p99Ms: counted.p99Ms,
    p999Ms: counted.p999Ms,
    memoryMiB: after.usage.memoryMiB,
    writerShare: sent.writer / (sent.writer + sent.replica),
    redisUs: (redisMs * 1_000) / counted.requests,
  };
  rounds.push(flaw === null ? round : null);
  if (flaw !== null) flaws.push(`${subject.name}, round ${rounds.length}: ${flaw}`);
  return flaw === null ? round : null;
}

/** There and back again, so that what changes in the course of a run is the same for all. */
export function orderOf<T>(entrants: readonly T[], round: number): readonly T[] {
  return round % 2 === 0 ? entrants : entrants.toReversed();
}

function loadOf({ subject, url, cookieFile }: Entrant, shape: Shape): Load {
  const { path: at, connections, seconds, users, writePercent, headers } = shape;
  // Sessions come back with their cookie; who forwards only is asked the cheapest way.
  const known = subject.job === "pins" || cookieFile !== "-";
  const readers = known
    ? { users, writePercent: subject.job === "pins" ? writePercent : 0, cookieFile }
    : null;
  return { url: `${url}${at}`, connections, seconds, readers, headers };
}

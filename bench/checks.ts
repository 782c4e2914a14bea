import { countOf, type Stage } from "./stage.ts";
import type { Subject } from "./subjects.ts";
import type { Counted } from "./wrk.ts";

/** How long a pin lasts, in every subject that has pins. */
export const WINDOW_SECONDS = 10;
/** Of the share that the writer must have been sent: users are drawn by chance, and a pin takes a moment. */
const TOLERANCE = 0.8;
/** Of a fixed rate: the answers to what is sent last take a moment. */
const RATE_TOLERANCE = 0.9;

let users = 0;

/** What is wrong with how a subject does its job, seen from outside by one user of its own; null when nothing is. */
export async function checkJob(subject: Subject, url: string): Promise<string | null> {
  if (subject.job === "forward") {
    const { status } = await ask(url, {});
    return status === 200 ? null : `answers ${status}`;
  }
  const headers = { authorization: `Bearer check-${process.pid}-${++users}` };
  const before = await ask(url, headers);
  const write = await ask(url, headers, "POST");
  const after = await ask(
    url,
    subject.pinnedBy === "cookie" ? { ...headers, cookie: write.cookies } : headers,
  );
  const wanted = "200 replica, 200 writer, 200 writer";
  const seen = [before, write, after].map(({ status, region }) => `${status} ${region}`).join(", ");
  return seen === wanted ? null : `a read, a write and a read were answered: ${seen}`;
}

interface Answer {
  readonly status: number;
  readonly region: string | null;
  /** As a browser would send them back. */
  readonly cookies: string;
}

async function ask(url: string, headers: Record<string, string>, method = "GET"): Promise<Answer> {
  const body = method === "POST" ? { body: "amount=1" } : {};
  const answer = await fetch(url, { method, headers, ...body });
  await answer.arrayBuffer();
  const cookies = answer.headers.getSetCookie().map((line) => line.split(";")[0]);
  return { status: answer.status, region: answer.headers.get("x-region"), cookies: cookies.join("; ") };
}

/** The cookies of so many new sessions, one each line; null when the subject sets none. */
export async function sessions(url: string, count: number): Promise<string | null> {
  const answers = await Promise.all(Array.from({ length: count }, () => ask(url, {})));
  const cookies = answers.map((answer) => answer.cookies).filter((each) => each !== "");
  return cookies.length === 0 ? null : `${cookies.join("\n")}\n`;
}

/** How many requests each region has been sent. */
export interface Arrived {
  readonly writer: number;
  readonly replica: number;
}

export async function arrived({ writer, replica }: Pick<Stage, "writer" | "replica">): Promise<Arrived> {
  const [atWriter, atReplica] = await Promise.all([countOf(writer), countOf(replica)]);
  return { writer: atWriter, replica: atReplica };
}

/** What is wrong with a round; null when its figures count. */
export function checkRound(
  subject: Subject,
  { requests, seconds, failed }: Counted,
  { writer, replica }: Arrived,
  load: { readonly users: number; readonly writePercent: number } | null,
): string | null {
  if (failed > 0) return `${failed} requests failed`;
  if (writer + replica < requests) return `only ${writer + replica} of ${requests} requests reached a region`;
  if (load === null || subject.job === "forward") return null;
  const pinned = subject.pinnedBy === "cookie" ? 0 : pinnedShare(requests, seconds, load);
  const writes = load.writePercent / 100;
  const least = TOLERANCE * (writes + (1 - writes) * pinned);
  const share = writer / (writer + replica);
  return share >= least ? null : `the writer was sent ${percent(share)}, not ${percent(least)} or more`;
}

/** What is wrong with a round at a fixed rate that fell behind it, be it for the subject's sake or the load's. */
export function checkRate({ requests, seconds }: Counted, perSecond: number): string | null {
  const done = requests / seconds;
  return done >= RATE_TOLERANCE * perSecond
    ? null
    : `only ${done.toFixed(0)} of ${perSecond.toFixed(0)} requests a second`;
}

/**
 * The share of reads that come from users who have written within the window, at least: as if nobody had when the load
 * began. Users are drawn evenly, so of those that t seconds of writes at this rate leave out, e^(-rate t / users) are left.
 */
export function pinnedShare(
  requests: number,
  seconds: number,
  { users: of, writePercent }: { readonly users: number; readonly writePercent: number },
): number {
  const writesPerUserSecond = ((requests / seconds) * writePercent) / 100 / of;
  const filling = Math.min(seconds, WINDOW_SECONDS);
  const whileFilling = filling - (1 - Math.exp(-writesPerUserSecond * filling)) / writesPerUserSecond;
  const full = (seconds - filling) * (1 - Math.exp(-writesPerUserSecond * filling));
  return (whileFilling + full) / seconds;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

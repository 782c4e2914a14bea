import { setTimeout as sleep } from "node:timers/promises";
import type { RawCase } from "./case.ts";
import { Client } from "./client.ts";
import type { Connection, RecordingRegion } from "./recording-region.ts";
import { type ReadRequest, readRequests } from "./strict-request.ts";
import type { ResponseReading } from "./strict-response.ts";

const PATIENT = 150;
/** What the region said last is at the proxy by then. */
const ARRIVES_MS = 5;

/** One proxy between clients and a region that nobody else uses meanwhile. */
export interface Lane {
  readonly proxyPort: number;
  readonly region: RecordingRegion;
}

export interface Observation {
  readonly id: string;
  /** What the client sent, as a strict recipient reads it. */
  readonly sent: readonly ReadRequest[];
  /** Why some of what it sent is no request; null when all of it is. */
  readonly sentDoubt: string | null;
  /** How many answers there should be. */
  readonly expected: number;
  /** What the client got before it went on. */
  readonly got: ResponseReading;
  readonly text: string;
  readonly closed: boolean;
  /** What the region got of this case, requests of its follow-ups left out. */
  readonly requests: readonly ReadRequest[];
  readonly doubts: readonly string[];
  /** All that the region got meanwhile. */
  readonly seen: string;
  /** The region answered before it had the whole request. */
  readonly early: boolean;
  /** Another request on the same connection of the client's; `none`: it was closed. */
  readonly after: "right" | "wrong" | "refused" | "none";
  /** Another client's request. */
  readonly next: "right" | "wrong" | "failed";
  /** The region's connection that carried the case carried something after it. */
  readonly regionReused: boolean;
}

/** Plays a case, and what follows it. */
export async function observe(given: RawCase, lane: Lane, id: string): Promise<Observation> {
  const { region } = lane;
  region.forget();
  const before = new Map(region.connections.map((each) => [each, each.text.length]));
  if (given.answer !== undefined) region.script(`/${id}`, withId(given.answer, id));
  const pieces = [given.send].flat().map((piece) => piece.replaceAll("{id}", id));
  const sent = readRequests(pieces.join(""));
  const methods = sent.requests.map(({ method }) => method);
  const expected = Math.max(1, methods.length + (sent.doubt === null ? 0 : 1));
  const client = await Client.open(lane.proxyPort, methods);
  await client.send(pieces);
  await client.until(({ reading }) => reading.responses.length >= expected);
  await region.said();
  await sleep(ARRIVES_MS);
  const { text, closed, reading: got } = client;
  const after = await follow(client, `/${id}/after`);
  client.leave();
  const next = await another(lane.proxyPort, `/${id}/next`);
  const news = region.connections.map((each) => since(each, before.get(each) ?? 0));
  const own = news.flatMap(({ requests }) => requests).filter(({ target }) => !isFollowUp(target, id));
  return {
    id,
    sent: sent.requests,
    sentDoubt: sent.doubt,
    expected,
    got,
    text,
    closed,
    requests: own,
    doubts: news.flatMap(({ doubt }) => doubt ?? []),
    seen: news.map((each) => each.text).join(" | "),
    early: region.answeredEarly(`/${id}`),
    after,
    next,
    regionReused: news.some(({ requests }) => isReused(requests, id)),
  };
}

function withId(answer: NonNullable<RawCase["answer"]>, id: string): NonNullable<RawCase["answer"]> {
  return { ...answer, bytes: [answer.bytes].flat().map((piece) => piece.replaceAll("{id}", id)) };
}

interface News {
  readonly text: string;
  readonly requests: readonly ReadRequest[];
  readonly doubt: string | null;
}

function since(connection: Connection, from: number): News {
  const text = connection.text.slice(from);
  return {
    text,
    requests: readRequests(text).requests,
    doubt: text === "" ? null : connection.doubt,
  };
}

function isFollowUp(target: string, id: string): boolean {
  return target === "/healthz" || [`/${id}/before`, `/${id}/after`, `/${id}/next`].includes(target);
}

function isReused(requests: readonly ReadRequest[], id: string): boolean {
  const first = requests.findIndex(({ target }) => !isFollowUp(target, id));
  return first !== -1 && requests.length > first + 1;
}

async function follow(client: Client, target: string): Promise<Observation["after"]> {
  if (client.closed || client.reading.responses.length === 0) return "none";
  const before = client.reading.responses.length;
  client.methods.push("GET");
  client.write(`GET ${target} HTTP/1.1\r\nHost: raw.test\r\n\r\n`);
  await client.until(({ reading }) => reading.responses.length > before);
  const answer = client.reading.responses[before];
  if (answer === undefined) return client.closed ? "none" : "refused";
  if (answer.status >= 400) return "refused";
  return answer.body === target ? "right" : "wrong";
}

async function another(port: number, target: string): Promise<Observation["next"]> {
  const client = await Client.open(port, ["GET"]);
  client.write(`GET ${target} HTTP/1.1\r\nHost: raw.test\r\n\r\n`);
  await client.until(({ reading }) => reading.responses.length > 0, PATIENT);
  client.leave();
  const [answer] = client.reading.responses;
  if (answer === undefined || answer.status >= 400) return "failed";
  return answer.body === target ? "right" : "wrong";
}

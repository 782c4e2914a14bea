import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { Client } from "../client.ts";
import type { StartedLane } from "../edge-lane.ts";
import { valuesOf } from "../strict.ts";
import { type ReadRequest, type RequestReading, readRequests } from "../strict-request.ts";
import { conversation } from "./messages.ts";

/** The edge may be waiting for the rest of something: that is waited for only so long. */
const QUIET = 3;

/** The edge has seen by then that the client has left, and begins nothing more for it; mostly. */
const LEAVES_MS = 4;

interface Heard {
  readonly sent: RequestReading;
  /** How many answers there may be: what is no request, or not yet one, may have one too. */
  readonly asked: number;
  readonly seen: readonly ReadRequest[];
  readonly doubts: readonly string[];
  readonly answers: Client["reading"];
}

/**
 * Whatever is sent, a region sees only requests that a strict reader finds in it, in their order, with their method, target, body
 * and header lines; and the client gets only answers that a strict reader can read, no more than it has asked for.
 */
export function regionsSeeOnlyWhatWasSent(lanes: readonly StartedLane[]): fc.IAsyncProperty<[string[]]> {
  const batch = fc.array(conversation, { minLength: 1, maxLength: lanes.length });
  return fc.asyncProperty(batch, async (texts) => {
    const heard = await Promise.all(texts.map((text, index) => hear(text, lanes[index])));
    for (const each of heard) check(each);
  });
}

/** So many conversations there were; each has its number in its requests, so that a late one is known. */
let conversations = 0;

async function hear(template: string, lane: StartedLane | undefined): Promise<Heard> {
  assert.ok(lane);
  const { region, proxyPort } = lane;
  const id = idOf(conversations++);
  const text = template.replaceAll("{id}", id);
  region.forget();
  const [before, doubtsBefore] = [region.arrived.length, region.doubts.length];
  const sent = readRequests(text, { forgiving: true });
  const expected = sent.requests.length + (sent.doubt === null ? 0 : 1);
  const client = await Client.open(
    proxyPort,
    sent.requests.map(({ method }) => method),
  );
  client.write(text);
  await client.until(({ reading }) => reading.responses.length >= Math.max(1, expected), QUIET);
  const answers = client.reading;
  client.leave();
  await sleep(LEAVES_MS);
  await lane.settled();
  const doubts = region.doubts.slice(doubtsBefore);
  const seen = region.arrived.slice(before).filter((request) => !isLate(request, id));
  return { sent, asked: sent.requests.length + (text.length > sent.taken ? 1 : 0), seen, doubts, answers };
}

/** One of a conversation before, whose client had not waited for it. */
function isLate({ fields }: ReadRequest, id: string): boolean {
  return fields.some(([, value]) => /^[0-9a-z]{4}$/.test(value) && value < id);
}

function idOf(index: number): string {
  return index.toString(36).padStart(4, "0");
}

function check({ sent, asked, seen, doubts, answers }: Heard): void {
  assert.deepEqual(doubts, [], "what a region sees leaves no doubt");
  let next = 0;
  for (const request of seen) {
    const index = sent.requests.findIndex((each, at) => at >= next && isSame(each, request));
    assert.notEqual(index, -1, `a region saw what was not sent, or twice: ${shown(seen)}`);
    next = index + 1;
  }
  assert.equal(answers.doubt, null, "what a client gets leaves no doubt");
  assert.ok(answers.responses.length <= asked, "a client gets no more answers than it has asked for");
}

function isSame(sent: ReadRequest, seen: ReadRequest): boolean {
  return (
    sent.method === seen.method &&
    originForm(sent.target) === seen.target &&
    sent.body === seen.body &&
    seen.fields.every(
      ([name, value]) => isOwn(name) || valuesOf(sent.fields, name.toLowerCase()).includes(value),
    )
  );
}

function originForm(target: string): string {
  const rest = target.replace(/^https?:\/\/[^/?]*/i, "");
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** What the edge says itself. */
function isOwn(name: string): boolean {
  return /^(host|via|connection|content-length|transfer-encoding|traceparent|x-request-id|x-forwarded-.*|x-meridian-.*)$/i.test(
    name,
  );
}

function shown(seen: readonly ReadRequest[]): string {
  return seen.map((each) => JSON.stringify(each)).join("\n");
}

import type { Pid } from "../consistency/store.ts";
import { redisCause } from "../redis.ts";
import type { AdminApp } from "./app.ts";
import { audit, callerName } from "./audit.ts";
import { dryRunQuery } from "./message-parts.ts";
import { identityBody, pinAnswer, releaseAnswer, releaseBody } from "./messages.ts";
import type { AdminParts } from "./parts.ts";
import { Refusal } from "./problems.ts";

/** A user's pin. The identity is in the body, so that no URL, log or shell history of a proxy holds it. */
export function addPinRoutes(app: AdminApp, parts: AdminParts): void {
  const lookup = {
    summary: "Is this user held at the writer, and for how long?",
    body: identityBody,
    response: { 200: pinAnswer },
  };
  const looking = { schema: lookup, config: { access: "viewer" } } as const;
  app.post("/v1/pins/lookup", looking, async ({ body: { kind, value } }) => {
    const pins = await inspected(pidsOf(kind, value, parts), parts);
    return { pinned: pins.length > 0, pins };
  });

  const release = {
    summary: "Lets this user's reads go to the nearest region again, though they may miss the last write.",
    querystring: dryRunQuery,
    body: releaseBody,
    response: { 200: releaseAnswer },
  };
  app.post("/v1/pins/release", { schema: release, config: { change: "release-pin" } }, async (request) => {
    const { kind, value, reason } = request.body;
    const { dryRun } = request.query;
    const pids = pidsOf(kind, value, parts);
    const before = await inspected(pids, parts);
    const released = dryRun ? before.length : await releaseAll(pids, parts);
    audit(parts.events, {
      who: callerName(request),
      what: "release-pin",
      target: pids[0] ?? null,
      before,
      after: dryRun ? before : [],
      why: reason ?? null,
      result: dryRun ? "dry-run" : "done",
    });
    return { dryRun, released };
  });
}

function pidsOf(kind: string, value: string, { identityPids }: AdminParts): readonly Pid[] {
  const pids = identityPids(kind, value);
  if (pids) return pids;
  throw new Refusal("unknown_identity", `${kind} is not among consistency.identity of the configuration`);
}

async function inspected(pids: readonly Pid[], { pins }: AdminParts) {
  const found = await fromStore(Promise.all(pids.map((pid) => pins.inspect(pid))));
  return found.filter((pin) => pin !== null);
}

async function releaseAll(pids: readonly Pid[], { pins }: AdminParts): Promise<number> {
  const released = await fromStore(Promise.all(pids.map((pid) => pins.release(pid))));
  return released.filter(Boolean).length;
}

async function fromStore<T>(answer: Promise<T>): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    throw new Refusal(
      "store_unreachable",
      `the pins are in Redis, which did not answer (${redisCause(error)}). Try again once redis in GET /v1/status is up`,
    );
  }
}

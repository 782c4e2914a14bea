import type { Clock } from "../clock.ts";
import { setCookie } from "../consistency/cookies.ts";
import type { Anonymous, Pids } from "../consistency/identities.ts";
import type { OpenPin, Pins } from "../consistency/pins.ts";
import { CLOCK_SKEW_MS, PIN_COOKIE, TOKEN_HEADER } from "../consistency/token.ts";
import { settleAffinity } from "./affinity-cookie.ts";
import type { Exchange } from "./exchange.ts";
import type { HeaderList, RegionHead } from "./headers.ts";
import type { Sessions } from "./sessions.ts";

/** What read-your-writes knows of one exchange while it runs. */
export interface Writing {
  /** The pin of this write; null for a read that has not said it wrote. */
  pin: OpenPin | null;
  /** The name we gave a browser that had none. */
  anonymous: Anonymous | null;
  /** What the region said in `x-meridian-wrote`; null when nothing. */
  wrote: boolean | null;
}

export interface ResponseParts {
  readonly pins: Pins;
  readonly sessions: Sessions;
  readonly clock: Clock;
  readonly stopping: () => boolean;
}

/**
 * The head a client gets. A write's is held until its pin is recorded, so that nobody can know of the write
 * before every edge would pin its user; anything else goes straight through.
 */
export function editHead(
  exchange: Exchange,
  writing: Writing,
  head: RegionHead,
  parts: ResponseParts,
): HeaderList | Promise<HeaderList> {
  exchange.headAtMs = parts.clock.now();
  const { mode } = exchange.settings.config.consistency;
  const { intent } = exchange.reading.facts;
  if (mode === "off" || intent === "static") return compose(exchange, writing, head, parts);

  writing.wrote = head.word.wrote;
  const wrote = head.word.wrote ?? intent === "write";
  if (!wrote) return compose(exchange, writing, head, parts);
  return holdForPin(exchange, writing, head, parts).then(() => {
    pushToken(head.headers, exchange);
    return compose(exchange, writing, head, parts);
  });
}

/** Resolves when the pin is recorded, or when the operator's rule for an absent Redis lets the head go. */
async function holdForPin(
  exchange: Exchange,
  writing: Writing,
  { word }: RegionHead,
  { pins }: ResponseParts,
): Promise<void> {
  const { identities, config } = exchange.settings;
  writing.pin ??= pins.open(exchange.reading.pids.write);
  const waits = [writing.pin.acknowledged];
  const established: Pids = identities.establishedBy({
    "set-cookie": [...word.setCookies],
    "x-meridian-principal": word.principal ?? undefined,
  });
  if (established.write.length > 0) waits.push(writing.pin.add(established.write));
  const results = await Promise.all(waits);
  if (results.every((result) => result === "recorded")) return;
  const { graceWindow, onRedisDown } = config.consistency;
  if (onRedisDown.writes === "delay") await new Promise((resolve) => setTimeout(resolve, graceWindow));
  else exchange.consistency = "cookie-only";
}

function compose(
  exchange: Exchange,
  writing: Writing,
  { headers }: RegionHead,
  { sessions, stopping }: ResponseParts,
): HeaderList {
  const { passage, decision } = exchange;
  if (decision?.kind !== "routed") return headers;
  exchange.consistency ??= decision.consistency;
  headers.push("x-request-id", passage.requestId, "x-meridian-region", decision.region);
  headers.push("x-meridian-reason", exchange.reason ?? decision.reason, "server-timing", timing(exchange));
  if (exchange.consistency !== null) headers.push("x-meridian-consistency", exchange.consistency);
  if (writing.anonymous !== null) headers.push("set-cookie", writing.anonymous.setCookie(exchange.secure));
  pushAffinity(headers, exchange, sessions);
  if (stopping()) headers.push("connection", "close");
  return headers;
}

/** The user's own copy of the pin, for when Redis is not to be had. It outlives the pin by the skew that its reader allows. */
function pushToken(headers: HeaderList, { settings, secure, inputs, pinWindowMs }: Exchange): void {
  const token = settings.tokens.issue(pinWindowMs, inputs?.view.epoch ?? 0);
  const maxAgeSeconds = Math.ceil((pinWindowMs + CLOCK_SKEW_MS) / 1_000);
  headers.push(TOKEN_HEADER, token, "set-cookie", setCookie(PIN_COOKIE, token, { maxAgeSeconds, secure }));
}

function pushAffinity(headers: HeaderList, exchange: Exchange, sessions: Sessions): void {
  const { decision, reading, settings, secure, reason } = exchange;
  if (decision?.kind !== "routed" || reason === null) return;
  const parts = { cookies: settings.affinity, sessions };
  const { result, cookie } = settleAffinity(reading, { ...decision, reason }, secure, parts);
  exchange.affinity = result;
  if (cookie !== null) headers.push("set-cookie", cookie);
}

/** W3C Server-Timing: what the edge took before it asked the region, and what the region took to its head. */
function timing({ startedAtMs, dispatchedAtMs, headAtMs }: Exchange): string {
  const edgeMs = dispatchedAtMs - startedAtMs;
  return `edge;dur=${edgeMs.toFixed(1)}, region;dur=${(headAtMs - dispatchedAtMs).toFixed(1)}`;
}

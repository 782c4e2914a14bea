import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { setCookie } from "../consistency/cookies.ts";
import type { Pins } from "../consistency/pins.ts";
import { CLOCK_SKEW_MS, PIN_COOKIE, TOKEN_HEADER } from "../consistency/token.ts";
import type { RegionTable } from "../regions/table.ts";
import { type Hold, isAppliedEverywhere, joinedHolds } from "../routing/hold.ts";
import { pinWindowMs } from "../routing/lag.ts";
import type { Position } from "../routing/position.ts";
import { settleAffinity } from "./affinity-cookie.ts";
import { isEventStreamType } from "./event-stream.ts";
import { positionOf, wroteBy } from "./evidence.ts";
import type { Exchange } from "./exchange.ts";
import type { HeaderList, RegionHead, RegionWord } from "./headers.ts";
import type { Sessions } from "./sessions.ts";
import type { Settings } from "./settings.ts";

export interface ResponseParts {
  readonly clock: Clock;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly sessions: Sessions;
  /** Whether the client is to be asked to leave with the answer: this edge stops, or has too much to do. */
  readonly dismisses: () => boolean;
}

/** By which a region says that it is not the writer of the epoch that it was told (RFC 9110 §15.5.20). */
const MISDIRECTED = 421;

/**
 * The head a client gets; null when it gets none, because the region has refused to be the writer. A write's is held until its pin is recorded, so that nobody can know of the write
 * before every edge would pin its user; anything else goes straight through.
 */
export function answerHead(
  exchange: Exchange,
  region: RegionHead,
  parts: ResponseParts,
): HeaderList | Promise<HeaderList> | null {
  exchange.headAtMs = parts.clock.now();
  if (region.status === MISDIRECTED && exchange.writes) return null;
  // It goes on for as long as its client likes, and what is acknowledged is in its head.
  if (isEventStreamType(region.contentType)) exchange.writeEnded();
  exchange.wrote = region.word.wrote;
  exchange.position = region.word.position;
  const { mode } = exchange.settings.config.consistency;
  const pinning = mode !== "off" && exchange.reading.facts.intent !== "static";
  if (!pinning || !wroteBy(exchange, region.status)) return ownHeaders(exchange, region.headers, parts);
  return holdForPin(exchange, region.word, parts).then(() => {
    pushToken(region.headers, exchange, parts);
    return ownHeaders(exchange, region.headers, parts);
  });
}

/** Resolves when the pin is recorded, or when the operator's rule for an absent Redis lets the head go. */
async function holdForPin(exchange: Exchange, word: RegionWord, parts: ResponseParts): Promise<void> {
  const { identities, config } = exchange.settings;
  exchange.pin ??= parts.pins.open(exchange.reading.pids.write, regionOf(exchange));
  const established = identities.establishedBy({
    "set-cookie": [...word.setCookies],
    "x-meridian-principal": word.principal ?? undefined,
  });
  const results = await Promise.all([exchange.pin.acknowledged, exchange.pin.add(established.write)]);
  if (results.every((result) => result === "recorded")) return;
  if (config.consistency.onRedisDown.writes === "delay")
    await untilEverywhere(positionOf(exchange), exchange.settings, parts);
  else exchange.consistency = "cookie-only";
}

/** How often it is looked whether every replica has a write. */
const LOOK_AGAIN_MS = 50;

/** Waits until every replica that may serve this user has the write, or for the window if that is not known. */
export async function untilEverywhere(
  position: Position | null,
  { config, rules }: Settings,
  { clock, table }: ResponseParts,
): Promise<void> {
  const endAtMs = clock.now() + config.consistency.graceWindow;
  while (clock.now() < endAtMs) {
    if (position !== null && isAppliedEverywhere(position, table.view, rules)) return;
    await sleep(Math.min(LOOK_AGAIN_MS, endAtMs - clock.now()));
  }
}

function regionOf({ decision }: Exchange): string {
  return decision?.kind === "routed" ? decision.region : "";
}

/** What holds the user from this write on, and from those that its token still knows of. */
function holdAfter(exchange: Exchange): Hold {
  const position = positionOf(exchange);
  const isSeveral = exchange.settings.rules.topology === "multi-writer";
  const write: Hold = {
    positions: position === null ? [] : [position],
    open: position === null,
    regions: isSeveral ? [regionOf(exchange)] : [],
  };
  return joinedHolds(write, exchange.reading.token?.hold ?? null) ?? write;
}

/** The user's own copy of the pin, for when Redis is not to be had. It outlives the pin by the skew that its reader allows. */
function pushToken(headers: HeaderList, exchange: Exchange, { table }: ResponseParts): void {
  const { settings, secure, inputs } = exchange;
  const windowMs = pinWindowMs(settings.config.consistency.graceWindow, table.view, settings.rules);
  const token = settings.tokens.issue(windowMs, inputs?.view.epoch ?? 0, holdAfter(exchange));
  const maxAgeSeconds = Math.ceil((windowMs + CLOCK_SKEW_MS) / 1_000);
  headers.push(TOKEN_HEADER, token, "set-cookie", setCookie(PIN_COOKIE, token, { maxAgeSeconds, secure }));
}

/** Says in the answer where it comes from and why, and keeps the session where it belongs. */
function ownHeaders(
  exchange: Exchange,
  headers: HeaderList,
  { sessions, dismisses }: ResponseParts,
): HeaderList {
  const { passage, decision, anonymous, secure } = exchange;
  if (decision?.kind !== "routed") return headers;
  exchange.consistency ??= decision.consistency;
  headers.push("x-request-id", passage.requestId, "x-meridian-region", decision.region);
  headers.push("x-meridian-reason", decision.reason, "server-timing", timing(exchange));
  if (exchange.consistency !== null) headers.push("x-meridian-consistency", exchange.consistency);
  if (anonymous !== null) headers.push("set-cookie", anonymous.setCookie(secure));
  const home = settleAffinity(exchange, decision, sessions);
  if (home !== null) headers.push("set-cookie", home);
  if (dismisses()) headers.push("connection", "close");
  return headers;
}

/** W3C Server-Timing: what the edge took before it asked the region, and what the region took to its head. */
function timing({ startedAtMs, dispatchedAtMs, headAtMs }: Exchange): string {
  const edgeMs = dispatchedAtMs - startedAtMs;
  const regionMs = (headAtMs ?? dispatchedAtMs) - dispatchedAtMs;
  return `edge;dur=${inTenths(edgeMs)}, region;dur=${inTenths(regionMs)}`;
}

/** As `toFixed(1)` writes it, without the detour by a float's digits. */
function inTenths(ms: number): string {
  const tenths = Math.round(ms * 10);
  return `${Math.floor(tenths / 10)}.${tenths % 10}`;
}

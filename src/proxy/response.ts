import { setTimeout as sleep } from "node:timers/promises";
import type { Clock } from "../clock.ts";
import { setCookie } from "../consistency/cookies.ts";
import type { Pins } from "../consistency/pins.ts";
import { CLOCK_SKEW_MS, PIN_COOKIE, TOKEN_HEADER } from "../consistency/token.ts";
import type { RegionTable } from "../regions/table.ts";
import { pinWindowMs } from "../routing/lag.ts";
import { settleAffinity } from "./affinity-cookie.ts";
import { wroteBy } from "./evidence.ts";
import type { Exchange } from "./exchange.ts";
import type { HeaderList, RegionHead, RegionWord } from "./headers.ts";
import type { Sessions } from "./sessions.ts";

export interface ResponseParts {
  readonly clock: Clock;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly sessions: Sessions;
  readonly stopping: () => boolean;
}

/**
 * The head a client gets. A write's is held until its pin is recorded, so that nobody can know of the write
 * before every edge would pin its user; anything else goes straight through.
 */
export function answerHead(
  exchange: Exchange,
  region: RegionHead,
  parts: ResponseParts,
): HeaderList | Promise<HeaderList> {
  exchange.headAtMs = parts.clock.now();
  exchange.wrote = region.word.wrote;
  const { mode } = exchange.settings.config.consistency;
  const pinning = mode !== "off" && exchange.reading.facts.intent !== "static";
  if (!pinning || !wroteBy(exchange, region.status)) return ownHeaders(exchange, region.headers, parts);
  return holdForPin(exchange, region.word, parts).then(() => {
    pushToken(region.headers, exchange, parts);
    return ownHeaders(exchange, region.headers, parts);
  });
}

/** Resolves when the pin is recorded, or when the operator's rule for an absent Redis lets the head go. */
async function holdForPin(exchange: Exchange, word: RegionWord, { pins }: ResponseParts): Promise<void> {
  const { identities, config } = exchange.settings;
  exchange.pin ??= pins.open(exchange.reading.pids.write);
  const established = identities.establishedBy({
    "set-cookie": [...word.setCookies],
    "x-meridian-principal": word.principal ?? undefined,
  });
  const results = await Promise.all([exchange.pin.acknowledged, exchange.pin.add(established.write)]);
  if (results.every((result) => result === "recorded")) return;
  const { graceWindow, onRedisDown } = config.consistency;
  if (onRedisDown.writes === "delay") await sleep(graceWindow);
  else exchange.consistency = "cookie-only";
}

/** The user's own copy of the pin, for when Redis is not to be had. It outlives the pin by the skew that its reader allows. */
function pushToken(
  headers: HeaderList,
  { settings, secure, inputs }: Exchange,
  { table }: ResponseParts,
): void {
  const windowMs = pinWindowMs(settings.config.consistency.graceWindow, table.view, settings.rules);
  const token = settings.tokens.issue(windowMs, inputs?.view.epoch ?? 0);
  const maxAgeSeconds = Math.ceil((windowMs + CLOCK_SKEW_MS) / 1_000);
  headers.push(TOKEN_HEADER, token, "set-cookie", setCookie(PIN_COOKIE, token, { maxAgeSeconds, secure }));
}

/** Says in the answer where it comes from and why, and keeps the session where it belongs. */
function ownHeaders(
  exchange: Exchange,
  headers: HeaderList,
  { sessions, stopping }: ResponseParts,
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
  if (stopping()) headers.push("connection", "close");
  return headers;
}

/** W3C Server-Timing: what the edge took before it asked the region, and what the region took to its head. */
function timing({ startedAtMs, dispatchedAtMs, headAtMs }: Exchange): string {
  const edgeMs = dispatchedAtMs - startedAtMs;
  const regionMs = (headAtMs ?? dispatchedAtMs) - dispatchedAtMs;
  return `edge;dur=${edgeMs.toFixed(1)}, region;dur=${regionMs.toFixed(1)}`;
}

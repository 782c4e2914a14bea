import { createHash, timingSafeEqual } from "node:crypto";
import type { Pid } from "../consistency/store.ts";
import type { Fault } from "../errors.ts";
import type { Hold } from "../routing/hold.ts";
import { pinWindowMs } from "../routing/lag.ts";
import type { Position } from "../routing/position.ts";
import type { BodyRules, RequestBody } from "./body.ts";
import type { Exchange } from "./exchange.ts";
import { ClientStalled, faultOf } from "./faults.ts";
import type { HttpCarrier } from "./http-carrier.ts";
import type { InboundResponse } from "./inbound.ts";
import { type PinRequest, readPinRequest } from "./pin-request.ts";
import { type ResponseParts, untilEverywhere } from "./response.ts";
import { faultBeforeRouting } from "./router.ts";

/** Three tokens of the longest kind, and room. */
const MAX_BODY_BYTES = 16_384;
/** How long the body may take, all of it: whoever calls is a server nearby. */
const BODY_WITHIN_MS = 5_000;

const NOT_TAKEN = "Redis did not take the pin; call again before you answer your user";

/** Why nothing was pinned, in words for who called. */
interface Refusal {
  readonly fault: Fault;
  readonly detail?: string;
}

/** Whom to pin, and to what. */
interface Wanted {
  readonly pids: readonly Pid[];
  readonly position: Position | null;
  /** Which region took the write; null when there is one write region. */
  readonly region: string | null;
}

/** What the application is told. */
interface Answer {
  /** Whether every edge knows of the pin from now on. */
  readonly recorded: boolean;
  /** How long the user reads from the writer; 0 when it does not. */
  readonly windowMs: number;
  /** The pin for the user's own client, as a cookie or a header; null in mode `off`. */
  readonly token: string | null;
}

/**
 * Where the application pins a user whose write no edge has seen: one over a WebSocket, by a job, from a webhook. What
 * is pinned is what a write's answer that has just ended leaves behind. The application's own key is asked for,
 * because whoever may pin may bring any user's reads to the writer.
 */
export class PinEndpoint {
  readonly #parts: ResponseParts;

  constructor(parts: ResponseParts) {
    this.#parts = parts;
  }

  /** Resolves when it is answered, or nobody is left to answer. Never asks a region. */
  async answer(exchange: Exchange, carrier: HttpCarrier, res: InboundResponse): Promise<void> {
    const wanted = refusalOf(exchange) ?? (await this.#read(exchange, carrier));
    const said = "fault" in wanted ? wanted : await this.#pin(exchange, wanted);
    if (carrier.gone) {
      exchange.fault = "client_gone";
    } else if ("fault" in said) {
      exchange.fault = said.fault;
      if (said.fault === "wrong_method") res.setHeader("allow", "POST");
      if (said.fault === "unauthenticated") res.setHeader("www-authenticate", 'Bearer realm="meridian"');
      // Node forgets a request that is answered; the rest of its body would be waited for without end.
      if (said.fault === "request_timeout") res.once("close", () => exchange.req.destroy());
      carrier.refuse(exchange, said.fault, said.detail);
    } else {
      send(res, exchange, said, this.#parts.dismisses());
    }
  }

  async #read(exchange: Exchange, { body }: HttpCarrier): Promise<Wanted | Refusal> {
    try {
      const request = readPinRequest(await readWithin(body, BODY_WITHIN_MS));
      if (typeof request === "string") return { fault: "bad_request", detail: request };
      return understood(request, exchange);
    } catch (error) {
      return { fault: faultOf(error as Error, { sent: true }) };
    }
  }

  async #pin(exchange: Exchange, wanted: Wanted): Promise<Answer | Refusal> {
    const { settings } = exchange;
    const { mode, maxPin, graceWindow, onRedisDown } = settings.config.consistency;
    if (mode === "off") return { recorded: false, windowMs: 0, token: null };
    const { view } = this.#parts.table;
    const windowMs = Math.min(maxPin, pinWindowMs(graceWindow, view, settings.rules));
    const token = settings.tokens.issue(windowMs, view.epoch, holdOf(wanted));
    if (mode === "cookie") return { recorded: false, windowMs, token };
    const recorded = await this.#record(wanted, windowMs);
    if (!recorded && onRedisDown.writes === "reject") return { fault: "pin_unrecorded", detail: NOT_TAKEN };
    if (!recorded && onRedisDown.writes === "delay")
      await untilEverywhere(wanted.position, settings, this.#parts);
    else if (!recorded) exchange.consistency = "cookie-only";
    return { recorded, windowMs, token };
  }

  /** Refused or not, this edge itself keeps to the pin: the write may have been made. */
  async #record({ pids, region, position }: Wanted, windowMs: number): Promise<boolean> {
    const pin = this.#parts.pins.open(pids, region);
    const recorded = await pin.acknowledged;
    pin.settle("committed", { windowMs, position });
    return recorded === "recorded";
  }
}

/** What can be said before the body is read. */
function refusalOf(exchange: Exchange): Refusal | null {
  const { method, req, settings } = exchange;
  const fault = faultBeforeRouting(exchange);
  if (fault !== null) return { fault };
  if (method !== "POST") return { fault: "wrong_method", detail: "pin with POST" };
  if (!isKeyOf(settings.config.consistency.pinKeys, req.headers.authorization))
    return {
      fault: "unauthenticated",
      detail: "send `Authorization: Bearer KEY` with a key of consistency.pinKeys",
    };
  return Number(req.headers["content-length"] ?? 0) > MAX_BODY_BYTES ? { fault: "body_too_large" } : null;
}

/** Compares hashes with every key, in a time that does not depend on which one fits. */
function isKeyOf(keys: readonly string[], authorization: string | undefined): boolean {
  const [, presented] = /^Bearer +(.+)$/i.exec(authorization ?? "") ?? [];
  if (presented === undefined) return false;
  const hash = sha256(presented);
  return keys.filter((key) => timingSafeEqual(hash, sha256(key))).length > 0;
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function readWithin(body: RequestBody, withinMs: number): Promise<string> {
  const overdue = Promise.withResolvers<never>();
  const timer = setTimeout(() => overdue.reject(new ClientStalled()), withinMs);
  try {
    return await Promise.race([readAll(body), overdue.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function readAll(body: RequestBody): Promise<string> {
  const rules: BodyRules = { limitBytes: MAX_BODY_BYTES, patience: null, arrived: () => {} };
  const chunks = await Array.fromAsync(body.stream(rules));
  return Buffer.concat(chunks).toString("utf8");
}

/** What is asked for, in this edge's words; or why it cannot be. */
function understood({ identities, position, region }: PinRequest, { settings }: Exchange): Wanted | Refusal {
  const named = identities.map(({ kind, value }) => settings.identities.lookUp(kind, value));
  const pids = [...new Set(named.flatMap((found) => found?.write ?? []))];
  if (named.includes(null))
    return {
      fault: "unknown_identity",
      detail: "a kind is not among consistency.identity of the configuration",
    };
  if (settings.rules.topology === "single-writer") return { pids, position, region: null };
  // As with a write's answer: several writers have several logs, which nobody compares.
  if (region !== null && settings.config.regions[region]?.role === "writer")
    return { pids, position: null, region };
  return { fault: "bad_request", detail: "several regions take writes: name the writer in region" };
}

/** What the token holds its bearer to. */
function holdOf({ position, region }: Wanted): Hold {
  const positions = position === null ? [] : [position];
  return { positions, open: position === null, regions: region === null ? [] : [region] };
}

function send(
  res: InboundResponse,
  { passage, consistency }: Exchange,
  answer: Answer,
  close: boolean,
): void {
  const body = JSON.stringify(answer);
  const headers = ["content-type", "application/json", "content-length", String(Buffer.byteLength(body))];
  headers.push("cache-control", "no-store", "x-request-id", passage.requestId);
  if (consistency !== null) headers.push("x-meridian-consistency", consistency);
  if (close) headers.push("connection", "close");
  res.writeHead(200, "OK", headers);
  res.end(body);
}

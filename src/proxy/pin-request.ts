import { type Position, readPosition } from "../routing/position.ts";
import type { Exchange } from "./exchange.ts";

/** Where an application pins its users. Reserved only while the configuration has `consistency.pinKeys`. */
const PINS_PATH = "/.meridian/pins";
/** As many as a request can have. */
const MOST_IDENTITIES = 3;
const KEYS = ["kind", "value", "identities", "position", "region"];

export interface NamedIdentity {
  readonly kind: string;
  readonly value: string;
}

/** What an application says of a write that it has made, or is about to make. */
export interface PinRequest {
  readonly identities: readonly NamedIdentity[];
  readonly position: Position | null;
  /** Which region took the write; it counts where several may. */
  readonly region: string | null;
}

/** Whether a request is for this edge itself and never to be forwarded. */
export function isPinRequest({ target, settings }: Pick<Exchange, "target" | "settings">): boolean {
  return target.path === PINS_PATH && settings.config.consistency.pinKeys.length > 0;
}

/** Reads the body, or says what is wrong with it. Nothing of it is repeated, for it names users. */
export function readPinRequest(text: string): PinRequest | string {
  const body = readJson(text);
  if (!isMapping(body)) return "the body must be a JSON object";
  const unknown = Object.keys(body).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0) return `the body may have ${KEYS.join(", ")} and nothing else`;
  const identities = readIdentities(body);
  if (typeof identities === "string") return identities;
  const { position = null, region = null } = body;
  const at = typeof position === "string" ? readPosition(position) : null;
  if (position !== null && at === null) return "position must be EPOCH:POSITION, the position in hex";
  if (region !== null && typeof region !== "string") return "region must be a region's name";
  return { identities, position: at, region };
}

function readIdentities(body: Readonly<Record<string, unknown>>): readonly NamedIdentity[] | string {
  const { identities, kind, value } = body;
  if (identities === undefined) return readIdentities({ identities: [{ kind, value }] });
  if (kind !== undefined || value !== undefined) return "give kind and value, or identities";
  if (!Array.isArray(identities) || identities.length === 0 || identities.length > MOST_IDENTITIES)
    return `identities must be a list of 1 to ${MOST_IDENTITIES}`;
  if (!identities.every(isIdentity))
    return "an identity must have kind and value, two texts that are not empty";
  return identities;
}

function isIdentity(given: unknown): given is NamedIdentity {
  if (!isMapping(given) || Object.keys(given).length !== 2) return false;
  return [given.kind, given.value].every((text) => typeof text === "string" && text !== "");
}

function readJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import { createHash, timingSafeEqual } from "node:crypto";
import { isIPv6 } from "node:net";
import type { Config } from "../config/schema.ts";
import { Refusal } from "./problems.ts";

export type Role = "viewer" | "operator";

/** Who asks. Its name goes into the audit log. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
}

/** Without tokens the machine's own users are trusted; the listener is then on loopback only. */
const LOCAL: Caller = { name: "local", role: "operator" };

type AdminConfig = Config["admin"];

/** The headers that access depends on. */
export interface AccessHeaders {
  readonly host?: string | undefined;
  readonly origin?: string | undefined;
  readonly authorization?: string | undefined;
}

/** Says why this listener would be open to the network, or null when it is not. */
export function exposure(admin: AdminConfig): string | null {
  if (admin.tokens.length > 0 || isLoopback(admin.host)) return null;
  return `admin.host ${admin.host} is not loopback, so admin.tokens must have at least one entry`;
}

/**
 * Who asks, or a thrown {@link Refusal}. A web page may make a browser send requests here: without tokens it
 * is the Host header that gives DNS rebinding away, and the Origin header a form that posts across sites.
 */
export function identify(headers: AccessHeaders, admin: AdminConfig): Caller {
  refuseForeignOrigin(headers);
  if (admin.tokens.length === 0) {
    refuseForeignHost(headers.host, admin.host);
    return LOCAL;
  }
  const caller = callerOf(headers.authorization, admin.tokens);
  if (caller) return caller;
  throw new Refusal("unauthenticated", "send `Authorization: Bearer TOKEN` with a token of admin.tokens");
}

export function demand(role: Role, caller: Caller): void {
  if (role === "viewer" || caller.role === "operator") return;
  throw new Refusal("forbidden", `${caller.name} is a viewer; this call needs the role operator`);
}

export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Compares hashes with every token, in a time that does not depend on which one fits. */
function callerOf(authorization: string | undefined, tokens: AdminConfig["tokens"]): Caller | null {
  const [, presented] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
  if (presented === undefined) return null;
  const hash = createHash("sha256").update(presented).digest();
  const fitting = tokens.filter((token) => timingSafeEqual(hash, Buffer.from(token.sha256, "hex")));
  return fitting[0] ? { name: fitting[0].name, role: fitting[0].role } : null;
}

function refuseForeignHost(header: string | undefined, configured: string): void {
  const name = header?.replace(/:\d+$/, "").toLowerCase();
  const own = isIPv6(configured) ? `[${configured}]` : configured.toLowerCase();
  if (name !== undefined && ["localhost", "127.0.0.1", "[::1]", own].includes(name)) return;
  throw new Refusal(
    "foreign_origin",
    "without tokens this API answers only to localhost; check the Host header",
  );
}

function refuseForeignOrigin({ origin, host }: AccessHeaders): void {
  if (origin === undefined) return;
  if (URL.canParse(origin) && new URL(origin).host === host) return;
  throw new Refusal("foreign_origin", `requests made by pages of ${origin} are not accepted`);
}

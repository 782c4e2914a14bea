import { createHash, timingSafeEqual } from "node:crypto";
import type { Config } from "../config/schema.ts";
import type { Lockout } from "./lockout.ts";
import { Refusal } from "./problems.ts";

export type Role = "viewer" | "operator";

/** Who asks. Its name goes into the audit log. */
export interface Caller {
  readonly name: string;
  readonly role: Role;
}

type AdminConfig = Config["admin"];

/** Without tokens the machine's own users are trusted; the listener is then on loopback only. */
const LOCAL: Caller = { name: "local", role: "operator" };

/** Says why this listener would be open to the network, or null when it is not. */
export function exposure(admin: AdminConfig): string | null {
  if (admin.tokens.length > 0 || isLoopback(admin.host)) return null;
  return `admin.host ${admin.host} is not loopback, so admin.tokens must have at least one entry`;
}

export function demand(role: Role, caller: Caller): void {
  if (role === "viewer" || caller.role === "operator") return;
  throw new Refusal("forbidden", `${caller.name} is a viewer; this call needs the role operator`);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

/** Tells callers apart by their tokens, and locks those out that guess. */
export class Access {
  readonly #tokens: readonly { readonly caller: Caller; readonly hash: Buffer }[];
  readonly #lockout: Lockout;

  constructor({ tokens }: Pick<AdminConfig, "tokens">, lockout: Lockout) {
    this.#tokens = tokens.map(({ name, role, sha256 }) => ({
      caller: { name, role },
      hash: Buffer.from(sha256, "hex"),
    }));
    this.#lockout = lockout;
  }

  /**
   * Who calls from this address with this Authorization header, or a thrown {@link Refusal}. While an address is locked
   * out its token is not even looked at: were a right one let in, guessing would go on.
   */
  identify(authorization: string | undefined, address: string): Caller {
    if (this.#tokens.length === 0) return LOCAL;
    this.#refuseLockedOut(address);
    const [, presented] = /^Bearer +(\S+)$/i.exec(authorization ?? "") ?? [];
    const caller = presented === undefined ? null : this.#callerWith(presented);
    if (caller !== null) return caller;
    if (presented !== undefined) this.#lockout.gaveWrongToken(address);
    throw new Refusal("unauthenticated", "send `Authorization: Bearer TOKEN` with a token of admin.tokens");
  }

  #refuseLockedOut(address: string): void {
    const retryAfterSeconds = Math.ceil(this.#lockout.remainingMs(address) / 1_000);
    if (retryAfterSeconds === 0) return;
    const detail = `too many wrong tokens came from this address; wait ${retryAfterSeconds} s`;
    throw new Refusal("locked_out", detail, { retryAfterSeconds });
  }

  /** Hashes have one length, and each is compared to its end, so the time tells neither which one fits nor how far. */
  #callerWith(presented: string): Caller | null {
    const presentedHash = createHash("sha256").update(presented).digest();
    const fitting = this.#tokens.filter(({ hash }) => timingSafeEqual(presentedHash, hash));
    return fitting[0]?.caller ?? null;
  }
}

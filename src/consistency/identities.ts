import { createHmac, randomBytes } from "node:crypto";
import type { IdentityConfig } from "../config/schema.ts";
import { readCookie, readSetCookie, setCookie } from "./cookies.ts";
import type { Pid } from "./store.ts";

/** The cookie by which we know a browser that has no other identity. */
export const ANONYMOUS_COOKIE = "meridian_id";
/** How a region says who the user is now, after a login for instance. */
export const PRINCIPAL_HEADER = "x-meridian-principal";

const PID_LENGTH = 22;
const ANONYMOUS_BYTES = 16;
const YEAR_SECONDS = 365 * 86_400;
const DEFAULT_IDENTITIES: readonly IdentityConfig[] = [
  { header: "authorization" },
  { cookie: ANONYMOUS_COOKIE },
];

/** As node:http and undici give them: names in lower case. */
export type Headers = Readonly<Record<string, string | string[] | undefined>>;

/**
 * A user's pids. Writers pin under the first secret; readers look under every configured one, so a user stays
 * pinned while secrets are rotated. Rotate in three steps, each on every edge before the next: add the new
 * secret as the last, make it the first, and drop the old one once `maxPin` has passed.
 */
export interface Pids {
  readonly write: readonly Pid[];
  readonly read: readonly Pid[];
}

/** A browser we have just named. */
export interface Anonymous {
  readonly pids: Pids;
  /** The `Set-Cookie` line that tells it. */
  setCookie(secure: boolean): string;
}

interface Source {
  /** `header:NAME` or `cookie:NAME`, the word of the admin API too. */
  readonly kind: string;
  read(headers: Headers): string | null;
}

/** Who is a user. Every configured identity that is present counts. No identity leaves this file in clear. */
export class Identities {
  readonly #sources: readonly Source[];
  readonly #cookies: ReadonlySet<string>;
  readonly #secrets: readonly string[];

  constructor(configured: readonly IdentityConfig[] | undefined, secrets: readonly string[]) {
    if (secrets.length === 0) throw new RangeError("identities need at least one secret");
    const identities = configured ?? DEFAULT_IDENTITIES;
    this.#sources = identities.map(sourceOf);
    this.#cookies = new Set(identities.flatMap((identity) => ("cookie" in identity ? identity.cookie : [])));
    this.#secrets = secrets;
  }

  /** The pids of whoever sends these request headers; none when nobody is identified. */
  identitiesOf(headers: Headers): Pids {
    const names: string[] = [];
    for (const { kind, read } of this.#sources) {
      const value = read(headers);
      if (value !== null) names.push(`${kind}|${value}`);
    }
    return this.#pids(names);
  }

  /**
   * The pids that this response gives its user: a cookie that is a configured identity, or the principal the
   * region names, who may come back as any configured identity of that value.
   */
  establishedBy(headers: Headers): Pids {
    const names: string[] = [];
    for (const line of many(headers["set-cookie"])) {
      const [cookie, value] = readSetCookie(line);
      if (value !== "" && this.#cookies.has(cookie)) names.push(`cookie:${cookie}|${value}`);
    }
    const principal = one(headers[PRINCIPAL_HEADER]);
    if (principal !== null) names.push(...this.#sources.map(({ kind }) => `${kind}|${principal}`));
    return this.#pids(names);
  }

  /** The pids of one identity, given by an operator; null when `kind` is not a configured identity. */
  lookUp(kind: string, value: string): Pids | null {
    return this.#sources.some((source) => source.kind === kind) ? this.#pids([`${kind}|${value}`]) : null;
  }

  /** Names a browser; null when the operator's identities leave our cookie out. */
  newAnonymous(): Anonymous | null {
    if (!this.#cookies.has(ANONYMOUS_COOKIE)) return null;
    const value = randomBytes(ANONYMOUS_BYTES).toString("base64url");
    return {
      pids: this.#pids([`cookie:${ANONYMOUS_COOKIE}|${value}`]),
      setCookie: (secure) => setCookie(ANONYMOUS_COOKIE, value, { maxAgeSeconds: YEAR_SECONDS, secure }),
    };
  }

  #pids(names: readonly string[]): Pids {
    const [first = [], ...older] = this.#secrets.map((secret) => names.map((name) => pidOf(secret, name)));
    return { write: first, read: [...first, ...older.flat()] };
  }
}

function pidOf(secret: string, name: string): Pid {
  return createHmac("sha256", secret).update(name).digest("base64url").slice(0, PID_LENGTH);
}

function sourceOf(identity: IdentityConfig): Source {
  if ("cookie" in identity) {
    const { cookie } = identity;
    return {
      kind: `cookie:${cookie}`,
      read: (headers) => readCookie(many(headers.cookie).join(";"), cookie),
    };
  }
  const { header } = identity;
  return { kind: `header:${header}`, read: (headers) => one(headers[header]) };
}

function one(value: string | string[] | undefined): string | null {
  const text = many(value).join(", ").trim();
  return text === "" ? null : text;
}

function many(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

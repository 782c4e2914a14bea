import { createHmac, randomBytes } from "node:crypto";
import type { IdentityConfig, JwtConfig } from "../config/schema-identity.ts";
import { readCookie, readSetCookie, setCookie } from "./cookies.ts";
import { claimIn, tokenIn, unverifiedClaims } from "./jwt.ts";
import { claimReader } from "./jwt-claims.ts";
import { Recent } from "./recent.ts";
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
  /** `header:NAME`, `cookie:NAME` or `jwt:CLAIM`, the word of the admin API too. */
  readonly kind: string;
  /** The cookie it is in; null when it is in a header. */
  readonly cookie: string | null;
  read(headers: Headers): string | null;
  /** What to wait for before {@link read}; null when there is nothing. */
  prepare(headers: Headers): Promise<void> | null;
  /** The identity in a value that somebody vouches for: the region that sets it, or an operator. */
  vouched(value: string): string | null;
}

/** A source, and the pids of the values that were lately found there. They are kept in this process alone. */
interface KnownSource extends Source {
  readonly recent: Recent<Pids>;
}

const NOBODY: Pids = { write: [], read: [] };

/** Who is a user. Every configured identity that is present counts. No identity leaves this file in clear. */
export class Identities {
  readonly #sources: readonly KnownSource[];
  readonly #verifying: readonly Source[];
  readonly #namesAnonymous: boolean;
  readonly #secrets: readonly string[];

  constructor(configured: readonly IdentityConfig[] | undefined, secrets: readonly string[]) {
    if (secrets.length === 0) throw new RangeError("identities need at least one secret");
    const identities = configured ?? DEFAULT_IDENTITIES;
    this.#sources = identities.map((identity) => ({ ...sourceOf(identity), recent: new Recent<Pids>() }));
    this.#verifying = this.#sources.filter((_, index) => identities[index]?.jwt !== undefined);
    this.#namesAnonymous = identities.some(({ cookie }) => cookie === ANONYMOUS_COOKIE);
    this.#secrets = secrets;
  }

  /**
   * What to wait for before {@link identitiesOf} knows these request headers; null when it does already, as for all
   * but the first request with a token that has to be verified. Never rejects.
   */
  prepare(headers: Headers): Promise<unknown> | null {
    const waits = this.#verifying.flatMap(({ prepare }) => prepare(headers) ?? []);
    return waits.length === 0 ? null : Promise.all(waits);
  }

  /** The pids of whoever sends these request headers; none when nobody is identified. */
  identitiesOf(headers: Headers): Pids {
    let found: Pids | null = null;
    for (const source of this.#sources) {
      const value = source.read(headers);
      if (value === null) continue;
      const pids = source.recent.get(value) ?? this.#firstSight(source, value);
      found = found === null ? pids : joined(found, pids);
    }
    return found ?? NOBODY;
  }

  /**
   * The pids that this response gives its user: a cookie that is a configured identity, or the principal the
   * region names, who may come back as any configured identity of that value.
   */
  establishedBy(headers: Headers): Pids {
    const names: string[] = [];
    for (const line of many(headers["set-cookie"])) {
      const [cookie, value] = readSetCookie(line);
      for (const source of this.#sources) {
        const identity = source.cookie === cookie && value !== "" ? source.vouched(value) : null;
        if (identity !== null) names.push(`${source.kind}|${identity}`);
      }
    }
    const principal = one(headers[PRINCIPAL_HEADER]);
    if (principal !== null) names.push(...this.#sources.map(({ kind }) => `${kind}|${principal}`));
    return this.#pids(names);
  }

  /**
   * The pids of one identity, given by an operator; null when `kind` is not a configured identity. Of `jwt:CLAIM` the
   * value is the claim's, or a whole token that has it.
   */
  lookUp(kind: string, value: string): Pids | null {
    const source = this.#sources.find((candidate) => candidate.kind === kind);
    return source === undefined ? null : this.#pids([`${kind}|${source.vouched(value) ?? value}`]);
  }

  /** Names a browser; null when the operator's identities leave our cookie out. */
  newAnonymous(): Anonymous | null {
    if (!this.#namesAnonymous) return null;
    const value = randomBytes(ANONYMOUS_BYTES).toString("base64url");
    return {
      pids: this.#pids([`cookie:${ANONYMOUS_COOKIE}|${value}`]),
      setCookie: (secure) => setCookie(ANONYMOUS_COOKIE, value, { maxAgeSeconds: YEAR_SECONDS, secure }),
    };
  }

  #firstSight({ kind, recent }: KnownSource, value: string): Pids {
    const pids = this.#pids([`${kind}|${value}`]);
    recent.set(value, pids);
    return pids;
  }

  #pids(given: readonly string[]): Pids {
    const names = [...new Set(given)];
    const [first = [], ...older] = this.#secrets.map((secret) => names.map((name) => pidOf(secret, name)));
    return { write: first, read: [...first, ...older.flat()] };
  }
}

/** One user's token may be in a header and in a cookie. */
function joined(one: Pids, other: Pids): Pids {
  return {
    write: [...new Set([...one.write, ...other.write])],
    read: [...new Set([...one.read, ...other.read])],
  };
}

function pidOf(secret: string, name: string): Pid {
  return createHmac("sha256", secret).update(name).digest("base64url").slice(0, PID_LENGTH);
}

function sourceOf({ header, cookie, jwt }: IdentityConfig): Source {
  if (jwt !== undefined) return tokenSource(jwt);
  const kind = cookie === undefined ? `header:${header}` : `cookie:${cookie}`;
  const read = valueAt({ header, cookie });
  return { kind, cookie: cookie ?? null, read, prepare: () => null, vouched: (value) => value };
}

function tokenSource(jwt: JwtConfig): Source {
  const reader = claimReader(jwt);
  const valueIn = valueAt(jwt);
  const withToken =
    <T>(use: (token: string) => T | null) =>
    (value: string | null): T | null => {
      const token = tokenIn(value);
      return token === null ? null : use(token);
    };
  const read = withToken((token) => reader.read(token));
  const prepare = withToken((token) => reader.prepare(token));
  return {
    kind: `jwt:${jwt.claim}`,
    cookie: jwt.cookie ?? null,
    read: (headers) => read(valueIn(headers)),
    prepare: (headers) => prepare(valueIn(headers)),
    vouched: withToken((token) => claimIn(unverifiedClaims(token), jwt.claim)),
  };
}

/** Where a configured identity stands in a request. */
function valueAt({ header = "", cookie }: IdentityConfig | JwtConfig): (headers: Headers) => string | null {
  if (cookie === undefined) return (headers) => one(headers[header]);
  return ({ cookie: sent }) => readCookie(Array.isArray(sent) ? sent.join(";") : sent, cookie);
}

function one(value: string | string[] | undefined): string | null {
  const text = (Array.isArray(value) ? value.join(", ") : (value ?? "")).trim();
  return text === "" ? null : text;
}

function many(value: string | string[] | undefined): readonly string[] {
  return value === undefined ? [] : Array.isArray(value) ? value : [value];
}

export interface CookieOptions {
  readonly maxAgeSeconds: number;
  /** True when the client came over https. */
  readonly secure: boolean;
}

/**
 * The value of the first cookie of this name in a `Cookie` header, exactly as sent (RFC 6265, section 5.4);
 * null when there is none or it is empty. Tolerates missing spaces and stray semicolons.
 */
export function readCookie(header: string | undefined, name: string): string | null {
  if (header === undefined || !header.includes(name)) return null;
  for (let from = 0; from < header.length; ) {
    const semicolon = header.indexOf(";", from);
    const end = semicolon < 0 ? header.length : semicolon;
    const equals = header.indexOf("=", from);
    if (equals < 0) return null;
    if (equals < end && header.slice(from, equals).trim() === name) {
      const value = header.slice(equals + 1, end).trim();
      if (value !== "") return value;
    }
    from = end + 1;
  }
  return null;
}

/** The cookie that a `Set-Cookie` line sets: its name and its value, without the attributes. */
export function readSetCookie(line: string): readonly [name: string, value: string] {
  return nameAndValue(line.split(";", 1)[0] ?? "");
}

/** A `Set-Cookie` line for a cookie of our own. Scripts cannot read it, and other sites cannot make a browser post it. */
export function setCookie(name: string, value: string, { maxAgeSeconds, secure }: CookieOptions): string {
  const line = `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; SameSite=Lax`;
  return secure ? `${line}; Secure` : line;
}

function nameAndValue(pair: string): readonly [string, string] {
  const equals = pair.indexOf("=");
  return equals < 0 ? ["", ""] : [pair.slice(0, equals).trim(), pair.slice(equals + 1).trim()];
}

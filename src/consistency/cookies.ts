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
  if (header === undefined) return null;
  for (const pair of header.split(";")) {
    const [key, value] = nameAndValue(pair);
    if (key === name && value !== "") return value;
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

/** HTTP/2 without TLS, and without asking; a scheme of ours, which URLs do not know. */
const H2C = "h2c:";

/**
 * The origin of a server as everybody writes it: `HTTP://App:80/` is `http://app`. Null when it is none, for a path or
 * credentials in it, or another scheme than `http`, `https` and `h2c`.
 */
export function normalOrigin(text: string): string | null {
  const scheme = /^(https?|h2c):\/\/[^\s/\\]+/i.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return null;
  const asHttp = scheme === "h2c" ? text.replace(/^h2c/i, "http") : text;
  if (!URL.canParse(asHttp)) return null;
  const url = new URL(asHttp);
  return scheme === "h2c" ? `${H2C}//${url.host}` : url.origin;
}

/** Where an origin is, as a URL of `http` or `https`: what they do not know of it is left out. */
export function originUrl(origin: string): URL {
  return new URL(isH2c(origin) ? `http:${origin.slice(H2C.length)}` : origin);
}

export function isH2c(origin: string): boolean {
  return origin.startsWith(H2C);
}

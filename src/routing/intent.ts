/** What a request wants. Upgrades are reads (or writes, by a path rule) that happen to stay. */
export type Intent = "read" | "write" | "static";

/** An operator's word on what a path does, whatever its method. */
export interface PathRule {
  /** The whole path, or its beginning when `prefix`. */
  readonly path: string;
  readonly prefix: boolean;
  /** Methods it speaks of; null for all. */
  readonly methods: readonly string[] | null;
  readonly as: Intent;
}

/** Methods that ask for no change (RFC 9110 §9.2.1, the WebDAV and QUERY registrations). */
const SAFE_METHODS: ReadonlySet<string> = new Set([
  "GET",
  "HEAD",
  "OPTIONS",
  "TRACE",
  "QUERY",
  "PROPFIND",
  "REPORT",
  "SEARCH",
]);

export function isSafe(method: string): boolean {
  return SAFE_METHODS.has(method);
}

/** The first rule that matches decides; without one the method does, and an unknown method is a write. */
export function intentOf(method: string, path: string, rules: readonly PathRule[]): Intent {
  const rule = rules.find((candidate) => matches(candidate, method, path));
  if (rule) return rule.as;
  return isSafe(method) ? "read" : "write";
}

function matches(rule: PathRule, method: string, path: string): boolean {
  if (rule.methods !== null && !rule.methods.includes(method)) return false;
  return rule.prefix ? path.startsWith(rule.path) : path === rule.path;
}

import { writeYaml } from "./document.ts";
import { escapeExpressions } from "./environment.ts";
import { type Config, writtenConfig } from "./schema.ts";

export const REDACTED = "[redacted]";

type Written = ReturnType<typeof writtenConfig>;

/**
 * The name of a key whose texts are secret, now and in keys to come: `secrets`, `password`, `sha256`, `pinKeys`,
 * `token`. A mapping below such a name is judged by its own keys, as those of `admin.tokens` are.
 */
const SECRET_KEY = /(secret|password|passphrase|credential|token|sha256|key)s?$/i;

/** The configuration as written in a file, with every secret replaced by `[redacted]`. */
export function redactedConfig(config: Config): Written {
  return redacted(writtenConfig(config), false) as Written;
}

function redacted(value: unknown, isSecret: boolean): unknown {
  if (Array.isArray(value)) return value.map((each) => redacted(each, isSecret));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, redacted(inner, SECRET_KEY.test(key))]),
    );
  }
  if (value === undefined || value === null) return value;
  if (isSecret) return REDACTED;
  return typeof value === "string" ? withoutCredentials(value) : value;
}

/** Passwords stand before the @, or a token alone, and, for some clients, in the query. Anything but a URL has none. */
function withoutCredentials(text: string): string {
  if (!/^[a-z][a-z\d+.-]*:\/\//i.test(text) || !URL.canParse(text)) return text;
  const { protocol, username, password, host, pathname, search, hash } = new URL(text);
  if (username + password + search + hash === "") return text;
  const user = password === "" ? REDACTED : `${username}:${REDACTED}`;
  const credentials = username + password === "" ? "" : `${user}@`;
  const query = search + hash === "" ? "" : `?${REDACTED}`;
  return `${protocol}//${credentials}${host}${pathname}${query}`;
}

/** The configuration in force as a file: every key, secrets redacted. Without secrets it reads back as the same. */
export function effectiveYaml(config: Config): string {
  return writeYaml(mapTexts(redactedConfig(config), escapeExpressions));
}

function mapTexts(data: unknown, change: (text: string) => string): unknown {
  if (typeof data === "string") return change(data);
  if (Array.isArray(data)) return data.map((item) => mapTexts(item, change));
  if (typeof data !== "object" || data === null) return data;
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, mapTexts(value, change)]));
}

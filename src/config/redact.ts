import { writeYaml } from "./document.ts";
import { escapeExpressions } from "./environment.ts";
import { type Config, writtenConfig } from "./schema.ts";

export const REDACTED = "[redacted]";

/** The configuration as written in a file, with every secret replaced by `[redacted]`. */
export function redactedConfig(config: Config): ReturnType<typeof writtenConfig> {
  const written = writtenConfig(config);
  const { admin, secrets, redis, failover, consistency } = written;
  return {
    ...written,
    secrets: secrets?.map(() => REDACTED),
    admin: { ...admin, tokens: admin?.tokens?.map((token) => ({ ...token, sha256: REDACTED })) },
    consistency: { ...consistency, pinKeys: consistency?.pinKeys?.map(() => REDACTED) },
    ...(redis && { redis: redactedRedis(redis) }),
    ...(failover?.hook && {
      failover: { ...failover, hook: { ...failover.hook, url: redactedUrl(failover.hook.url) } },
    }),
  };
}

type WrittenRedis = NonNullable<ReturnType<typeof writtenConfig>["redis"]>;

function redactedRedis({ url, sentinels, cluster, password, ...rest }: WrittenRedis): WrittenRedis {
  return {
    ...(url !== undefined && { url: redactedUrl(url) }),
    ...(sentinels && { sentinels: sentinels.map(redactedAddress) }),
    ...(cluster && { cluster: cluster.map(redactedAddress) }),
    ...(password !== undefined && { password: REDACTED }),
    ...rest,
  };
}

/** Without a scheme there is no password in it. */
function redactedAddress(text: string): string {
  return text.includes("://") ? redactedUrl(text) : text;
}

/** Passwords stand before the @, and, for some clients, in the query. */
function redactedUrl(text: string): string {
  const url = new URL(text);
  const password = url.password === "" ? "" : `:${REDACTED}`;
  const user = url.username === "" && password === "" ? "" : `${url.username}${password}@`;
  const query = url.search === "" ? "" : `?${REDACTED}`;
  return `${url.protocol}//${user}${url.host}${url.pathname}${query}`;
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

import { listenContradictions } from "./listen-contradictions.ts";
import type { Finding, Path } from "./problems.ts";
import { pathText } from "./problems.ts";
import { redisContradictions } from "./redis-contradictions.ts";
import { type ConfigRule, isLoopback, isWildcard, regionsOf, repeats, writersOf } from "./rule.ts";
import { scheduleContradictions } from "./schedule-rules.ts";
import type { Config } from "./schema.ts";
import { didYouMean } from "./spelling.ts";
import { transportContradictions } from "./transport-contradictions.ts";
import { formatDuration } from "./values.ts";

/** Values that are sound one by one and make no sense together. An edge does not start on any of these. */
export const contradictions: readonly ConfigRule[] = [
  { about: ["regions"], find: noRegion },
  { about: ["regions"], find: noWriter },
  { about: ["regions", "routing"], find: secondWriter },
  { about: [], find: endpointTwice },
  { about: ["listen", "admin"], find: endpointIsThisEdge },
  { about: ["regions", "routing"], find: noWeight },
  { about: ["regions", "routing"], find: nobodyInJurisdiction },
  { about: ["regions", "failover"], find: orderOfStrangers },
  { about: ["failover"], find: orderTwice },
  { about: ["failover", "redis", "routing"], find: automaticFailover },
  { about: ["health"], find: slowProbe },
  { about: ["consistency"], find: shortPin },
  { about: ["consistency"], find: failuresThatWroteNothing },
  { about: ["affinity"], find: ownCookieTaken },
  { about: ["affinity", "consistency"], find: identityIsOurs },
  { about: ["consistency"], find: identityTwice },
  { about: ["routing"], find: headerIsOurs },
  { about: ["secrets", "consistency"], find: pinKeyIsSecret },
  { about: ["workers", "redis"], find: workersWithoutRedis },
  { about: ["admin"], find: openAdmin },
  { about: ["admin"], find: tokenTwice },
  ...listenContradictions,
  ...redisContradictions,
  ...scheduleContradictions,
  ...transportContradictions,
];

function finding(path: Path, message: string, hint: string): Finding {
  return { path, message, hint };
}

/** A user may write through one worker and read through another, and without Redis a process knows its own pins only. */
function workersWithoutRedis({ workers, redis }: Config): readonly Finding[] {
  if (workers === 1 || redis !== undefined) return [];
  const message =
    "without Redis the pins live in one process, and a user would miss what another has written";
  return [finding(["workers"], message, "give redis.url, or remove workers")];
}

function noRegion(config: Config): readonly Finding[] {
  if (regionsOf(config).length > 0) return [];
  const hint = "add one, such as us-east: { role: writer, endpoints: [http://10.0.0.10:8080] }";
  return [finding(["regions"], "no region", hint)];
}

function noWriter(config: Config): readonly Finding[] {
  if (regionsOf(config).length === 0 || writersOf(config).length > 0) return [];
  return [{ ...finding(["regions"], "no writer", "give one region role: writer"), atKey: true }];
}

function secondWriter(config: Config): readonly Finding[] {
  if (config.routing.topology !== "single-writer") return [];
  const [first, ...others] = writersOf(config);
  const hint = "make it a replica, or set routing.topology: multi-writer";
  return others.map(({ name }) =>
    finding(["regions", name, "role"], `${first?.name} is already the writer`, hint),
  );
}

function endpointsOf(config: Config): readonly { path: Path; origin: string }[] {
  return regionsOf(config).flatMap(({ name, endpoints }) =>
    endpoints.map((origin, index) => ({ path: ["regions", name, "endpoints", index], origin })),
  );
}

function endpointTwice(config: Config): readonly Finding[] {
  const all = endpointsOf(config);
  return repeats(all.map(({ origin }) => origin)).map(({ index, first }) => {
    const other = pathText(all[first]?.path ?? []);
    const hint = "an endpoint belongs to one region, once";
    return finding(all[index]?.path ?? [], `the same endpoint as ${other}`, hint);
  });
}

function endpointIsThisEdge({ listen, admin, ...config }: Config): readonly Finding[] {
  const own = [listen.http, ...(listen.https ? [listen.https] : []), admin].filter(
    ({ host, port }) => port !== 0 && (isWildcard(host) || isLoopback(host)),
  );
  const calls = (origin: URL) =>
    own.some(({ port }) => isLoopback(origin.hostname) && Number(origin.port) === port);
  return endpointsOf({ listen, admin, ...config })
    .filter(({ origin }) => calls(new URL(origin)))
    .map(({ path }) =>
      finding(path, "this edge listens there itself", "give the address of the application"),
    );
}

function noWeight(config: Config): readonly Finding[] {
  const regions = regionsOf(config);
  if (config.routing.policy !== "weighted" || regions.length === 0) return [];
  if (regions.some(({ weight }) => weight > 0)) return [];
  return [finding(["routing", "policy"], "no region has a weight above 0", "give one region a weight")];
}

function nobodyInJurisdiction(config: Config): readonly Finding[] {
  const known = new Set(regionsOf(config).flatMap(({ jurisdiction }) => jurisdiction ?? []));
  return config.routing.residency.flatMap(({ jurisdictions }, rule) =>
    jurisdictions.flatMap((name, index) => {
      if (known.has(name)) return [];
      const path = ["routing", "residency", rule, "jurisdictions", index];
      const hint = didYouMean(name, known) ?? `give a region jurisdiction: ${name}`;
      return [finding(path, "no region is in this jurisdiction", hint)];
    }),
  );
}

function orderOfStrangers({ failover, regions }: Config): readonly Finding[] {
  const names = Object.keys(regions);
  return failover.order.flatMap((name, index) => {
    if (Object.hasOwn(regions, name)) return [];
    const hint = didYouMean(name, names) ?? `the regions are ${names.join(", ")}`;
    return [finding(["failover", "order", index], "no such region", hint)];
  });
}

function orderTwice({ failover }: Config): readonly Finding[] {
  return repeats(failover.order).map(({ index, value }) =>
    finding(["failover", "order", index], `${value} is already in the order`, "name each region once"),
  );
}

function automaticFailover({ failover, redis, routing }: Config): readonly Finding[] {
  if (failover.mode !== "automatic") return [];
  const path = ["failover", "mode"];
  if (routing.topology === "multi-writer")
    return [finding(path, "with several writers there is no write region to move", "write manual")];
  if (redis !== undefined) return [];
  return [finding(path, "one edge alone never moves the write region", "give redis, or write manual")];
}

function slowProbe({ health }: Config): readonly Finding[] {
  if (health.timeout < health.interval) return [];
  const [timeout, interval] = [formatDuration(health.timeout), formatDuration(health.interval)];
  const hint = "a probe must end before the next begins: shorten the timeout or lengthen the interval";
  return [finding(["health", "timeout"], `${timeout} is not shorter than the interval of ${interval}`, hint)];
}

function shortPin({ consistency }: Config): readonly Finding[] {
  const { graceWindow, maxPin } = consistency;
  if (graceWindow <= maxPin) return [];
  const message = `${formatDuration(graceWindow)} is longer than maxPin of ${formatDuration(maxPin)}`;
  return [finding(["consistency", "graceWindow"], message, "raise maxPin or shorten graceWindow")];
}

/** A server that failed may have failed after the commit. */
function failuresThatWroteNothing({ consistency }: Config): readonly Finding[] {
  if (!/5\d\d/.test(consistency.noWriteStatus ?? "")) return [];
  const message = "a 5xx does not say that nothing was written";
  return [finding(["consistency", "noWriteStatus"], message, "name statuses up to 499")];
}

/** Cookies that Meridian sets under names of its own. */
const OWN_COOKIES = ["meridian_pin", "meridian_id"];

function ownCookieTaken({ affinity }: Config): readonly Finding[] {
  if (!OWN_COOKIES.includes(affinity.cookie)) return [];
  const message = `Meridian uses the cookie ${affinity.cookie} for something else`;
  return [finding(["affinity", "cookie"], message, "choose another name")];
}

function identityIsOurs({ affinity, consistency }: Config): readonly Finding[] {
  return (consistency.identity ?? []).flatMap((source, index) => {
    const path = ["consistency", "identity", index];
    const hint = "name what the application sets when a user logs in";
    const [place, { header, cookie }] = source.jwt ? [[...path, "jwt"], source.jwt] : [path, source];
    if (header !== undefined) return ownHeader([...place, "header"], header);
    if (cookie !== affinity.cookie && cookie !== "meridian_pin") return [];
    return [finding([...place, "cookie"], `the cookie ${cookie} does not say who a user is`, hint)];
  });
}

function headerIsOurs({ routing }: Config): readonly Finding[] {
  return routing.residency.flatMap(({ match }, index) =>
    ownHeader(["routing", "residency", index, "match", "header"], match.header),
  );
}

function ownHeader(path: Path, header: string): readonly Finding[] {
  if (!header.startsWith("x-meridian-")) return [];
  return [finding(path, "headers x-meridian-* of clients are dropped", "choose another header")];
}

function identityTwice({ consistency }: Config): readonly Finding[] {
  return repeats((consistency.identity ?? []).map((source) => JSON.stringify(source))).map(
    ({ index, first }) =>
      finding(["consistency", "identity", index], `the same as identity[${first}]`, "remove one of the two"),
  );
}

/** Whoever has a pin key may only pin; whoever has a secret may sign as this edge does. */
function pinKeyIsSecret({ secrets, consistency }: Config): readonly Finding[] {
  return consistency.pinKeys.flatMap((key, index) => {
    if (!secrets.includes(key)) return [];
    const path = ["consistency", "pinKeys", index];
    return [finding(path, "one of the secrets", "make another one with: openssl rand -base64 32")];
  });
}

function openAdmin({ admin }: Config): readonly Finding[] {
  if (isLoopback(admin.host) || admin.tokens.length > 0) return [];
  const message = "without tokens whoever reaches this address could drain regions";
  return [finding(["admin", "host"], message, "give admin.tokens, or listen on 127.0.0.1")];
}

function tokenTwice({ admin }: Config): readonly Finding[] {
  const names = repeats(admin.tokens.map(({ name }) => name)).map(({ index, first }) =>
    finding(
      ["admin", "tokens", index, "name"],
      `tokens[${first}] has the same name`,
      "audit lines need to tell them apart",
    ),
  );
  const hashes = repeats(admin.tokens.map(({ sha256 }) => sha256)).map(({ index, first }) =>
    finding(
      ["admin", "tokens", index, "sha256"],
      `tokens[${first}] is the same token`,
      "give each its own token",
    ),
  );
  return [...names, ...hashes];
}

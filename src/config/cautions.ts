import type { Finding, Path } from "./problems.ts";
import { type ConfigRule, regionsOf, writersOf } from "./rule.ts";
import { scheduleCautions } from "./schedule-rules.ts";
import type { Config } from "./schema.ts";
import { formatDuration } from "./values.ts";

/** What works, and is probably not what one wants. */
export const cautions: readonly ConfigRule[] = [
  { about: ["secrets"], find: noSecret },
  { about: ["redis", "consistency"], find: noRedis },
  { about: ["consistency"], find: unverifiedToken },
  { about: ["consistency", "health"], find: lagBeyondWindow },
  { about: ["consistency", "failover", "health"], find: windowShorterThanFailover },
  { about: ["failover"], find: nobodyPromotes },
  { about: ["regions", "routing"], find: idleWeight },
  { about: ["regions", "routing"], find: residentsCannotWrite },
  { about: ["routing"], find: shadowedPath },
  { about: ["listen"], find: everybodyTrusted },
  { about: ["proxy"], find: longConnect },
  ...scheduleCautions,
];

function finding(path: Path, message: string, hint: string): Finding {
  return { path, message, hint };
}

function noSecret({ secrets }: Config): readonly Finding[] {
  if (secrets.length > 0) return [];
  const message = "none given, so one is made up at start; a restart or a second edge forgets all cookies";
  return [finding(["secrets"], message, "make one with: openssl rand -base64 32")];
}

function noRedis({ redis, consistency }: Config): readonly Finding[] {
  const { mode } = consistency;
  if (redis !== undefined || (mode !== "strict" && mode !== "bounded")) return [];
  const message = `without it, ${mode} consistency holds on one edge only`;
  return [finding(["redis"], message, "give redis.url before a second edge runs")];
}

/** A pin that should not be only sends its user's reads to the writer; many of them are load that it should not have. */
function unverifiedToken({ consistency }: Config): readonly Finding[] {
  if (consistency.mode === "off") return [];
  return (consistency.identity ?? []).flatMap(({ jwt }, index) => {
    if (jwt === undefined || jwt.jwksFile !== undefined || jwt.keyFile !== undefined) return [];
    const message = "tokens are believed unverified, so a stranger could hold any user's reads at the writer";
    return [finding(["consistency", "identity", index, "jwt"], message, "give jwksFile or keyFile")];
  });
}

/** A replica that stops replicating is noticed when its next probe reports it: until then it lags that much more. */
function lagBeyondWindow({ consistency, health }: Config): readonly Finding[] {
  const { mode, graceWindow } = consistency;
  const { maxLag, interval, timeout } = health;
  const worstLag = maxLag + interval + timeout;
  if (mode === "off" || worstLag < graceWindow) return [];
  const [lag, window] = [formatDuration(worstLag), formatDuration(graceWindow)];
  const message = `with the interval and timeout of a probe a replica may lag ${lag}, and ${window} after a write its user may read there`;
  return [finding(["health", "maxLag"], message, "keep the sum of the three below consistency.graceWindow")];
}

/** From the last answer of the writer until the epoch is raised, about. */
function failoverMs({ failover, health }: Config): number {
  return health.interval + health.timeout + (health.fall - 1) * 500 + failover.after + 2_000;
}

/** A pin that is over when the new epoch begins tells its user nothing of what was lost with the old one. */
function windowShorterThanFailover(config: Config): readonly Finding[] {
  const { failover, consistency, health } = config;
  if (failover.mode !== "automatic" || consistency.mode === "off") return [];
  const [takes, window] = [formatDuration(failoverMs(config)), formatDuration(consistency.graceWindow)];
  const found: Finding[] = [];
  if (consistency.graceWindow < failoverMs(config)) {
    const message = `a failover takes about ${takes}, and ${window} after a write its user is not told any more that it was lost`;
    found.push(finding(["failover", "after"], message, "shorten it, or lengthen consistency.graceWindow"));
  }
  if (health.maxLag < failoverMs(config)) {
    const message = `a failover takes about ${takes}, and replicas that count their lag from the last write seem to lag more than that meanwhile`;
    found.push(finding(["health", "maxLag"], message, "lengthen it, or let them measure it by a heartbeat"));
  }
  return found;
}

function nobodyPromotes({ failover }: Config): readonly Finding[] {
  if (failover.mode !== "automatic" || failover.hook !== undefined) return [];
  const message = "without a hook nobody promotes the database, unless it does so by itself";
  return [
    finding(["failover", "mode"], message, "give failover.hook, or let the database fail over by itself"),
  ];
}

function idleWeight(config: Config): readonly Finding[] {
  if (config.routing.policy === "weighted") return [];
  return regionsOf(config)
    .filter(({ weight }) => weight === 0)
    .map(({ name }) => {
      const message = `0 keeps nobody away under the policy ${config.routing.policy}`;
      return finding(["regions", name, "weight"], message, "drain the region, or make it a standby");
    });
}

function residentsCannotWrite(config: Config): readonly Finding[] {
  const writers = new Set(writersOf(config).flatMap(({ jurisdiction }) => jurisdiction ?? []));
  return config.routing.residency.flatMap(({ jurisdictions }, index) => {
    if (jurisdictions.some((name) => writers.has(name))) return [];
    const message = "no writer is in these jurisdictions, so writes this rule matches are refused";
    return [finding(["routing", "residency", index, "jurisdictions"], message, "is that meant?")];
  });
}

function shadowedPath({ routing }: Config): readonly Finding[] {
  return routing.paths.flatMap(({ path, methods }, index) => {
    const first = routing.paths.findIndex((earlier) => {
      const everyPath = earlier.path.endsWith("*")
        ? path.startsWith(earlier.path.slice(0, -1))
        : path === earlier.path;
      const everyMethod =
        earlier.methods === undefined || methods?.every((name) => earlier.methods?.includes(name));
      return everyPath && everyMethod;
    });
    if (first >= index || first === -1) return [];
    const message = `never applies, for paths[${first}] matches first`;
    return [finding(["routing", "paths", index], message, "put the narrower rule first")];
  });
}

function everybodyTrusted({ listen }: Config): readonly Finding[] {
  return listen.trustedProxies.flatMap((network, index) => {
    if (!network.endsWith("/0")) return [];
    const message = "believes the X-Forwarded-* headers of everybody";
    return [
      finding(["listen", "trustedProxies", index], message, "name the networks of your load balancers"),
    ];
  });
}

function longConnect({ proxy }: Config): readonly Finding[] {
  if (proxy.connectTimeout < proxy.responseTimeout) return [];
  const message = `never reached, for responseTimeout ends after ${formatDuration(proxy.responseTimeout)}`;
  return [finding(["proxy", "connectTimeout"], message, "make it shorter")];
}

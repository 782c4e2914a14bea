import type { Finding, Path } from "./problems.ts";
import type { ConfigRule } from "./rule.ts";
import type { Config } from "./schema.ts";

type RedisConfig = NonNullable<Config["redis"]>;

/** The three ways to say where Redis is. */
const KINDS = ["url", "sentinels", "cluster"] as const;

/** What makes no sense together in the section `redis`. */
export const redisContradictions: readonly ConfigRule[] = [
  about(noAddress),
  about(secondAddress),
  about(nameOfPrimary),
  about(mixedSchemes),
  about(mixedCredentials),
  about(credentialsTwice),
  about(userWithoutPassword),
];

function about(find: (redis: RedisConfig) => readonly Finding[]): ConfigRule {
  return { about: ["redis"], find: ({ redis }) => (redis === undefined ? [] : find(redis)) };
}

function finding(key: Path, message: string, hint: string): Finding {
  return { path: ["redis", ...key], message, hint };
}

function kindsIn(redis: RedisConfig): readonly (typeof KINDS)[number][] {
  return KINDS.filter((kind) => redis[kind] !== undefined);
}

function noAddress(redis: RedisConfig): readonly Finding[] {
  if (kindsIn(redis).length > 0) return [];
  return [
    {
      ...finding([], "no address", "give url: redis://HOST:PORT, or sentinels with name, or cluster"),
      atKey: true,
    },
  ];
}

function secondAddress(redis: RedisConfig): readonly Finding[] {
  const [first, ...others] = kindsIn(redis);
  const hint = "give one of url, sentinels and cluster";
  return others.map((kind) => ({
    ...finding([kind], `${first} already says where Redis is`, hint),
    atKey: true,
  }));
}

function nameOfPrimary({ sentinels, name }: RedisConfig): readonly Finding[] {
  if ((sentinels === undefined) === (name === undefined)) return [];
  if (name === undefined)
    return [finding(["name"], "missing", "give what the Sentinels call the primary, often mymaster")];
  return [finding(["name"], "only Sentinels call a primary by a name", "remove it, or give sentinels")];
}

/** The addresses of a list, as URLs, with where they stand. */
function addressesIn({ sentinels, cluster }: RedisConfig): readonly { path: Path; url: URL }[] {
  const lists = { sentinels: sentinels ?? [], cluster: cluster ?? [] };
  return Object.entries(lists).flatMap(([list, addresses]) =>
    addresses.map((text, index) => ({
      path: [list, index],
      url: new URL(text.includes("://") ? text : `redis://${text}`),
    })),
  );
}

function mixedSchemes(redis: RedisConfig): readonly Finding[] {
  const [first, ...others] = addressesIn(redis);
  return others
    .filter(({ url }) => url.protocol !== first?.url.protocol)
    .map(({ path }) =>
      finding(
        path,
        "some addresses are with TLS and some without",
        "write rediss:// before all or before none",
      ),
    );
}

function mixedCredentials(redis: RedisConfig): readonly Finding[] {
  const [first, ...others] = addressesIn(redis);
  const hint = "write the same in all, or leave it out of all";
  return others
    .filter(({ url }) => url.username !== first?.url.username || url.password !== first.url.password)
    .map(({ path }) => finding(path, "another user or password than in the first address", hint));
}

/** Those in a Sentinel's address are the Sentinel's own, and say nothing of the primary. */
function credentialsTwice(redis: RedisConfig): readonly Finding[] {
  const address = redis.url ?? redis.cluster?.[0];
  if (!address?.includes("://")) return [];
  const { username, password } = new URL(address);
  if (username === "" && password === "") return [];
  const hint = "write them here or there";
  const twice = (key: "username" | "password") =>
    finding([key], "the address holds credentials already", hint);
  return (["username", "password"] as const).filter((key) => redis[key] !== undefined).map(twice);
}

function userWithoutPassword({ username, password }: RedisConfig): readonly Finding[] {
  if (username === undefined || password !== undefined) return [];
  return [finding(["username"], "a user without a password", "give redis.password too")];
}

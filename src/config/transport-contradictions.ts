import { isH2c } from "./origin.ts";
import type { Finding } from "./problems.ts";
import { type ConfigRule, type NamedRegion, regionsOf } from "./rule.ts";

/** What makes no sense together in how a region is spoken to. */
export const transportContradictions: readonly ConfigRule[] = [
  { about: ["regions"], find: (config) => regionsOf(config).flatMap(unusedTls) },
  { about: ["regions"], find: (config) => regionsOf(config).flatMap(unusedHttp2) },
];

function hasHttps({ endpoints }: NamedRegion): boolean {
  return endpoints.some((origin) => origin.startsWith("https:"));
}

function unusedTls(region: NamedRegion): readonly Finding[] {
  if (region.tls === undefined || hasHttps(region)) return [];
  const message = "none of its endpoints is https";
  return [{ path: ["regions", region.name, "tls"], message, hint: "write https://HOST:PORT", atKey: true }];
}

function unusedHttp2(region: NamedRegion): readonly Finding[] {
  if (!region.http2 || hasHttps(region)) return [];
  const [message, hint] = region.endpoints.every(isH2c)
    ? ["its endpoints speak nothing else", "remove it"]
    : ["it is for https endpoints", "write h2c://HOST:PORT for HTTP/2 without TLS"];
  return [{ path: ["regions", region.name, "http2"], message, hint }];
}

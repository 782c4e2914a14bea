import type { Finding } from "./problems.ts";
import type { Config, RegionConfig, Section } from "./schema.ts";

/** One thing to look for in a configuration whose every value is sound by itself. */
export interface ConfigRule {
  /** Sections it compares. It is not asked while one of them is broken, for it would be misled. */
  readonly about: readonly Section[];
  find(config: Config): readonly Finding[];
}

/** What is known of a file: all of it, or what is left without its broken sections. */
export interface Salvaged {
  readonly config: Config | null;
  readonly broken: ReadonlySet<Section>;
}

/** What the rules find that can be asked. */
export function findingsOfRules(
  rules: readonly ConfigRule[],
  { config, broken }: Salvaged,
): readonly Finding[] {
  if (config === null) return [];
  const askable = rules.filter(({ about }) => !about.some((section) => broken.has(section)));
  return askable.flatMap((rule) => rule.find(config));
}

export interface NamedRegion extends RegionConfig {
  readonly name: string;
}

/** In the order of the file. */
export function regionsOf(config: Config): readonly NamedRegion[] {
  return Object.entries(config.regions).map(([name, region]) => ({ name, ...region }));
}

export function writersOf(config: Config): readonly NamedRegion[] {
  return regionsOf(config).filter(({ role }) => role === "writer");
}

/** The second and later places at which a value stands, with the first one. */
export function repeats<T>(values: readonly T[]): readonly { index: number; first: number; value: T }[] {
  return values
    .map((value, index) => ({ index, first: values.indexOf(value), value }))
    .filter(({ index, first }) => index !== first);
}

/** Only this machine can reach it. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[|\]$/g, "");
  return name === "localhost" || name === "::1" || /^127(\.\d{1,3}){3}$/.test(name);
}

/** All addresses of this machine. */
export function isWildcard(host: string): boolean {
  return host === "0.0.0.0" || host === "::";
}

import type { z } from "zod";
import type { Salvaged } from "./rule.ts";
import { configSchema, type Section } from "./schema.ts";

/** What is known of a file of which nothing can be relied on. */
export const NOTHING: Salvaged = { config: null, broken: new Set() };

/**
 * What of a broken file still makes sense: whole sections that the schema complains of, and single regions,
 * are left out, so that the other ones can be compared and all problems be told at once.
 */
export function salvage(
  data: Readonly<Record<string, unknown>>,
  issues: readonly z.core.$ZodIssue[],
): Salvaged {
  const rest: Record<string, unknown> = { ...data };
  const regions: Record<string, unknown> = isRecord(data.regions) ? { ...data.regions } : {};
  const broken = new Set<Section>();
  for (const issue of issues) {
    const [section, region] = issue.path.map(String);
    if (section === undefined) {
      for (const key of issue.code === "unrecognized_keys" ? issue.keys : []) delete rest[key];
      continue;
    }
    broken.add(section as Section);
    delete rest[section];
    if (region !== undefined) delete regions[region];
  }
  const parsed = configSchema.safeParse({ ...rest, regions });
  return { config: parsed.data ?? null, broken };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

import type { Region, View } from "./region.ts";
import type { Rules } from "./rules.ts";

/** Whether a region takes writes: all writers under `multi-writer`, else the write region alone. */
export function takesWrites(region: Region, view: View, rules: Rules): boolean {
  return rules.topology === "multi-writer" ? region.role === "writer" : region.id === view.writeRegion;
}

/** Whoever sends this header with one of these values is served in these jurisdictions only. */
export interface ResidencyRule {
  readonly header: string;
  /** Lower-case; compared without regard to case. */
  readonly values: readonly string[];
  readonly jurisdictions: readonly string[];
}

/** The jurisdictions that may serve a request, by the first rule that matches; null when none does. */
export function jurisdictionsFor(
  rules: readonly ResidencyRule[],
  header: (name: string) => string | undefined,
): readonly string[] | null {
  for (const rule of rules) {
    const value = header(rule.header)?.trim().toLowerCase();
    if (value !== undefined && rule.values.includes(value)) return rule.jurisdictions;
  }
  return null;
}

import { z } from "zod";

/** What an endpoint says about itself in the JSON of a probe; null where it said nothing. */
export interface Reported {
  readonly status: "ok" | "degraded" | "drain";
  readonly writer: boolean | null;
  readonly epoch: number | null;
  /** Position in the write log, 16 lower-case hex digits. */
  readonly applied: string | null;
  readonly lagMs: number | null;
}

/** An endpoint that answers without saying anything is simply well. */
export const SILENT: Reported = { status: "ok", writer: null, epoch: null, applied: null, lagMs: null };

export interface ReadAnswer {
  readonly reported: Reported;
  /** What was in the answer but could not be used; null when all of it could. */
  readonly ignored: string | null;
}

/** Each key stands alone: one that is not ours (`"status": "UP"`) must not cost us the others. */
const answerSchema = z.object({
  status: z.enum(["ok", "degraded", "drain"]).catch("ok"),
  writer: z.boolean().nullable().catch(null),
  epoch: z.int().min(0).nullable().catch(null),
  applied: z
    .string()
    .regex(/^[0-9a-f]{16}$/i)
    .toLowerCase()
    .nullable()
    .catch(null),
  lagMs: z.number().min(0).nullable().catch(null),
});

/**
 * Reads the body of a probe that was answered with a good status. The status is the contract and the
 * body a courtesy: most applications have a health page of their own, and its JSON is not addressed to
 * us. So what cannot be used is ignored and named, never a failure. That is safe, since a lag or
 * position that was not understood counts as not reported.
 */
export function readAnswer(contentType: string, body: string): ReadAnswer {
  if (!/\bjson\b/i.test(contentType) || body.trim() === "") return { reported: SILENT, ignored: null };
  const json = parseJson(body);
  if (typeof json !== "object" || json === null)
    return { reported: SILENT, ignored: "body: not a JSON object" };
  const reported = answerSchema.safeParse(json);
  if (!reported.success) return { reported: SILENT, ignored: "body: not a JSON object" };
  return { reported: reported.data, ignored: unusable(json as Record<string, unknown>, reported.data) };
}

function parseJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

/** Names the keys of ours whose values were replaced by their defaults. */
function unusable(given: Readonly<Record<string, unknown>>, used: Reported): string | null {
  const keys = Object.entries(used).filter(([key, value]) => {
    const said = given[key] ?? null;
    // What is no plain value is not used, and may have a toString of its own that is none.
    if (said === null || typeof said === "object") return said !== null;
    return String(said).toLowerCase() !== String(value);
  });
  return keys.length === 0 ? null : `body: ignored ${keys.map(([key]) => key).join(", ")}`;
}

/** Compiles statuses as the configuration writes them, "200-299" or "200, 204, 300-303". */
export function statusMatcher(expected: string): (status: number) => boolean {
  const ranges = expected.split(",").map((range) => {
    const [from = Number.NaN, to = from] = range.split("-").map(Number);
    return { from, to };
  });
  return (status) => ranges.some(({ from, to }) => status >= from && status <= to);
}

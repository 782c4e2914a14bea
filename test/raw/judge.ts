import type { RawCase, Verdict } from "./case.ts";
import type { Observation } from "./observe.ts";

/** What became of a case. */
export interface Outcome {
  readonly verdict: Verdict;
  /** Of the first final answer; null without one. */
  readonly status: number | null;
  /** It was done otherwise than is safe. */
  readonly unsafe: boolean;
  /** A connection was used again that should not have been. */
  readonly reused: boolean;
  /** A request was smuggled, or an answer went to the wrong request. */
  readonly poisoned: boolean;
}

export function judge(given: RawCase, observed: Observation): Outcome {
  const verdict = given.answer === undefined ? ofRequest(given, observed) : ofAnswer(given, observed);
  return {
    verdict,
    status: observed.got.responses[0]?.status ?? observed.got.begun?.status ?? null,
    unsafe: !given.may.includes(verdict) && !HARMLESS.includes(verdict),
    reused: isReused(given, observed, verdict),
    poisoned: isPoisoned(observed),
  };
}

/** Nobody is misled by these, though somebody may be disappointed. */
const HARMLESS: readonly Verdict[] = ["refused", "cut", "waits"];

function isReused(
  { closes, closesAnyway, answer }: RawCase,
  observed: Observation,
  verdict: Verdict,
): boolean {
  if (closesAnyway !== true && verdict !== "refused" && verdict !== "cut") return false;
  // A proxy that waits for the whole of a request lets nobody answer it early.
  if (answer?.when === "head" && !observed.early) return false;
  return closes === "client" ? observed.after === "right" : closes === "region" && observed.regionReused;
}

/** The client's message: what of it the region has seen. */
function ofRequest({ doubt }: RawCase, { requests, doubts, seen, got, closed }: Observation): Verdict {
  if (doubts.length > 0) return "passed";
  if (requests.length > 0) return shows(seen, doubt) ? "passed" : "normalised";
  return got.responses.length > 0 || closed ? "refused" : "waits";
}

/** The region's message: what of it the client has seen. */
function ofAnswer({ doubt }: RawCase, { id, got, text, closed }: Observation): Verdict {
  if (got.doubt !== null) return "passed";
  const [answer] = got.responses;
  // Bytes without a head are an answer of HTTP/0.9, or what would be taken for one.
  if (answer === undefined && got.begun === null && text.includes(id)) return "passed";
  if (answer === undefined)
    return got.begun === null ? (closed ? "refused" : "waits") : closed ? "cut" : "waits";
  if (answer.status >= 500 && ![answer.fields, answer.body].flat(3).join().includes(id)) return "refused";
  return shows(text, doubt) ? "passed" : "normalised";
}

function shows(text: string, doubt: RawCase["doubt"]): boolean {
  if (doubt === undefined) return true;
  return typeof doubt === "string" ? text.includes(doubt) : doubt.test(text);
}

function isPoisoned({ sent, sentDoubt, requests, expected, got, after, next }: Observation): boolean {
  const isSmuggled = ({ target }: Observation["sent"][number]): boolean => target.includes("/smuggled");
  // One that the client has sent as a request of its own is none.
  const smuggled = requests.filter(isSmuggled).length > sent.filter(isSmuggled).length;
  const surplus = sentDoubt === null && got.responses.length > expected;
  return smuggled || surplus || after === "wrong" || next === "wrong";
}

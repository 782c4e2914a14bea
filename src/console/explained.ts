import type { ExplanationAnswer } from "../admin/decision-messages.ts";
import { pinText } from "./words.ts";

/** What was known of the user, after `its user`. */
export function userText(explained: Pick<ExplanationAnswer, "decision" | "facts" | "pin" | "hold">): string {
  const { facts, pin, hold } = explained;
  if (!facts.identified) return "is nobody it knows";
  // The store need not be asked of whom a token, or this edge, says that he has written.
  if (pin === "unasked" && hold !== null) return pinText("pinned");
  const home = pin === "pinned" && facts.intent === "read" ? homeOf(explained) : null;
  return home === null ? pinText(pin) : `${pinText(pin)}, and ${home} has all of it`;
}

/** Where nothing is missing of what a pinned reader wrote, if he was sent there for another reason than that. */
function homeOf({ decision }: Pick<ExplanationAnswer, "decision">): string | null {
  if (decision.kind === "refused" || decision.consistency !== null) return null;
  return ["pin", "retry", "last-resort"].includes(decision.reason) ? null : decision.region;
}

import type { Fault } from "../errors.ts";
import type { DecisionInputs } from "../routing/decision.ts";
import { isWriterDisowned } from "../routing/writers.ts";

/** A request that found nobody to ask, by which decision. */
interface Refused {
  readonly decided: { readonly inputs: Pick<DecisionInputs, "view"> };
  readonly fault?: Fault;
}

/**
 * What can be done when the write region has moved: a write that is not taken now, and nobody has begun; or a read that only the
 * write region may serve, which is the old one no more and the new one not yet.
 */
export function isHeldBack({ decided, fault }: Refused): boolean {
  return fault === "writer_moving" || (fault === "writer_down" && decided.inputs.view.moving);
}

/** Refused because the write region, as this edge knows it, takes no writes any more: there may be news of another. */
export function isDenied({ decided, fault }: Refused): boolean {
  return fault === "writer_down" && isWriterDisowned(decided.inputs.view);
}

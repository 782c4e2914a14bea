import type { StatusAnswer } from "../admin/messages.ts";
import { MOVE_STEPS, stepText } from "./words.ts";

/** How far a move of the write region has come. */
export function MoveSteps({ move }: { readonly move: StatusAnswer["move"] }) {
  const at = move === null ? -1 : MOVE_STEPS.indexOf(move.step);
  return (
    <ol class="steps" aria-label="Steps of the move">
      {MOVE_STEPS.map((step, index) => (
        <li key={step} class={index < at ? "past" : ""} aria-current={index === at ? "step" : undefined}>
          {stepText(step)}
        </li>
      ))}
    </ol>
  );
}

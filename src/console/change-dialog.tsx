import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { change, Problem } from "./api.ts";
import { Fields } from "./change-fields.tsx";
import { refresh, status } from "./live.ts";
import { MoveSteps } from "./move-steps.tsx";
import { notify } from "./notice.tsx";
import { FIRST, type Given, PLANS } from "./plans.ts";
import { type Answer, Preview } from "./preview.tsx";
import { drop, type Wish, wanted } from "./wish.ts";

/**
 * Where a change stands. Nothing is changed before its preview was seen: a preview is of exactly what was typed, and typing
 * anything else takes it back.
 */
type Stage =
  | { readonly name: "asking"; readonly problem?: string }
  | { readonly name: "refused"; readonly problem: Problem }
  | { readonly name: "previewed"; readonly answer: Answer }
  | { readonly name: "busy"; readonly what: "preview" | "change" };

export function ChangeDialog() {
  const current = wanted.value;
  return current === null ? null : <Dialog key={`${current.kind} ${current.region}`} wish={current} />;
}

function Dialog({ wish }: { readonly wish: Wish }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [region, setRegion] = useState(wish.region ?? "");
  const [given, setGiven] = useState<Given>(FIRST);
  const [force, setForce] = useState(false);
  const [stage, setStage] = useState<Stage>({ name: "asking" });
  const plan = PLANS[wish.kind];
  const outcome = useRef<HTMLDivElement>(null);
  // At once, or what is typed now would go to the page below.
  useLayoutEffect(() => dialog.current?.showModal(), []);
  // Not to the button: an Enter too many must not make the change. Before anybody can press Tab, or the focus would be taken from him.
  useLayoutEffect(() => {
    if (stage.name === "previewed" || stage.name === "refused") outcome.current?.focus();
  }, [stage.name]);

  const ask = async (dryRun: boolean) => {
    setStage({ name: "busy", what: dryRun ? "preview" : "change" });
    const body = { ...plan.body(region, given), ...(force ? { force } : {}) };
    try {
      const answer = await change<Answer>(`${plan.path(region)}?dryRun=${dryRun}`, body);
      if (dryRun) return setStage({ name: "previewed", answer });
      notify(plan.done(region));
      refresh();
      dialog.current?.close();
    } catch (error) {
      setStage(failed(error));
    }
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    if (stage.name !== "busy") void ask(stage.name !== "previewed");
  };
  const edit = (act: () => void) => {
    act();
    setStage({ name: "asking" });
  };
  const busy = stage.name === "busy";
  const moving = busy && stage.what === "change" && wish.kind === "promote";
  return (
    <dialog ref={dialog} class="change" aria-labelledby="change-title" onClose={drop}>
      <form onSubmit={submit}>
        <h2 id="change-title">{plan.title(region)}</h2>
        <p class="dim">{plan.about}</p>
        <fieldset disabled={busy}>
          <Fields
            plan={plan}
            region={region}
            given={given}
            onRegion={(next) => edit(() => setRegion(next))}
            onGiven={(next) => edit(() => setGiven(next))}
          />
        </fieldset>
        <div ref={outcome} tabIndex={-1} aria-live="polite" class="outcome">
          {stage.name === "asking" && stage.problem !== undefined && <p class="problem">{stage.problem}</p>}
          {stage.name === "refused" && <Refused problem={stage.problem} force={force} onForce={setForce} />}
          {stage.name === "previewed" && <Preview answer={stage.answer} />}
          {moving && <MoveSteps move={status.value?.move ?? null} />}
        </div>
        {force && stage.name !== "refused" && (
          <p class="forced">
            With force, although the edge advises against it.{" "}
            <button type="button" class="quiet" disabled={busy} onClick={() => edit(() => setForce(false))}>
              Without force
            </button>
          </p>
        )}
        <footer>
          <button type="button" onClick={() => dialog.current?.close()}>
            {moving ? "Close; it goes on" : "Cancel"}
          </button>
          <button
            type="submit"
            class={stage.name === "previewed" ? (force ? "danger" : "primary") : "preview-button"}
            disabled={busy}
          >
            {buttonText(stage, `${plan.verb}${force ? " with force" : ""}`)}
          </button>
        </footer>
      </form>
    </dialog>
  );
}

function buttonText(stage: Stage, verb: string): string {
  if (stage.name === "busy") return stage.what === "preview" ? "Asking …" : "At it …";
  return stage.name === "previewed" ? verb : "Preview";
}

function failed(error: unknown): Stage {
  if (error instanceof Problem && error.status === 409) return { name: "refused", problem: error };
  if (error instanceof Problem) return { name: "asking", problem: error.message };
  return { name: "asking", problem: "The edge did not answer. Look at what it shows before you try again." };
}

interface RefusedProps {
  readonly problem: Problem;
  readonly force: boolean;
  readonly onForce: (next: boolean) => void;
}

/** What the edge says against it, in its own words; force only where it speaks of it. */
function Refused({ problem, force, onForce }: RefusedProps) {
  return (
    <div class="refused" role="alert">
      <b>{problem.title}</b>
      <p>{problem.message}</p>
      {/\bforce\b/.test(problem.message) && (
        <label class="check">
          <input type="checkbox" checked={force} onChange={(event) => onForce(event.currentTarget.checked)} />
          Do it with force all the same
        </label>
      )}
    </div>
  );
}

import { useEffect, useRef, useState } from "preact/hooks";
import type { DecisionAnswer, ExplanationAnswer } from "../admin/decision-messages.ts";
import { look, Problem } from "./api.ts";
import { userText } from "./explained.ts";
import { clock, milliseconds } from "./format.ts";
import { Mark } from "./marks.tsx";
import { faultText, obstacleText, reasonText } from "./words.ts";

type Found = { readonly answer: DecisionAnswer } | { readonly problem: string } | null;

/** One decision that was taken: where the request went, and why no other region. */
export function Decision({ id }: { readonly id: string }) {
  const [found, setFound] = useState<Found>(null);
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    let current = true;
    setFound(null);
    // On a phone it is above the list, whose reader may be far down.
    panel.current?.scrollIntoView({ block: "nearest" });
    look<DecisionAnswer>(`v1/decisions/${encodeURIComponent(id)}`)
      .then((answer): Found => ({ answer }))
      .catch(
        (error): Found => ({
          problem: error instanceof Problem ? error.message : "The edge does not answer.",
        }),
      )
      .then((next) => current && setFound(next));
    return () => {
      current = false;
    };
  }, [id]);
  return (
    <section ref={panel} class="panel" aria-labelledby="decision-title" aria-live="polite">
      <div class="panel-head">
        <h2 id="decision-title">Why this region?</h2>
        <a href="#decisions">Close</a>
      </div>
      {found === null ? (
        <p class="empty">Asking …</p>
      ) : "problem" in found ? (
        <p class="problem">{found.problem}</p>
      ) : (
        <Told {...found.answer} />
      )}
    </section>
  );
}

function Told({ request, explanation }: DecisionAnswer) {
  const { method, path, status, startedAtWallMs, durationMs, attempts } =
    request as DecisionAnswer["request"] & Timed;
  return (
    <div class="told">
      <p class="request">
        <span class="method">{method}</span> {path}
      </p>
      <p class="dim">
        {clock(startedAtWallMs)}, answered {status} in {milliseconds(durationMs)}
        {attempts.length > 1 && `, after ${attempts.length} attempts: `}
        {attempts.length > 1 && attempts.map(({ region, outcome }) => `${region} ${outcome}`).join(", ")}
      </p>
      {explanation === null ? <p>It was refused before it was routed.</p> : <Explanation {...explanation} />}
      <p class="dim id">
        <code>{request.id}</code>
      </p>
    </div>
  );
}

/** What the record holds beside that which the API names. */
interface Timed {
  readonly startedAtWallMs: number;
  readonly durationMs: number;
  readonly attempts: readonly { readonly region: string; readonly outcome: string | number }[];
}

/** A decision and the world it was taken in. */
export function Explanation({ decision, facts, pin, hold, regions, rules }: ExplanationAnswer) {
  const chosenFirst = regions.toSorted(
    (a, b) => Number(a.verdict === "dropped") - Number(b.verdict === "dropped"),
  );
  return (
    <>
      <p class="verdict">
        {decision.kind === "routed" ? (
          <>
            <b>{decision.region}</b>, because {reasonText(decision.reason)}.
          </>
        ) : (
          <>
            <b>Refused</b>, because {faultText(decision.fault)}.
          </>
        )}
      </p>
      <ul class="verdicts">
        {chosenFirst.map(({ id, verdict, obstacle, latencyMs, lagMs }) => (
          <li key={id} class={verdict}>
            <Mark weight={verdict === "serves" ? "ok" : (MARKS[obstacle ?? ""] ?? "none")} />
            <span>
              <b>{id}</b> {verdict === "serves" ? "is chosen" : obstacleText(obstacle ?? "")}
            </span>
            <span class="dim number">
              {milliseconds(latencyMs)}
              {lagMs !== null && lagMs > 0 && `, lag ${milliseconds(lagMs)}`}
            </span>
          </li>
        ))}
      </ul>
      <dl class="facts">
        <div>
          <dt>It is a</dt>
          <dd>{facts.intent}</dd>
        </div>
        <div>
          <dt>Its user</dt>
          <dd>{userText({ decision, facts, pin, hold })}</dd>
        </div>
        <div>
          <dt>Its session lives in</dt>
          <dd>{facts.affinity ?? "no region yet"}</dd>
        </div>
        <div>
          <dt>Residency</dt>
          <dd>{facts.jurisdictions === null ? "any region" : `only ${facts.jurisdictions.join(", ")}`}</dd>
        </div>
        <div>
          <dt>Policy</dt>
          <dd>{rules.policy}</dd>
        </div>
      </dl>
    </>
  );
}

const MARKS = {
  down: "crit",
  fenced: "crit",
  disowned: "crit",
  tried: "crit",
  lagging: "warn",
  unknown: "warn",
} as Readonly<Record<string, "crit" | "warn">>;

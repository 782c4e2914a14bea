import { signal } from "@preact/signals";
import { Decision } from "./decision.tsx";
import { Decisions, type Recent } from "./decisions-list.tsx";
import { Explain } from "./explain.tsx";
import { percent } from "./format.ts";
import { decisions, decisionsPaused } from "./live.ts";
import { route } from "./route.ts";
import { reasonLabel, reasonText } from "./words.ts";

/** Shows only what went to a region, or for a reason; null: all. */
const onlyRegion = signal<string>("");
const onlyReason = signal<string>("");

export function DecisionsView() {
  const { item } = route.value;
  const list = decisions.value.filter(isWanted);
  return (
    <div class="split">
      <section class="panel" aria-labelledby="decisions-title">
        <div class="panel-head">
          <h1 id="decisions-title">Decisions</h1>
          <button
            type="button"
            aria-pressed={decisionsPaused.value}
            onClick={() => {
              decisionsPaused.value = !decisionsPaused.value;
            }}
          >
            {decisionsPaused.value ? "Go on" : "Pause"}
          </button>
        </div>
        <Reasons />
        <div class="filters">
          <Filter label="Region" of={onlyRegion} words={wordsOf(({ region }) => region)} />
          <Filter label="Reason" of={onlyReason} words={wordsOf(({ reason }) => reason)} />
          <span class="dim">
            the last {decisions.value.length} of this edge
            {item !== null && ", which stand still while you look at one"}
          </span>
        </div>
        <Decisions list={list} />
      </section>
      <div class="stack">{item === null ? <Explain /> : <Decision id={item} />}</div>
    </div>
  );
}

function isWanted({ region, reason }: Recent): boolean {
  return (
    (onlyRegion.value === "" || region === onlyRegion.value) &&
    (onlyReason.value === "" || reason === onlyReason.value)
  );
}

function wordsOf(of: (each: Recent) => string | null): readonly string[] {
  return [...new Set(decisions.value.map(of))].filter((word) => word !== null).toSorted();
}

function Filter({
  label,
  of,
  words,
}: {
  readonly label: string;
  readonly of: typeof onlyRegion;
  readonly words: readonly string[];
}) {
  return (
    <label>
      <span class="unseen">{label}</span>
      <select
        value={of.value}
        onChange={(event) => {
          of.value = event.currentTarget.value;
        }}
      >
        <option value="">Every {label.toLowerCase()}</option>
        {words.map((word) => (
          <option key={word} value={word}>
            {word}
          </option>
        ))}
      </select>
    </label>
  );
}

/** Why the last requests went where they went, in shares. */
function Reasons() {
  const counts = new Map<string, number>();
  for (const { reason, fault } of decisions.value) {
    const word = reason ?? fault ?? "unknown";
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const all = decisions.value.length;
  return (
    <ul class="reasons" aria-label="Reasons">
      {[...counts]
        .toSorted(([, a], [, b]) => b - a)
        .map(([word, times]) => (
          <li key={word} title={`because ${reasonText(word)}`} style={{ flexGrow: times }}>
            <b>{percent(times / all)}</b> {reasonLabel(word)}
          </li>
        ))}
    </ul>
  );
}

import { conditionOf } from "./condition.ts";
import { type EdgeRow, edgeRows, type Member } from "./edges.ts";
import { clock, duration, plural } from "./format.ts";
import type { Weight } from "./happenings.ts";
import { drills, edges, limits, mayChange, nowMs, regions, status } from "./live.ts";
import { Mark } from "./marks.tsx";
import { type Wish, wish } from "./wish.ts";
import { drillKindText, stepText } from "./words.ts";

interface Trouble {
  readonly key: string;
  readonly weight: Weight;
  readonly text: string;
  readonly detail: string;
  readonly remedy?: { readonly text: string; readonly wish: Wish };
}

const HEAVIEST_FIRST: readonly Weight[] = ["crit", "warn", "note", "ok"];

/** All that is not as it should be, or not as usual, the worst first. */
export function Troubles() {
  const found = [...moveTrouble(), ...regionTroubles(), ...drillTrouble(), ...fleetTroubles()].toSorted(
    (a, b) => HEAVIEST_FIRST.indexOf(a.weight) - HEAVIEST_FIRST.indexOf(b.weight),
  );
  if (found.length === 0) return null;
  return (
    <ul class="troubles" aria-label="What is not as usual">
      {found.map(({ key, weight, text, detail, remedy }) => (
        <li key={key} class={weight}>
          <Mark weight={weight} />
          <span>
            <b>{text}.</b> <span class="dim">{detail}</span>
          </span>
          {remedy !== undefined && mayChange.value && (
            <button type="button" onClick={(event) => wish(remedy.wish, event.currentTarget)}>
              {remedy.text}
            </button>
          )}
        </li>
      ))}
    </ul>
  );
}

function regionTroubles(): readonly Trouble[] {
  return regions.value.flatMap((region) => {
    const { id, drain, operator } = region;
    const { weight, word, detail } = conditionOf(region, limits.value);
    if (weight === "ok") return [];
    const isWriter = status.value?.writeRegion === id;
    const left =
      drain === null ? "" : `; ${plural(drain.sessions ?? 0, "session")} left${until(drain.deadline)}`;
    const text = `${id} is ${word}${isWriter ? ", and takes the writes" : ""}`;
    const remedy =
      operator !== null && operator.state !== "open"
        ? ({ text: "Undrain", wish: { kind: "undrain", region: id } } as const)
        : undefined;
    return [{ key: `region ${id}`, weight, text, detail: `${detail}${left}`, remedy }];
  });
}

function until(deadline: string | null): string {
  return deadline === null ? "" : `, closed at ${clock(deadline)}`;
}

function moveTrouble(): readonly Trouble[] {
  const move = status.value?.move;
  if (!move) return [];
  const text = `The write region moves from ${move.from} to ${move.to}`;
  const detail = `${stepText(move.step)}; writes have waited for ${duration(nowMs.value - Date.parse(move.since))} (${move.reason}, ${move.who})`;
  return [{ key: "move", weight: "warn", text, detail }];
}

function drillTrouble(): readonly Trouble[] {
  const running = drills.value?.running;
  if (!running) return [];
  const { region, kind, until: end, who, reason } = running;
  const text = `A drill rehearses the loss of ${region}`;
  const detail = `${drillKindText(kind)}, ends in ${duration(Date.parse(end) - nowMs.value)} (${reason}, ${who})`;
  return [
    {
      key: "drill",
      weight: "note",
      text,
      detail,
      remedy: { text: "Stop drill", wish: { kind: "stop-drill", region } },
    },
  ];
}

/** The edge, or of one that is heard the workers that are not. */
function silentMembers({ edge, workers }: EdgeRow): readonly Trouble[] {
  const trouble = ({ id, seenMsAgo }: Member, text: string): Trouble => ({
    key: `edge ${id}`,
    weight: "warn",
    text,
    detail: `last heard ${duration(seenMsAgo)} ago`,
  });
  if (!edge.live) return [trouble(edge, `Edge ${edge.id} is silent`)];
  const silent = workers.filter(({ live }) => !live);
  return silent.map((each) => trouble(each, `Worker ${each.worker} of edge ${edge.id} is silent`));
}

function fleetTroubles(): readonly Trouble[] {
  const troubles: Trouble[] = edgeRows(edges.value?.edges ?? []).flatMap(silentMembers);
  if (status.value?.redis === "down")
    troubles.push({
      key: "redis",
      weight: "crit",
      text: "Redis is away",
      detail: "edges keep the last they knew; what users have written elsewhere is not known",
    });
  return troubles;
}

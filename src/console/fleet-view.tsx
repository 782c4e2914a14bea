import type { EdgesAnswer } from "../admin/fleet-messages.ts";
import { Calendar } from "./calendar.tsx";
import { duration, milliseconds } from "./format.ts";
import type { Weight } from "./happenings.ts";
import { edges, regions, status } from "./live.ts";
import { Mark, Scroll, WriterTag } from "./marks.tsx";

const WEIGHTS: Readonly<Record<string, Weight>> = {
  up: "ok",
  degraded: "warn",
  down: "crit",
  unknown: "warn",
};

/** Every edge, and what each sees of each region. */
export function FleetView() {
  return (
    <div class="stack">
      <section class="panel" aria-labelledby="edges-title">
        <div class="panel-head">
          <h1 id="edges-title">Edges, and what each sees</h1>
        </div>
        <p class="dim note">{quorumText()}</p>
        {edges.value !== null && <Matrix {...edges.value} />}
      </section>
      <Calendar />
    </div>
  );
}

function quorumText(): string {
  const quorum = edges.value?.quorum;
  if (quorum === undefined) return "";
  const { known, live, needed, writerDown, writerUp } = quorum;
  if (known === 1) return "A lone edge: it decides nothing about the write region by itself.";
  const seen =
    writerDown === 0 ? `${writerUp} see the write region up` : `${writerDown} see the write region down`;
  return `${live} of ${known} edges live; ${seen}; ${needed} have to agree before it moves by itself.`;
}

function Matrix({ edges: known }: EdgesAnswer) {
  return (
    <Scroll label="What each edge sees">
      <table class="matrix">
        <thead>
          <tr>
            <th scope="col">Edge</th>
            {regions.value.map(({ id }) => (
              <th key={id} scope="col">
                {id} {status.value?.writeRegion === id && <WriterTag />}
              </th>
            ))}
            <th scope="col">Writes</th>
            <th scope="col">Version</th>
          </tr>
        </thead>
        <tbody>
          {known.map(({ id, self, live, seenMsAgo, regions: seen, holdsWrites, writesUnderWay, version }) => (
            <tr key={id} class={live ? "" : "silent"}>
              <th scope="row">
                <Mark weight={live ? "ok" : "crit"} label={live ? "live" : "silent"} />
                {id}
                <small>
                  {self
                    ? "this edge"
                    : live
                      ? `heard ${duration(seenMsAgo)} ago`
                      : `silent for ${duration(seenMsAgo)}`}
                </small>
              </th>
              {regions.value.map(({ id: region }) => (
                <td key={region}>
                  <Cell seen={seen[region]} />
                </td>
              ))}
              <td>{holdsWrites ? "held" : `${writesUnderWay} under way`}</td>
              <td class="dim">{version}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function Cell({ seen }: { readonly seen: EdgesAnswer["edges"][number]["regions"][string] | undefined }) {
  if (seen === undefined) return <span class="dim">says nothing</span>;
  const weight = WEIGHTS[seen.health] ?? "note";
  return (
    <span class={`state ${weight}`}>
      <Mark weight={weight} />
      {seen.health} <span class="dim number">{milliseconds(seen.latencyMs)}</span>
    </span>
  );
}

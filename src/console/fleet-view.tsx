import type { EdgesAnswer } from "../admin/fleet-messages.ts";
import { Calendar } from "./calendar.tsx";
import { type EdgeRow, edgeRows, type Member, workersText, writesText } from "./edges.ts";
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
          {edgeRows(known).map((row) => (
            <tr key={row.edge.id} class={row.edge.live ? "" : "silent"}>
              <th scope="row">
                <Mark {...markOf(row)} />
                {row.edge.id}
                <small>{heardText(row.edge)}</small>
                {row.workers.length > 0 && <small>{workersText(row)}</small>}
              </th>
              {regions.value.map(({ id: region }) => (
                <td key={region}>
                  <Cell seen={row.edge.regions[region]} />
                </td>
              ))}
              <td>{writesText(row)}</td>
              <td class="dim">{row.edge.version}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

function markOf({ edge, workers }: EdgeRow): { readonly weight: Weight; readonly label: string } {
  if (!edge.live) return { weight: "crit", label: "silent" };
  return workers.every(({ live }) => live)
    ? { weight: "ok", label: "live" }
    : { weight: "warn", label: "live, with a silent worker" };
}

function heardText({ self, live, seenMsAgo }: Member): string {
  if (self) return "this edge";
  return live ? `heard ${duration(seenMsAgo)} ago` : `silent for ${duration(seenMsAgo)}`;
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

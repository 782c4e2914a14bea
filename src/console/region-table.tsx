import { signal } from "@preact/signals";
import type { RegionAnswer } from "../admin/region-messages.ts";
import { conditionOf } from "./condition.ts";
import { count, milliseconds, percent, rate } from "./format.ts";
import { history, limits, mayChange, regions, status, totalRate } from "./live.ts";
import { Bar, Heads, Mark, Sparkline, WriterTag } from "./marks.tsx";
import { RegionDetail } from "./region-detail.tsx";
import { RegionMenu } from "./region-menu.tsx";

/** The region whose row is open. */
const opened = signal<string | null>(null);

/** Opens a region's row and goes there. */
export function openRow(id: string): void {
  opened.value = id;
  requestAnimationFrame(() => document.getElementById(`row-${id}`)?.focus());
}

const COLUMNS = [
  ["Region", "Its name, role and jurisdiction"],
  ["State", "Health is what probes and traffic say; draining and closed is what an operator says"],
  ["Latency", "From this edge, smoothed"],
  ["Lag", "How far its replica is behind the write region, as it says itself"],
  ["Traffic", "Requests a second that all edges have sent there in the last ten, and its share"],
  ["Sessions", "Clients whose home it is, as far as this edge has seen"],
  ["In flight", "Requests of this edge that it has not answered yet"],
] as const;

export function RegionTable() {
  return (
    <section class="panel wide" aria-label="Table of regions">
      <table class="regions">
        <thead>
          <tr>
            <Heads columns={COLUMNS} />
            <th scope="col">
              <span class="unseen">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {regions.value.map((region) => (
            <Row key={region.id} region={region} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row({ region }: { readonly region: RegionAnswer }) {
  const { id, role, jurisdiction, latencyMs, lagMs, requestsPerSecond, sessions, requestsInFlight } = region;
  const { weight, word, detail } = conditionOf(region, limits.value);
  const isOpen = opened.value === id;
  const share = totalRate.value === 0 ? 0 : requestsPerSecond / totalRate.value;
  const isWriter = status.value?.writeRegion === id;
  // What it said last, before it was lost.
  const past = region.health === "down" ? "number dim" : "number";
  const toggle = () => {
    opened.value = isOpen ? null : id;
  };
  return (
    <>
      <tr class={`${weight} ${isOpen ? "open" : ""}`}>
        <th scope="row">
          <button id={`row-${id}`} type="button" class="name" aria-expanded={isOpen} onClick={toggle}>
            {id}
          </button>
          {isWriter && <WriterTag />}
          <small>{[role, jurisdiction].filter((each) => each !== null).join(" · ")}</small>
        </th>
        <td data-label="State">
          <span class={`state ${weight}`}>
            <Mark weight={weight} />
            {word}
          </span>
          {detail !== "" && (
            <small class="cut" title={detail}>
              {detail}
            </small>
          )}
        </td>
        <td data-label="Latency" class={past}>
          {milliseconds(latencyMs)}
        </td>
        <td data-label="Lag" class={past}>
          {isWriter ? <span class="dim">writer</span> : milliseconds(lagMs)}
        </td>
        <td data-label="Traffic" class="traffic">
          <span class="number">{rate(requestsPerSecond)}/s</span>
          <Bar share={share} />
          <span class="number share">{percent(share)}</span>
          <Sparkline values={history.value.get(id) ?? []} />
        </td>
        <td data-label="Sessions" class="number">
          {count(sessions)}
        </td>
        <td data-label="In flight" class="number">
          {count(requestsInFlight)}
        </td>
        <td class="actions">{mayChange.value && <RegionMenu region={region} />}</td>
      </tr>
      {isOpen && (
        <tr class="detail">
          <td colSpan={COLUMNS.length + 1}>
            <RegionDetail region={region} />
          </td>
        </tr>
      )}
    </>
  );
}

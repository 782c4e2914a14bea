import type { RegionAnswer } from "../admin/region-messages.ts";
import { clock, count, fromNow, milliseconds, plural } from "./format.ts";
import type { Weight } from "./happenings.ts";
import { nowMs } from "./live.ts";
import { Mark } from "./marks.tsx";

const WEIGHTS: Readonly<Record<string, Weight>> = {
  up: "ok",
  degraded: "warn",
  down: "crit",
  unknown: "warn",
};

/** A region's endpoints, who is there, and what was said of it. */
export function RegionDetail({ region }: { readonly region: RegionAnswer }) {
  return (
    <div class="region-detail">
      <dl>
        <Word region={region} />
        <div>
          <dt>There now</dt>
          <dd>{thereText(region)}</dd>
        </div>
        <div>
          <dt>Weight</dt>
          <dd>{count(region.weight)}</dd>
        </div>
      </dl>
      <table>
        <thead>
          <tr>
            <th scope="col">Endpoint</th>
            <th scope="col">Health</th>
            <th scope="col">Latency</th>
            <th scope="col">Last probe</th>
          </tr>
        </thead>
        <tbody>
          {region.endpoints.map(({ url, health, draining, latencyMs, lastProbe }) => (
            <tr key={url}>
              <td>
                <code>{url}</code>
              </td>
              <td>
                <span class={`state ${WEIGHTS[health]}`}>
                  <Mark weight={WEIGHTS[health] ?? "note"} />
                  {draining ? `${health}, asks to be drained` : health}
                </span>
              </td>
              <td class="number">{milliseconds(latencyMs)}</td>
              <td>
                {lastProbe === null
                  ? "none yet"
                  : `${[lastProbe.result, lastProbe.cause].filter(Boolean).join(": ")}, ${fromNow(lastProbe.at, nowMs.value)}`}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Word({ region: { operator, drain } }: { readonly region: RegionAnswer }) {
  if (operator === null) return null;
  const { state, reason, by, since } = operator;
  const end = drain?.estimatedEnd ?? null;
  return (
    <div>
      <dt>Operator</dt>
      <dd>
        {state} since {clock(since)}, by {by}: {reason}
        {drain !== null &&
          `. ${end === null ? "Nobody knows when it is empty" : `Empty about ${clock(end)}`}`}
        {drain?.deadline ? `, closed at ${clock(drain.deadline)}` : ""}
      </dd>
    </div>
  );
}

export function thereText(there: {
  readonly sessions: number | null;
  readonly pins: number;
  readonly tunnels: number;
  readonly streams: number;
  readonly requestsInFlight: number;
}): string {
  return [
    plural(there.sessions ?? 0, "session"),
    plural(there.pins, "pinned user"),
    plural(there.tunnels, "WebSocket"),
    plural(there.streams, "event stream"),
    `${plural(there.requestsInFlight, "request")} in flight`,
  ].join(", ");
}

import type { DrillsAnswer } from "../admin/drill-messages.ts";
import { clock, count, duration, percent, seconds } from "./format.ts";
import type { Weight } from "./happenings.ts";
import { drills, mayChange, nowMs } from "./live.ts";
import { Bar, Heads, Mark, Scroll } from "./marks.tsx";
import { wish } from "./wish.ts";
import { drillKindText, resultText } from "./words.ts";

type Report = DrillsAnswer["history"][number];
type Running = NonNullable<DrillsAnswer["running"]>;

/** Rehearsing the loss of a region, and what came of it. */
export function DrillsView() {
  const { running = null, history = [] } = drills.value ?? {};
  return (
    <div class="stack">
      <section class="panel" aria-labelledby="drills-title">
        <div class="panel-head">
          <h1 id="drills-title">Drills</h1>
          {mayChange.value && running === null && (
            <button
              type="button"
              class="primary"
              onClick={(event) => wish({ kind: "drill", region: null }, event.currentTarget)}
            >
              Begin a drill …
            </button>
          )}
        </div>
        <p class="dim note">
          A drill takes a region away from every edge for a while, and shows how long it takes to notice, to
          move the traffic, and until clients feel nothing. It ends by itself when too many requests fail.
        </p>
        {running !== null && <Now drill={running} />}
      </section>
      <section class="panel" aria-labelledby="history-title">
        <div class="panel-head">
          <h2 id="history-title">Reports</h2>
        </div>
        {history.length === 0 ? (
          <p class="empty">No drill has been made yet.</p>
        ) : (
          <History reports={history} />
        )}
      </section>
    </div>
  );
}

function Now({ drill }: { readonly drill: Running }) {
  const [beganMs, endsMs] = [Date.parse(drill.startedAt), Date.parse(drill.until)];
  const share = Math.min((nowMs.value - beganMs) / (endsMs - beganMs), 1);
  const { requests, lost, retried, errorRatio } = drill.soFar;
  return (
    <div class="running">
      <p>
        <Mark weight="note" />
        <b>{drill.region}</b> is lost to every edge ({drillKindText(drill.kind)}), for another{" "}
        <b>{duration(endsMs - nowMs.value)}</b>. {drill.reason}, {drill.who}
      </p>
      <Bar share={share} weight="note" />
      <dl class="figures">
        <Figure name="Requests" value={count(requests)} />
        <Figure
          name="Lost"
          value={count(lost)}
          hint={`${percent(errorRatio)}, ends above ${percent(drill.abortAbove.errorRatio)}`}
        />
        <Figure name="Retried" value={count(retried)} />
        <Figure name="Sessions moved" value={count(drill.soFar.sessionsMoved)} />
      </dl>
      {mayChange.value && (
        <button
          type="button"
          onClick={(event) => wish({ kind: "stop-drill", region: drill.region }, event.currentTarget)}
        >
          Stop drill …
        </button>
      )}
    </div>
  );
}

function Figure({
  name,
  value,
  hint,
}: {
  readonly name: string;
  readonly value: string;
  readonly hint?: string;
}) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{value}</b>
        {hint !== undefined && <small>{hint}</small>}
      </dd>
    </div>
  );
}

const COLUMNS = [
  ["Began", ""],
  ["Region", ""],
  ["Result", ""],
  ["Course", "From its begin to its end: when it was detected, and when clients felt nothing any more"],
  ["Detected", "When the last edge knew that the region was lost"],
  ["Shifted", "When the last edge asked the region for the last time"],
  ["Recovered", "When clients felt nothing any more"],
  ["Lost", "Requests that failed, of all that came"],
  ["Retried", "Requests answered by another region after an attempt in vain"],
] as const;

function History({ reports }: { readonly reports: readonly Report[] }) {
  return (
    <Scroll label="Reports of drills">
      <table>
        <thead>
          <tr>
            <Heads columns={COLUMNS} />
          </tr>
        </thead>
        <tbody>
          {reports.map((report) => (
            <tr key={report.id}>
              <td>
                {new Date(report.startedAt).toLocaleDateString("en-GB", { day: "numeric", month: "short" })}{" "}
                {clock(report.startedAt)}
                <small>for {seconds(report.lastedMs)}</small>
              </td>
              <td>
                <b>{report.region}</b>
                <small>{drillKindText(report.kind)}</small>
              </td>
              <td title={report.why}>
                <span class={`state ${weightOf(report)}`}>
                  <Mark weight={weightOf(report)} />
                  {resultText(report.result)}
                </span>
                <small>{report.result === "passed" ? report.reason : report.why}</small>
              </td>
              <td>
                <Course report={report} />
              </td>
              <td class="number">{seconds(report.detectMs.last)}</td>
              <td class="number">{seconds(report.shiftMs)}</td>
              <td class="number">{report.recoveryMs === 0 ? "felt nothing" : seconds(report.recoveryMs)}</td>
              <td class="number">
                {count(report.lost)} <small>of {count(report.requests)}</small>
              </td>
              <td class="number">{count(report.retried)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}

/** What the columns beside it say, to scale: unnoticed until detected, felt until recovered. */
function Course({ report: { lastedMs, detectMs, recoveryMs } }: { readonly report: Report }) {
  const at = (ms: number | null) => `${Math.min((ms ?? lastedMs) / Math.max(lastedMs, 1), 1) * 100}%`;
  return (
    <span class="course" aria-hidden="true">
      <span class="felt" style={{ width: at(recoveryMs) }} />
      <span class="detected" style={{ left: at(detectMs.last) }} />
    </span>
  );
}

function weightOf({ result }: Report): Weight {
  if (result === "passed") return "ok";
  return result === "stopped" ? "note" : "warn";
}

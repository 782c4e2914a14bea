import { headlineOf, isServing } from "./condition.ts";
import { Decisions } from "./decisions-list.tsx";
import { EventList } from "./events-view.tsx";
import { happenings } from "./feed.ts";
import { count, duration, listed, percent, rate } from "./format.ts";
import { decisions, drills, edges, nowMs, regions, status, totalRate } from "./live.ts";
import { Mark, WriterTag } from "./marks.tsx";
import { RegionTable } from "./region-table.tsx";
import { Troubles } from "./troubles.tsx";
import { WorldMap } from "./world-map.tsx";

/** What the fleet is doing, at a glance. */
export function Overview() {
  return (
    <div class="overview">
      <Headline />
      <Figures />
      <Troubles />
      <WorldMap />
      <section class="panel side" aria-labelledby="latest-decisions">
        <div class="panel-head">
          <h2 id="latest-decisions">Latest decisions</h2>
          <a href="#decisions">All</a>
        </div>
        <Decisions list={decisions.value.slice(0, 24)} brief />
      </section>
      <RegionTable />
      <section class="panel wide" aria-labelledby="latest-events">
        <div class="panel-head">
          <h2 id="latest-events">Events</h2>
          <a href="#events">All</a>
        </div>
        <EventList list={happenings.value.slice(0, 6)} />
      </section>
    </div>
  );
}

function Headline() {
  const asked = status.value;
  if (asked === null) return null;
  const { weight, text } = headlineOf(asked, regions.value);
  return (
    <div class={`headline ${weight}`}>
      <h1>
        <Mark weight={weight} label={LABELS[weight]} />
        {text}
      </h1>
      <p>{explanation()}</p>
    </div>
  );
}

const LABELS = { ok: "All is well:", note: "To note:", warn: "Warning:", crit: "Trouble:" };

/** What it is that Meridian does here, for whoever sees it for the first time. */
function explanation(): string {
  const writeRegion = status.value?.writeRegion ?? null;
  const shares = regions.value
    .filter(({ requestsPerSecond }) => requestsPerSecond > 0)
    .toSorted((a, b) => b.requestsPerSecond - a.requestsPerSecond)
    .slice(0, 3)
    .map(({ id, requestsPerSecond }) => `${id} ${percent(requestsPerSecond / totalRate.value)}`);
  const now = shares.length === 0 ? "" : ` Now: ${listed(shares)}.`;
  const writes = writeRegion === null ? "Writes go to the nearest writer" : `Writes go to ${writeRegion}`;
  return `Each request goes to the nearest region that may serve it. ${writes}, and so do reads of users who have just written.${now}`;
}

function Figures() {
  const asked = status.value;
  if (asked === null) return null;
  const quorum = edges.value?.quorum;
  const serving = regions.value.filter(isServing).length;
  const sessions = regions.value.reduce((sum, each) => sum + (each.sessions ?? 0), 0);
  return (
    <dl class="figures">
      <div>
        <dt>Writes go to</dt>
        <dd>
          <b>{asked.writeRegion ?? "every writer"}</b> <WriterTag />
          <small>{asked.mode === "ro" ? "moving; writes wait" : `epoch ${asked.epoch}`}</small>
        </dd>
      </div>
      <div>
        <dt>Regions serving</dt>
        <dd>
          <b>{serving}</b>
          <small>of {regions.value.length}</small>
        </dd>
      </div>
      <div>
        <dt>Requests a second</dt>
        <dd>
          <b>{rate(totalRate.value)}</b>
          <small>all edges</small>
        </dd>
      </div>
      <div>
        <dt>Sessions</dt>
        <dd>
          <b>{count(sessions)}</b>
          <small>at this edge</small>
        </dd>
      </div>
      <div>
        <dt>Edges</dt>
        <dd>
          <b>{quorum?.live ?? asked.edges}</b>
          <small>{quorum === undefined ? "live" : `of ${quorum.known} live`}</small>
        </dd>
      </div>
      <div>
        <dt>Read-your-writes</dt>
        <dd>
          <b>{asked.consistency}</b>
          <small>{asked.redis === "off" ? "pins here" : `Redis ${asked.redis}`}</small>
        </dd>
      </div>
      <div>
        <dt>Drill</dt>
        <dd>
          <b>{drills.value?.running?.region ?? "none"}</b>
          <small>{lastDrill()}</small>
        </dd>
      </div>
    </dl>
  );
}

function lastDrill(): string {
  const running = drills.value?.running;
  if (running) return `ends in ${duration(Date.parse(running.until) - nowMs.value)}`;
  const last = drills.value?.history[0];
  return last === undefined ? "never one" : `last ${last.result}`;
}

import type { DrillAnswer, DrillsAnswer, StopDrillAnswer } from "../admin/drill-messages.ts";
import { duration, loadText, movesTable } from "./render.ts";
import { table } from "./table.ts";

type Report = DrillsAnswer["history"][number];
type Running = NonNullable<DrillsAnswer["running"]>;

const NONE = "-";
const SHORT_ID = 8;

export function begunText(region: string, { drill, objections, warnings, moves, load }: DrillAnswer): string {
  const head =
    drill === null
      ? `a drill of ${region} could begin; nothing was changed`
      : `the drill ${shortOf(drill.id)} of ${region} (${drill.kind}) runs until ${drill.until}`;
  const against = objections.map(({ why }) => `although ${why}`);
  const notes = [head, ...against, ...warnings.map((warning) => `mind: ${warning}`)];
  return `${notes.join("\n")}\n\n${movesTable(moves)}${loadText(load)}`;
}

export function stoppedText({ dryRun, drill }: StopDrillAnswer): string {
  const which = `the drill ${shortOf(drill.id)} of ${drill.region}`;
  return dryRun
    ? `${which} would end; nothing was changed\n`
    : `${which} ends; its report follows within seconds\n`;
}

export function reportsText({ running, history }: DrillsAnswer): string {
  const now = running === null ? "no drill runs" : runningLine(running);
  if (history.length === 0) return `${now}\nno drill has ended yet\n`;
  const columns = [
    ...[{ title: "DRILL" }, { title: "BEGAN" }, { title: "REGION" }, { title: "KIND" }, { title: "RESULT" }],
    ...MEASURED.map((title) => ({ title, right: true })),
    { title: "BY" },
  ];
  const rows = history.map((report) => [
    ...[shortOf(report.id), report.startedAt, report.region, report.kind, report.result],
    ...[detected(report), took(report.shiftMs), recovered(report.recoveryMs)],
    ...[String(report.requests), lost(report), String(report.retried)],
    ...[String(report.sessionsMoved), String(report.pinsMoved), report.who],
  ]);
  return `${now}\n\n${table(columns, rows)}`;
}

const MEASURED = ["DETECTED", "SHIFTED", "RECOVERED", "REQUESTS", "LOST", "RETRIED", "SESSIONS", "PINS"];

/** One drill, edge by edge. */
export function reportText(report: Report): string {
  const { id, region, kind, result, why, startedAt, lastedMs, who, reason, writes, firstWriteMs } = report;
  const head = [
    `the drill ${shortOf(id)} of ${region} (${kind}) has ${result === "lost" ? "been lost" : verdict(result)}: ${why}`,
    `began ${startedAt}, lasted ${duration(lastedMs)}, for ${who}: ${reason}`,
  ];
  if (writes.before.epoch !== writes.after.epoch)
    head.push(
      `writes went to ${writes.before.region} (epoch ${writes.before.epoch}) and go to ${writes.after.region} ` +
        `(epoch ${writes.after.epoch}), the first after ${took(firstWriteMs)}`,
    );
  const rows = report.edges.map((edge) => [
    edge.edge,
    ...[took(edge.detectMs), took(edge.shiftMs), recovered(edge.troubleMs === null ? 0 : edge.recoveryMs)],
    ...[String(edge.requests), lost(edge), String(edge.retried)],
    ...[String(edge.sessionsMoved), String(edge.pinsMoved)],
  ]);
  const all = [
    ...["all", detected(report), took(report.shiftMs), recovered(report.recoveryMs)],
    ...[String(report.requests), lost(report), String(report.retried)],
    ...[String(report.sessionsMoved), String(report.pinsMoved)],
  ];
  const columns = [{ title: "EDGE" }, ...MEASURED.map((title) => ({ title, right: true }))];
  return `${head.join("\n")}\n\n${table(columns, [...rows, all])}`;
}

function runningLine({ id, region, kind, until, who, ended, soFar }: Running): string {
  const state = ended ? "is being summed up" : `runs until ${until}`;
  return `the drill ${shortOf(id)} of ${region} (${kind}, for ${who}) ${state}; ${soFar.requests} requests so far, ${lost(soFar)} lost`;
}

function verdict(result: Report["result"]): string {
  return result === "passed" ? "passed" : `been ${result}`;
}

function detected({ detectMs: { first, last } }: Report): string {
  if (first === last || last === null) return first === last ? took(first) : NONE;
  return `${took(first)} to ${took(last)}`;
}

function took(ms: number | null): string {
  return ms === null ? NONE : `${(ms / 1_000).toFixed(1)} s`;
}

function recovered(ms: number | null): string {
  return ms === 0 ? "unhurt" : took(ms);
}

function lost({ lost: count, requests }: { readonly lost: number; readonly requests: number }): string {
  return count === 0 ? "0" : `${count} (${((count / requests) * 100).toFixed(2)} %)`;
}

/** Enough of it to tell drills apart. */
function shortOf(id: string): string {
  return id.slice(0, SHORT_ID);
}

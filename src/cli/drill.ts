import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import type { DrillAnswer, DrillsAnswer, StopDrillAnswer } from "../admin/drill-messages.ts";
import { CallFailed, call } from "./client.ts";
import { type ClientIo, changeCommand, type Result, run, type WatchOptions, watchable } from "./command.ts";
import { begunText, reportsText, reportText, stoppedText } from "./drill-text.ts";

interface DrillOptions extends WatchOptions {
  readonly lasts?: string;
  readonly kind?: string;
  readonly abortAbove?: number;
  readonly reason?: string;
  readonly force?: boolean;
  readonly dryRun?: boolean;
  readonly wait?: boolean;
  readonly list?: boolean;
  readonly stop?: boolean;
}

const EXAMPLES = `
Examples:
  meridian drill eu-west --lasts 2m --dry-run
  meridian drill eu-west --lasts 2m --reason "quarterly rehearsal" --wait
  meridian drill --list
  meridian drill --stop`;

const POLL_MS = 1_000;
/** How long an edge may be silent while its drill is waited for. */
const SILENT_FOR_MS = 15_000;

export function addDrill(program: Command, io: ClientIo): void {
  const command = watchable(
    changeCommand(program, "drill [region]", "rehearse the loss of a region, and measure it"),
  );
  command
    .option("--lasts <duration>", "how long, such as 30s or 2m")
    .option(
      "--kind <kind>",
      "black-hole: the edges cannot reach it and have to find out; drain: they send nobody there",
    )
    .option(
      "--abort-above <ratio>",
      "share of failed requests above which it is ended (default: 0.01)",
      ratio,
    )
    .option("--reason <text>", "why, for the audit log")
    .option("--force", "although something speaks against it")
    .option("--wait", "until it is over, and print its report; status 1 unless it has passed")
    .option("--list", "show the drill that runs, and past ones")
    .option("--stop", "end the drill that runs")
    .addHelpText("after", EXAMPLES)
    .action((region: string | undefined, options: DrillOptions) => {
      const { list = false, stop = false } = options;
      if (Number(region !== undefined) + Number(list) + Number(stop) !== 1)
        return command.error("error: give REGION, --list or --stop");
      if (options.watch !== undefined && !list) return command.error("error: --watch goes with --list");
      if (list) return run(io, options, () => listed(options));
      if (stop) return run(io, options, () => stopped(options));
      if (options.lasts === undefined) return command.error("error: say how long: --lasts 2m");
      return run(io, options, () => begun(region ?? "", options, io));
    });
}

async function begun(region: string, options: DrillOptions, io: ClientIo): Promise<Result> {
  const { lasts, kind, reason, abortAbove, force = false, dryRun = false, wait = false } = options;
  const limits = abortAbove === undefined ? {} : { abortAbove: { errorRatio: abortAbove } };
  const body = { region, lasts, kind, reason, ...limits };
  const path = `/v1/drills?dryRun=${dryRun}&force=${force}`;
  const answer = (await call(options, "POST", path, body)) as DrillAnswer;
  if (!wait || answer.drill === null) return { data: answer, text: begunText(region, answer) };
  if (!options.json) io.out.write(begunText(region, answer));
  const report = await reportOf(answer.drill.id, options);
  if (report.result !== "passed") io.setExitStatus(1);
  return { data: report, text: `\n${reportText(report)}` };
}

/** An edge that does not answer for a while may be what the drill is about. */
async function reportOf(id: string, options: WatchOptions): Promise<DrillsAnswer["history"][number]> {
  let heardAtMs = performance.now();
  for (;;) {
    try {
      const { running, history } = (await call(options, "GET", "/v1/drills")) as DrillsAnswer;
      const report = history.find((each) => each.id === id);
      if (report !== undefined) return report;
      if (running?.id === id) heardAtMs = performance.now();
      else if (performance.now() - heardAtMs > SILENT_FOR_MS)
        throw new CallFailed("the drill is gone without a report; see the logs of the edges");
    } catch (error) {
      if (!(error instanceof CallFailed) || performance.now() - heardAtMs > SILENT_FOR_MS) throw error;
    }
    await sleep(POLL_MS);
  }
}

async function listed(options: WatchOptions): Promise<Result> {
  const answer = (await call(options, "GET", "/v1/drills")) as DrillsAnswer;
  return { data: answer, text: reportsText(answer) };
}

async function stopped(options: DrillOptions): Promise<Result> {
  const { reason, dryRun = false } = options;
  const path = `/v1/drills/stop?dryRun=${dryRun}`;
  const answer = (await call(options, "POST", path, { reason })) as StopDrillAnswer;
  return { data: answer, text: stoppedText(answer) };
}

function ratio(text: string): number {
  const given = Number(text);
  if (text.trim() !== "" && given >= 0 && given <= 1) return given;
  throw new InvalidArgumentError("Expected a share such as 0.01.");
}

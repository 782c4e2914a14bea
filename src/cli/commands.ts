import { type Command, InvalidArgumentError } from "commander";
import type { DecisionAnswer, ExplanationAnswer } from "../admin/decision-messages.ts";
import type { WriteRegionAnswer } from "../admin/fleet-messages.ts";
import type { AdmissionAnswer } from "../admin/region-messages.ts";
import { call, MOVE_TIMEOUT_MS } from "./client.ts";
import {
  type ClientIo,
  type ClientOptions,
  changeCommand,
  clientCommand,
  type Result,
  run,
  type WatchOptions,
  watchable,
} from "./command.ts";
import { addDrill } from "./drill.ts";
import { admissionText, decisionText, explanationText, statusText, writeRegionText } from "./render.ts";
import { statusOf } from "./status.ts";
import { takeToken } from "./token.ts";
import { addTop } from "./top.ts";

interface StatusOptions extends WatchOptions {
  readonly ready?: boolean;
}

interface ChangeOptions extends ClientOptions {
  readonly reason?: string;
  readonly deadline?: string;
  readonly dryRun?: boolean;
  readonly force?: boolean;
}

interface ExplainOptions extends WatchOptions {
  readonly request?: string;
  readonly header: Readonly<Record<string, string>>;
}

/** Adds the commands that speak to a running edge's admin API. Bad usage is commander's to report. */
export function addClientCommands(program: Command, io: ClientIo): void {
  program.hook("preAction", (_, command) => takeToken(command, (text) => io.err.write(text)));
  addStatus(program, io);
  addTop(program, io);
  addDrain(program, io);
  addClose(program, io);
  addUndrain(program, io);
  addPromote(program, io);
  addDrill(program, io);
  addExplain(program, io);
}

function addStatus(program: Command, io: ClientIo): void {
  watchable(clientCommand(program, "status", "show an edge and every region as it sees them"))
    .option("--ready", "only whether traffic should come to it; needs no token, for health checks")
    .addHelpText(
      "after",
      "\nExamples:\n  meridian status --admin http://10.0.0.5:9090\n  meridian status --watch 5s\n  meridian status --ready || echo not yet",
    )
    .action((options: StatusOptions) =>
      run(io, options, () => (options.ready ? readiness(options) : status(options))),
    );
}

async function status(options: ClientOptions): Promise<Result> {
  const { status: edge, regions } = await statusOf(options);
  return { data: { ...edge, regions }, text: statusText(edge, regions) };
}

async function readiness(options: ClientOptions): Promise<Result> {
  return { data: await call(options, "GET", "/readyz"), text: "ready" };
}

function addDrain(program: Command, io: ClientIo): void {
  changeCommand(
    program,
    "drain <region>",
    "let no new session go to a region; those there stay until the deadline",
  )
    .requiredOption("--reason <text>", "why, for the audit log")
    .option("--deadline <duration>", "how long sessions may stay, such as 30s, 10m or 1h (default: 10m)")
    .option("--force", "although reads or writes would be left without a region")
    .addHelpText(
      "after",
      '\nExample:\n  meridian drain eu-west --reason "kernel update" --deadline 15m --dry-run',
    )
    .action((region: string, options: ChangeOptions) => changeAdmission(io, "drain", region, options));
}

function addClose(program: Command, io: ClientIo): void {
  changeCommand(program, "close <region>", "let nothing go to a region; its sessions move now")
    .requiredOption("--reason <text>", "why, for the audit log")
    .option("--force", "although reads or writes would be left without a region")
    .addHelpText("after", '\nExample:\n  meridian close eu-west --reason "wrong data served"')
    .action((region: string, options: ChangeOptions) => changeAdmission(io, "close", region, options));
}

function addUndrain(program: Command, io: ClientIo): void {
  changeCommand(program, "undrain <region>", "open a drained or closed region again")
    .option("--reason <text>", "why, for the audit log")
    .addHelpText("after", "\nExample:\n  meridian undrain eu-west")
    .action((region: string, options: ChangeOptions) => changeAdmission(io, "undrain", region, options));
}

function addPromote(program: Command, io: ClientIo): void {
  changeCommand(program, "promote <region>", "make another region the write region, of a new epoch")
    .requiredOption("--reason <text>", "why, for the audit log")
    .option("--force", "although it is not up, or may lack what the old one has: that is lost")
    .addHelpText("after", '\nExample:\n  meridian promote eu-west --reason "us-east is gone" --force')
    .action((region: string, options: ChangeOptions) => {
      const { reason, dryRun = false, force = false } = options;
      return run(io, options, async () => {
        const path = `/v1/write-region?dryRun=${dryRun}`;
        const body = { region, reason, force };
        const answer = (await call(options, "POST", path, body, MOVE_TIMEOUT_MS)) as WriteRegionAnswer;
        return { data: answer, text: writeRegionText(answer) };
      });
    });
}

function addExplain(program: Command, io: ClientIo): void {
  const command = watchable(
    clientCommand(program, "explain [method] [path]", "say where a request would go, and why"),
  );
  command
    .option("-H, --header <name: value>", "a request header; may be repeated", addHeader, {})
    .option("--request <id>", "explain the request that had this x-request-id instead")
    .addHelpText(
      "after",
      "\nExamples:\n  meridian explain GET /orders -H 'cookie: session=abc'\n  meridian explain --request 0197f0a2",
    )
    .action((method: string | undefined, path: string | undefined, options: ExplainOptions) => {
      const { request: id } = options;
      if (id !== undefined && method === undefined) return run(io, options, () => explainPast(id, options));
      if (id === undefined && method !== undefined && path !== undefined) {
        return run(io, options, () => explainNext(method, path, options));
      }
      return command.error("error: give METHOD and PATH, or --request ID");
    });
}

async function explainPast(id: string, options: ExplainOptions): Promise<Result> {
  const answer = (await call(options, "GET", `/v1/decisions/${encodeURIComponent(id)}`)) as DecisionAnswer;
  return { data: answer, text: decisionText(answer) };
}

async function explainNext(method: string, path: string, options: ExplainOptions): Promise<Result> {
  const body = { method, path, headers: options.header };
  const answer = (await call(options, "POST", "/v1/explain", body)) as ExplanationAnswer;
  return { data: answer, text: explanationText(answer) };
}

function changeAdmission(io: ClientIo, what: string, region: string, options: ChangeOptions): Promise<void> {
  const { reason, deadline, dryRun = false, force = false } = options;
  const query = new URLSearchParams({ dryRun: String(dryRun), force: String(force) });
  const path = `/v1/regions/${encodeURIComponent(region)}/${what}?${query}`;
  return run(io, options, async () => {
    const answer = (await call(options, "POST", path, { reason, deadline })) as AdmissionAnswer;
    return { data: answer, text: admissionText(answer) };
  });
}

function addHeader(text: string, headers: Readonly<Record<string, string>>): Record<string, string> {
  const [, name, value] = /^([^:\s]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) throw new InvalidArgumentError("Expected 'name: value'.");
  return { ...headers, [name]: value };
}

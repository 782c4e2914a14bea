import { type ConfigProblem, redactedConfig } from "../config/load.ts";
import type { AdminApp } from "./app.ts";
import { audit, callerName } from "./audit.ts";
import { dryRunQuery, noBody } from "./message-parts.ts";
import { configAnswer, reloadAnswer } from "./messages.ts";
import type { AdminParts } from "./parts.ts";
import { Refusal } from "./problems.ts";

/** What is in force, and reading the file again. */
export function addConfigRoutes(app: AdminApp, parts: AdminParts): void {
  const show = { summary: "What is in force, secrets redacted.", response: { 200: configAnswer } };
  app.get("/v1/config", { schema: show, config: { access: "viewer" } }, () => ({
    configVersion: parts.config.version,
    config: redactedConfig(parts.config.get()),
    warnings: parts.warnings(),
  }));

  const reload = {
    summary: "Reads the file again. All of it takes force, or, when it has problems, nothing does.",
    querystring: dryRunQuery,
    body: noBody,
    response: { 200: reloadAnswer },
  };
  app.post("/v1/config/reload", { schema: reload, config: { change: "reload" } }, async (request) => {
    const { dryRun } = request.query;
    const before = { configVersion: parts.config.version };
    const answer = await parts.reload({ dryRun });
    if (answer.result === "rejected") {
      const { problems } = answer;
      throw new Refusal("config_rejected", problems.map(problemText).join("; "), { problems });
    }
    const configVersion = parts.config.version;
    audit(parts.events, {
      who: callerName(request),
      what: "reload",
      target: null,
      before,
      after: { configVersion, changes: answer.changes },
      why: null,
      result: dryRun ? "dry-run" : "done",
    });
    return { dryRun, configVersion, ...answer };
  });
}

function problemText({ line, message }: ConfigProblem): string {
  return `line ${line}: ${message}`;
}

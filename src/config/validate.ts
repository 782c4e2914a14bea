import type { Environment } from "./environment.ts";
import { type ConfigProblem, effectiveYaml, formatProblem, loadConfigFile } from "./load.ts";
import { writersOf } from "./rule.ts";
import type { Config } from "./schema.ts";

/** Where text goes, `process.stdout` or a stand-in for it. */
export interface TextSink {
  write(text: string): unknown;
}

export interface ValidateOptions {
  /** Show the effective configuration, secrets redacted. */
  readonly print: boolean;
  readonly environment: Environment;
  readonly out: TextSink;
  readonly err: TextSink;
}

/**
 * Checks a configuration as `serve` would; `-` is standard input. Problems and warnings go to `err`, one line
 * to `out`; that line is a YAML comment when the configuration follows it.
 *
 * @returns the exit status: 0 when an edge would start on it, else 1
 */
export async function validateCommand(file: string, options: ValidateOptions): Promise<0 | 1> {
  const { print, environment, out, err } = options;
  const loaded = await loadConfigFile(file, environment);
  for (const warning of loaded.warnings) err.write(`${formatWarning(file, warning)}\n`);
  const name = file === "-" ? "<stdin>" : file;
  if (!loaded.ok) {
    for (const problem of loaded.problems) err.write(`${formatProblem(file, problem)}\n`);
    err.write(`${name}: ${count(loaded.problems.length, "problem")}\n`);
    return 1;
  }
  const summary = `${name}: ok, ${describe(loaded.config)}`;
  out.write(print ? `# ${summary}\n${effectiveYaml(loaded.config)}` : `${summary}\n`);
  return 0;
}

/** `file:line:column: warning: message (hint)`. */
export function formatWarning(file: string, warning: ConfigProblem): string {
  return formatProblem(file, { ...warning, message: `warning: ${warning.message}` });
}

function describe(config: Config): string {
  const regions = Object.values(config.regions);
  const endpoints = regions.reduce((sum, region) => sum + region.endpoints.length, 0);
  const writers = writersOf(config).map(({ name }) => name);
  return `${count(regions.length, "region")}, ${count(endpoints, "endpoint")}, writes to ${writers.join(", ")}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

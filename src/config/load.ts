import { hostname } from "node:os";
import { dirname, resolve } from "node:path";
import { cautions } from "./cautions.ts";
import { contradictions } from "./contradictions.ts";
import { type ConfigDocument, readDocument } from "./document.ts";
import type { Environment } from "./environment.ts";
import { findingsOf, wording } from "./issues.ts";
import { readKeyFiles } from "./key-files.ts";
import { readPemFiles } from "./pem-files.ts";
import { type ConfigProblem, type Finding, inFileOrder } from "./problems.ts";
import { readText } from "./read-text.ts";
import { findingsOfRules, type Salvaged } from "./rule.ts";
import { NOTHING, salvage } from "./salvage.ts";
import { type Config, configSchema } from "./schema.ts";

export { type ConfigProblem, formatProblem } from "./problems.ts";
export { effectiveYaml, redactedConfig } from "./redact.ts";

/** A configuration to run on, or everything that is wrong with it. Warnings never stop an edge. */
export type Loaded =
  | { readonly ok: true; readonly config: Config; readonly warnings: readonly ConfigProblem[] }
  | {
      readonly ok: false;
      readonly problems: readonly ConfigProblem[];
      readonly warnings: readonly ConfigProblem[];
    };

/** What a text was found to be, and what is needed to find more. */
interface Parsed {
  readonly loaded: Loaded;
  readonly document: ConfigDocument;
  readonly sound: Salvaged;
}

/**
 * Checks the text of a configuration file and reports all problems at once. Reads no other file: keys and
 * certificates that it names are left unread. Never throws.
 */
export function parseConfig(text: string, environment: Environment): Loaded {
  return parse(text, environment).loaded;
}

function parse(text: string, environment: Environment): Parsed {
  // Shells set HOSTNAME but do not export it, so the commonest id of an edge would be missing.
  const HOSTNAME = environment.HOSTNAME || hostname();
  const document = readDocument(text, { ...environment, HOSTNAME });
  if (document.data === null) {
    return { loaded: { ok: false, problems: document.problems, warnings: [] }, document, sound: NOTHING };
  }
  const { loaded, sound } = check(document.data, document);
  const unnamed = loaded.ok && !document.has(["edge", "id"]);
  if (!unnamed) return { loaded, document, sound };
  const config = { ...loaded.config, edge: { id: idOf(HOSTNAME) } };
  return { loaded: { ...loaded, config }, document, sound };
}

/**
 * Reads and checks a configuration file and the files of keys and certificates it names; `-` is standard input. A file that cannot be
 * read is a problem like any other. Never rejects.
 */
export async function loadConfigFile(file: string, environment: Environment): Promise<Loaded> {
  const read = await readText(file);
  if (read.ok) return withFiles(parse(read.text, environment), folderOf(file));
  const problem = { path: "", line: 1, column: 1, message: read.message, hint: read.hint };
  return { ok: false, problems: [problem], warnings: [] };
}

/** What the names of files in a configuration are relative to. */
export function folderOf(file: string): string {
  return file === "-" ? "." : dirname(resolve(file));
}

async function withFiles({ loaded, document, sound }: Parsed, folder: string): Promise<Loaded> {
  const config = loaded.ok ? loaded.config : sound.config;
  if (config === null) return loaded;
  const keys = await readKeyFiles(config, folder);
  const pem = await readPemFiles(keys.config, folder);
  const place = (finding: Finding) => document.place(finding);
  const warnings = inFileOrder([...loaded.warnings, ...pem.cautions.map(place)]);
  const found = [...keys.findings, ...pem.findings].map(place);
  if (loaded.ok && found.length === 0) return { ok: true, config: pem.config, warnings };
  return { ok: false, problems: inFileOrder([...(loaded.ok ? [] : loaded.problems), ...found]), warnings };
}

/** More than anybody reads at once; a file that is no configuration at all may have a hundred thousand. */
const MOST_FINDINGS = 200;

/** The schema first; then, on whatever of the file is sound, the rules that compare one value with another. */
function check(
  data: Readonly<Record<string, unknown>>,
  document: ConfigDocument,
): Pick<Parsed, "loaded" | "sound"> {
  const parsed = configSchema.safeParse(data, { error: wording, reportInput: true });
  const issues = parsed.error?.issues ?? [];
  const sound = document.ambiguous ? NOTHING : salvage(data, issues);
  const findings = [...issues.flatMap(findingsOf), ...findingsOfRules(contradictions, sound)];
  const found = findings.slice(0, MOST_FINDINGS).map((finding) => document.place(finding));
  const warnings = inFileOrder(findingsOfRules(cautions, sound).map((finding) => document.place(finding)));
  // A variable that is not set leaves a hole, and the schema's complaint about the hole adds nothing.
  const others = found.filter((problem) => !document.problems.some(isAt(problem)));
  const problems = inFileOrder([...document.problems, ...others]);
  const ok = parsed.success && problems.length === 0;
  const loaded: Loaded = ok ? { ok, config: parsed.data, warnings } : { ok: false, problems, warnings };
  return { loaded, sound };
}

function isAt({ line, column }: ConfigProblem): (other: ConfigProblem) => boolean {
  return (other) => other.line === line && other.column === column;
}

function idOf(host: string): string {
  return host.replace(/[^A-Za-z0-9._-]/g, "-").slice(0, 64) || "edge";
}

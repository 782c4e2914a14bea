/** Where a value stands in the configuration: keys, and indices of lists. */
export type Path = readonly (string | number)[];

/** Something to tell about the configuration, before it has a place in the file. */
export interface Finding {
  readonly path: Path;
  /** What is wrong, without the path. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string | null;
  /** Point at the key rather than at its value. */
  readonly atKey?: boolean;
}

/** Something to tell about a configuration file, for people. Lines and columns count from 1. */
export interface ConfigProblem {
  /** The dotted path, `regions.eu-west.endpoints[0]`; empty for the file as a whole. */
  readonly path: string;
  readonly line: number;
  readonly column: number;
  /** Stands alone: it begins with the path. Never holds a secret. */
  readonly message: string;
  readonly hint: string | null;
}

/** `regions.eu-west.endpoints[0]`. */
export function pathText(path: Path): string {
  return path.reduce<string>((text, step) => {
    if (typeof step === "number") return `${text}[${step}]`;
    const key = keyText(step);
    return text === "" ? key : `${text}.${key}`;
  }, "");
}

/** A key that YAML has made of a value, `password:hunter2` or a whole URL, is shown as far as it may be a key. */
function keyText(key: string): string {
  if (/^[\w$-]{1,80}$/.test(key)) return key;
  const [name = ""] = key.slice(0, 80).split(/[:@/=+]/);
  return JSON.stringify(name === key ? name : `${name}…`);
}

/** `file:line:column: message (hint)`, which editors and terminals know how to open. */
export function formatProblem(file: string, problem: ConfigProblem): string {
  const name = file === "-" ? "<stdin>" : file;
  const hint = problem.hint === null ? "" : ` (${problem.hint})`;
  return `${name}:${problem.line}:${problem.column}: ${problem.message}${hint}`;
}

/** In the order of the file, and each only once. */
export function inFileOrder(problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  const seen = new Set<string>();
  const once = problems.filter((problem) => {
    const text = formatProblem("", problem);
    return !seen.has(text) && seen.add(text);
  });
  return once.sort((a, b) => a.line - b.line || a.column - b.column);
}

import {
  type Alias,
  type Document,
  isAlias,
  isCollection,
  isMap,
  isNode,
  isPair,
  isScalar,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  stringify,
  visit,
  type YAMLError,
  type YAMLMap,
} from "yaml";
import {
  type Environment,
  type ExpansionFault,
  expand,
  shield,
  unshield,
  unshieldable,
} from "./environment.ts";
import { type ConfigProblem, type Finding, type Path, pathText } from "./problems.ts";

/** A YAML file as data, with its variables replaced, that knows where everything stands. */
export interface ConfigDocument {
  /** What the schema is to check; null when the file cannot be read as one mapping. */
  readonly data: Readonly<Record<string, unknown>> | null;
  /** What is wrong with the YAML and with the variables. */
  readonly problems: readonly ConfigProblem[];
  /** A key stands twice, so `data` may not be what was meant. */
  readonly ambiguous: boolean;
  /** Whether something is written there. */
  has(path: Path): boolean;
  /** Gives a finding its line and column: of its value, of its key, or of the nearest thing that exists. */
  place(finding: Finding): ConfigProblem;
}

/** Reads YAML 1.2 (and so JSON). Never throws. */
export function readDocument(text: string, environment: Environment): ConfigDocument {
  const unusable = unshieldable(text);
  const lines = new LineCounter();
  try {
    const document = parseDocument(shield(text), {
      lineCounter: lines,
      prettyErrors: false,
      stringKeys: true,
      uniqueKeys: false, // the library compares every key with every other; the reader looks them up
      logLevel: "error",
    });
    const reader = new Reader(document, lines, environment);
    if (unusable !== -1)
      reader.report(unusable, "this character cannot be used here", "write it as \\u escape");
    reader.read();
    return reader;
  } catch (cause) {
    return unreadable(cause instanceof RangeError ? TOO_DEEP : `not YAML: ${messageOf(cause)}`);
  }
}

function unreadable(message: string): ConfigDocument {
  const problem: ConfigProblem = { path: "", line: 1, column: 1, message, hint: null };
  return { data: null, problems: [problem], ambiguous: false, has: () => false, place: () => problem };
}

class Reader implements ConfigDocument {
  data: Readonly<Record<string, unknown>> | null = null;
  readonly problems: ConfigProblem[] = [];
  ambiguous = false;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;
  readonly #environment: Environment;
  /** The variables each value was made of. */
  readonly #variables = new Map<unknown, readonly string[]>();
  #aliasBroken = false;

  constructor(document: Document.Parsed, lines: LineCounter, environment: Environment) {
    this.#document = document;
    this.#lines = lines;
    this.#environment = environment;
  }

  /** Fills in `data` and `problems`. */
  read(): void {
    const faults = [...this.#document.errors, ...this.#document.warnings];
    for (const fault of faults.slice(0, MOST_SYNTAX_ERRORS)) this.#reportSyntax(fault);
    if (faults.length > 0) return;
    visit(this.#document, {
      Alias: (_, alias) => this.#checkAlias(alias),
      Map: (_, map) => this.#checkKeys(map),
      Scalar: (key, scalar) => this.#expand(scalar, key === "key"),
    });
    if (this.#aliasBroken) return;
    if (isMap(this.#document.contents)) this.data = this.#document.toJS();
    else this.report(0, this.#document.contents === null ? EMPTY : NO_MAPPING, SMALLEST);
  }

  report(offset: number, message: string, hint: string | null): void {
    this.problems.push({ path: "", ...this.#position(offset), message, hint });
  }

  has(path: Path): boolean {
    return this.#find({ path, message: "", hint: null }).node !== null;
  }

  place(finding: Finding): ConfigProblem {
    const { node, offset } = this.#find(finding);
    const from = (this.#variables.get(node) ?? []).map((name) => `, from \${${name}}`).join("");
    const path = pathText(finding.path);
    const message = `${path === "" ? "" : `${path}: `}${finding.message}${from}`;
    return { path, ...this.#position(offset), message, hint: finding.hint };
  }

  /** The node a finding is about and where it starts; `node` is null when only something around it exists. */
  #find({ path, atKey }: Finding): { node: unknown; offset: number } {
    let node: unknown = this.#document.contents;
    let offset = 0;
    for (const step of path) {
      const pair = this.#entry(node, step);
      if (pair === null) return { node: null, offset };
      offset = startOf(pair.key) ?? startOf(pair.value) ?? offset;
      node = pair.value;
    }
    return { node, offset: atKey ? offset : (startOf(node) ?? offset) };
  }

  #entry(level: unknown, step: string | number): { key: unknown; value: unknown } | null {
    const node = isAlias(level) ? level.resolve(this.#document) : level;
    if (!isCollection(node)) return null;
    const item: unknown = isMap(node)
      ? node.items.findLast(({ key }) => isScalar(key) && String(key.value) === step)
      : node.items[Number(step)];
    if (item === undefined) return null;
    return isPair(item) ? (item as Pair) : { key: null, value: item };
  }

  #expand(scalar: Scalar, isKey: boolean): void {
    if (typeof scalar.value !== "string") return;
    const text = unshield(scalar.value);
    scalar.value = text;
    if (isKey || !text.includes("${")) return;
    const expanded = expand(text, this.#environment);
    for (const fault of expanded.faults) this.#reportExpansion(scalar, fault);
    this.#variables.set(scalar, expanded.names);
    const plain = scalar.type === "PLAIN" && scalar.tag === undefined;
    scalar.value = plain ? plainValue(expanded.text) : expanded.text;
  }

  #checkAlias(alias: Alias): void {
    if (alias.resolve(this.#document) !== undefined) return;
    this.#aliasBroken = true;
    // A secret that begins with * looks like this, so the name is not repeated.
    this.report(
      startOf(alias) ?? 0,
      "the *name stands for nothing",
      "write &name before what it stands for; put a text that begins with * in quotes",
    );
  }

  #checkKeys(map: YAMLMap): void {
    const lines = new Map<string, number>();
    for (const { key, value } of map.items) {
      const name = unshield(isScalar(key) ? String(key.value) : "");
      const offset = startOf(key) ?? 0;
      if (value === null)
        this.report(offset, "a key without a value", "write KEY: VALUE, a space after the colon");
      const first = lines.get(name);
      if (first === undefined) {
        lines.set(name, this.#position(offset).line);
        continue;
      }
      this.ambiguous = true;
      this.report(offset, `duplicate key ${pathText([name])}`, `the first is on line ${first}`);
    }
  }

  #reportExpansion(scalar: Scalar, { message, hint }: ExpansionFault): void {
    this.report(startOf(scalar) ?? 0, message, hint);
  }

  #reportSyntax({ code, message, pos }: YAMLError): void {
    // Behind a word and a colon YAML repeats what it has found, which may be a secret.
    const said = unshield(message).replace(/(\w): .*$/s, "$1");
    const other = message.startsWith("Maximum call stack") ? TOO_DEEP : `not YAML: ${said}`;
    const [wording, hint] = SYNTAX[code] ?? [other, null];
    this.report(pos[0], wording, hint);
  }

  #position(offset: number): { line: number; column: number } {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

/** One slip of the pen makes YAML stumble over the rest; the first few errors say it all. */
const MOST_SYNTAX_ERRORS = 5;
const TOO_DEEP = "nested too deeply";
const EMPTY = "the file is empty";
const NO_MAPPING = "expected keys with their values";
const SMALLEST =
  "the smallest file is regions: { us-east: { role: writer, endpoints: [http://10.0.0.10:8080] } }";

/** The errors of YAML one meets most, in words that say what to do. */
const SYNTAX: Partial<Record<YAMLError["code"], readonly [string, string]>> = {
  TAB_AS_INDENT: ["a tab in the indentation", "indent with spaces"],
  TAG_RESOLVE_FAILED: ["a tag that means nothing here", "write the value without the ! in front"],
  BAD_DIRECTIVE: ["a line that begins with %", "put a text that begins with % in quotes"],
  BAD_DQ_ESCAPE: ["a backslash that means nothing here", "write two of them, or use single quotes"],
  MULTIPLE_DOCS: ["more than one document", "keep one and remove the lines ---"],
};

function messageOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}

function startOf(node: unknown): number | null {
  return isNode(node) ? (node.range?.[0] ?? null) : null;
}

/** What YAML makes of a text that stands there without quotes: `8080` is a number, `true` is not a text. */
function plainValue(text: string): unknown {
  const { contents, errors } = parseDocument(text, { logLevel: "silent" });
  if (text.trim() === "") return null;
  const whole =
    errors.length === 0 && isScalar(contents) && contents.type === "PLAIN" && contents.source === text;
  return whole ? contents.value : text;
}

/** Data as YAML, one key to a line. */
export function writeYaml(data: unknown): string {
  return stringify(data, { lineWidth: 0 });
}

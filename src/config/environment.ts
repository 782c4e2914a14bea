/** The environment of a process, `process.env` or a stand-in for it. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A text with its variables replaced, and what went wrong on the way. */
export interface Expanded {
  readonly text: string;
  /** Names of the variables in it. */
  readonly names: readonly string[];
  readonly faults: readonly ExpansionFault[];
}

export interface ExpansionFault {
  readonly message: string;
  readonly hint: string;
}

const EXPRESSION = /\$\$\{|\$\{([^}\n]*)\}|\$\{/g;
const INSIDE = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/;

/**
 * Replaces `${NAME}` and `${NAME:-default}`; `$${` stands for `${`. As in a shell, the default also counts
 * when the variable is set but empty.
 */
export function expand(text: string, environment: Environment): Expanded {
  const names: string[] = [];
  const faults: ExpansionFault[] = [];
  const expanded = text.replace(EXPRESSION, (expression, inside: string | undefined) => {
    if (expression === "$${") return "${";
    const [, name, fallback] = INSIDE.exec(inside ?? "") ?? [];
    if (name === undefined || fallback?.includes("${")) {
      faults.push(malformed(inside));
      return "";
    }
    names.push(name);
    const value = environment[name];
    if (fallback !== undefined) return value || fallback;
    if (value === undefined) faults.push(unset(name));
    return value ?? "";
  });
  return { text: expanded, names, faults };
}

function malformed(inside: string | undefined): ExpansionFault {
  const hint = `write \${NAME} or \${NAME:-default}, or $\${ for a literal \${`;
  if (inside === undefined) return { message: `a \${ without its }`, hint };
  return { message: `between \${ and } stands no name of a variable`, hint };
}

function unset(name: string): ExpansionFault {
  return {
    message: `the environment variable ${name} is not set`,
    hint: `set it, or give a default: \${${name}:-DEFAULT}`,
  };
}

// YAML takes { and } for syntax in places where a variable may stand ([${A}], { port: ${B} }). So before it
// reads the file each expression is shifted, letter by letter, into Unicode's private use area, where YAML
// sees ordinary letters; lengths, lines and columns stay what they are.
const SHIELD = 0xe000;
const SHIELDED = /[\ue020-\ue07e]/g;

/** The text with every expression hidden from YAML. */
export function shield(text: string): string {
  return text.replace(/\$?\$\{[^}\n]*\}/g, (expression) =>
    expression.replace(/[ -~]/g, (letter) => String.fromCharCode(SHIELD + letter.charCodeAt(0))),
  );
}

/** Undoes {@link shield}. */
export function unshield(text: string): string {
  return text.replace(SHIELDED, (letter) => String.fromCharCode(letter.charCodeAt(0) - SHIELD));
}

/** Where the text already has a character that {@link shield} needs for itself; -1 when nowhere. */
export function unshieldable(text: string): number {
  return text.search(SHIELDED);
}

/** Writes a text such that {@link expand} gives it back. */
export function escapeExpressions(text: string): string {
  return text.replaceAll("${", () => "$${");
}

/**
 * As much of the language of Go's text/template as the chart uses: text, `if`, `range`, `with`, `define`, variables,
 * pipelines and calls. Anything else is refused. Helm's own engine is written in Go, and nothing in npm renders charts.
 */
export type Node =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "print"; readonly pipe: Pipe }
  | { readonly kind: "set"; readonly name: string; readonly declares: boolean; readonly pipe: Pipe }
  | { readonly kind: "if" | "with"; readonly pipe: Pipe; readonly body: Block; readonly otherwise: Block }
  | {
      readonly kind: "range";
      readonly names: readonly string[];
      readonly pipe: Pipe;
      readonly body: Block;
      readonly otherwise: Block;
    };
export type Block = readonly Node[];
/** What each command yields is the last argument of the next. */
export type Pipe = readonly Command[];
export type Command = readonly Operand[];
export type Operand = {
  readonly base:
    | { readonly kind: "value"; readonly value: string | number | boolean | null }
    | { readonly kind: "dot" }
    | { readonly kind: "variable"; readonly name: string }
    | { readonly kind: "function"; readonly name: string }
    | { readonly kind: "pipe"; readonly pipe: Pipe };
  readonly fields: readonly string[];
};

interface Token {
  readonly text: string;
  /** No space before it. */
  readonly glued: boolean;
}

const ACTION = /\{\{(?:-(?=\s))?([\s\S]*?)(?:(?<=\s)-)?\}\}/g;
const TOKEN = /(\s*)("(?:\\.|[^"\\])*"|`[^`]*`|\$\w*|\.\w+|[A-Za-z_]\w*|-?\d+(?:\.\d+)?|:=|[.=|(),])/y;

/** The templates that a file defines, and what it says outside of them. */
export function parseTemplate(source: string): { main: Block; defined: ReadonlyMap<string, Block> } {
  return new Parser(source).parse();
}

class Parser {
  readonly #parts: (string | readonly Token[])[] = [];
  readonly #defined = new Map<string, Block>();
  #at = 0;

  constructor(source: string) {
    let from = 0;
    let trims = false;
    const text = (piece: string, trimsEnd: boolean) => {
      const begun = trims ? piece.trimStart() : piece;
      this.#parts.push(trimsEnd ? begun.trimEnd() : begun);
    };
    for (const found of source.matchAll(ACTION)) {
      const [whole, inner = ""] = found;
      text(source.slice(from, found.index), /^\{\{-\s/.test(whole));
      if (!inner.trimStart().startsWith("/*")) this.#parts.push(tokens(inner));
      from = found.index + whole.length;
      trims = /\s-\}\}$/.test(whole);
    }
    text(source.slice(from), false);
  }

  parse() {
    const main = this.#block([]);
    if (this.#at < this.#parts.length) throw new Error("an end or else too many");
    return { main, defined: this.#defined };
  }

  /** Up to an action that begins with one of `ends`, which is left to be read. */
  #block(ends: readonly string[]): Block {
    const nodes: Node[] = [];
    for (let part = this.#parts[this.#at]; part !== undefined; part = this.#parts[this.#at]) {
      if (typeof part !== "string" && ends.includes(part[0]?.text ?? "")) return nodes;
      if (typeof part !== "string" && /^(end|else)$/.test(part[0]?.text ?? "")) return nodes;
      this.#at += 1;
      if (typeof part === "string") nodes.push({ kind: "text", text: part });
      else nodes.push(...this.#action(part));
    }
    if (ends.length > 0) throw new Error("an end is missing");
    return nodes;
  }

  #action(action: readonly Token[]): readonly Node[] {
    const [first, second] = action;
    switch (first?.text) {
      case "define": {
        const body = this.#block(["end"]);
        this.#at += 1;
        this.#defined.set(JSON.parse(second?.text ?? ""), body);
        return [];
      }
      case "if":
      case "with":
        return [{ kind: first.text, pipe: pipeOf(action.slice(1)), ...this.#branches() }];
      case "range": {
        const assigned = action.findIndex(({ text }) => text === ":=");
        const names = action
          .slice(1, assigned === -1 ? 1 : assigned)
          .map(({ text }) => text)
          .filter((text) => text !== ",");
        const pipe = pipeOf(action.slice(assigned === -1 ? 1 : assigned + 1));
        return [{ kind: "range", names, pipe, ...this.#branches() }];
      }
    }
    if (first?.text.startsWith("$") && (second?.text === ":=" || second?.text === "="))
      return [
        { kind: "set", name: first.text, declares: second.text === ":=", pipe: pipeOf(action.slice(2)) },
      ];
    return [{ kind: "print", pipe: pipeOf(action) }];
  }

  /** What follows an `if`, a `with` or a `range`, with its `end`. */
  #branches(): { body: Block; otherwise: Block } {
    const body = this.#block(["else", "end"]);
    const [word, ...rest] = this.#parts[this.#at] as readonly Token[];
    this.#at += 1;
    if (word?.text === "end") return { body, otherwise: [] };
    // `else if` ends with the same `end` as what it continues.
    if (rest.length > 0) return { body, otherwise: this.#action(rest) };
    const otherwise = this.#block(["end"]);
    this.#at += 1;
    return { body, otherwise };
  }
}

function tokens(action: string): readonly Token[] {
  const found: Token[] = [];
  const text = action.trim();
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const from = TOKEN.lastIndex;
    const [, space = "", token] = TOKEN.exec(text) ?? [];
    if (token === undefined) throw new Error(`not understood: ${text.slice(from)}`);
    found.push({ text: token, glued: space === "" });
  }
  return found;
}

function pipeOf(all: readonly Token[]): Pipe {
  const left = [...all];
  const pipe = readPipe(left);
  if (left.length > 0) throw new Error(`not understood: ${left.map(({ text }) => text).join(" ")}`);
  return pipe;
}

function readPipe(left: Token[]): Pipe {
  const commands: Operand[][] = [[]];
  for (let token = left[0]; token !== undefined && token.text !== ")"; token = left[0]) {
    if (token.text === "|") {
      left.shift();
      commands.push([]);
    } else commands.at(-1)?.push(readOperand(left));
  }
  if (commands.some((command) => command.length === 0)) throw new Error("a command is missing");
  return commands;
}

function readOperand(left: Token[]): Operand {
  const token = left.shift()?.text ?? "";
  const fields: string[] = [];
  const base = baseOf(token, fields, left);
  while (left[0]?.glued && /^\.\w/.test(left[0].text)) fields.push(left.shift()?.text.slice(1) ?? "");
  return { base, fields };
}

function baseOf(token: string, fields: string[], left: Token[]): Operand["base"] {
  if (token.startsWith('"')) return { kind: "value", value: JSON.parse(token) };
  if (token.startsWith("`")) return { kind: "value", value: token.slice(1, -1) };
  if (/^-?\d/.test(token)) return { kind: "value", value: Number(token) };
  if (token === "true" || token === "false") return { kind: "value", value: token === "true" };
  if (token === "nil") return { kind: "value", value: null };
  if (token.startsWith("$")) return { kind: "variable", name: token };
  if (token === ".") return { kind: "dot" };
  if (token.startsWith(".")) {
    fields.push(token.slice(1));
    return { kind: "dot" };
  }
  if (token === "(") {
    const pipe = readPipe(left);
    if (left.shift()?.text !== ")") throw new Error("a parenthesis is missing");
    return { kind: "pipe", pipe };
  }
  if (/^[A-Za-z_]/.test(token)) return { kind: "function", name: token };
  throw new Error(`not understood: ${token}`);
}

import type { Block, Command, Node, Operand, Pipe } from "./syntax.ts";

export type Value = unknown;
export type Functions = Readonly<Record<string, (...args: Value[]) => Value>>;

/** From this on Go prints a number of YAML as 1e+06, which no manifest means; `int` helps. */
const FIRST_IN_EXPONENTS = 1_000_000;

/** Variables of a block and of those around it. */
class Scope {
  readonly #own = new Map<string, Value>();
  readonly #outer: Scope | null;

  constructor(outer: Scope | null) {
    this.#outer = outer;
  }

  declare(name: string, value: Value): void {
    this.#own.set(name, value);
  }

  assign(name: string, value: Value): void {
    if (this.#own.has(name)) this.#own.set(name, value);
    else if (this.#outer) this.#outer.assign(name, value);
    else throw new Error(`undefined variable ${name}`);
  }

  get(name: string): Value {
    if (this.#own.has(name)) return this.#own.get(name);
    if (this.#outer) return this.#outer.get(name);
    throw new Error(`undefined variable ${name}`);
  }
}

/** Runs one template with `dot`, as Helm does: what is missing in a map prints as nothing. */
export function runTemplate(block: Block, dot: Value, functions: Functions): string {
  const scope = new Scope(null);
  scope.declare("$", dot);
  return runBlock(block, dot, scope, functions);
}

function runBlock(block: Block, dot: Value, outer: Scope, functions: Functions): string {
  const scope = new Scope(outer);
  return block.map((node) => runNode(node, dot, scope, functions)).join("");
}

function runNode(node: Node, dot: Value, scope: Scope, functions: Functions): string {
  if (node.kind === "text") return node.text;
  const value = evaluate(node.pipe, dot, scope, functions);
  switch (node.kind) {
    case "print":
      return printed(value);
    case "set":
      if (node.declares) scope.declare(node.name, value);
      else scope.assign(node.name, value);
      return "";
    case "if":
      return runBlock(isTrue(value) ? node.body : node.otherwise, dot, scope, functions);
    case "with":
      return isTrue(value)
        ? runBlock(node.body, value, scope, functions)
        : runBlock(node.otherwise, dot, scope, functions);
    case "range": {
      const items = entriesOf(value);
      if (items.length === 0) return runBlock(node.otherwise, dot, scope, functions);
      return items.map(([key, item]) => runItem(node, key, item, scope, functions)).join("");
    }
  }
}

function runItem(
  { names, body }: Extract<Node, { kind: "range" }>,
  key: Value,
  item: Value,
  outer: Scope,
  functions: Functions,
): string {
  const scope = new Scope(outer);
  const [first, second] = names;
  if (second !== undefined && first !== undefined) {
    scope.declare(first, key);
    scope.declare(second, item);
  } else if (first !== undefined) scope.declare(first, item);
  return runBlock(body, item, scope, functions);
}

function evaluate(pipe: Pipe, dot: Value, scope: Scope, functions: Functions): Value {
  let piped: Value[] = [];
  for (const command of pipe) piped = [call(command, piped, dot, scope, functions)];
  return piped[0];
}

function call(
  [head, ...rest]: Command,
  piped: Value[],
  dot: Value,
  scope: Scope,
  functions: Functions,
): Value {
  if (head === undefined) throw new Error("an empty command");
  const operandIn = (operand: Operand) => operandValue(operand, dot, scope, functions);
  const args = () => [...rest.map(operandIn), ...piped];
  if (head.base.kind === "function" && head.fields.length === 0) {
    const called = functions[head.base.name];
    if (called === undefined) throw new Error(`function "${head.base.name}" not defined`);
    return called(...args());
  }
  const value = operandIn(head);
  if (typeof value === "function") return value(...args());
  if (rest.length > 0 || piped.length > 0) throw new Error("cannot give arguments to what is no function");
  return value;
}

function operandValue({ base, fields }: Operand, dot: Value, scope: Scope, functions: Functions): Value {
  let value: Value;
  switch (base.kind) {
    case "value":
      value = base.value;
      break;
    case "dot":
      value = dot;
      break;
    case "variable":
      value = scope.get(base.name);
      break;
    case "pipe":
      value = evaluate(base.pipe, dot, scope, functions);
      break;
    case "function":
      value = call([{ base, fields: [] }], [], dot, scope, functions);
  }
  for (const field of fields) {
    if (typeof value !== "object" || value === null)
      throw new Error(`nil pointer evaluating interface {}.${field}`);
    value = (value as Record<string, Value>)[field];
  }
  return value;
}

/** A map's entries come in the order of its keys. */
function entriesOf(value: Value): readonly (readonly [Value, Value])[] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.map((item, index) => [index, item]);
  if (typeof value !== "object") throw new Error(`range can't iterate over ${value}`);
  return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function isTrue(value: Value): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (typeof value === "object" && value !== null) return Object.keys(value).length > 0;
  return Boolean(value);
}

export function printed(value: Value): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number" && Math.abs(value) >= FIRST_IN_EXPONENTS)
    throw new Error(`${value} needs int, or Go prints it with an exponent`);
  if (typeof value === "object") throw new Error("a map or a list needs toYaml");
  return String(value);
}

import { globSync, readFileSync } from "node:fs";
import path from "node:path";
import { parse, parseAllDocuments } from "yaml";
import { FUNCTIONS, isTree } from "./functions.ts";
import { type Functions, runTemplate, type Value } from "./run.ts";
import { type Block, parseTemplate } from "./syntax.ts";

const CHART = path.join(import.meta.dirname, "../../../deploy/helm/meridian");

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Record<string, string> };
  readonly [key: string]: unknown;
}

/** All that an engine needs to render the chart; the same for ours and for Go's. */
export interface Render {
  readonly templates: Readonly<Record<string, string>>;
  readonly files: Readonly<Record<string, string>>;
  readonly context: {
    readonly Values: Value;
    readonly Chart: Value;
    readonly Release: Value;
  };
}

/** The chart with these values over its own, as `helm template RELEASE -n edges` would take it. */
export function chartWith(values: Value, release = "meridian"): Render {
  const read = (name: string) => readFileSync(path.join(CHART, name), "utf8");
  const { version, appVersion, name } = parse(read("Chart.yaml"));
  return {
    templates: Object.fromEntries(globSync("templates/*", { cwd: CHART }).map((file) => [file, read(file)])),
    files: Object.fromEntries(filesOfChart().map((file) => [file, read(file)])),
    context: {
      Values: coalesced(parse(read("values.yaml")), values),
      Chart: { Name: name, Version: version, AppVersion: String(appVersion) },
      Release: { Name: release, Namespace: "edges", Service: "Helm" },
    },
  };
}

/** What `.Files` has, through the links that Helm follows too. */
function filesOfChart(): readonly string[] {
  return globSync(["files/*.yaml", "files/dashboards/*.json"], { cwd: CHART });
}

/** Helm's rule for values: maps are merged, all else is replaced, and null takes a default away. */
function coalesced(base: Value, over: Value): Value {
  if (!isTree(base) || !isTree(over)) return over;
  const merged = { ...base };
  for (const [key, value] of Object.entries(over)) {
    if (value === null) delete merged[key];
    else merged[key] = key in merged ? coalesced(merged[key], value) : value;
  }
  return merged;
}

/** Each template's text, by its name. */
export function renderTexts({ templates, files, context }: Render): Readonly<Record<string, string>> {
  const parsed = Object.entries(templates).map(([name, text]) => ({ name, ...within(name, text) }));
  const defined = new Map<string, Block>(parsed.flatMap((file) => [...file.defined]));
  const functions: Functions = {
    ...FUNCTIONS,
    include: (name, dot) => {
      const block = defined.get(String(name));
      if (block === undefined) throw new Error(`no template "${name}"`);
      return runTemplate(block, dot, functions);
    },
  };
  const dot = { ...context, Files: filesOf(files) };
  const texts = parsed
    .filter(({ name }) => !path.basename(name).startsWith("_"))
    .map(({ name, main }) => [name, runTemplate(main, dot, functions)] as const);
  return Object.fromEntries(texts);
}

function within(name: string, text: string) {
  try {
    return parseTemplate(text);
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

function filesOf(files: Readonly<Record<string, string>>) {
  return {
    Get: (name: Value) => files[String(name)] ?? "",
    Glob: (pattern: Value) => {
      const found = Object.keys(files).filter((file) => path.matchesGlob(file, String(pattern)));
      const contents = Object.fromEntries(found.map((file) => [path.basename(file), files[file]]));
      return { AsConfig: () => FUNCTIONS.toYaml?.(contents) };
    },
  };
}

/** What Kubernetes would be sent, read as Kubernetes reads it. */
export function manifestsOf(texts: Readonly<Record<string, string>>): readonly Manifest[] {
  return Object.entries(texts)
    .filter(([name]) => name.endsWith(".yaml"))
    .flatMap(([name, text]) =>
      parseAllDocuments(text, { version: "1.1" }).map((document) => {
        if (document.errors[0]) throw new Error(`${name}: ${document.errors[0].message}\n${text}`);
        return document.toJS() as Manifest;
      }),
    )
    .filter((manifest) => manifest !== null);
}

export function render(values: Value, release?: string): readonly Manifest[] {
  return manifestsOf(renderTexts(chartWith(values, release)));
}

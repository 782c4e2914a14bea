import { readFileSync } from "node:fs";
import { DASHBOARDS } from "../../scripts/generate-dashboards.ts";

export interface ShownPanel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string; readonly legendFormat?: string }[];
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly fieldConfig: {
    readonly defaults: {
      readonly unit: string;
      readonly noValue?: string;
      readonly thresholds?: {
        readonly steps: readonly { readonly value: number | null; readonly color: string }[];
      };
      readonly mappings?: readonly { readonly options: Record<string, { text: string; color: string }> }[];
      readonly custom?: { readonly stacking?: { readonly mode: string } };
    };
  };
  readonly options: { readonly textMode?: string };
  readonly transformations?: readonly {
    readonly options: { readonly excludeByName?: Readonly<Record<string, boolean>> };
  }[];
}

export interface ShownBoard {
  readonly uid: string;
  readonly title: string;
  readonly panels: readonly ShownPanel[];
  readonly annotations: {
    readonly list: readonly {
      readonly name: string;
      readonly expr: string;
      readonly titleFormat: string;
      readonly iconColor: string;
    }[];
  };
}

/** The dashboards as they are deployed. */
export function deployedBoards(): readonly ShownBoard[] {
  return [...DASHBOARDS.keys()].map((file) => JSON.parse(readFileSync(file, "utf8")) as ShownBoard);
}

/** A query as Grafana sends it, with every edge and region chosen, of so many seconds. */
export function substituted(expr: string, rangeSeconds: number, rateSeconds = 10): string {
  return expr
    .replaceAll(/\$(edge|region)\b/g, ".*")
    .replaceAll("$__rate_interval", `${rateSeconds}s`)
    .replaceAll("$__range", `${rangeSeconds}s`);
}

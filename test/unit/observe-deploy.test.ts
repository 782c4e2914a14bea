import assert from "node:assert/strict";
import { glob, readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { parse, parseAllDocuments } from "yaml";
import { DASHBOARDS } from "../../scripts/generate-dashboards.ts";
import { parseConfig } from "../../src/config/load.ts";
import { EventBus } from "../../src/events.ts";
import { Metrics } from "../../src/observe/metrics.ts";
import { view } from "./observe-samples.ts";

const ROOT = new URL("../../", import.meta.url);
const read = (file: string) => readFile(new URL(file, ROOT), "utf8");

interface Panel {
  readonly id: number;
  readonly title: string;
  readonly type: string;
  readonly description?: string;
  readonly targets?: readonly { readonly expr: string }[];
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
}

interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly annotations: { readonly list: readonly { readonly expr: string }[] };
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}

interface Compose {
  readonly services: Record<string, Record<string, unknown>>;
}

async function dashboards(): Promise<readonly Dashboard[]> {
  const files = await Array.fromAsync(glob("deploy/grafana/dashboards/*.json", { cwd: ROOT }));
  return Promise.all(files.sort().map(async (file) => JSON.parse(await read(file)) as Dashboard));
}

/** Names of all that `GET /metrics` offers: the registry's word, not a list of ours. */
async function metricNames(): Promise<ReadonlySet<string>> {
  const gauges = {
    view: () => view([]),
    tunnels: () => new Map<string, number>(),
    streams: () => new Map<string, number>(),
    pinsActive: () => 0,
    connections: () => ({ http: 0 }),
    connectionsMost: () => 1,
    overload: () => [],
    regionLoad: () => ({ inFlight: 0, queued: 0 }),
    pinStorms: () => 0,
    fleet: () => ({ liveEdges: 1, silentEdges: 0, ageMs: 250, writesHeld: 0, writesUnderWay: 0 }),
    drills: () => ({ running: null, recoveriesMs: new Map() }),
    redisUp: () => null,
    feedAgeMs: () => null,
    certificateExpiries: () => new Map<string, number>(),
    workers: () => ({ listening: 1, restarts: 0 }),
    logLinesDropped: () => 0,
  };
  const metrics = new Metrics(new EventBus(), gauges, { version: "0", edge: "e" });
  const text = await metrics.render();
  metrics.close();
  return new Set([...text.matchAll(/^# TYPE (\w+)/gm)].map(([, name = ""]) => name));
}

function namesIn(promql: string): readonly string[] {
  const names = promql.match(/\b(?:meridian|process|nodejs)_\w+/g) ?? [];
  return names.map((name) => name.replace(/_(bucket|sum|count)$/, ""));
}

const panelQueries = ({ panels }: Dashboard) =>
  panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));

describe("deployment files", () => {
  it("are all YAML and JSON that parse", async () => {
    const files = await Array.fromAsync(
      glob("deploy/**/*.{yaml,json}", { cwd: ROOT, exclude: ["**/templates/**"] }),
    );
    assert.ok(files.length >= 5);
    for (const file of files) {
      const text = await read(file);
      if (file.endsWith(".json")) JSON.parse(text);
      else for (const document of parseAllDocuments(text)) assert.deepEqual(document.errors, [], file);
    }
  });

  it("configure the compose edges with a file that validates without a warning", async () => {
    const environment = { HOSTNAME: "edge-1", MERIDIAN_SECRET: "0123456789abcdef0123456789abcdef" };
    const loaded = parseConfig(await read("deploy/meridian.compose.yaml"), environment);
    assert.deepEqual(loaded.ok ? [] : loaded.problems, []);
    assert.deepEqual(loaded.warnings, []);
  });

  it("start in compose the regions that the edges are configured for, under their names and ports", async () => {
    const { services } = parse(await read("deploy/compose.yaml"), { merge: true }) as Compose;
    const config = parse(await read("deploy/meridian.compose.yaml")) as {
      regions: Record<string, { role: string; endpoints: string[] }>;
    };
    const configured = Object.entries(config.regions).map(
      ([id, { role, endpoints }]) => `${id} ${role} ${endpoints}`,
    );
    const started = ((services.regions?.command ?? []) as string[]).flatMap((argument) => {
      const [, id, role, port] = /^--region=id=([^,]+),role=([^,]+),port=(\d+)/.exec(argument) ?? [];
      return id === undefined ? [] : [`${id} ${role} http://${id}:${port}`];
    });
    assert.deepEqual(started, configured);
  });

  it("publish nothing beyond loopback", async () => {
    const { services } = parse(await read("deploy/compose.yaml"), { merge: true }) as Compose;
    const ports = Object.values(services).flatMap((service) => (service.ports as string[] | undefined) ?? []);
    assert.ok(ports.length > 4);
    assert.deepEqual(
      ports.filter((port) => !port.startsWith("127.0.0.1:")),
      [],
    );
  });

  it("scrape every edge of compose", async () => {
    const { services } = parse(await read("deploy/compose.yaml"), { merge: true }) as Compose;
    const edges = Object.keys(services).filter((name) => name.startsWith("edge-"));
    const { scrape_configs: jobs } = parse(await read("deploy/prometheus/prometheus.yaml")) as {
      scrape_configs: { job_name: string; static_configs: { targets: string[] }[] }[];
    };
    const targets = jobs.find(({ job_name }) => job_name === "meridian")?.static_configs[0]?.targets;
    assert.deepEqual(
      targets,
      edges.map((name) => `${name}:9090`),
    );
  });

  it("build the image with the Node that the tests run on", async () => {
    const { devDependencies } = JSON.parse(await read("package.json")) as {
      devDependencies: Record<string, string>;
    };
    assert.match(await read("Dockerfile"), new RegExp(`^ARG NODE_VERSION=${devDependencies.node}$`, "m"));
  });
});

describe("the dashboards", () => {
  it("are those that their source gives: npm run dashboards", async () => {
    for (const [file, text] of DASHBOARDS) assert.equal(await readFile(file, "utf8"), text, file);
    assert.equal((await dashboards()).length, DASHBOARDS.size);
  });

  it("ask only for metrics that an edge has", async () => {
    const boards = await dashboards();
    const asked = boards
      .flatMap((board) => [
        ...panelQueries(board),
        ...board.annotations.list.map(({ expr }) => expr),
        ...board.templating.list.map(({ definition = "" }) => definition),
      ])
      .flatMap(namesIn);
    const offered = await metricNames();
    assert.ok(asked.length > 50);
    assert.deepEqual(
      asked.filter((name) => !offered.has(name)),
      [],
    );
  });

  it("show every metric of Meridian's own in some panel", async () => {
    const shown = new Set((await dashboards()).flatMap(panelQueries).flatMap(namesIn));
    const own = [...(await metricNames())].filter((name) => name.startsWith("meridian_"));
    assert.deepEqual(
      own.filter((name) => !shown.has(name)),
      [],
    );
  });

  it("follow the chosen edges in every query", async () => {
    for (const expr of (await dashboards()).flatMap(panelQueries)) {
      const selectors = expr.match(/\{[^}]*\}/g) ?? [];
      assert.ok(selectors.length > 0 && selectors.every((each) => each.includes('instance=~"$edge"')), expr);
    }
  });

  it("have names that links can rely on", async () => {
    const uids = (await dashboards()).map(({ uid }) => uid);
    const wanted = ["changes", "consistency", "edge", "overview", "region"];
    assert.deepEqual(
      uids.sort(),
      wanted.map((name) => `meridian-${name}`),
    );
  });

  it("give every panel a unit, a description, an id of its own and a place of its own", async () => {
    for (const { panels } of await dashboards()) {
      assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
      const shown = panels.filter(({ type }) => type !== "row");
      const bare = shown.filter(({ fieldConfig, description = "" }) => {
        return !fieldConfig?.defaults.unit || description.length < 30;
      });
      assert.deepEqual(
        bare.map(({ title }) => title),
        [],
      );
      const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
        Array.from({ length: w * h }, (_, cell) => `${x + (cell % w)}:${y + Math.floor(cell / w)}`),
      );
      assert.equal(new Set(cells).size, cells.length);
      assert.ok(panels.every(({ gridPos: { x, w } }) => x + w <= 24));
    }
  });
});

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { FILE, kubernetesManifests } from "../../scripts/generate-kubernetes.ts";
import { parseConfig } from "../../src/config/load.ts";
import { chartWith, type Manifest, manifestsOf, render, renderTexts } from "../support/helm/chart.ts";
import { LEAST, VALUE_SETS } from "../support/helm/values.ts";
import { manifestProblems } from "../support/kubernetes.ts";

const CHART = new URL("../../deploy/helm/meridian/", import.meta.url);
const ENVIRONMENT = {
  HOSTNAME: "meridian-7d9f-x2x4k",
  MERIDIAN_SECRET: "0123456789abcdef0123456789abcdef",
  MERIDIAN_OPERATOR_SHA256: "2a97516c354b68848cdbd8f54a226a0a55b21ed138e207ad6c5cbb9c00aa5aea",
  REDIS_PASSWORD: "not-a-real-one",
};

// biome-ignore lint/suspicious/noExplicitAny: what a manifest holds depends on its kind
type Any = any;

function only(manifests: readonly Manifest[], kind: string): Any {
  const found = manifests.filter((manifest) => manifest.kind === kind);
  assert.equal(found.length, 1, kind);
  return found[0];
}
const kindsOf = (manifests: readonly Manifest[]) => manifests.map(({ kind }) => kind);
const podOf = (manifests: readonly Manifest[]): Any => only(manifests, "Deployment").spec.template.spec;
const fileOf = (manifests: readonly Manifest[]): string => {
  const config = manifests.find(({ data }) => (data as Any)?.["meridian.yaml"]) as Any;
  return config.data["meridian.yaml"];
};

async function schema() {
  const text = await readFile(new URL("values.schema.json", CHART), "utf8");
  return new Ajv({ strict: false }).compile(JSON.parse(text));
}

describe("the chart", () => {
  for (const [name, values] of Object.entries(VALUE_SETS)) {
    const manifests = render(values);

    it(`renders manifests that Kubernetes takes: ${name}`, async () => {
      assert.deepEqual(await manifestProblems(manifests), []);
    });

    it(`writes a configuration that an edge starts with, without a warning: ${name}`, () => {
      const loaded = parseConfig(fileOf(manifests), ENVIRONMENT);
      assert.deepEqual(loaded.ok ? [] : loaded.problems, []);
      const warned = loaded.warnings.map(({ message }) => message).filter((text) => !/redis/i.test(text));
      assert.deepEqual(warned, []);
    });

    it(`takes its own values, by its schema: ${name}`, async () => {
      const validate = await schema();
      assert.ok(validate(chartWith(values).context.Values), JSON.stringify(validate.errors));
    });

    it(`selects its pods by labels that they have, and by no others: ${name}`, () => {
      const deployment = only(manifests, "Deployment");
      const { labels } = deployment.spec.template.metadata;
      const selectors = manifests.flatMap(({ spec }: Any) => [
        spec?.selector?.matchLabels ?? spec?.podSelector?.matchLabels ?? spec?.selector ?? {},
      ]);
      const chosen = selectors.filter((selector) => !("app.kubernetes.io/component" in selector));
      for (const selector of chosen)
        for (const [label, value] of Object.entries(selector)) assert.equal(labels[label], value, label);
    });
  }

  it("grants a pod the time that its edge may take to stop, and ten seconds", () => {
    for (const values of Object.values(VALUE_SETS)) {
      const manifests = render(values);
      const { terminationGracePeriodSeconds, containers } = podOf(manifests);
      const { shutdown } = parse(fileOf(manifests));
      const waits = containers[0].lifecycle?.preStop.sleep.seconds ?? 0;
      assert.equal(terminationGracePeriodSeconds, waits + Number.parseInt(shutdown.grace, 10) + 10);
    }
  });

  it("lets an edge be nobody, change nothing and ask nothing of the cluster", () => {
    const pod = podOf(render(LEAST));
    const [{ securityContext }] = pod.containers;
    assert.equal(pod.securityContext.runAsNonRoot, true);
    assert.equal(pod.securityContext.runAsUser, 65532);
    assert.deepEqual(pod.securityContext.seccompProfile, { type: "RuntimeDefault" });
    assert.equal(pod.automountServiceAccountToken, false);
    assert.deepEqual(securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
  });

  it("mounts nothing inside another mount, which a runtime cannot make", () => {
    const [{ volumeMounts }] = podOf(render(VALUE_SETS["a whole fleet"] ?? {})).containers;
    const paths = volumeMounts.map(({ mountPath }: Any) => mountPath);
    for (const path of paths)
      assert.ok(!paths.some((other: string) => other !== path && path.startsWith(`${other}/`)), path);
  });

  it("asks the admin port of each probe, which needs no token for that", () => {
    const [container] = podOf(render(LEAST)).containers;
    const asked = [container.startupProbe, container.livenessProbe, container.readinessProbe];
    assert.deepEqual(
      asked.map(({ httpGet: { path, port } }) => `${port} ${path}`),
      ["admin /livez", "admin /livez", "admin /readyz"],
    );
  });

  it("shows the admin port by a Service without an address, and never by that of the clients", () => {
    const services = render(VALUE_SETS["a whole fleet"] ?? {}).filter(
      ({ kind }) => kind === "Service",
    ) as Any[];
    const ports = services.map(({ spec }) => spec.ports.map(({ name }: Any) => name).join());
    assert.deepEqual(ports, ["http,https", "admin"]);
    assert.equal(services[1].spec.clusterIP, "None");
  });

  it("opens the admin port to nobody who is not named", () => {
    const closed = only(render(LEAST), "NetworkPolicy").spec.ingress;
    assert.deepEqual(
      closed.map(({ ports }: Any) => ports.map(({ port }: Any) => port).join()),
      ["http"],
    );
    const named = only(render(VALUE_SETS["a whole fleet"] ?? {}), "NetworkPolicy").spec.ingress;
    assert.equal(named[1].from.length, 1);
  });

  it("makes new pods when the configuration or a secret of its own changes, and only then", () => {
    const checksums = (values: object) =>
      only(render(values), "Deployment").spec.template.metadata.annotations;
    const changed = { ...LEAST, config: { ...LEAST.config, health: { interval: "3s" } } };
    assert.notEqual(checksums(LEAST)["checksum/config"], checksums(changed)["checksum/config"]);
    assert.deepEqual(checksums(LEAST), checksums({ ...LEAST, service: { type: "NodePort" } }));
    const own = (secret: string) => ({
      ...LEAST,
      secret: { existingSecret: "", values: { MERIDIAN_SECRET: secret } },
    });
    assert.notEqual(checksums(own("a"))["checksum/secret"], checksums(own("b"))["checksum/secret"]);
  });

  it("leaves the number of edges to the autoscaler when there is one", () => {
    const scaled = render({ ...LEAST, autoscaling: { enabled: true } });
    assert.equal(only(scaled, "Deployment").spec.replicas, undefined);
    assert.equal(only(scaled, "HorizontalPodAutoscaler").spec.minReplicas, 3);
    assert.ok(!kindsOf(render(LEAST)).includes("HorizontalPodAutoscaler"));
  });

  it("keeps secrets out of the ConfigMap, and makes none when there is one", () => {
    assert.ok(!kindsOf(render(LEAST)).includes("Secret"));
    const own = render(VALUE_SETS["one edge without Redis"] ?? {});
    assert.equal(only(own, "Secret").stringData.MERIDIAN_SECRET, "0123456789abcdef0123456789abcdef");
    assert.ok(!fileOf(own).includes("0123456789abcdef"));
  });

  it("brings the dashboards of deploy, as they are there", async () => {
    const manifests = render(VALUE_SETS["a whole fleet"] ?? {});
    const deployed = (name: string) => readFile(new URL(`../../${name}`, CHART), "utf8");
    const boards = manifests.find(({ metadata }) => metadata.name.endsWith("-dashboards")) as Any;
    const board = await deployed("grafana/dashboards/meridian.json");
    assert.deepEqual(JSON.parse(boards.data["meridian.json"]), JSON.parse(board));
    const MOST_BYTES = 1_048_576;
    assert.ok(JSON.stringify(boards.data).length < MOST_BYTES, "a ConfigMap has room for them");
  });

  it("brings the rules and the alerts of deploy, as they are there", async () => {
    const made = render(VALUE_SETS["a whole fleet"] ?? {}).filter(({ kind }) => kind === "PrometheusRule");
    const deployed = ["rules", "alerts"].map((name) => new URL(`../../prometheus/${name}.yaml`, CHART));
    assert.deepEqual(
      made.map(({ spec }) => spec),
      await Promise.all(deployed.map(async (file) => parse(await readFile(file, "utf8")))),
    );
  });

  it("is of the version that the package is", async () => {
    const { appVersion, version } = parse(await readFile(new URL("Chart.yaml", CHART), "utf8"));
    const { version: released } = JSON.parse(await readFile(new URL("../../../package.json", CHART), "utf8"));
    assert.deepEqual([version, appVersion], [released, released]);
  });

  it("keeps the order of the regions, where the policy goes by it", () => {
    const { regions } = parse(fileOf(render(VALUE_SETS["a whole fleet"] ?? {})));
    assert.deepEqual(Object.keys(regions), ["us-east", "eu-west"]);
  });

  it("is what the plain manifests are written from", async () => {
    assert.equal(await readFile(new URL(`../../${FILE}`, import.meta.url), "utf8"), kubernetesManifests());
    const manifests = manifestsOf({ [FILE]: kubernetesManifests() });
    assert.deepEqual(await manifestProblems(manifests), []);
    assert.ok(!kubernetesManifests().includes("elm"), "nothing in them is for Helm alone");
  });

  for (const [why, values, message] of [
    ["no region", { ...LEAST, config: { redis: {} } }, /config\.regions is empty/],
    [
      "several edges and no Redis",
      { ...LEAST, config: { regions: LEAST.config.regions } },
      /config\.redis is missing/,
    ],
    [
      "an order of regions that Helm has not kept",
      { ...LEAST, config: { ...LEAST.config, routing: { policy: "priority" } } },
      /regionOrder is missing/,
    ],
    ["an order of other regions", { ...LEAST, regionOrder: ["us-east"] }, /regionOrder names other regions/],
    ["no secret", { config: LEAST.config }, /secret\.existingSecret is missing/],
  ] as const)
    it(`refuses ${why}, and says what to do`, () => {
      assert.throws(() => renderTexts(chartWith(values)), message);
    });

  for (const [why, values] of [
    ["a key that it does not know", { ...LEAST, replicaCount: 3 }],
    ["a port that only root may listen on", { ...LEAST, ports: { http: 80 } }],
    [
      "a port in the configuration, where it would be overwritten",
      { ...LEAST, config: { listen: { http: {} } } },
    ],
    ["a grace there too", { ...LEAST, config: { shutdown: { grace: "10s" } } }],
  ] as const)
    it(`refuses ${why}, by its schema`, async () => {
      const validate = await schema();
      assert.ok(!validate(chartWith(values).context.Values));
    });
});

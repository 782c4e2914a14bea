const REGIONS = {
  "us-east": { role: "writer", endpoints: ["https://app.us-east.internal"] },
  "eu-west": { role: "replica", endpoints: ["https://app.eu-west.internal"] },
};
// biome-ignore lint/suspicious/noTemplateCurlyInString: an edge puts it in
const REDIS = { url: "redis://:${REDIS_PASSWORD}@redis:6379" };

/** The least that the chart takes. */
export const LEAST = {
  config: { redis: REDIS, regions: REGIONS },
  secret: { existingSecret: "meridian-secrets" },
};

/** Values by which each line of the chart is rendered in some of them, and left out in some other. */
export const VALUE_SETS: Readonly<Record<string, object>> = {
  least: LEAST,
  "one edge without Redis": {
    config: { regions: REGIONS },
    replicas: 1,
    secret: {
      values: {
        MERIDIAN_SECRET: "0123456789abcdef0123456789abcdef",
        MERIDIAN_OPERATOR_SHA256: "0".repeat(64),
      },
    },
    shutdown: { preStopSeconds: 0, graceSeconds: 90 },
    service: { type: "ClusterIP" },
    podDisruptionBudget: { enabled: false },
    networkPolicy: { enabled: false },
    serviceAccount: { create: false, name: "web" },
    nameOverride: "edge",
  },
  "a whole fleet": {
    ...LEAST,
    config: { ...LEAST.config, listen: { trustedProxies: ["10.0.0.0/8"] }, routing: { policy: "priority" } },
    regionOrder: ["us-east", "eu-west"],
    image: { repository: "registry.example/meridian", digest: `sha256:${"a".repeat(64)}` },
    imagePullSecrets: [{ name: "pull" }],
    tls: { secretName: "edge-certificate" },
    autoscaling: { enabled: true },
    podDisruptionBudget: { maxUnavailable: "25%" },
    service: { annotations: { "example.com/balancer": "internal" }, loadBalancerClass: "example.com/fast" },
    serviceAccount: { annotations: { "example.com/role": "edge" } },
    networkPolicy: {
      adminFrom: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } } }],
      egress: [{ to: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }],
    },
    serviceMonitor: { enabled: true, labels: { release: "prometheus" } },
    prometheusRule: { enabled: true, labels: { release: "prometheus" } },
    dashboards: { enabled: true, annotations: { folder: "Meridian" } },
    extraVolumes: [{ name: "authorities", configMap: { name: "regions-ca" } }],
    extraVolumeMounts: [{ name: "authorities", mountPath: "/etc/regions-ca", readOnly: true }],
    extraEnv: [{ name: "NODE_EXTRA_CA_CERTS", value: "/etc/regions-ca/ca.pem" }],
    podAnnotations: { "example.com/team": "edge" },
    podLabels: { team: "edge" },
    nodeSelector: { "node.example/pool": "edge" },
    tolerations: [{ key: "edge", operator: "Exists", effect: "NoSchedule" }],
    affinity: { podAntiAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [] } },
    priorityClassName: "edge",
    topologySpreadConstraints: [
      {
        maxSkew: 1,
        topologyKey: "topology.kubernetes.io/zone",
        whenUnsatisfiable: "DoNotSchedule",
        labelSelector: { matchLabels: { "app.kubernetes.io/name": "meridian" } },
      },
    ],
    fullnameOverride: "edge",
  },
};

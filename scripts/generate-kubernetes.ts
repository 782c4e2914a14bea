import { writeFileSync } from "node:fs";
import { chartWith, renderTexts } from "../test/support/helm/chart.ts";

/** Where it is written, in the project. */
export const FILE = "deploy/kubernetes/meridian.yaml";

const HEAD = `# Three edges, by plain manifests: docs/install-kubernetes.md. Written by scripts/generate-kubernetes.ts from the chart.
# Yours are the regions and the Redis in the ConfigMap, the image, and a Secret:
#   kubectl create secret generic meridian-secrets --from-literal=MERIDIAN_SECRET=… \\
#     --from-literal=MERIDIAN_OPERATOR_SHA256=… --from-literal=REDIS_PASSWORD=…
# After a change of the ConfigMap: kubectl rollout restart deployment/meridian
`;

/** The regions are examples; all else is as the chart has it when nobody says anything. */
const VALUES = {
  config: {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: an edge puts it in
    redis: { url: "redis://:${REDIS_PASSWORD}@redis:6379" },
    regions: {
      "us-east": { role: "writer", endpoints: ["https://app.us-east.internal"] },
      "eu-west": { role: "replica", endpoints: ["https://app.eu-west.internal"] },
    },
  },
  regionOrder: ["us-east", "eu-west"],
  secret: { existingSecret: "meridian-secrets" },
};

/** What only Helm has a use for. */
const OF_HELM =
  /^ *(helm\.sh\/chart|app\.kubernetes\.io\/managed-by|checksum\/config|annotations|# Other configuration).*\n/gm;

export function kubernetesManifests(): string {
  const texts = Object.entries(renderTexts(chartWith(VALUES)))
    .filter(([name, text]) => name.endsWith(".yaml") && text.trim() !== "")
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text.trim().replaceAll(OF_HELM, ""));
  return `${HEAD}---\n${texts.join("\n---\n")}\n`;
}

if (import.meta.main) writeFileSync(new URL(`../${FILE}`, import.meta.url), kubernetesManifests());

import type { Options } from "./options.ts";
import { ranged, type Table } from "./report.ts";
import type { Stage } from "./stage.ts";
import { spreadOf } from "./statistics.ts";
import { OFF, startMeridian } from "./subjects.ts";

const STARTS = 5;

/** From the start of the process until `/readyz` says yes, which is asked every few milliseconds; and what it holds then. */
export async function startTable(stage: Stage, _options: Options, _say: unknown): Promise<readonly Table[]> {
  const [tookMs, heldMiB]: [number[], number[]] = [[], []];
  for (let nth = 0; nth < STARTS; nth += 1) {
    const ports = { http: stage.nextPort(), tls: stage.nextPort() };
    const startMs = performance.now();
    const running = await startMeridian(stage, ports, {
      name: `start-${nth}`,
      pinnedBy: null,
      settings: OFF,
    });
    tookMs.push(performance.now() - startMs);
    heldMiB.push(running.usage().memoryMiB);
    await running.stop();
  }
  return [
    [
      ["start", "ms until ready", "MiB then"],
      ["2 regions", ranged(spreadOf(tookMs), 0), ranged(spreadOf(heldMiB), 0)],
    ],
  ];
}

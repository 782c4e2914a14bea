import type { Happenings } from "./happenings.ts";
import type { Stage } from "./stage.ts";
import type { Visit } from "./visitor.ts";

const SLOW_MS = 400;

/** What the keys of the demo do. The picked region is theirs to change. */
export class Keys {
  readonly #stage: Stage;
  readonly #happenings: Happenings;
  readonly #quit: () => void;
  #picked: string;

  constructor(stage: Stage, happenings: Happenings, quit: () => void) {
    this.#stage = stage;
    this.#happenings = happenings;
    this.#quit = quit;
    this.#picked = stage.world.regions[1]?.id ?? "";
  }

  get picked(): string {
    return this.#picked;
  }

  press(key: string): void {
    this.#act(key).catch((error: unknown) => this.#happenings.add(`that failed: ${String(error)}`));
  }

  async #act(key: string): Promise<void> {
    const region = this.#stage.world.region(this.#picked);
    switch (key) {
      case "k":
        this.#say("killed: connections are refused");
        return region.kill();
      case "s":
        this.#say(`slowed by ${SLOW_MS} ms`);
        return region.slow(SLOW_MS);
      case "f":
        this.#say("replication frozen: its lag grows");
        return region.freezeReplication();
      case "h":
        this.#say("healed");
        await region.heal();
        return this.#admit("undrain");
      case "d":
        return this.#admit("drain");
      case "w":
        return this.#write();
      case "q":
        return this.#quit();
      default:
        this.#picked = this.#stage.world.regions[Number(key) - 1]?.id ?? this.#picked;
    }
  }

  #say(text: string): void {
    this.#happenings.add(`you: ${this.#picked} ${text}`);
  }

  /** Through the admin API, as an operator would. */
  async #admit(action: "drain" | "undrain"): Promise<void> {
    const path = `/v1/regions/${this.#picked}/${action}`;
    const answer = await fetch(`${this.#stage.edge.adminUrl}${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ reason: "demo" }),
    });
    const text = await answer.text();
    const said = answer.ok ? "" : `: ${JSON.parse(text).detail}`;
    this.#happenings.add(`you: POST ${path} -> ${answer.status}${said}`);
  }

  async #write(): Promise<void> {
    const visits = await this.#stage.visitors.writeNow();
    this.#happenings.add(`you: ${visits.map(told).join(", ")}`);
  }
}

function told(visit: Visit | null): string {
  if (visit === null) return "failed";
  const { method, device, region, reason, version } = visit;
  return `${method} from the ${device} -> ${region} (${reason}, version ${version})`;
}

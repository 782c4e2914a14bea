import { setTimeout as sleep } from "node:timers/promises";
import { nowMs } from "../chaos/monotonic.ts";
import type { Evidence } from "./evidence.ts";
import type { Stage, StagedEdge } from "./stage.ts";
import type { Traffic } from "./traffic.ts";
import type { MoveStatus, Step, Watch } from "./watch.ts";
import type { FailoverWorldRecord } from "./world-record.ts";

/** What `POST /v1/write-region` came to; status null when nobody answered. */
export interface MoveAnswer {
  readonly status: number | null;
  readonly body: string;
}

const LOOK_EVERY_MS = 10;
const PATIENCE_MS = 30_000;
/** A commander who asks an edge that is about to die waits for nothing. */
const MOVE_PATIENCE_MS = 60_000;

/** One scenario while it is played: what a script can do, and what it has noted. */
export class Play {
  readonly stage: Stage;
  readonly watch: Watch;
  readonly answers: MoveAnswer[] = [];
  /** What was to be broken, and could not be: then nothing is proved. */
  readonly missed: string[] = [];
  /** When it was broken, or the move was asked for. */
  brokenAtMs = Number.POSITIVE_INFINITY;
  /** When all edges were seen to agree again; what fails later has no excuse. */
  settledAtMs = Number.POSITIVE_INFINITY;

  constructor(stage: Stage, watch: Watch) {
    this.stage = stage;
    this.watch = watch;
  }

  /** Where writes go at first. */
  get writer(): string {
    return this.stage.firstWriter;
  }

  /** Where they go now, as an edge has it. */
  get presentWriter(): string {
    return this.watch.statuses[0]?.writeRegion ?? "";
  }

  /** Where a move is asked to. */
  get heir(): string {
    return this.stage.regions[1] ?? "";
  }

  /** From now on times count. */
  begin(): void {
    this.brokenAtMs = nowMs();
  }

  /** Never rejects: the edge that is asked may die. */
  async move(to: string, { through = "edge-2", force = false } = {}): Promise<MoveAnswer> {
    const { process } = this.stage.edge(through);
    const answer = await fetch(`${process?.adminUrl}/v1/write-region`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ region: to, reason: "the proof", force }),
      signal: AbortSignal.timeout(MOVE_PATIENCE_MS),
    })
      .then(async (given) => ({ status: given.status, body: await given.text() }))
      .catch((error: unknown) => ({ status: null, body: String(error) }));
    this.answers.push(answer);
    return answer;
  }

  /** Resolves when the move is at this step, to the edge that carries it out; null when it was over before. */
  async untilStep(step: Step): Promise<StagedEdge | null> {
    const at = () => this.#moves().find((move) => move.step === step);
    const answered = this.answers.length;
    await this.until(() => at() !== undefined || this.answers.length > answered);
    const by = at()?.by;
    const edge = by === undefined ? null : this.#edgeNamed(by);
    if (edge === null) this.missed.push(`no move was seen at ${step}`);
    return edge;
  }

  /** Resolves when every edge that lives takes writes in this epoch or a later one, or has had its time. */
  async untilSettled(epoch: number): Promise<void> {
    const isSettled = await this.until(() => {
      const statuses = this.watch.statuses;
      const [first] = statuses;
      if (statuses.length < this.stage.alive.length || first === undefined) return false;
      return statuses.every(
        (status) =>
          status.epoch >= epoch &&
          status.epoch === first.epoch &&
          status.writeRegion === first.writeRegion &&
          status.mode === "rw",
      );
    });
    if (isSettled) this.settledAtMs = nowMs();
  }

  /** Resolves to whether it became so in time. */
  async until(isSo: () => boolean, withinMs = PATIENCE_MS): Promise<boolean> {
    const endAtMs = nowMs() + withinMs;
    while (!isSo() && nowMs() < endAtMs) await sleep(LOOK_EVERY_MS);
    return isSo();
  }

  /** The highest epoch that an edge was seen in. */
  get epoch(): number {
    return Math.max(1, ...this.watch.statuses.map(({ epoch }) => epoch));
  }

  evidence({ operations, lateMs }: Traffic, record: FailoverWorldRecord): Evidence {
    const { brokenAtMs, settledAtMs, writer: firstWriter, stage, watch, missed } = this;
    const writers = new Set(watch.statuses.map(({ writeRegion }) => writeRegion));
    return {
      ...{
        operations,
        lateMs,
        record,
        missed,
        sightings: watch.sightings,
        brokenAtMs,
        settledAtMs,
        firstWriter,
      },
      lastWriter: writers.size === 1 ? ([...writers][0] ?? null) : null,
      killedAtMs: new Map(
        stage.edges.filter((edge) => edge.process === null).map(({ id, killedAtMs }) => [id, killedAtMs]),
      ),
    };
  }

  #moves(): readonly MoveStatus[] {
    return this.watch.statuses.flatMap(({ move }) => move ?? []);
  }

  #edgeNamed(by: string): StagedEdge | null {
    return this.stage.edges.find(({ id }) => by === id || by.startsWith(`${id}:`)) ?? null;
  }
}

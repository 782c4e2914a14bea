import type { ReloadAnswer } from "./admin/parts.ts";
import { configChanges, restartOnly } from "./config/changes.ts";
import type { CurrentConfig } from "./config/current.ts";
import { type ConfigProblem, formatProblem, loadConfigFile } from "./config/load.ts";
import type { Config } from "./config/schema.ts";
import type { EventBus } from "./events.ts";

const WITHOUT_FILE: ConfigProblem = {
  path: "",
  line: 1,
  column: 1,
  message: "this edge was not started from a file",
  hint: "start it with -c FILE",
};

export interface ReloaderParts {
  /** Null when there is no file to read again. */
  readonly file: string | null;
  /** What `validate` warned of at the start. */
  readonly warnings: readonly ConfigProblem[];
  readonly current: CurrentConfig;
  readonly events: EventBus;
  /** Puts a sound configuration in force. */
  readonly apply: (config: Config) => void;
}

/** Reads the configuration file again: puts all of it in force, or nothing. */
export class Reloader {
  readonly #parts: ReloaderParts;
  #warnings: readonly ConfigProblem[];

  constructor(parts: ReloaderParts) {
    this.#parts = parts;
    this.#warnings = parts.warnings;
  }

  /** Of the configuration in force. */
  get warnings(): readonly ConfigProblem[] {
    return this.#warnings;
  }

  /** Says what changed, or changes nothing and says why. With `dryRun` it only says. Never rejects. */
  async reload({ dryRun }: { readonly dryRun: boolean }): Promise<ReloadAnswer> {
    const { file, current, events, apply } = this.#parts;
    if (file === null) return this.#rejected([WITHOUT_FILE], dryRun);
    const loaded = await loadConfigFile(file, process.env);
    if (!loaded.ok) return this.#rejected(loaded.problems, dryRun);
    const { config, warnings } = loaded;
    const before = current.get();
    const changes = configChanges(before, config);
    const result = changes.length === 0 ? "unchanged" : "applied";
    if (!dryRun) {
      if (result === "applied") apply(config);
      this.#warnings = warnings;
      events.emit("configReloaded", { result, changes, problems: [] });
    }
    return { result, changes, needsRestart: restartOnly(before, config), warnings };
  }

  #rejected(problems: readonly ConfigProblem[], dryRun: boolean): ReloadAnswer {
    const { file, events } = this.#parts;
    const lines = problems.map((problem) => formatProblem(file ?? "", problem));
    if (!dryRun) events.emit("configReloaded", { result: "rejected", changes: [], problems: lines });
    return { result: "rejected", problems };
  }
}

import type { Clock } from "./clock.ts";
import { timeFault } from "./config/certificate.ts";
import type { CurrentConfig } from "./config/current.ts";
import { certificatesOf, namesPemFiles, pemChanges, readPemFiles } from "./config/pem-files.ts";
import { type Finding, pathText } from "./config/problems.ts";
import type { Config } from "./config/schema.ts";
import type { EventBus } from "./events.ts";

/** How often the files are read again. Reading says what a file holds; its times do not, over links and networks. */
const LOOK_MS = 2_000;

/** How often somebody is told of the same certificate that nobody renews. */
const REMIND_MS = 86_400_000;

export interface CertificateWatchParts {
  readonly clock: Clock;
  readonly current: CurrentConfig;
  /** What the names of files are relative to. */
  readonly folder: string;
  readonly events: EventBus;
  /** Puts the same configuration in force, with what its files hold now. */
  readonly apply: (config: Config) => void;
}

/**
 * Follows the files of certificates and keys, so that a renewed one is shown without a reload. One that cannot be used
 * changes nothing, and is told of.
 */
export class CertificateWatch {
  readonly #parts: CertificateWatchParts;
  #timer: NodeJS.Timeout | null = null;
  #looking: Promise<void> | null = null;
  /** What was wrong when it was looked last; one half of a pair is often written before the other. */
  #wrong = "";
  #told = "";
  readonly #reminded = new Map<string, number>();

  constructor(parts: CertificateWatchParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => this.#look(), LOOK_MS).unref();
    this.#remind();
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer);
    await this.#looking;
  }

  #look(): void {
    const { current, events } = this.#parts;
    if (this.#looking !== null || !namesPemFiles(current.get())) return;
    this.#remind();
    this.#looking = this.#follow()
      .catch((error: Error) => void events.emit("failed", { where: "certificates", error }))
      .finally(() => {
        this.#looking = null;
      });
  }

  async #follow(): Promise<void> {
    const { current, folder, events, apply } = this.#parts;
    const before = current.get();
    const { config, findings } = await readPemFiles(before, folder);
    // A reload came first, and has read the files itself.
    if (current.get() !== before) return;
    this.#note(findings);
    const changes = pemChanges(before, config);
    if (findings.length > 0 || changes.length === 0) return;
    apply(config);
    this.#remind();
    events.emit("certificatesRenewed", { changes: changes.map(({ text }) => text) });
  }

  #note(findings: readonly Finding[]): void {
    const wrong = findings
      .map(({ path, message, hint }) => `${pathText(path)}: ${message} (${hint})`)
      .join("; ");
    const isSeenTwice = wrong === this.#wrong;
    this.#wrong = wrong;
    if (!isSeenTwice || wrong === this.#told) return;
    this.#told = wrong;
    if (wrong !== "") this.#parts.events.emit("warned", { what: "certificate not renewed", detail: wrong });
  }

  #remind(): void {
    const { clock, current, events } = this.#parts;
    for (const certificate of certificatesOf(current.get())) {
      const fault = timeFault(certificate, clock.wall());
      const lastAtMs = this.#reminded.get(certificate.place) ?? Number.NEGATIVE_INFINITY;
      if (fault === null || clock.now() - lastAtMs < REMIND_MS) continue;
      this.#reminded.set(certificate.place, clock.now());
      events.emit("warned", { what: "certificate near its end", detail: `${certificate.place}: ${fault}` });
    }
  }
}

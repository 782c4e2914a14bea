import type { BatchSpanProcessor, SpanExporter } from "@opentelemetry/sdk-trace";
import type { EventBus, RequestRecord } from "../events.ts";
import { type Origin, spansOf } from "./spans.ts";

/** Where spans go. */
export interface TracingSettings {
  readonly url: string;
  readonly token?: string | undefined;
}

export interface TracingParts {
  readonly events: EventBus;
  readonly version: string;
  readonly edge: string;
}

/** How long a stopping edge waits for its last spans to be taken. */
const FLUSH_MS = 2_000;

/**
 * Sends the spans of sampled requests to a collector (OTLP over HTTP), in batches and beside the requests. They are made of
 * what is known of a request when it is over, so that one which is not sampled costs nothing, and OpenTelemetry is
 * loaded only by an edge that is configured to trace.
 */
export class Tracing {
  readonly #parts: TracingParts;
  readonly #onDone = (record: RequestRecord): void => this.#take(record);
  #running: { readonly processor: BatchSpanProcessor; readonly origin: Origin } | null = null;
  /** Every change of settings, one after the other. */
  #changes: Promise<void> = Promise.resolve();
  #settings: TracingSettings | undefined;

  constructor(parts: TracingParts) {
    this.#parts = parts;
  }

  /** Rejects never: what cannot be loaded is said, and nothing is traced. */
  configure(settings: TracingSettings | undefined): Promise<void> {
    if (settings?.url === this.#settings?.url && settings?.token === this.#settings?.token)
      return this.#changes;
    this.#settings = settings;
    this.#changes = this.#changes
      .then(() => this.#change(settings))
      .catch((error: Error) => this.#lost(error));
    return this.#changes;
  }

  close(): Promise<void> {
    return this.configure(undefined);
  }

  async #change(settings: TracingSettings | undefined): Promise<void> {
    const { events } = this.#parts;
    events.off("requestDone", this.#onDone);
    const before = this.#running;
    this.#running = null;
    await before?.processor.shutdown().catch(() => undefined);
    if (settings === undefined) return;
    this.#running = await this.#start(settings);
    events.on("requestDone", this.#onDone);
  }

  async #start({ url, token }: TracingSettings) {
    const [{ BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }] = await Promise.all([
      import("@opentelemetry/sdk-trace"),
      import("@opentelemetry/exporter-trace-otlp-http"),
      import("@opentelemetry/resources"),
    ]);
    const { version, edge } = this.#parts;
    const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
    const exporter = new OTLPTraceExporter({ url, headers, timeoutMillis: FLUSH_MS });
    const resource = resourceFromAttributes({
      ...{ "service.name": "meridian", "service.version": version, "service.instance.id": edge },
    });
    return {
      processor: new BatchSpanProcessor({ exporter: this.#watched(exporter) }),
      origin: { resource, instrumentationScope: { name: "meridian", version } },
    };
  }

  #take(record: RequestRecord): void {
    if (this.#running === null || record.trace?.sampled !== true) return;
    const { processor, origin } = this.#running;
    for (const span of spansOf(record, record.trace, origin)) processor.onEnd(span);
  }

  /** An operator wants to know that spans are lost. */
  #watched(exporter: SpanExporter): SpanExporter {
    return {
      export: (spans, done) =>
        exporter.export(spans, (result) => {
          if (result.code !== 0) this.#lost(result.error ?? new Error("refused"));
          done(result);
        }),
      shutdown: () => exporter.shutdown(),
    };
  }

  #lost(error: Error): void {
    this.#parts.events.emit("warned", { what: "spans lost", detail: error.message });
  }
}

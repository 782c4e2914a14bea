import type { EventBus } from "../events.ts";
import { Exchange } from "./exchange.ts";
import type { Gates } from "./gates.ts";
import { HttpCarrier, type HttpCarrierParts } from "./http-carrier.ts";
import type { InboundRequest, InboundResponse } from "./inbound.ts";
import type { PinEndpoint } from "./pin-endpoint.ts";
import { isPinRequest } from "./pin-request.ts";
import type { Router } from "./router.ts";
import type { Settings } from "./settings.ts";

export interface RequestHandlerParts extends HttpCarrierParts {
  /** Uniform in [0, 1). */
  readonly chance: () => number;
  readonly events: EventBus;
  readonly gates: Gates;
  readonly router: Router;
  readonly pinEndpoint: PinEndpoint;
  /** What is in force; a request asks once. */
  readonly settings: () => Settings;
}

/** Handles requests, and knows how many are still being handled. */
export class RequestHandler {
  readonly #parts: RequestHandlerParts;
  #open = 0;
  readonly #onIdle: (() => void)[] = [];

  constructor(parts: RequestHandlerParts) {
    this.#parts = parts;
  }

  /** One request from its head to its end. Never rejects; emits `requestDone` exactly once. */
  async handle(req: InboundRequest, res: InboundResponse, awaitsContinue: boolean): Promise<void> {
    const { clock, chance, router, pinEndpoint, settings } = this.#parts;
    this.#open += 1;
    try {
      const carrier = new HttpCarrier(req, res, awaitsContinue, this.#parts);
      const inForce = settings();
      const identifying = inForce.identities.prepare(req.headers);
      if (identifying !== null) await identifying;
      const exchange = new Exchange(req, inForce, clock, chance());
      if (isPinRequest(exchange)) await pinEndpoint.answer(exchange, carrier, res);
      else await router.route(exchange, carrier);
      carrier.whenClosed(() => this.#over(exchange, carrier));
    } catch (error) {
      this.#parts.events.emit("failed", { where: "request", error: error as Error });
      res.destroy();
      this.#left();
    }
  }

  #over(exchange: Exchange, carrier: HttpCarrier): void {
    const { clock, events } = this.#parts;
    try {
      events.emit("requestDone", exchange.record(carrier, clock.now()));
    } catch (error) {
      events.emit("failed", { where: "request", error: error as Error });
    }
    this.#left();
  }

  #left(): void {
    this.#open -= 1;
    if (this.#open === 0) for (const tell of this.#onIdle.splice(0)) tell();
  }

  /** Resolves when no request is being handled any more, those whose client has left included. */
  async idle(): Promise<void> {
    if (this.#open > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }
}

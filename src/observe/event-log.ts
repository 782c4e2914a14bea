import { type Clock, systemClock } from "../clock.ts";
import type { EdgeEvents, EventBus, RequestRecord } from "../events.ts";
import { type Access, AccessLog } from "./access-log.ts";
import type { Logger } from "./log.ts";

export interface EventLog {
  /** Which requests get a line from now on. */
  setAccess(access: Access): void;
  close(): void;
}

/**
 * Writes a line for what an operator would want to know (`info`), for what hurt somebody (`warn`), and for
 * single steps (`debug`). What can come with every request while something is broken gets at most one
 * line a second, which says how many were `suppressed`.
 */
export function logEvents(
  events: EventBus,
  logger: Logger,
  access: Access,
  { clock = systemClock, isWorker = false }: { readonly clock?: Clock; readonly isWorker?: boolean } = {},
): EventLog {
  const emitter: NodeJS.EventEmitter = events;
  const all = Object.entries(eventWriters(logger, new Throttle(clock)));
  const writers = isWorker ? all.filter(([name]) => !OF_THE_EDGE.has(name)) : all;
  const accessLog = new AccessLog(logger, access);
  const request = (record: RequestRecord) => accessLog.log(record);

  for (const [name, write] of writers) emitter.on(name, write);
  events.on("requestDone", request);
  return {
    setAccess: (next) => {
      accessLog.access = next;
    },
    close: () => {
      for (const [name, write] of writers) emitter.off(name, write);
      events.off("requestDone", request);
    },
  };
}

/** What every process of an edge sees, and one of them says. */
const OF_THE_EDGE: ReadonlySet<string> = new Set([
  "healthChanged",
  "endpointEjected",
  "epochChanged",
  "moveBegan",
  "moveStepped",
  "moveEnded",
  "fenceChanged",
  "admissionChanged",
  "drillBegan",
  "drillEnded",
] satisfies (keyof EdgeEvents)[]);

type Writers = { [Name in keyof EdgeEvents]?: (event: EdgeEvents[Name]) => void };

function eventWriters(logger: Logger, throttle: Throttle): Writers {
  return {
    probed: (event) => logger.debug(event, "probe"),
    retried: (event) => logger.debug(event, "retry"),
    healthChanged: (event) => logger[event.to === "up" ? "info" : "warn"](event, "health changed"),
    endpointEjected: (event) => logger.warn(event, "endpoint ejected"),
    epochChanged: (event) => logger.info(event, "write region"),
    moveBegan: (event) => logger[event.automatic ? "warn" : "info"](event, "move began"),
    moveStepped: (event) => logger.info(event, "move stepped"),
    moveEnded: (event) =>
      logger[event.moved ? "info" : "warn"](event, event.moved ? "move done" : "move given up"),
    fenceChanged: (event) =>
      logger[event.fenced ? "warn" : "info"](event, event.fenced ? "region fenced" : "region fenced no more"),
    admissionChanged: (event) => logger.info(event, "admission changed"),
    maintenanceBegan: (event) => logger.info(event, "maintenance began"),
    maintenanceEnded: (event) => logger.info(event, "maintenance ended"),
    drillBegan: (event) => logger.info(event, "drill began"),
    drillEnded: (event) => logger[event.result === "passed" ? "info" : "warn"](event, "drill ended"),
    redisState: (event) => logger[event.up ? "info" : "warn"](event, event.up ? "redis up" : "redis down"),
    feedState: (event) =>
      logger[event.behind ? "warn" : "info"](event, event.behind ? "pin feed behind" : "pin feed fresh"),
    overloadChanged: (event) =>
      logger[event.shedding ? "warn" : "info"](event, event.shedding ? "overload" : "overload over"),
    connectionRefused: (event) =>
      throttle.run(`connection ${event.cause}`, (suppressed) =>
        logger.warn({ ...event, suppressed }, "connection refused"),
      ),
    headRefused: (event) =>
      throttle.run(`head ${event.fault}`, (suppressed) =>
        logger.info({ ...event, suppressed }, "request refused"),
      ),
    configReloaded: (event) =>
      event.result === "rejected"
        ? logger.warn(event, "configuration rejected")
        : logger.info(event, "configuration reloaded"),
    workerStarted: (event) => logger.info(event, "worker started"),
    workerEnded: (event) => logger.error(event, "worker ended"),
    certificatesRenewed: (event) => logger.info(event, "certificates renewed"),
    audited: (event) => logger.info(event, "audit"),
    lockedOut: (event) =>
      throttle.run("locked out", (suppressed) => logger.warn({ ...event, suppressed }, "locked out")),
    uncaught: ({ origin, error }) =>
      throttle.run(`uncaught ${origin}`, (suppressed) =>
        logger.error({ origin, err: error, suppressed }, "uncaught"),
      ),
    nameFailed: (event) =>
      throttle.run(`name ${event.hostname}`, (suppressed) =>
        logger.warn({ ...event, suppressed }, "name not resolved"),
      ),
    failed: ({ where, error }) =>
      throttle.run(`failed ${where}`, (suppressed) =>
        logger.error({ where, err: error, suppressed }, "failed"),
      ),
    pinStoreFailed: (event) =>
      throttle.run(`pin store ${event.op}`, (suppressed) =>
        logger.warn({ ...event, suppressed }, "pin store failed"),
      ),
    pinStorm: (event) => logger.warn(event, "pin storm"),
    warned: (event) =>
      throttle.run(`warned ${event.what}`, (suppressed) => logger.warn({ ...event, suppressed }, "warning")),
    retryBudgetExhausted: () =>
      throttle.run("retry budget", (suppressed) => logger.warn({ suppressed }, "retry budget exhausted")),
  };
}

const THROTTLE_MS = 1_000;

/** Lets one action a second through for each key, and tells it how many were held back since the last. */
class Throttle {
  readonly #clock: Clock;
  readonly #byKey = new Map<string, { lastAt: number; suppressed: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  run(key: string, action: (suppressed: number) => void): void {
    const now = this.#clock.now();
    const held = this.#byKey.get(key);
    if (held !== undefined && now - held.lastAt < THROTTLE_MS) {
      held.suppressed++;
      return;
    }
    this.#byKey.set(key, { lastAt: now, suppressed: 0 });
    action(held?.suppressed ?? 0);
  }
}

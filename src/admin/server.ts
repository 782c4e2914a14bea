import type { FastifyBaseLogger, FastifyReply, FastifyRequest } from "fastify";
import { Access, demand, exposure } from "./access.ts";
import { callerAddress } from "./address.ts";
import { type AdminApp, buildApp, methodsAt, type Route, refuse } from "./app.ts";
import { addConfigRoutes } from "./config-routes.ts";
import { addConsoleRoutes } from "./console-routes.ts";
import { addDecisionRoutes } from "./decision-routes.ts";
import { addDrillRoutes } from "./drill-routes.ts";
import { addEventRoutes } from "./event-routes.ts";
import { EventFeed } from "./feed.ts";
import { boundConnections, GUARDING_HEADERS } from "./listener.ts";
import { Lockout } from "./lockout.ts";
import { refusePages } from "./pages.ts";
import type { AdminParts } from "./parts.ts";
import { addPinRoutes } from "./pin-routes.ts";
import { Refusal, refusalOf } from "./problems.ts";
import { Refusals } from "./refusals.ts";
import { addAdmissionRoutes, addRegionRoutes } from "./region-routes.ts";
import { addScheduleRoutes } from "./schedule-routes.ts";
import { addProbeRoutes, addStatusRoutes } from "./watch-routes.ts";
import { addWriteRegionRoutes } from "./write-region-routes.ts";

export interface Admin {
  readonly routes: readonly Route[];
  /** Resolves with the URL it answers at, on admin.host and admin.port; rejects when the port is taken. */
  listen(): Promise<string>;
  /** Ends event streams, lets running calls finish. */
  close(): Promise<void>;
}

/**
 * The admin API of one edge. Where it listens and who may call are those of the configuration at this moment:
 * a reload never widens access. Throws when it would be open to the network without tokens.
 */
export function createAdmin(parts: AdminParts, log: FastifyBaseLogger): Admin {
  const { admin } = parts.config.get();
  const exposed = exposure(admin);
  if (exposed !== null) throw new Error(exposed);

  // Fastify itself has nothing to say below an error, its "Server listening" least of all; its requests do.
  const refusals = new Refusals(parts.events, parts.clock);
  const { app, routes } = buildApp(log.child({}, { level: "error" }), (...refused) =>
    refusals.note(...refused),
  );
  app.setChildLoggerFactory((_quiet, bindings, options) => log.child(bindings, options));
  boundConnections(app.server, parts);
  guard(app, parts);
  answerRefusals(app, routes, refusals);
  const feed = new EventFeed(parts.events, parts.clock);
  app.addHook("preClose", async () => feed.close());
  addConsoleRoutes(app);
  addProbeRoutes(app, parts);
  addStatusRoutes(app, parts, routes);
  addRegionRoutes(app, parts);
  addAdmissionRoutes(app, parts);
  addWriteRegionRoutes(app, parts);
  addDrillRoutes(app, parts);
  addScheduleRoutes(app, parts);
  addDecisionRoutes(app, parts);
  addPinRoutes(app, parts);
  addConfigRoutes(app, parts);
  addEventRoutes(app, feed);
  return {
    routes,
    listen: () => app.listen({ host: admin.host, port: admin.port }),
    close: () => app.close(),
  };
}

/** What holds for every call: no page of another site makes it, and who makes it may. */
function guard(app: AdminApp, { config, clock, events }: AdminParts): void {
  const { admin } = config.get();
  const access = new Access(admin, new Lockout(clock, events));
  app.decorateRequest("caller", null);
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(GUARDING_HEADERS);
    reply.header("x-request-id", request.id);
    refusePages(request.headers, admin);
    const needed = request.is404 ? "viewer" : (request.routeOptions.config.access ?? "operator");
    if (needed === "anyone") return;
    request.caller = access.identify(request.headers.authorization, callerAddress(request.ip));
    demand(needed, request.caller);
  });
}

/** How refusals look, and that they are remembered. */
function answerRefusals(app: AdminApp, routes: readonly Route[], refusals: Refusals): void {
  const answer = (refusal: Refusal, request: FastifyRequest, reply: FastifyReply) => {
    refusals.note(refusal, request);
    return refuse(refusal, request, reply);
  };
  app.setNotFoundHandler((request, reply) => answer(misdirected(request, reply, routes), request, reply));
  app.setErrorHandler((error, request, reply) => {
    const refusal = refusalOf(error);
    if (refusal.word === "internal") request.log.error({ err: error }, "admin call failed");
    return answer(refusal, request, reply);
  });
}

function misdirected(request: FastifyRequest, reply: FastifyReply, routes: readonly Route[]): Refusal {
  const [path = ""] = request.url.split("?");
  const methods = methodsAt(path, routes);
  if (methods.length === 0) return new Refusal("unknown_path", "GET /openapi.json lists what there is");
  reply.header("allow", methods.join(", "));
  return new Refusal("wrong_method", `${request.method} is not among ${methods.join(", ")}`);
}

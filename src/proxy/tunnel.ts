import type { ClientRequest, IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import { createProxyServer } from "http-proxy";
import type { Clock } from "../clock.ts";
import type { OpenPin, Pins } from "../consistency/pins.ts";
import { FAULTS, type Fault } from "../errors.ts";
import type { EventBus, RequestRecord } from "../events.ts";
import type { Endpoint, RegionTable } from "../regions/table.ts";
import { type Decision, type DecisionInputs, decide, type Routed } from "../routing/decide.ts";
import { settleAffinity } from "./affinity-cookie.ts";
import { faultOf } from "./faults.ts";
import { servernameOf } from "./forward.ts";
import { isLoop, type Passage, readPassage, requestHeaders } from "./headers.ts";
import { decisionInputs } from "./inputs.ts";
import { type Reading, readRequest } from "./reading.ts";
import { refuseSocket } from "./refuse.ts";
import type { Sessions } from "./sessions.ts";
import type { Settings } from "./settings.ts";
import { readTarget, type Target } from "./target.ts";

export interface TunnelParts {
  readonly clock: Clock;
  readonly chance: () => number;
  readonly events: EventBus;
  readonly table: RegionTable;
  readonly pins: Pins;
  readonly sessions: Sessions;
  readonly settings: () => Settings;
}

/** Only WebSocket is a tunnel. Other offers (h2c above all) are ignored, which is what an offer allows. */
export function isTunnelRequest(req: IncomingMessage): boolean {
  return req.method === "GET" && req.headers.upgrade?.toLowerCase() === "websocket";
}

/** An upgrade from its request to the end of its tunnel. */
interface Tunnel {
  readonly req: IncomingMessage;
  readonly socket: Socket;
  readonly head: Buffer;
  readonly settings: Settings;
  readonly target: Target;
  readonly passage: Passage;
  readonly reading: Reading;
  readonly startedAtMs: number;
  readonly startedAtWallMs: number;
  inputs: DecisionInputs | null;
  decision: Decision | null;
  endpoint: Endpoint | null;
  status: number | null;
  fault: Fault | null;
  upstreamMs: number | null;
}

/** Decides upgrades as it does requests, and hands the sockets to http-proxy, each with an error listener from the first tick. */
export class TunnelHandler {
  readonly #parts: TunnelParts;
  readonly #sockets = new Map<Socket, string>();

  constructor(parts: TunnelParts) {
    this.#parts = parts;
  }

  /** Tunnels that are open, by region. */
  counts(): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const region of this.#sockets.values()) counts.set(region, (counts.get(region) ?? 0) + 1);
    return counts;
  }

  /** Cuts every tunnel, at the end of a shutdown's grace. */
  closeAll(): void {
    for (const socket of this.#sockets.keys()) socket.destroy();
  }

  /** Never throws; emits `requestDone` exactly once, when the client's socket has closed. */
  upgrade(req: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on("error", ignore);
    const tunnel = this.#read(req, socket, head);
    socket.once("close", () => this.#parts.events.emit("requestDone", this.#record(tunnel)));
    void this.#open(tunnel).catch((error: Error) => {
      this.#parts.events.emit("failed", { where: "upgrade", error });
      this.#refuse(tunnel, "internal");
    });
  }

  #read(req: IncomingMessage, socket: Socket, head: Buffer): Tunnel {
    const { clock, chance, settings: inForce } = this.#parts;
    const settings = inForce();
    const read = readTarget(req);
    const target = typeof read === "string" ? { url: "/", path: "/", host: "" } : read;
    const trusted = settings.trusted.trusts(req.socket.remoteAddress);
    const fault = typeof read === "string" ? "bad_request" : isLoop(req, settings.edgeId) ? "loop" : null;
    return {
      req,
      socket,
      head,
      settings,
      target,
      passage: readPassage(req, target.host, trusted, settings.edgeId),
      reading: readRequest("GET", target.path, req.headers, settings, chance()),
      startedAtMs: clock.now(),
      startedAtWallMs: clock.wall(),
      inputs: null,
      decision: null,
      endpoint: null,
      status: null,
      fault,
      upstreamMs: null,
    };
  }

  async #open(tunnel: Tunnel): Promise<void> {
    if (tunnel.fault !== null) return this.#refuse(tunnel, tunnel.fault);
    const { table, pins, chance } = this.#parts;
    tunnel.inputs = await decisionInputs(tunnel.reading, tunnel.settings, table.view, pins);
    const decision = decide(tunnel.inputs);
    tunnel.decision = decision;
    if (decision.kind === "refused") return this.#refuse(tunnel, decision.fault);
    tunnel.endpoint = table.pick(decision.region, new Set(), chance);
    if (tunnel.endpoint === null) return this.#refuse(tunnel, "no_region");
    if (tunnel.socket.destroyed) return;
    this.#connect(tunnel, decision, tunnel.endpoint);
  }

  #connect(tunnel: Tunnel, decision: Routed, endpoint: Endpoint): void {
    const { clock, table } = this.#parts;
    const { req, socket, settings } = tunnel;
    const pin = this.#openPin(tunnel);
    table.started(endpoint);
    socket.once("close", () => {
      table.finished(endpoint);
      pin?.settle("committed");
    });
    replaceHeaders(req, tunnel);
    const servername = servernameOf(endpoint.origin);
    const proxy = createProxyServer({
      target: endpoint.origin,
      upgradeTimeout: settings.config.proxy.responseTimeout,
      ...(servername === null ? {} : { ssl: { servername } }),
    });
    proxy.on("error", (error) => this.#failed(tunnel, endpoint, error));
    proxy.on("proxyReqWs", (upstream) => this.#watch(upstream, tunnel, decision, endpoint));
    proxy.on("open", (region) => {
      tunnel.upstreamMs = clock.now() - tunnel.startedAtMs;
      this.#join(tunnel, region, endpoint.region);
    });
    // Half a tunnel is none: when the client's side dies before the region has answered, http-proxy ends the rest.
    void proxy.ws(req, socket, {}, tunnel.head).catch(ignore);
  }

  /** Sees the region's answer before http-proxy passes it on, and edits its head. */
  #watch(upstream: ClientRequest, tunnel: Tunnel, decision: Routed, endpoint: Endpoint): void {
    const answered = (response: IncomingMessage): void => {
      tunnel.status = response.statusCode ?? null;
      this.#parts.table.succeeded(endpoint);
      editHead(response, tunnel, decision, this.#parts.sessions);
    };
    upstream.once("upgrade", answered);
    upstream.once("response", answered);
    tunnel.socket.once("close", () => upstream.destroy());
  }

  /** From here on each side's end is the other's, and silence on both for too long is the end of both. */
  #join({ socket, settings }: Tunnel, region: Socket, regionId: string): void {
    this.#sockets.set(socket, regionId);
    socket.once("close", () => {
      this.#sockets.delete(socket);
      region.destroy();
    });
    region.once("close", () => socket.destroySoon());
    socket.setTimeout(settings.config.proxy.idleTimeout, () => socket.destroy());
  }

  #openPin({ reading, settings }: Tunnel): OpenPin | null {
    const writes = reading.facts.intent === "write" && settings.config.consistency.mode !== "off";
    return writes ? this.#parts.pins.open(reading.pids.write) : null;
  }

  #failed(tunnel: Tunnel, endpoint: Endpoint, error: Error): void {
    if (tunnel.status !== null) return;
    const fault = tunnel.socket.destroyed || tunnel.socket.errored ? "client_gone" : faultOf(error);
    if (fault !== "client_gone") this.#parts.table.failed(endpoint, fault);
    this.#refuse(tunnel, fault);
  }

  #refuse(tunnel: Tunnel, fault: Fault): void {
    tunnel.fault = fault;
    if (fault !== "client_gone") refuseSocket(tunnel.socket, fault, tunnel.passage.requestId);
  }

  #record(tunnel: Tunnel): RequestRecord {
    const { decision, inputs, endpoint, fault, status, upstreamMs, startedAtMs, socket } = tunnel;
    const durationMs = this.#parts.clock.now() - startedAtMs;
    const outcome = fault ?? status;
    return {
      id: tunnel.passage.requestId,
      startedAtWallMs: tunnel.startedAtWallMs,
      method: "GET",
      path: tunnel.target.path,
      protocol: "websocket",
      status: status ?? FAULTS[fault ?? "client_gone"].status,
      region: decision?.kind === "routed" ? decision.region : null,
      reason: decision?.kind === "routed" ? decision.reason : null,
      fault,
      attempts:
        endpoint === null || outcome === null
          ? []
          : [
              {
                region: endpoint.region,
                endpoint: endpoint.origin,
                outcome,
                durationMs: upstreamMs ?? durationMs,
              },
            ],
      durationMs,
      upstreamMs,
      overheadMs: null,
      bytesIn: socket.bytesRead,
      bytesOut: socket.bytesWritten,
      pin: inputs?.pin ?? "free",
      consistency: decision?.kind === "routed" ? decision.consistency : null,
      affinity: "none",
      complete: status !== null,
      decision,
      inputs,
    };
  }
}

/** http-proxy copies `req.headers`, so they become exactly what the region should get. */
function replaceHeaders(req: IncomingMessage, { passage, settings, target, inputs, reading }: Tunnel): void {
  const own = ["x-meridian-edge", settings.edgeId];
  if (reading.facts.intent === "write") own.push("x-meridian-write-epoch", String(inputs?.view.epoch ?? 0));
  const list = requestHeaders(req, passage, own);
  const headers: Record<string, string | string[]> = { connection: "Upgrade", upgrade: "websocket" };
  for (let i = 0; i + 1 < list.length; i += 2) {
    const key = list[i]?.toLowerCase() ?? "";
    const value = list[i + 1] ?? "";
    const before = headers[key];
    headers[key] = before === undefined ? value : [...(Array.isArray(before) ? before : [before]), value];
  }
  for (const key of Object.keys(req.headers)) delete req.headers[key];
  Object.assign(req.headers, headers);
  req.url = target.url;
}

/** Takes the region's own word out of its answer and puts ours in. `upgrade` and `connection` stay: they are the answer. */
function editHead(response: IncomingMessage, tunnel: Tunnel, decision: Routed, sessions: Sessions): void {
  const { headers } = response;
  const { reading, settings, passage } = tunnel;
  for (const key of Object.keys(headers)) if (key.startsWith("x-meridian-")) delete headers[key];
  headers["x-request-id"] = passage.requestId;
  headers["x-meridian-region"] = decision.region;
  headers["x-meridian-reason"] = decision.reason;
  if (decision.consistency !== null) headers["x-meridian-consistency"] = decision.consistency;
  const parts = { cookies: settings.affinity, sessions };
  const { cookie } = settleAffinity(reading, decision, passage.proto === "https", parts);
  if (cookie !== null) headers["set-cookie"] = [...(headers["set-cookie"] ?? []), cookie];
}

function ignore(): void {}

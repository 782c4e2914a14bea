import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import type { SimulatedRegion } from "./simulated-region.ts";
import type { SimulatedWorld } from "./simulated-world.ts";

const DEFAULT_SLOW_MS = 800;
const DEFAULT_STATUS = 500;

type Action = (region: SimulatedRegion, query: URLSearchParams) => void | Promise<void>;

/** What can be done to a simulated region, by name: keys of the demo, `POST /REGION/ACTION` of the control server. */
const ACTIONS: Readonly<Record<string, Action>> = {
  kill: (region) => region.kill(),
  heal: (region) => region.heal(),
  slow: (region, query) => region.slow(Number(query.get("ms") ?? DEFAULT_SLOW_MS)),
  blackhole: (region) => region.blackhole(),
  error: (region, query) => region.ail({ trafficStatus: Number(query.get("status") ?? DEFAULT_STATUS) }),
  sicken: (region) => region.ail({ probeStatus: DEFAULT_STATUS }),
  drain: (region) => region.ail({ draining: true }),
  freeze: (region) => region.freezeReplication(),
  thaw: (region) => region.thawReplication(),
  lag: (region, query) => {
    region.lagMs = Number(query.get("ms") ?? DEFAULT_SLOW_MS);
  },
};

/**
 * A small HTTP server that breaks and heals the regions of a world: `curl -X POST CONTROL/eu-west/kill`. `POST /promote` is the hook
 * that makes another region its writer.
 */
export class WorldControl {
  readonly #world: SimulatedWorld;
  readonly #server: Server;

  constructor(world: SimulatedWorld) {
    this.#world = world;
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  /** Resolves to the URL it listens on. */
  async listen(port: number, host = "127.0.0.1"): Promise<string> {
    this.#server.listen(port, host);
    await once(this.#server, "listening");
    return `http://${host}:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, "close");
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isHook = request.method === "POST" && request.url === "/promote";
    const [status, answer] = isHook ? this.#promote(await text(request)) : await this.#answer(request);
    request.resume();
    response.writeHead(status, { "content-type": "application/json" });
    response.end(`${JSON.stringify(answer)}\n`);
  }

  #promote(body: string): [number, unknown] {
    const { to, epoch } = JSON.parse(body) as { readonly to: string; readonly epoch: number };
    return [this.#world.promote(to, epoch) ? 200 : 409, this.#world.regions.map(describe)];
  }

  async #answer({ method, url = "/" }: IncomingMessage): Promise<[number, unknown]> {
    const { pathname, searchParams } = new URL(url, "http://control");
    if (method === "GET" && pathname === "/") return [200, this.#world.regions.map(describe)];
    const [, id, name = ""] = pathname.split("/");
    const region = this.#world.regions.find((candidate) => candidate.id === id);
    const action = Object.hasOwn(ACTIONS, name) ? ACTIONS[name] : undefined;
    if (method !== "POST" || region === undefined || action === undefined) return [404, USAGE];
    await action(region, searchParams);
    return [200, describe(region)];
  }
}

const USAGE = { usage: "GET /, POST /REGION/ACTION, POST /promote", actions: Object.keys(ACTIONS) };

function describe(region: SimulatedRegion) {
  const { id, url, listening, delayMs, lagMs, answered, ailments } = region;
  return { id, role: region.setup.role, url, listening, delayMs, lagMs, answered, ...ailments };
}
